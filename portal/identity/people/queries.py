"""Reading users."""

from __future__ import annotations

from typing import Any

from chassis.database import Row, rows_of
from chassis.errors import NOT_FOUND
from contracts.terms import Role
from portal.identity.people.domain import User
from portal.identity.people.models import Users


def find_user(name: str) -> User | None:
    """The user of a name, disabled or not."""
    rows = rows_of(Users, {"_id": name}, limit=1)
    return user_of(rows[0]) if rows else None


def user_named(name: str) -> User:
    """The user of a name; Refusal when there is none."""
    found = find_user(name)
    if found is None:
        raise NOT_FOUND(what="user", id=name)
    return found


def users_page(where: dict[str, Any], limit: int) -> list[User]:
    """Users by name."""
    return [user_of(row) for row in rows_of(Users, where, sort=[("_id", 1)], limit=limit)]


def user_of(row: Row) -> User:
    """A user as he is stored."""
    return User(
        name=row["_id"],
        roles=tuple(Role(role) for role in row["roles"]),
        owns=row.get("owns", {}),
        language=row.get("language", "zh"),
        disabled=row.get("disabled", False),
    )

"""Reading machines."""

from __future__ import annotations

from typing import Any

from chassis.database import Row, rows_of
from chassis.errors import NOT_FOUND
from contracts.terms import Role
from portal.identity.machines.domain import Machine, Secret
from portal.identity.machines.models import Machines


def find_row(client_id: str) -> Row | None:
    """A registered machine as it is stored."""
    rows = rows_of(Machines, {"_id": client_id}, limit=1)
    return rows[0] if rows else None


def row_named(client_id: str) -> Row:
    """A registered machine as it is stored; Refusal when there is none."""
    row = find_row(client_id)
    if row is None:
        raise NOT_FOUND(what="client", id=client_id)
    return row


def machines_page(where: dict[str, Any], limit: int) -> list[Machine]:
    """Registered machines by client id."""
    return [machine_of(row) for row in rows_of(Machines, where, sort=[("_id", 1)], limit=limit)]


def machine_of(row: Row) -> Machine:
    """A machine as it is stored."""
    return Machine(
        client_id=row["_id"],
        roles=tuple(Role(role) for role in row["roles"]),
        owns=row.get("owns", {}),
        disabled=row.get("disabled", False),
        secrets=tuple(Secret(one["number"], one["made_at"]) for one in row.get("secrets", ())),
    )

"""Registering users, and telling whether somebody is one of them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.database import Row, collection_of, rows_of
from portal.identity.audit.commands import Act, record
from portal.identity.people import passwords
from portal.identity.people.domain import (
    FAILURES_ALLOWED,
    LOCKED_MINUTES,
    LOCKED_OUT,
    PASSWORD_NEEDED,
    SIGN_IN_FAILED,
    User,
    check_name,
    check_scope,
)
from portal.identity.people.models import Sessions, SignInAttempts, Users
from portal.identity.people.queries import find_user, user_of


def put_user(user: User, password: str | None, by: str) -> User:
    """Create or replace a user; without a password the old one stays. Whoever loses rights is signed out."""
    check_name(user.name)
    check_scope(user.roles, user.owns)
    known = find_user(user.name)
    if known is None and password is None:
        raise PASSWORD_NEEDED()
    if known == user and (password is None or _has_password(user.name, password)):
        return user
    _store(user, password)
    if known is not None:
        sign_out_everywhere(user.name)
    record(by, Act.USER_PUT, user.name)
    return user


def _has_password(name: str, password: str) -> bool:
    rows = rows_of(Users, {"_id": name}, ["password_hash"], limit=1)
    return passwords.fits(password, rows[0]["password_hash"]) if rows else False


def _store(user: User, password: str | None) -> None:
    change: dict[str, Any] = {
        "roles": [role.value for role in user.roles],
        "owns": {kind: list(ids) for kind, ids in user.owns.items()},
        "language": user.language,
        "disabled": user.disabled,
        "changed_at": datetime.now(UTC),
    }
    if password is not None:
        change["password_hash"] = passwords.hashed(password)
        forget_attempts(user.name)
    collection_of(Users).update_one({"_id": user.name}, {"$set": change}, upsert=True)


def verify(name: str, password: str) -> User:
    """The user with this name and password; Refusal when they do not fit or have failed too often."""
    name = name.strip().lower()
    rows = rows_of(Users, {"_id": name}, limit=1)
    row: Row = rows[0] if rows else {"password_hash": "", "disabled": True}
    shown = name if rows else f"unknown:{fingerprint(name)[:12]}"
    if count_attempt(name) > FAILURES_ALLOWED:
        record(shown, Act.LOCKED_OUT)
        raise LOCKED_OUT(minutes=LOCKED_MINUTES)
    if not passwords.fits(password, row["password_hash"]) or row.get("disabled"):
        record(shown, Act.SIGN_IN_FAILED)
        raise SIGN_IN_FAILED()
    forget_attempts(name)
    if passwords.is_outdated(row["password_hash"]):
        collection_of(Users).update_one({"_id": name}, {"$set": {"password_hash": passwords.hashed(password)}})
    record(name, Act.SIGNED_IN)
    return user_of(row)


def count_attempt(name: str) -> int:
    """Count a try before it is judged, so that many at once are not one; how many there were in a row.

    What comes while the name is locked does not lock it for longer.
    """
    now = datetime.now(UTC)
    over = {"$lt": [{"$ifNull": ["$last_at", now]}, now - timedelta(minutes=LOCKED_MINUTES)]}
    locked = {"$gte": [{"$ifNull": ["$failures", 0]}, FAILURES_ALLOWED]}
    change = {
        "failures": {"$cond": [over, 1, {"$add": [{"$ifNull": ["$failures", 0]}, 1]}]},
        "last_at": {"$cond": [{"$and": [locked, {"$not": [over]}]}, "$last_at", now]},
    }
    attempts = collection_of(SignInAttempts)
    found = attempts.find_one_and_update(
        {"_id": fingerprint(name)}, [{"$set": change}], upsert=True, return_document=True
    )
    return int(found["failures"]) if found else 1


def forget_attempts(name: str) -> None:
    """Start counting again from nothing."""
    collection_of(SignInAttempts).delete_one({"_id": fingerprint(name)})


def fingerprint(name: str) -> str:
    """Names that nobody has are not kept in clear: they are often passwords typed into the wrong field."""
    return hashlib.sha256(name.encode()).hexdigest()


def sign_out_everywhere(name: str) -> None:
    """End all sessions of a user."""
    collection_of(Sessions).delete_many({"user": name})

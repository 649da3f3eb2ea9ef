"""Registering machines, giving them secrets, and telling whether one is who it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from chassis.database import Row, collection_of, transactional
from chassis.errors import NOT_FOUND
from portal.identity.audit.commands import Act, record
from portal.identity.machines.domain import (
    SECRETS_AT_ONCE,
    TWO_SECRETS,
    Machine,
    built_in,
    check_client_id,
    derived_secret,
    is_same,
    new_secret,
    secret_digest,
)
from portal.identity.machines.models import Machines
from portal.identity.machines.queries import find_row, machine_of, row_named
from portal.identity.people.domain import check_scope


@transactional
def put_machine(machine: Machine, by: str) -> Machine:
    """Create or replace a machine; its secrets stay."""
    check_client_id(machine.client_id)
    check_scope(machine.roles, machine.owns)
    row = find_row(machine.client_id)
    known = machine_of(row) if row else None
    if known is not None and replace(known, secrets=()) == machine:
        return known
    change = {
        "roles": [role.value for role in machine.roles],
        "owns": {kind: list(ids) for kind, ids in machine.owns.items()},
        "disabled": machine.disabled,
        "changed_at": datetime.now(UTC),
    }
    first = {"secrets": [], "next_number": 1}
    collection_of(Machines).update_one({"_id": machine.client_id}, {"$set": change, "$setOnInsert": first}, upsert=True)
    record(by, Act.CLIENT_PUT, machine.client_id)
    return replace(machine, secrets=known.secrets if known else ())


@transactional
def add_secret(client_id: str, clients_key: bytes, by: str) -> tuple[int, str]:
    """A new secret beside the one in use, with its number; it is shown this once."""
    row = row_named(client_id)
    if len(row["secrets"]) >= SECRETS_AT_ONCE:
        raise TWO_SECRETS()
    number, secret = int(row["next_number"]), new_secret()
    kept = {"number": number, "digest": secret_digest(clients_key, secret), "made_at": datetime.now(UTC)}
    collection_of(Machines).update_one({"_id": client_id}, {"$push": {"secrets": kept}, "$inc": {"next_number": 1}})
    record(by, Act.SECRET_MADE, f"{client_id}/{number}")
    return number, secret


@transactional
def revoke_secret(client_id: str, number: int, by: str) -> None:
    """Take a secret back; tokens issued for it live on for at most five minutes."""
    row = row_named(client_id)
    if number not in {one["number"] for one in row["secrets"]}:
        raise NOT_FOUND(what="secret", id=f"{client_id}/{number}")
    collection_of(Machines).update_one({"_id": client_id}, {"$pull": {"secrets": {"number": number}}})
    record(by, Act.SECRET_REVOKED, f"{client_id}/{number}")


def authenticate(client_id: str, secret: str, clients_key: bytes, is_demo: bool) -> Machine | None:
    """The machine with this id and secret, or None."""
    machine = built_in(client_id, is_demo)
    if machine is not None:
        return machine if is_same(secret, derived_secret(clients_key, client_id)) else None
    row = find_row(client_id)
    if row is None or row.get("disabled") or not _has_secret(row, secret_digest(clients_key, secret)):
        return None
    return machine_of(row)


def _has_secret(row: Row, digest: str) -> bool:
    return any(is_same(one["digest"], digest) for one in row["secrets"])

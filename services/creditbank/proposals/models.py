"""Proposals at rest, and what their simulations found, holding by holding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import mongoengine as me
import msgspec
from pymongo import DeleteMany, InsertOne, ReplaceOne

from chassis.database import Row, collection_of, rows_of, write
from chassis.errors import NOT_FOUND
from services.creditbank.proposals.domain import (
    Approval,
    Change,
    Enactment,
    Kind,
    Proposal,
    Rerate,
    Retirement,
    Simulation,
    State,
    VersionDraft,
)
from services.creditbank.proposals.simulator import Shift

PURGED_ROWS = 20_000
CHANGES: Mapping[str, type[Change]] = {
    Kind.VERSION: VersionDraft,
    Kind.RETIREMENT: Retirement,
    Kind.RERATE: Rerate,
}


class Proposals(me.Document):
    """By number, as the domain has them; what is empty is left out. `simulations`: how many were asked for."""

    meta = {
        "collection": "recognition_proposals",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["state"], "name": "state"}],
    }
    number = me.IntField(primary_key=True)
    state = me.StringField()
    author = me.StringField()
    made_at = me.DateTimeField()
    revision = me.IntField()
    kind = me.StringField()
    change = me.DictField()
    simulations = me.IntField()
    simulation = me.DictField()
    approvals = me.ListField(me.DictField())
    enactment = me.DictField()


class SimulatedShifts(me.Document):
    """By `<proposal>.<simulation>:<learner>:<scheme>`: what a holding shows and would show. Rewritten, not added to."""

    meta = {"collection": "simulated_shifts", "auto_create_index": False, "strict": False}
    place = me.StringField(primary_key=True)
    learner_id = me.StringField()
    programme = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    before_provisional = me.IntField()
    before_available = me.IntField()
    enacted_provisional = me.IntField()
    enacted_available = me.IntField()
    rerated_provisional = me.IntField()
    rerated_available = me.IntField()
    change = me.IntField()


def next_number() -> int:
    """The number of the next proposal; whoever asks has named the strand of all proposals."""
    last = rows_of(Proposals, {}, ["_id"], sort=[("_id", -1)], limit=1)
    return last[0]["_id"] + 1 if last else 1


def keep(proposal: Proposal) -> None:
    """Write a proposal as it is now."""
    said: Row = msgspec.to_builtins(proposal, builtin_types=(datetime,))
    row = {"_id": said.pop("number"), "kind": str(proposal.kind)}
    row |= {name: value for name, value in said.items() if value is not None}
    write(Proposals, [ReplaceOne({"_id": row["_id"]}, row, upsert=True)])


def found(number: int) -> Proposal:
    """A proposal by its number; Refusal when there is none."""
    for row in rows_of(Proposals, {"_id": number}):
        return proposal_of(row)
    raise NOT_FOUND(what="proposal", id=number)


def proposal_of(row: Row) -> Proposal:
    """A proposal as it stands."""
    return Proposal(
        number=row["_id"],
        state=State(row["state"]),
        author=row["author"],
        made_at=row["made_at"],
        change=msgspec.convert(row["change"], CHANGES[row["kind"]]),
        revision=row["revision"],
        simulations=row["simulations"],
        simulation=msgspec.convert(row.get("simulation"), Simulation | None),
        approvals=msgspec.convert(row["approvals"], tuple[Approval, ...]),
        enactment=msgspec.convert(row.get("enactment"), Enactment | None),
    )


def find_first(state: State) -> Proposal | None:
    """The oldest proposal in a state."""
    rows = rows_of(Proposals, {"state": str(state)}, sort=[("_id", 1)], limit=1)
    return proposal_of(rows[0]) if rows else None


def all_under_way() -> list[Proposal]:
    """The rerates that move outcomes now."""
    return [proposal_of(row) for row in rows_of(Proposals, {"state": str(State.UNDER_WAY)}, sort=[("_id", 1)])]


def page_of(where: Mapping[str, Any], limit: int) -> list[Proposal]:
    """Proposals, the newest first."""
    return [proposal_of(row) for row in rows_of(Proposals, dict(where), sort=[("_id", -1)], limit=limit)]


def replace_shifts(proposal: int, simulation: int, span: tuple[str, str], shifts: Iterable[Shift]) -> None:
    """Write what a simulation found in a span of learners, in place of what it found there before a worker died."""
    after, until = span
    prefix = prefix_of(proposal, simulation)
    between = {"$gt": f"{prefix}{after};" if after else prefix, "$lt": f"{prefix}{until};" if until else beyond(prefix)}
    write(SimulatedShifts, [DeleteMany({"_id": between}), *(InsertOne(_row(prefix, one)) for one in shifts)], True)


def purge_shifts(proposal: int, simulation: int) -> bool:
    """Remove some of what earlier simulations of a proposal found; True when there may be more."""
    earlier = {"$gt": prefix_of(proposal, 0), "$lt": prefix_of(proposal, simulation)}
    names = [row["_id"] for row in rows_of(SimulatedShifts, {"_id": earlier}, ["_id"], limit=PURGED_ROWS)]
    if names:
        write(SimulatedShifts, [DeleteMany({"_id": {"$in": names}})])
    return bool(names)


def prefix_of(proposal: int, simulation: int) -> str:
    """What the names of a simulation's rows begin with; they sort by learner."""
    return f"{proposal:08}.{simulation:06}:"


def beyond(prefix: str) -> str:
    """What sorts behind everything that begins with a prefix ending in a colon: `;` is the next character."""
    return prefix[:-1] + ";"


def _row(prefix: str, one: Shift) -> Row:
    return {
        "_id": f"{prefix}{one.learner_id}:{one.scheme}",
        "learner_id": one.learner_id,
        "programme": one.programme,
        "scheme": one.scheme,
        "level": one.level,
        "before_provisional": one.before.provisional,
        "before_available": one.before.available,
        "enacted_provisional": one.enacted.provisional,
        "enacted_available": one.enacted.available,
        "rerated_provisional": one.rerated.provisional,
        "rerated_available": one.rerated.available,
        "change": one.change,
    }


def page_of_shifts(prefix: str, direction: Mapping[str, int], after: str, limit: int) -> list[Row]:
    """What a simulation found, by learner and scheme, behind a place; `direction` is a filter on the change."""
    place = {"$gt": prefix + after, "$lt": beyond(prefix)}
    where: Row = {"_id": place} | ({"change": dict(direction)} if direction else {})
    return rows_of(SimulatedShifts, where, sort=[("_id", 1)], limit=limit)


def stream_shifts(prefix: str, direction: Mapping[str, int]) -> Iterator[Row]:
    """The same, all of it, a batch in memory at a time."""
    where: Row = {"_id": {"$gt": prefix, "$lt": beyond(prefix)}} | ({"change": dict(direction)} if direction else {})
    yield from collection_of(SimulatedShifts).find(where, batch_size=2_000).sort("_id", 1)


def count_shifts(prefix: str, direction: Mapping[str, int]) -> int:
    """How many there are."""
    where: Row = {"_id": {"$gt": prefix, "$lt": beyond(prefix)}} | ({"change": dict(direction)} if direction else {})
    return collection_of(SimulatedShifts).count_documents(where)

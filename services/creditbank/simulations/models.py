"""Simulations of drafts at rest, and what they found, exemption by exemption."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import mongoengine as me
import msgspec
from pymongo import DeleteMany, DeleteOne, InsertOne, ReplaceOne

from chassis.database import Row, collection_of, rows_of, write
from chassis.errors import NOT_FOUND
from services.creditbank.simulations.domain import Change, Draft, Simulation, State

PURGED_ROWS = 20_000


class ConversionSimulations(me.Document):
    """By number, as the domain has them; of a draft there is the latest one alone. Dates are ISO texts."""

    meta = {
        "collection": "conversion_simulations",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["state"], "name": "state"}, {"fields": ["of"], "name": "of"}],
    }
    number = me.IntField(primary_key=True)
    of = me.StringField()
    state = me.StringField()


class SimulatedExemptions(me.Document):
    """By `<simulation>:<step>.<number>`: what a draft would change for one student. Rewritten, not added to."""

    meta = {"collection": "simulated_exemptions", "auto_create_index": False, "strict": False}
    place = me.StringField(primary_key=True)
    learner_id = me.StringField()
    effect = me.StringField()


def next_number() -> int:
    """The number of the next simulation; whoever asks has named the strand of all of them."""
    last = rows_of(ConversionSimulations, {}, ["_id"], sort=[("_id", -1)], limit=1)
    return last[0]["_id"] + 1 if last else 1


def keep(simulation: Simulation) -> None:
    """Write a simulation as it is now."""
    row: Row = msgspec.to_builtins(simulation, builtin_types=(datetime,))
    row = {"_id": row.pop("number"), "of": simulation.draft.place, **row}
    write(ConversionSimulations, [ReplaceOne({"_id": row["_id"]}, row, upsert=True)])


def remove(number: int) -> None:
    """Remove a simulation that another one replaces."""
    write(ConversionSimulations, [DeleteOne({"_id": number})])


def found(number: int) -> Simulation:
    """A simulation by its number; Refusal when there is none, or another one replaced it."""
    for row in rows_of(ConversionSimulations, {"_id": number}):
        return _simulation(row)
    raise NOT_FOUND(what="simulation", id=number)


def latest_of(draft: Draft) -> Simulation | None:
    """The latest simulation of a draft."""
    rows = rows_of(ConversionSimulations, {"of": draft.place}, sort=[("_id", -1)], limit=1)
    return _simulation(rows[0]) if rows else None


def first_running() -> Simulation | None:
    """The oldest simulation that is under way."""
    rows = rows_of(ConversionSimulations, {"state": State.RUNNING.value}, sort=[("_id", 1)], limit=1)
    return _simulation(rows[0]) if rows else None


def page_of(where: Mapping[str, Any], limit: int) -> list[Simulation]:
    """Simulations, the newest first."""
    return [_simulation(row) for row in rows_of(ConversionSimulations, dict(where), sort=[("_id", -1)], limit=limit)]


def _simulation(row: Row) -> Simulation:
    return msgspec.convert({"number": row["_id"], **row}, Simulation, builtin_types=(datetime,))


def replace_changes(number: int, step: int, changes: Sequence[Change]) -> None:
    """Write what a step found, in place of what it found before a worker died."""
    prefix = f"{prefix_of(number)}{step:08}."
    rows = [{"_id": f"{prefix}{at:08}", **msgspec.to_builtins(one)} for at, one in enumerate(changes)]
    write(SimulatedExemptions, [DeleteMany({"_id": _beginning(prefix)}), *(InsertOne(row) for row in rows)], True)


def purge_changes(numbers: Iterable[int]) -> bool:
    """Remove some of what these simulations found; True when there may be more."""
    for number in numbers:
        where = {"_id": _beginning(prefix_of(number))}
        names = [row["_id"] for row in rows_of(SimulatedExemptions, where, ["_id"], limit=PURGED_ROWS)]
        if names:
            write(SimulatedExemptions, [DeleteMany({"_id": {"$in": names}})])
            return True
    return False


def prefix_of(number: int) -> str:
    """What the names of a simulation's rows begin with; they sort by programme, entry year and student record."""
    return f"{number:08}:"


def _beginning(prefix: str, after: str = "") -> dict[str, str]:
    """What begins with a prefix, behind a place of it; names go on with digits."""
    return {"$gt": prefix + after, "$lt": f"{prefix};"}


def page_of_changes(number: int, effect: str | None, after: str, limit: int) -> list[Row]:
    """What a simulation found, behind a place."""
    where = {"_id": _beginning(prefix_of(number), after)} | ({"effect": effect} if effect else {})
    return rows_of(SimulatedExemptions, where, sort=[("_id", 1)], limit=limit)


def count_changes(number: int, effect: str | None) -> int:
    """How many there are."""
    where: Row = {"_id": _beginning(prefix_of(number))} | ({"effect": effect} if effect else {})
    return collection_of(SimulatedExemptions).count_documents(where)


def stream_changes(number: int, effect: str | None) -> Iterator[Row]:
    """The same, all of it, a batch in memory at a time."""
    where: Row = {"_id": _beginning(prefix_of(number))} | ({"effect": effect} if effect else {})
    yield from collection_of(SimulatedExemptions).find(where, batch_size=2_000).sort("_id", 1)

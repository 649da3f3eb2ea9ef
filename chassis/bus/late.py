"""Late facts: events that were kept because nobody here knew their type, handed on by a worker that knows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pymongo import DeleteMany, UpdateOne

from chassis.bus.arrivals import Arrival, arrival_in, types_of
from chassis.bus.batches import count, handle
from chassis.bus.dead_letters import problem_of
from chassis.bus.handlers import Handlers
from chassis.bus.unknown import Language, UnknownEvents, envelope_in, kept_of
from chassis.database import Row, comes_from_outside, rows_of, run_transaction, write
from chassis.strands import name_keys
from chassis.watch import frames_of, log

AT_ONCE = 50


def hand_on(places: Iterable[str], handlers: Handlers, language: Language) -> None:
    """Give what is kept of these places, and has a known type now, to its handlers, in the order of each key.

    The partitions' owner does it before it handles anything newer of them. One that breaks its handler stays kept with
    the reason, later ones of its key behind it; they are tried again whenever partitions are assigned.
    """
    kept = kept_of(places, {*types_of(handlers), *(language or ())})
    stuck: set[str] = set()
    for start in range(0, len(kept), AT_ONCE):
        part = [row for row in kept[start : start + AT_ONCE] if row["key"] not in stuck]
        stuck |= _try(part, handlers)
    if kept:
        log.info("kept events of types known by now were handed on", count=len(kept), keys_stuck=len(stuck))


def _try(part: Sequence[Row], handlers: Handlers) -> set[str]:
    """All of a part at once; when that breaks, one by one. The keys of those that broke."""
    try:
        count(run_transaction(lambda: _handed(part, handlers)))
    except Exception as error:
        if comes_from_outside(error):
            raise
        log.info("kept events are tried one by one", kind=type(error).__name__)
        return _one_by_one(part, handlers)
    return set()


def _one_by_one(part: Sequence[Row], handlers: Handlers) -> set[str]:
    stuck: set[str] = set()
    for row in part:
        if row["key"] not in stuck and not _has_effect(row, handlers):
            stuck.add(row["key"])
    return stuck


def _has_effect(row: Row, handlers: Handlers) -> bool:
    try:
        count(run_transaction(lambda: _handed([row], handlers)))
    except Exception as error:
        if comes_from_outside(error):
            raise
        log.error("a kept event broke its handler and stays kept", name=row["_id"], frames=frames_of(error))
        change = {"$set": {"problem": problem_of(error)}, "$inc": {"attempts": 1}}
        write(UnknownEvents, [UpdateOne({"_id": row["_id"]}, change)])
        return False
    return True


def _handed(part: Sequence[Row], handlers: Handlers) -> list[Arrival]:
    """Handle and forget them, in the open transaction; another owner may have done some of it meanwhile."""
    name_keys({row["key"] for row in part})
    rows = rows_of(UnknownEvents, {"_id": {"$in": [row["_id"] for row in part]}}, sort=[("_id", 1)])
    types = types_of(handlers)
    due = [arrival_in(envelope_in(row), bytes(row["body"]), types, row["place"], row["offset"]) for row in rows]
    handle(due, handlers)
    write(UnknownEvents, [DeleteMany({"_id": {"$in": [row["_id"] for row in rows]}})] if rows else [])
    return due

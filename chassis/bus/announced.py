"""Reading back what was announced, and what of others is held up on a key; for whoever checks from outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from chassis.bus.outbox import Outbox
from chassis.database import Row, collection_of, rows_of
from chassis.strands import Strands

PAGE_ROWS = 5_000
STANDING: Row = {"forgotten": {"$ne": True}, "superseded": None}  # what a set-back took back is not among them
DEAD, GAP = "dead_letter", "gap"
Announced = dict[str, Any]


def because_of(causes: Iterable[str], types: Iterable[str]) -> list[Row]:
    """What was announced of these types for these causes; `said` is the body."""
    return _read({"cause": {"$in": sorted(set(causes))}}, types)


def on_keys(keys: Iterable[str], types: Iterable[str], since: datetime | None = None) -> list[Row]:
    """What was announced of these types on these keys, lately if an instant is given; `said` is the body."""
    lately = {"time": {"$gte": since}} if since else {}
    return _read({"key": {"$in": sorted(set(keys))}} | lately, types)


def stream_keys(types: Iterable[str], since: datetime | None = None) -> Iterator[list[str]]:
    """The keys on which anything of these types was announced, lately if an instant is given, page by page."""
    lately = {"time": {"$gte": since}} if since else {}
    where = {"type": {"$in": sorted(types)}, **STANDING} | lately
    rows = collection_of(Outbox).find(where, {"_id": 0, "key": 1}, batch_size=PAGE_ROWS)
    while page := {row["key"] for row in islice(rows, PAGE_ROWS)}:
        yield sorted(page)


def _read(where: Mapping[str, Any], types: Iterable[str]) -> list[Row]:
    found = rows_of(Outbox, {**where, "type": {"$in": sorted(types)}, **STANDING})
    return [{**row, "said": _said(row)} for row in found]


def _said(row: Row) -> dict[str, Any]:
    """A body; an empty one where somebody spoilt it."""
    try:
        found = msgspec.json.decode(bytes(row["body"]))
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def shown(row: Row | None) -> Announced | None:
    """An announcement as it is shown: which, when, and whether Kafka has it."""
    if row is None:
        return None
    is_published = not row.get("due", False)
    return {"event_id": row["_id"], "event": row["type"], "at": row["time"], "is_published": is_published}


def held_up(keys: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """By key, the sources of whom something waits here, and for what: behind a gap, or behind a dead letter."""
    stopped = {"$or": [{"parked.0": {"$exists": True}}, {"dead": {"$exists": True}}]}
    rows = rows_of(Strands, {"_id": {"$in": sorted(set(keys))}} | stopped, ["parked", "dead"])
    return {row["_id"]: _reasons(row) for row in rows}


def _reasons(row: Row) -> list[dict[str, str]]:
    dead = {source for source, numbers in row.get("dead", {}).items() if numbers}
    waiting = dead | set(row.get("parked", ()))
    return [{"source": source, "reason": DEAD if source in dead else GAP} for source in sorted(waiting)]

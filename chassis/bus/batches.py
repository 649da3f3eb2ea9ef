"""Batches: what arrived is deduplicated, ordered per key, cut into waves and handled in one transaction."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import mongoengine as me
import msgspec
from bson import Binary
from pymongo import DeleteMany, ReplaceOne

from chassis.bus.event import Announcement, Envelope, Event, envelope_of, event_of
from chassis.bus.handlers import Handler, Handlers
from chassis.database import Row, rows_of, write
from chassis.errors import Defect
from chassis.strands import Strand, name_keys, strand
from chassis.watch import EVENT_AGE_SECONDS, EVENTS_HANDLED, EVENTS_REPEATED, EVENTS_UNKNOWN


class Parked(me.Document):
    """An event that came before the one its key's numbers ask for next; it waits here, in order."""

    meta = {
        "collection": "parked_events",
        "auto_create_index": False,
        "strict": False,
        "indexes": [("key", "source", "seq"), ("since",)],
    }
    place = me.StringField(primary_key=True)
    key = me.StringField()
    source = me.StringField()
    seq = me.IntField()
    envelope = me.BinaryField()
    body = me.BinaryField()
    since = me.DateTimeField()


@dataclass(frozen=True)
class Arrival:
    """A record as it came: the envelope is read, the body only when somebody handles it."""

    envelope: Envelope
    payload: bytes
    event: Event[Any] | None  # None when no handler knows its type

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys it touches: its own first."""
        own = self.envelope.key
        return (own, *(key for key in (self.event.body.keys() if self.event else ()) if key != own))


def arrival_of(
    headers: Iterable[tuple[str, bytes]], payload: bytes, types: Mapping[str, type[Announcement]]
) -> Arrival:
    """Read a record; `Defect` when it breaks the envelope or its contract."""
    try:
        envelope = envelope_of(headers)
        body_type = types.get(envelope.type)
        event = event_of(envelope, payload, body_type) if body_type else None
    except (KeyError, ValueError, msgspec.DecodeError) as error:
        raise Defect(f"a record breaks the contract: {type(error).__name__}: {error}") from error
    return Arrival(envelope, payload, event)


def types_of(handlers: Handlers) -> dict[str, type[Announcement]]:
    """The announcements handled, by the name they travel under."""
    return {body_type.__name__: body_type for body_type in handlers}


def take(arrivals: Sequence[Arrival], handlers: Handlers) -> list[Arrival]:
    """Have each arrival's effect exactly once, in the open transaction.

    Every event moves its key's `seen`, handled or not; one that was seen is dropped; one that comes after a gap is
    parked, and drained in order as soon as the missing one arrives. Returns those whose turn it was.
    """
    name_keys(key for arrival in arrivals for key in arrival.keys)
    due = list(_in_order(arrivals, types_of(handlers)))
    name_keys(key for arrival in due for key in arrival.keys)
    events = [arrival for arrival in due if arrival.event]
    for wave in waves(events, handlers):
        for handler, handled in wave:
            handler(handled)
    return due


def waves(arrivals: Sequence[Arrival], handlers: Handlers) -> Iterator[list[tuple[Handler, list[Event[Any]]]]]:
    """Cut events into waves: within a wave a key belongs to one handler, and keeps its order.

    An event joins its key's latest wave if that wave's handler for the key is its own, else the next; an event that
    names several keys goes into the wave after the latest of each.
    """
    latest: dict[str, tuple[int, Handler]] = {}
    cut: list[dict[int, tuple[Handler, list[Event[Any]]]]] = []
    for arrival in arrivals:
        event = arrival.event
        if event is None:
            continue
        handler = handlers[type(event.body)]
        index = _wave_for(arrival.keys, handler, latest)
        while len(cut) <= index:
            cut.append({})
        cut[index].setdefault(id(handler), (handler, []))[1].append(event)
        latest.update(dict.fromkeys(arrival.keys, (index, handler)))
    for wave in cut:
        yield list(wave.values())


def _wave_for(keys: tuple[str, ...], handler: Handler, latest: Mapping[str, tuple[int, Handler]]) -> int:
    before = [latest[key] for key in keys if key in latest]
    if not before:
        return 0
    index, last = max(before, key=lambda one: one[0])
    return index if len(keys) == 1 and last is handler else index + 1


def _in_order(arrivals: Sequence[Arrival], types: Mapping[str, type[Announcement]]) -> Iterator[Arrival]:
    """Those whose turn it is, each followed by what waited behind it."""
    parking: dict[str, Row] = {}
    for arrival in arrivals:
        envelope = arrival.envelope
        held = strand(envelope.key)
        seen = held.seen.get(envelope.source, 0)
        if envelope.seq <= seen:
            EVENTS_REPEATED.labels(envelope.source).inc()
        elif envelope.seq > seen + 1:
            row = _parked_row(arrival)
            parking[row["_id"]] = row
            held.parked = sorted({*held.parked, envelope.source})
        else:
            held.seen[envelope.source] = envelope.seq
            yield arrival
            yield from _drain(held, envelope.source, parking, types)
    write(Parked, [ReplaceOne({"_id": name}, row, upsert=True) for name, row in parking.items()])


def _drain(
    held: Strand, source: str, parking: dict[str, Row], types: Mapping[str, type[Announcement]]
) -> Iterator[Arrival]:
    """What waited for the number just seen, in order, up to the next gap."""
    if source not in held.parked:
        return
    where = {"key": held.key, "source": source}
    waiting = {row["_id"]: row for row in rows_of(Parked, where)}
    waiting |= {name: row for name, row in parking.items() if row["key"] == held.key and row["source"] == source}
    drained = []
    for name, row in sorted(waiting.items(), key=lambda one: one[1]["seq"]):
        if row["seq"] > held.seen[source] + 1:
            break
        drained.append(name)
        if row["seq"] == held.seen[source] + 1:
            held.seen[source] = row["seq"]
            yield _unparked(row, types)
    for name in drained:
        parking.pop(name, None)
    write(Parked, [DeleteMany({"_id": {"$in": drained}})] if drained else [])
    if len(drained) == len(waiting):
        held.parked.remove(source)


def _parked_row(arrival: Arrival) -> Row:
    envelope = arrival.envelope
    return {
        "_id": f"{envelope.source}|{envelope.key}|{envelope.seq}",
        "key": envelope.key,
        "source": envelope.source,
        "seq": envelope.seq,
        "envelope": Binary(msgspec.json.encode(envelope)),
        "body": Binary(arrival.payload),
        "since": datetime.now(UTC),
    }


def _unparked(row: Row, types: Mapping[str, type[Announcement]]) -> Arrival:
    envelope = msgspec.json.decode(row["envelope"], type=Envelope)
    body_type = types.get(envelope.type)
    return Arrival(
        envelope, bytes(row["body"]), event_of(envelope, bytes(row["body"]), body_type) if body_type else None
    )


def count(arrivals: Sequence[Arrival]) -> None:
    """Have the metrics know of these, once they are committed."""
    now = time.time()
    for arrival in arrivals:
        envelope = arrival.envelope
        if arrival.event is None:
            EVENTS_UNKNOWN.labels(envelope.source, envelope.type).inc()
        else:
            EVENTS_HANDLED.labels(envelope.source, envelope.type).inc()
            EVENT_AGE_SECONDS.labels(envelope.type).observe(max(now - envelope.time.timestamp(), 0))

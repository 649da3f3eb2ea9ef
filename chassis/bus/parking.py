"""Order per key: what comes before its turn is parked, and drained in order when the missing one arrives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import mongoengine as me
import msgspec
from bson import Binary
from pymongo import DeleteMany, ReplaceOne

from chassis.bus import dead_letters
from chassis.bus.arrivals import Arrival, arrival_in
from chassis.bus.event import Announcement, Envelope
from chassis.database import Row, rows_of, write
from chassis.errors import Defect
from chassis.strands import Strand, strand
from chassis.watch import EVENTS_REPEATED

MOST_AHEAD = 1_000_000  # more is no gap but a wrong number
Types = Mapping[str, type[Announcement]]


class Parked(me.Document):
    """An event that came before the one its key's numbers ask for next; it waits here, in order."""

    meta = {
        "collection": "parked_events",
        "auto_create_index": False,
        "strict": False,
        "indexes": [("key", "source", "seq"), ("since",)],
    }
    name = me.StringField(primary_key=True)
    place = me.StringField()
    offset = me.IntField()
    key = me.StringField()
    source = me.StringField()
    seq = me.IntField()
    envelope = me.BinaryField()
    body = me.BinaryField()
    since = me.DateTimeField()


def in_order(arrivals: Sequence[Arrival], types: Types, is_alone: bool = False) -> Iterator[Arrival]:
    """Those whose turn it is, each followed by what waited behind it, in the open transaction.

    `is_alone`: what waited is not taken along, but handed over to be tried by itself.
    """
    parking: dict[str, Row] = {}
    for arrival in arrivals:
        envelope = arrival.envelope
        held = strand(envelope.key)
        seen = held.seen.get(envelope.source, 0)
        if envelope.seq <= seen or envelope.seq in held.dead.get(envelope.source, ()):
            EVENTS_REPEATED.labels(envelope.source).inc()
        elif envelope.seq > seen + MOST_AHEAD:
            raise Defect(f"number {envelope.seq} where {seen + 1} is next")
        elif envelope.seq > seen + 1:
            row = _parked_row(arrival)
            parking[row["_id"]] = row
            held.parked = sorted({*held.parked, envelope.source})
        else:
            held.seen[envelope.source] = envelope.seq
            yield arrival
            yield from drained(held, envelope.source, parking, types, is_alone)
    write(Parked, [ReplaceOne({"_id": name}, row, upsert=True) for name, row in parking.items()])


def drained(
    held: Strand, source: str, parking: dict[str, Row], types: Types, is_alone: bool = False
) -> Iterator[Arrival]:
    """What waited for the number just seen, in order, up to the next gap."""
    if source not in held.parked:
        return
    waiting = _waiting(held, source, parking)
    ready: list[str] = []
    for row in waiting:
        if row["seq"] > held.seen[source] + 1 or (is_alone and ready):
            break
        ready.append(row["_id"])
        if row["seq"] != held.seen[source] + 1:
            continue
        if is_alone:
            dead_letters.hand_over(row)
        else:
            held.seen[source] = row["seq"]
            yield _unparked(row, types)
    for name in ready:
        parking.pop(name, None)
    write(Parked, [DeleteMany({"_id": {"$in": ready}})] if ready else [])
    if len(ready) == len(waiting):
        held.parked.remove(source)


def _waiting(held: Strand, source: str, parking: Mapping[str, Row]) -> list[Row]:
    waiting = {row["_id"]: row for row in rows_of(Parked, {"key": held.key, "source": source})}
    waiting |= {name: row for name, row in parking.items() if row["key"] == held.key and row["source"] == source}
    return sorted(waiting.values(), key=lambda row: int(row["seq"]))


def _parked_row(arrival: Arrival) -> Row:
    envelope = arrival.envelope
    return {
        "_id": dead_letters.name_of(envelope),
        "place": arrival.place,
        "offset": arrival.offset,
        "key": envelope.key,
        "source": envelope.source,
        "seq": envelope.seq,
        "envelope": Binary(msgspec.json.encode(envelope)),
        "body": Binary(arrival.payload),
        "since": datetime.now(UTC),
    }


def _unparked(row: Row, types: Types) -> Arrival:
    envelope = msgspec.json.decode(row["envelope"], type=Envelope)
    return arrival_in(envelope, bytes(row["body"]), types, row["place"], row["offset"])

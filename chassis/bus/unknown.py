"""Unknown events: what the published language, as this worker knows it, has no type for, kept until a worker does.

A publisher may be newer than its readers. An event of a type nobody here has heard of moves its key's `seen` as any
other does, and is kept whole in the service's own database, in the batch's transaction (ADR 11). What a service knows
and does not listen to is not kept. At most `MOST_KEPT` events and `MOST_KEPT_BYTES` of bodies are; what goes beyond is
counted, and stays in its publisher's outbox.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import mongoengine as me
import msgspec
from bson import Binary
from pymongo import ReplaceOne, UpdateOne

from chassis.bus.arrivals import Arrival
from chassis.bus.event import Envelope
from chassis.database import Row, collection_of, rows_of, write
from chassis.watch import UNKNOWN_BEYOND, UNKNOWN_KEPT

MOST_KEPT = 10_000
MOST_KEPT_BYTES = 256 * 1024 * 1024
Language = Collection[str] | None  # the types that are announced at all; None: whoever asks knows every type


class UnknownEvents(me.Document):
    """`place`: topic and partition, whose owner hands it on; `problem`: how its handler broke, once it had one."""

    meta = {
        "collection": "unknown_events",
        "auto_create_index": False,
        "strict": False,
        "indexes": [("place", "type"), ("type",), ("size",)],
    }
    name = me.StringField(primary_key=True)
    place = me.StringField()
    offset = me.IntField()
    source = me.StringField()
    key = me.StringField()
    seq = me.IntField()
    type = me.StringField()
    envelope = me.BinaryField()
    body = me.BinaryField()
    size = me.IntField()
    kept_at = me.DateTimeField()
    attempts = me.IntField()
    problem = me.DictField()


class UnknownBeyond(me.Document):
    """How many events of each source went beyond the bound, and when the last one did."""

    meta = {"collection": "unknown_beyond", "auto_create_index": False, "strict": False}
    source = me.StringField(primary_key=True)
    count = me.IntField()
    last_at = me.DateTimeField()


def is_unknown(arrival: Arrival, language: Language) -> bool:
    """Whether the language has no such type."""
    return arrival.event is None and language is not None and arrival.envelope.type not in language


def keep(arrivals: Iterable[Arrival], language: Language) -> None:
    """Keep those of unknown types, in the open transaction, as far as the bound allows; count what goes beyond.

    Workers that keep at the same time do not see each other: the bound may be passed by one batch for each of them.
    """
    unknown = [arrival for arrival in arrivals if is_unknown(arrival, language)]
    if not unknown:
        return
    rows, beyond = _within_bound(unknown, *size_of_kept())
    write(UnknownEvents, [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows])
    now = datetime.now(UTC)
    counted = Counter(arrival.envelope.source for arrival in beyond)
    write(
        UnknownBeyond,
        [
            UpdateOne({"_id": source}, {"$inc": {"count": count}, "$set": {"last_at": now}}, upsert=True)
            for source, count in counted.items()
        ],
    )


def _within_bound(unknown: Sequence[Arrival], count: int, size: int) -> tuple[list[Row], list[Arrival]]:
    """The rows of those that fit beside what is kept already, and those that do not."""
    rows: list[Row] = []
    beyond: list[Arrival] = []
    for arrival in unknown:
        if count < MOST_KEPT and size + len(arrival.payload) <= MOST_KEPT_BYTES:
            rows.append(_row(arrival))
            count, size = count + 1, size + len(arrival.payload)
        else:
            beyond.append(arrival)
    return rows, beyond


def size_of_kept() -> tuple[int, int]:
    """How many are kept, and the bytes of their bodies; read from an index alone."""
    together = {"_id": None, "count": {"$sum": 1}, "size": {"$sum": "$size"}}
    found = list(collection_of(UnknownEvents).aggregate([{"$match": {"size": {"$gte": 0}}}, {"$group": together}]))
    return (found[0]["count"], found[0]["size"]) if found else (0, 0)


def beyond() -> dict[str, int]:
    """By source, how many went beyond the bound."""
    return {row["_id"]: row["count"] for row in rows_of(UnknownBeyond, {}, sort=[("_id", 1)])}


def report() -> None:
    """Have the metrics know how many are kept and how many went beyond."""
    UNKNOWN_KEPT.set(collection_of(UnknownEvents).estimated_document_count())
    UNKNOWN_BEYOND.set(sum(beyond().values()))


def kept_of(places: Iterable[str], types: Iterable[str]) -> list[Row]:
    """Name, key and type of what the owner of these places keeps of these types, in the order of each key's numbers."""
    where = {"place": {"$in": sorted(places)}, "type": {"$in": sorted(types)}}
    return rows_of(UnknownEvents, where, ["key", "type"], sort=[("_id", 1)])


def envelope_in(row: Row) -> Envelope:
    """The envelope of a kept event."""
    return msgspec.json.decode(row["envelope"], type=Envelope)


def _row(arrival: Arrival) -> Row:
    envelope = arrival.envelope
    about: dict[str, Any] = {name: getattr(envelope, name) for name in ("source", "key", "seq", "type")}
    return {
        "_id": f"{envelope.source}|{envelope.key}|{envelope.seq:016d}",  # sorts as the numbers do
        "place": arrival.place,
        "offset": arrival.offset,
        **about,
        "envelope": Binary(msgspec.json.encode(envelope)),
        "body": Binary(arrival.payload),
        "size": len(arrival.payload),
        "kept_at": datetime.now(UTC),
        "attempts": 0,
        "problem": {},
    }

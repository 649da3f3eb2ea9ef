"""What Kafka acknowledged and no longer has: a relay compares its topic with the last records it was acknowledged.

The outbox is the record (ADR 2): what a topic lost is published again from it, and readers drop what they have seen.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import mongoengine as me
from kafka import KafkaConsumer, TopicPartition
from pymongo import DeleteMany, UpdateMany, UpdateOne

from chassis.bus.event import Envelope
from chassis.bus.outbox import Outbox
from chassis.bus.reading import between, envelope_in, place_of, reader_of
from chassis.database import Row, collection_of, rows_of, write
from chassis.errors import Transient
from chassis.watch import EVENTS_PUBLISHED_AGAIN, log

CHECK_SECONDS = 30.0
HEAR_SECONDS = 10.0
PAUSE_SECONDS = 0.2
CLOCKS_APART = timedelta(minutes=10)  # between workers that announced, and how long a row may have been due
THE_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Acknowledged(me.Document):
    """By topic and partition: the last record of ours that Kafka acknowledged."""

    meta = {"collection": "acknowledged", "auto_create_index": False, "strict": False}
    place = me.StringField(primary_key=True)
    offset = me.IntField()
    event = me.StringField()


def remember(last: Mapping[str, Mapping[str, Any]]) -> None:
    """By place, the offset and event acknowledged last; a lower one than is known tells of a loss, and is left out."""
    changes = []
    for place, one in last.items():
        is_later = {"$gt": [one["offset"], {"$ifNull": ["$offset", -1]}]}
        change = {name: {"$cond": [is_later, value, f"${name}"]} for name, value in one.items()}
        changes.append(UpdateOne({"_id": place}, [{"$set": change}], upsert=True))
    write(Acknowledged, changes)


def known_offsets() -> dict[str, int]:
    """By place, the offset acknowledged last."""
    return {row["_id"]: row["offset"] for row in rows_of(Acknowledged, {}, ["offset"])}


def restore(kafka: str) -> int:
    """Have published again what the topic lost; how many rows. `Transient` or a driver's error when Kafka is away.

    A tail that was cut: what was announced since the last record that is left. A topic that is gone or is another
    one: everything.
    """
    known = rows_of(Acknowledged, {})
    if not known:
        return 0
    with reader_of(kafka) as reader:
        since = _losses(reader, {place_of(row["_id"]): row for row in known})
    return _publish_again(since) if since else 0


def _losses(reader: KafkaConsumer, known: Mapping[TopicPartition, Row]) -> dict[str, datetime]:
    """The places that lack what was acknowledged, and from when on they lack it."""
    there = _existing(reader, known)
    begins, ends = reader.beginning_offsets(there), reader.end_offsets(there)
    found = {
        row["_id"]: _lost_since(reader, place, row, begins.get(place, 0), ends.get(place, 0))
        for place, row in known.items()
    }
    return {name: since for name, since in found.items() if since is not None}


def _existing(reader: KafkaConsumer, known: Collection[TopicPartition]) -> list[TopicPartition]:
    """Those of these partitions that exist; a broker that is behind hears of new ones within seconds (ADR 10)."""
    deadline = time.monotonic() + HEAR_SECONDS
    while True:
        numbers = {topic: reader.partitions_for_topic(topic) for topic in {place.topic for place in known}}
        if lacking := sorted(topic for topic, found in numbers.items() if not found):
            raise Transient(f"the topic {lacking[0]} does not exist")
        there = [place for place in known if place.partition in numbers[place.topic]]
        if len(there) == len(known) or time.monotonic() > deadline:
            return there
        time.sleep(PAUSE_SECONDS)
        reader.topics()


def _lost_since(reader: KafkaConsumer, place: TopicPartition, row: Row, begin: int, end: int) -> datetime | None:
    """From when on a partition lacks what was acknowledged; None when it lacks nothing."""
    if end > row["offset"]:
        kept = begin > row["offset"] or _id_at(reader, place, row["offset"]) == row["event"]
        return None if kept else THE_BEGINNING
    if end == begin:
        return THE_BEGINNING
    last = _at(reader, place, end - 1)
    return last.time - CLOCKS_APART if last and _is_ours(last) else THE_BEGINNING


def _is_ours(envelope: Envelope) -> bool:
    return collection_of(Outbox).find_one({"_id": envelope.id}, {}) is not None


def _id_at(reader: KafkaConsumer, place: TopicPartition, offset: int) -> str:
    envelope = _at(reader, place, offset)
    return envelope.id if envelope else ""


def _at(reader: KafkaConsumer, place: TopicPartition, offset: int) -> Envelope | None:
    """The envelope of the record at an offset."""
    return next((envelope_in(one.headers) for one in between(reader, place, offset, offset + 1)), None)


def _publish_again(since: Mapping[str, datetime]) -> int:
    """Mark rows as due; only then forget what was acknowledged, so that a crash between leaves the loss to be seen."""
    first = min(since.values())
    where = {"due": {"$exists": False}} | ({} if first == THE_BEGINNING else {"time": {"$gte": first}})
    count = collection_of(Outbox).count_documents(where)
    write(Outbox, [UpdateMany(where, {"$set": {"due": True}})])
    write(Acknowledged, [DeleteMany({"_id": {"$in": list(since)}})])
    EVENTS_PUBLISHED_AGAIN.inc(count)
    log.error("Kafka lost what it had acknowledged; it is published again", places=sorted(since), events=count)
    return count

"""Recovering a database that was set back: what it had announced is learnt again from its own topic.

The numbers and ids of what was announced come back into the outbox, so that nothing is announced twice and no number is
given twice. What led to it is not there any more: inputs are read again from the topics, since positions were set back
with the rest, and outside parties send again what they had sent. Whatever then announces the same anew finds it
announced (`claimed`), until nothing is left that is announced and not known (ADR 9).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from bson import Binary
from kafka import TopicPartition
from pymongo import DeleteMany, InsertOne, UpdateOne

from chassis import standing
from chassis.bus.ahead import Told, forgotten_in, own_places, told_to_kafka
from chassis.bus.event import Envelope
from chassis.bus.losses import remember
from chassis.bus.outbox import Outbox, shard_of
from chassis.bus.parking import MOST_AHEAD
from chassis.bus.reading import name_of, reader_of
from chassis.database import Row, collection_of, rows_of, run_transaction, write
from chassis.strands import name_keys, strand
from chassis.watch import log

PATIENCE_SECONDS = 30.0


def recover(kafka: str, group: str, topics: Sequence[str], sources: Sequence[str]) -> None:
    """Do what an operator asked for. After a crash in the middle: the same again."""
    with reader_of(kafka) as reader:
        for place in own_places(reader, sources):
            _adopt_all(place, forgotten_in(reader, place, sources))
    adopted = forgotten_by_type()
    standing.recovered(told_to_kafka(kafka, group, topics), adopted)
    log.warning("the database is recovered", announced_and_forgotten=adopted)


def _adopt_all(place: TopicPartition, chunks: Iterable[Sequence[Told]]) -> None:
    for chunk in chunks:
        run_transaction(partial(adopt, chunk), PATIENCE_SECONDS)
        last, envelope = chunk[-1]
        remember({name_of(place): {"offset": last.offset, "event": envelope.id}})


def adopt(told: Sequence[Told]) -> None:
    """Keep what the topic tells of our own announcements, in the open transaction.

    What was announced since the set-back, and is not published yet, gets the numbers after them.
    """
    by_key: dict[str, dict[str, Row]] = {}
    for one, envelope in told:
        by_key.setdefault(envelope.key, {})[envelope.id] = _row(envelope, one.value or b"")
    name_keys(by_key)
    changes: list[Any] = [DeleteMany({"_id": {"$in": [envelope.id for _, envelope in told]}})]
    for key, rows in by_key.items():
        changes += _adopted(key, rows)
    write(Outbox, changes, ordered=True)


def _adopted(key: str, rows: Mapping[str, Row]) -> Iterator[Any]:
    """What to write for the forgotten rows of one key, and for those that took their numbers meanwhile."""
    held, since = strand(key), min(row["seq"] for row in rows.values())
    later = rows_of(Outbox, {"key": key, "seq": {"$gte": since}}, ["due", "seq"], sort=[("seq", 1)])
    others = [row for row in later if row["_id"] not in rows]
    settled = {row["seq"] for row in others if not row.get("due")}
    first = {
        row["seq"]: name for name, row in reversed(list(rows.items()))
    }  # of two that claim a number, who came first
    ours = [
        row
        for name, row in rows.items()
        if row["seq"] not in settled and row["seq"] < held.next_seq + MOST_AHEAD and first[row["seq"]] == name
    ]
    if len(ours) < len(rows):
        log.error("records in our name have numbers that nobody gave", key=key, records=len(rows) - len(ours))
    moving = [row["_id"] for row in others if row.get("due")]
    held.next_seq = max([since - 1, *settled, *(row["seq"] for row in ours)]) + 1
    held.forgotten = held.forgotten or bool(ours)
    moves = [UpdateOne({"_id": name}, {"$set": {"seq": held.take_seq()}}) for name in moving]
    yield from reversed(moves)
    yield from (InsertOne(row) for row in ours)


def _row(envelope: Envelope, payload: bytes) -> Row:
    told = {name: getattr(envelope, name) for name in ("key", "seq", "type", "source", "cause", "time")}
    return {"_id": envelope.id, **told, "body": Binary(payload), "shard": shard_of(envelope.key), "forgotten": True}


def forgotten_by_type() -> dict[str, int]:
    """How many announcements of each type are known from the topic alone."""
    steps: list[dict[str, Any]] = [{"$match": {"forgotten": True}}, {"$group": {"_id": "$type", "count": {"$sum": 1}}}]
    return {one["_id"]: one["count"] for one in collection_of(Outbox).aggregate([*steps, {"$sort": {"_id": 1}}])}

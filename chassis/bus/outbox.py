"""The outbox: state and announcement are one transaction; the outbox is the record, Kafka is transport."""

from __future__ import annotations

import time
import zlib
from datetime import UTC, datetime

import mongoengine as me
from bson import Binary
from pymongo import InsertOne

from chassis.bus.event import MAX_BODY_BYTES, Announcement, encode_body, event_id
from chassis.database import Row, Transaction, current, rows_of, write
from chassis.strands import name_keys, strand
from chassis.watch import OLDEST_UNPUBLISHED, current_cause

SHARDS = 16


class Outbox(me.Document):
    """One announcement on one key; `due` as long as Kafka has not acknowledged it."""

    meta = {
        "collection": "outbox",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["shard", "key", "seq"], "partialFilterExpression": {"due": True}, "name": "due"},
            {"fields": ["time"], "partialFilterExpression": {"due": True}, "name": "oldest_due"},
            {"fields": ["key", "seq"], "unique": True, "name": "key_seq"},
            {"fields": ["cause"], "name": "cause"},
        ],
    }
    id = me.StringField(primary_key=True)
    key = me.StringField()
    seq = me.IntField()
    type = me.StringField()
    source = me.StringField()
    cause = me.StringField()
    time = me.DateTimeField()
    body = me.BinaryField()
    shard = me.IntField()
    due = me.BooleanField()


def append(body: Announcement, cause: str | None = None) -> list[str]:
    """Announce, inside the open transaction, on each of the body's keys; the events' ids.

    `cause` is the id of the event handled or the natural identity of what was submitted; without it, the ambient one.
    ValueError when the body is larger than Kafka would take or has no cause.
    """
    transaction = current()
    if transaction is None:
        raise RuntimeError("an announcement belongs to a transaction")
    why = cause or current_cause()
    if not why:
        raise ValueError(f"{type(body).__name__} has no cause")
    payload = encode_body(body)
    if len(payload) > MAX_BODY_BYTES:
        raise ValueError(f"{type(body).__name__} has {len(payload)} bytes, more than {MAX_BODY_BYTES}")
    keys = body.keys()
    name_keys(keys)
    return [_append(transaction, body, payload, key, why) for key in keys]


def _append(transaction: Transaction, body: Announcement, payload: bytes, key: str, cause: str) -> str:
    type_name = type(body).__name__
    counted = transaction.memory.setdefault("announced", {})
    n = counted[(cause, type_name, key)] = counted.get((cause, type_name, key), -1) + 1
    row: Row = {
        "_id": event_id(cause, type_name, key, n),
        "key": key,
        "seq": strand(key).take_seq(),
        "type": type_name,
        "source": body.source,
        "cause": cause,
        "time": datetime.now(UTC),
        "body": Binary(payload),
        "shard": zlib.crc32(key.encode()) % SHARDS,
        "due": True,
    }
    rows = transaction.memory.get("outbox")
    if rows is None:
        rows = transaction.memory["outbox"] = []
        transaction.closing.append(lambda: write(Outbox, [InsertOne(one) for one in rows], ordered=True))
    rows.append(row)
    return str(row["_id"])


def caused_by(cause: str) -> list[Row]:
    """What was announced because of a cause, oldest first."""
    return rows_of(Outbox, {"cause": cause}, {"body": 0}, sort=[("time", 1)], limit=200)


def report_oldest() -> None:
    """Set the metric of the oldest row Kafka does not have."""
    oldest = rows_of(Outbox, {"due": True}, {"time": 1}, sort=[("time", 1)], limit=1)
    OLDEST_UNPUBLISHED.set(time.time() - oldest[0]["time"].timestamp() if oldest else 0)

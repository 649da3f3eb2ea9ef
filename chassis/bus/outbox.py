"""The outbox: state and announcement are one transaction; the outbox is the record, Kafka is transport."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime

import mongoengine as me
from bson import Binary
from pymongo import InsertOne, UpdateMany, UpdateOne

from chassis.bus.event import MAX_BODY_BYTES, Announcement, Body, decode_body, encode_body, event_id
from chassis.database import Row, Transaction, collection_of, current, rows_of, write
from chassis.strands import name_keys, strand
from chassis.watch import FORGOTTEN, OLDEST_UNPUBLISHED, current_cause

SHARDS = 16
MISSED = {"forgotten": True, "given_up": None}  # what the topic alone knows, and somebody waits for
EVENT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # a cause that is an event's id


class Outbox(me.Document):
    """One announcement on one key; `due` as long as Kafka has not acknowledged it; `forgotten`: the topic alone knew of
    it after the database was set back, and nothing here has announced it anew yet; `given_up`: by whose word, when and
    why nobody waits for that; `superseded`: the announcement that said it anew, otherwise, once what led to it was
    submitted again."""

    meta = {
        "collection": "outbox",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["shard", "key", "seq"], "partialFilterExpression": {"due": True}, "name": "due"},
            {"fields": ["time"], "partialFilterExpression": {"due": True}, "name": "oldest_due"},
            {"fields": ["key", "seq"], "unique": True, "name": "key_seq"},
            {"fields": ["cause"], "name": "cause"},
            {"fields": ["key", "seq"], "partialFilterExpression": {"forgotten": True}, "name": "forgotten"},
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
    forgotten = me.BooleanField()
    given_up = me.DictField()
    superseded = me.StringField()


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
    held = strand(key)
    forgotten = _forgotten(transaction, key) if held.forgotten else {}
    if name := _claimed(forgotten, type_name, payload, cause):
        before = forgotten.pop(name)["seq"]
        write(Outbox, [UpdateOne({"_id": name}, {"$unset": {"forgotten": "", "given_up": ""}})])
        _supersede(forgotten, [one for one in _said_before(forgotten, type_name, cause) if one["seq"] < before], name)
        held.forgotten = bool(forgotten)
        return name
    _replace(forgotten, body.replaces)
    name = _new_name(transaction, cause, type_name, key, forgotten)
    _supersede(forgotten, _said_before(forgotten, type_name, cause)[:1], name)
    held.forgotten = bool(forgotten)
    row: Row = {
        "_id": name,
        "key": key,
        "seq": held.take_seq(),
        "type": type_name,
        "source": body.source,
        "cause": cause,
        "time": datetime.now(UTC),
        "body": Binary(payload),
        "shard": shard_of(key),
        "due": True,
    }
    rows = transaction.memory.get("outbox")
    if rows is None:
        rows = transaction.memory["outbox"] = []
        transaction.closing.append(lambda: write(Outbox, [InsertOne(one) for one in rows], ordered=True))
    rows.append(row)
    return str(row["_id"])


def _new_name(transaction: Transaction, cause: str, type_name: str, key: str, taken: Mapping[str, Row]) -> str:
    """The n-th that this cause makes of a type on a key, in this transaction."""
    counted = transaction.memory.setdefault("announced", {})
    while True:
        n = counted[(cause, type_name, key)] = counted.get((cause, type_name, key), -1) + 1
        if (name := event_id(cause, type_name, key, n)) not in taken:
            return name


def _forgotten(transaction: Transaction, key: str) -> dict[str, Row]:
    """What is known of a key from the topic alone, by id, in its order."""
    known: dict[str, dict[str, Row]] = transaction.memory.setdefault("forgotten", {})
    if key not in known:
        known[key] = {row["_id"]: row for row in rows_of(Outbox, {"key": key, "forgotten": True}, sort=[("seq", 1)])}
    return known[key]


def _claimed(forgotten: Mapping[str, Row], type_name: str, payload: bytes, cause: str) -> str:
    """The announcement that this one would repeat, if any: the same content, or the same consequence of an event."""
    for name, row in forgotten.items():
        follows_again = row["cause"] == cause and follows_from_event(cause)
        if row["type"] == type_name and (follows_again or bytes(row["body"]) == payload):
            return name
    return ""


def _said_before(forgotten: Mapping[str, Row], type_name: str, cause: str) -> list[Row]:
    return [row for row in forgotten.values() if (row["type"], row["cause"]) == (type_name, cause)]


def _supersede(forgotten: dict[str, Row], older: Collection[Row], name: str) -> None:
    """The same was submitted again and came to something else: what was said of it then is said anew, as `name`."""
    for row in older:
        forgotten.pop(row["_id"])
        change = {"$set": {"superseded": name}, "$unset": {"forgotten": "", "given_up": ""}}
        write(Outbox, [UpdateOne({"_id": row["_id"]}, change)])


def _replace(forgotten: Mapping[str, Row], types: Collection[str]) -> None:
    """What was said of a key is said anew, in other words."""
    replaced = [name for name, row in forgotten.items() if row["type"] in types]
    write(Outbox, [UpdateMany({"_id": {"$in": replaced}}, {"$unset": {"forgotten": ""}})] if replaced else [])


def forgotten_on(key: str, types: Mapping[str, type[Body]]) -> list[Body]:
    """What was announced on a key, of these types by name, and the topic alone knew; in the open transaction."""
    transaction = current()
    if transaction is None or not strand(key).forgotten:
        return []
    rows = _forgotten(transaction, key).values()
    return [decode_body(bytes(row["body"]), types[row["type"]]) for row in rows if row["type"] in types]


def forgotten_of(body_type: type[Body]) -> Iterator[Body]:
    """What was announced of a type on any key and the topic alone knew."""
    rows = rows_of(Outbox, {"forgotten": True, "type": body_type.__name__}, ["body"])
    return (decode_body(bytes(row["body"]), body_type) for row in rows)


def follows_from_event(cause: str) -> bool:
    """Whether a cause is an event, which is read again; anything else is what somebody submitted."""
    return EVENT.fullmatch(cause) is not None


def shard_of(key: str) -> int:
    """The part of the outbox that one relay at a time publishes."""
    return zlib.crc32(key.encode()) % SHARDS


def caused_by(cause: str) -> list[Row]:
    """What was announced because of a cause, oldest first."""
    return rows_of(Outbox, {"cause": cause}, {"body": 0}, sort=[("time", 1)], limit=200)


def is_known_cause(beginning: str) -> bool:
    """Whether anything was announced because of a cause that begins so; `beginning` ends with a colon."""
    where = {"cause": {"$gte": beginning, "$lt": f"{beginning[:-1]};"}}
    return bool(rows_of(Outbox, where, ["_id"], limit=1))


def report_oldest() -> None:
    """Set the metric of the oldest row Kafka does not have."""
    oldest = rows_of(Outbox, {"due": True}, {"time": 1}, sort=[("time", 1)], limit=1)
    OLDEST_UNPUBLISHED.set(time.time() - oldest[0]["time"].timestamp() if oldest else 0)


def report_forgotten() -> None:
    """Set the metric of what was announced, is not known here any more, and was not given up."""
    FORGOTTEN.set(collection_of(Outbox).count_documents(MISSED))

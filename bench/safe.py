"""The reference *safe*: record → deposit → notice in one file of raw pymongo and kafka-python that keeps promises 1–4.

1. State and announcement are one transaction (`w: majority, j: true`), with an outbox.
2. A relay, alone by a lease, publishes in order per key and marks only what Kafka acknowledged (`acks=all`).
3. Strands: every transaction loads the strands of its keys and writes them back; an event carries its key's number; one
   that was seen is dropped, one after a gap is parked in the strand and drained in order. Positions move in the batch's
   transaction, by compare-and-set.
4. Batches of 500, one bulk write for each collection.

Written to be fast: whole batches as single commands, msgpack, no headers, no objects. `python bench/safe.py STAGE …`,
where a stage is a process: record, relay, deposit, notify.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

BATCH = 500
FLIGHT = 1_000
POINTS = 200
PARTITIONS = 6
LEASE_SECONDS = 10.0
RENEW_SECONDS = 2.0
SHORTEST_PAUSE_SECONDS = 0.005
LONGEST_PAUSE_SECONDS = 0.05
Row = dict[str, Any]
Event = tuple[str, str, int, str, int]  # id, key, number, cause, points
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Event).decode


def main() -> None:
    """Run one stage until it is done, or until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=("record", "relay", "deposit", "notify"))
    parser.add_argument("--mongo", required=True)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--reads", default="", help="the topic that is consumed")
    parser.add_argument("--topic", default="", help="the topic a relay publishes to")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--results", type=int, default=0)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--rate", type=float, default=0, help="results a second; 0: as fast as it goes")
    given = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    client: MongoClient[Row] = MongoClient(given.mongo, w="majority", journal=True, readConcernLevel="majority")
    database = client[given.database]
    {"record": record, "relay": relay, "deposit": deposit, "notify": notify}[given.stage](given, database, stop)


def key_of(number: int) -> str:
    return f"learner:L{number:08d}"


def prepare(client: MongoClient[Row], prefix: str, learners: int) -> None:
    """Indexes, and a strand for each learner everywhere and an account, as in a college that is running."""
    for stage in ("record", "deposit", "notify"):
        database = client[f"{prefix}_{stage}"]
        database["strands"].insert_many({"_id": key_of(one), "n": 1, "s": 0} for one in range(learners))
        database["leases"].insert_one({"_id": "relay"})
        due = {"partialFilterExpression": {"due": True}}
        database["outbox"].create_index([("key", 1), ("seq", 1)], name="due", **due)
        database["outbox"].create_index([("key", 1), ("seq", 1)], unique=True, name="key_seq")
    accounts = ({"_id": key_of(one), "points": 0, "entries": 0} for one in range(learners))
    client[f"{prefix}_deposit"]["accounts"].insert_many(accounts)


# --- the transaction --------------------------------------------------------------------------------------------------
def transact(database: Database[Row], body: Callable[[ClientSession], None]) -> None:
    """Run the body in a transaction; again on a fresh snapshot when others held its keys."""
    with database.client.start_session() as session:
        while not _tried(session, body):
            time.sleep(0.002)


def _tried(session: ClientSession, body: Callable[[ClientSession], None]) -> bool:
    session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority", j=True))
    try:
        body(session)
        session.commit_transaction()
    except PyMongoError as error:
        if session.in_transaction:
            session.abort_transaction()
        if error.has_error_label("TransientTransactionError"):
            return False
        raise
    return True


def insert(database: Database[Row], collection: str, rows: Sequence[Row], session: ClientSession) -> None:
    """Insert rows by one command."""
    if rows:
        _must(database.command({"insert": collection, "documents": rows}, session=session))


def update(database: Database[Row], collection: str, changes: Iterable[tuple[Row, Row]], session: ClientSession) -> int:
    """Replace or change rows by one command; how many matched."""
    updates = [{"q": where, "u": change, "upsert": True} for where, change in changes]
    if not updates:
        return 0
    return int(_must(database.command({"update": collection, "updates": updates}, session=session))["n"])


def _must(reply: Row) -> Row:
    if errors := reply.get("writeErrors"):
        raise OperationFailure(errors[0]["errmsg"], errors[0]["code"])
    return reply


def strands_of(database: Database[Row], keys: Iterable[str], session: ClientSession) -> dict[str, Row]:
    """The strands of these keys; the transaction writes all of them back."""
    wanted = list(dict.fromkeys(keys))
    found = {row["_id"]: row for row in database["strands"].find({"_id": {"$in": wanted}}, session=session)}
    for key in wanted:
        found.setdefault(key, {"_id": key, "n": 1, "s": 0})
    return found


def write_back(database: Database[Row], strands: dict[str, Row], session: ClientSession) -> None:
    update(database, "strands", (({"_id": key}, row) for key, row in strands.items()), session)


def announced(strand: Row, cause: str, points: int) -> Row:
    """An outbox row with the next number of its key."""
    seq = strand["n"]
    strand["n"] = seq + 1
    event = f"{cause}>{seq}"
    key = strand["_id"]
    return {"_id": event, "key": key, "seq": seq, "due": True, "value": encode((event, key, seq, cause, points))}


# --- stages -----------------------------------------------------------------------------------------------------------
def record(given: argparse.Namespace, database: Database[Row], stop: threading.Event) -> None:
    """Record results, a batch a transaction; when a rate is given, each at its scheduled time."""
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.time()
    for first in range(0, given.results, given.batch):
        if given.rate:
            time.sleep(max(began + first / given.rate - time.time(), 0))
        numbers = range(given.first + first, given.first + min(first + given.batch, given.results))
        transact(database, lambda session, numbers=numbers: _record(database, numbers, session))
        if stop.is_set():
            return
    print(f"recorded {began} {time.time()}", flush=True)


def _record(database: Database[Row], numbers: range, session: ClientSession) -> None:
    strands = strands_of(database, map(key_of, numbers), session)
    rows, outbox = [], []
    for number in numbers:
        key = key_of(number)
        name = f"r{number}"
        rows.append({"_id": name, "learner": key, "theory": 80, "practical": 70, "verdict": "passed"})
        outbox.append(announced(strands[key], name, POINTS))
    insert(database, "results", rows, session)
    insert(database, "outbox", outbox, session)
    write_back(database, strands, session)


def relay(given: argparse.Namespace, database: Database[Row], stop: threading.Event) -> None:
    """Publish what is due, a flight at a time, and mark what was acknowledged."""
    lease = Lease(database)
    producer = KafkaProducer(
        bootstrap_servers=given.kafka, acks="all", enable_idempotence=True, linger_ms=5, batch_size=262_144
    )
    pause = SHORTEST_PAUSE_SECONDS
    print("ready", flush=True)
    while not stop.wait(pause):
        sent = _fly(database, producer, given.topic) if lease.is_held() else 0
        rest = SHORTEST_PAUSE_SECONDS if sent else min(pause * 2, LONGEST_PAUSE_SECONDS)
        pause = 0.0 if sent == FLIGHT else max(rest, SHORTEST_PAUSE_SECONDS)


class Lease:
    """Who may publish, by the database's clock."""

    def __init__(self, database: Database[Row]) -> None:
        self.leases = database["leases"]
        self.holder = uuid.uuid4().hex
        self.renew_at = 0.0

    def is_held(self) -> bool:
        """Whether it is ours, renewed now and then; it lasts five times as long as that."""
        if time.monotonic() < self.renew_at:
            return True
        asked = time.monotonic()
        until = [{"$set": {"holder": self.holder, "until": {"$add": ["$$NOW", int(LEASE_SECONDS * 1_000)]}}}]
        over = {"$expr": {"$lte": [{"$ifNull": ["$until", 0]}, "$$NOW"]}}
        ours = self.leases.update_one({"_id": "relay", "$or": [{"holder": self.holder}, over]}, until).matched_count
        if ours:
            self.renew_at = asked + RENEW_SECONDS
        return bool(ours)


def _fly(database: Database[Row], producer: KafkaProducer, topic: str) -> int:
    order = [("key", 1), ("seq", 1)]
    rows = list(database["outbox"].find({"due": True}, ["key", "value"], sort=order, limit=FLIGHT))
    if not rows:
        return 0
    flight = [(row["_id"], producer.send(topic, row["value"], row["key"].encode())) for row in rows]
    producer.flush(timeout=20)
    done = [name for name, future in flight if future.succeeded()]
    database["outbox"].update_many({"_id": {"$in": done}}, {"$unset": {"due": ""}})
    return len(done)


def deposit(given: argparse.Namespace, database: Database[Row], stop: threading.Event) -> None:
    """Give each pass its points, once, and announce it."""

    def effect(events: Sequence[Event], strands: dict[str, Row], session: ClientSession) -> None:
        keys = list({event[1] for event in events})
        accounts = {row["_id"]: row for row in database["accounts"].find({"_id": {"$in": keys}}, session=session)}
        entries, outbox = [], []
        for name, key, _seq, _cause, points in events:
            account = accounts[key]
            account["points"] += points
            account["entries"] += 1
            entries.append({"_id": f"{key}:{account['entries']}", "cause": name, "points": points})
            outbox.append(announced(strands[key], name, points))
        insert(database, "entries", entries, session)
        update(database, "accounts", (({"_id": key}, row) for key, row in accounts.items()), session)
        insert(database, "outbox", outbox, session)

    consume(given, database, stop, effect)


def notify(given: argparse.Namespace, database: Database[Row], stop: threading.Event) -> None:
    """Queue a notice of each deposit, once."""

    def effect(events: Sequence[Event], _strands: dict[str, Row], session: ClientSession) -> None:
        rows = [{"_id": event[0], "learner": event[1], "points": event[4], "state": "queued"} for event in events]
        insert(database, "notices", rows, session)

    consume(given, database, stop, effect)


Effect = Callable[[Sequence[Event], dict[str, Row], ClientSession], None]


def consume(given: argparse.Namespace, database: Database[Row], stop: threading.Event, effect: Effect) -> None:
    """Poll from our own positions; the effect of a batch, its strands and its positions are one transaction."""
    consumer = KafkaConsumer(
        bootstrap_servers=given.kafka, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
        max_poll_records=BATCH, fetch_max_wait_ms=100,
    )  # fmt: skip
    places = [TopicPartition(given.reads, number) for number in range(PARTITIONS)]
    consumer.assign(places)
    known = {row["_id"]: row["next"] for row in database["positions"].find()}
    for place in places:
        consumer.seek(place, known.setdefault(place.partition, 0))
    print("ready", flush=True)
    while not stop.is_set():
        polled = consumer.poll(timeout_ms=200)
        records = [record for one in polled.values() for record in one]
        if records:
            moved = {place.partition: one[-1].offset + 1 for place, one in polled.items()}
            arrived = [decode(record.value) for record in records]
            transact(database, lambda session: _take(database, arrived, known, moved, effect, session))  # noqa: B023
            known.update(moved)
    consumer.close(autocommit=False)


def _take(
    database: Database[Row], arrived: Sequence[Event], known: Row, moved: Row, effect: Effect, session: ClientSession
) -> None:
    strands = strands_of(database, (event[1] for event in arrived), session)
    effect(list(_in_order(arrived, strands)), strands, session)
    write_back(database, strands, session)
    changes = [({"_id": place, "next": known[place]}, {"$set": {"next": to}}) for place, to in moved.items()]
    if update(database, "positions", changes, session) != len(changes):
        raise OperationFailure("positions were moved by another")


def _in_order(arrived: Sequence[Event], strands: dict[str, Row]) -> Iterator[Event]:
    """Those whose turn it is: what was seen is dropped, what comes after a gap is parked in its strand."""
    for event in arrived:
        strand = strands[event[1]]
        if event[2] > strand["s"] + 1:
            strand.setdefault("parked", {})[str(event[2])] = encode(event)
        elif event[2] == strand["s"] + 1:
            strand["s"] = event[2]
            yield event
            yield from _drained(strand)


def _drained(strand: Row) -> Iterator[Event]:
    """What waited behind the number just seen, up to the next gap."""
    while waiting := strand.get("parked", {}).pop(str(strand["s"] + 1), None):
        strand["s"] += 1
        yield decode(waiting)


if __name__ == "__main__":
    main()

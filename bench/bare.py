"""The reference *bare*: three hops of batched inserts and sends that promise nothing: no transaction, outbox or number.

A process that dies loses what it held, and a repeat is counted twice. Writes and sends are as durable as everywhere
here (`w: majority, j: true`, `acks=all`), so that what is compared is what the promises cost. It shares no code with
OneX.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from pymongo import MongoClient
from pymongo.database import Database

BATCH = 500
POINTS = 200
PARTITIONS = 6
Row = dict[str, Any]
Event = tuple[str, str, int]  # id, learner, points
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Event).decode


def main() -> None:
    """Run one stage until it is done, or until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=("record", "deposit", "notify"))
    parser.add_argument("--mongo", required=True)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--reads", default="")
    parser.add_argument("--topic", default="")
    parser.add_argument("--results", type=int, default=0)
    given = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    client: MongoClient[Row] = MongoClient(given.mongo, w="majority", journal=True)
    {"record": record, "deposit": deposit, "notify": notify}[given.stage](given, client[given.database], stop)


def record(given: argparse.Namespace, database: Database[Row], _stop: threading.Event) -> None:
    """Insert results and send them on, a batch at a time."""
    producer = producer_of(given.kafka)
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.time()
    for first in range(0, given.results, BATCH):
        numbers = range(first, min(first + BATCH, given.results))
        insert(
            database,
            "results",
            [{"_id": f"r{one}", "learner": f"L{one:08d}", "theory": 80, "practical": 70} for one in numbers],
        )
        send(producer, given.topic, [(f"r{one}", f"L{one:08d}", POINTS) for one in numbers])
    producer.flush(timeout=20)
    print(f"recorded {began} {time.time()}", flush=True)


def deposit(given: argparse.Namespace, database: Database[Row], stop: threading.Event) -> None:
    """Insert a deposit for each result and send it on."""
    producer = producer_of(given.kafka)

    def effect(events: Sequence[Event]) -> None:
        insert(database, "deposits", [{"_id": one[0], "learner": one[1], "points": one[2]} for one in events])
        send(producer, given.topic, events)

    consume(given, stop, effect)


def notify(given: argparse.Namespace, database: Database[Row], stop: threading.Event) -> None:
    """Insert a notice for each deposit."""
    consume(
        given,
        stop,
        lambda events: insert(
            database,
            "notices",
            [{"_id": one[0], "learner": one[1], "points": one[2], "state": "queued"} for one in events],
        ),
    )


def insert(database: Database[Row], collection: str, rows: Sequence[Row]) -> None:
    """Insert rows by one command."""
    concern = {"w": "majority", "j": True}
    reply = database.command({"insert": collection, "documents": rows, "ordered": False, "writeConcern": concern})
    if errors := reply.get("writeErrors"):
        raise SystemExit(f"bare could not write: {errors[0]['errmsg']}")


def producer_of(kafka: str) -> KafkaProducer:
    return KafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=5, batch_size=262_144)


def send(producer: KafkaProducer, topic: str, events: Sequence[Event]) -> None:
    for event in events:
        producer.send(topic, encode(event), event[1].encode())


def consume(given: argparse.Namespace, stop: threading.Event, effect: Callable[[Sequence[Event]], None]) -> None:
    """Poll and have the effect of what came."""
    consumer = KafkaConsumer(
        bootstrap_servers=given.kafka, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
        max_poll_records=BATCH, fetch_max_wait_ms=100,
    )  # fmt: skip
    consumer.assign([TopicPartition(given.reads, number) for number in range(PARTITIONS)])
    consumer.seek_to_beginning()
    print("ready", flush=True)
    while not stop.is_set():
        events = [decode(record.value) for one in consumer.poll(timeout_ms=200).values() for record in one]
        if events:
            effect(events)
    consumer.close(autocommit=False)


if __name__ == "__main__":
    main()

"""What the smallest steps cost: raw two-document transactions, and a chain with OneX's durable commits and no more.

`pairs`: a result and its announcement, one transaction each, one after the other. `send` and `take`: such a
transaction, Kafka's acknowledgement, and a transaction that credits; nothing is polled from an outbox, marked or
numbered.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.database import Database

from bench.safe import PARTITIONS, POINTS, insert, key_of, transact, update

Row = dict[str, Any]


def main() -> None:
    """Run one part until it is done, or until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("pairs", "send", "take"))
    parser.add_argument("--mongo", required=True)
    parser.add_argument("--kafka", default="")
    parser.add_argument("--database", required=True)
    parser.add_argument("--topic", default="")
    parser.add_argument("--results", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0)
    given = parser.parse_args()
    client: MongoClient[Row] = MongoClient(given.mongo, w="majority", journal=True)
    database = client[given.database]
    if given.part == "take":
        take(given, database)
    else:
        submit(given, database)


def submit(given: argparse.Namespace, database: Database[Row]) -> None:
    """Record results one at a time; `send` has Kafka acknowledge each."""
    producer = KafkaProducer(bootstrap_servers=given.kafka, acks="all", linger_ms=0) if given.part == "send" else None
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.time()
    for number in range(given.results):
        if given.rate:
            time.sleep(max(began + number / given.rate - time.time(), 0))
        transact(database, lambda session, number=number: _record(database, number, session))
        if producer:
            producer.send(given.topic, str(number).encode(), key_of(number).encode()).get(timeout=20)
    print(f"recorded {began} {time.time()}", flush=True)


def _record(database: Database[Row], number: int, session: ClientSession) -> None:
    insert(database, "results", [{"_id": number, "learner": key_of(number), "theory": 80}], session)
    insert(database, "outbox", [{"_id": f"r{number}", "key": key_of(number), "points": POINTS}], session)


def take(given: argparse.Namespace, database: Database[Row]) -> None:
    """Credit what comes, a poll a transaction."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    consumer = KafkaConsumer(
        bootstrap_servers=given.kafka, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    consumer.assign([TopicPartition(given.topic, number) for number in range(PARTITIONS)])
    consumer.seek_to_beginning()
    print("ready", flush=True)
    while not stop.is_set():
        numbers = [int(one.value) for polled in consumer.poll(timeout_ms=200).values() for one in polled]
        if numbers:
            transact(database, lambda session: _credit(database, numbers, session))  # noqa: B023
    consumer.close(autocommit=False)


def _credit(database: Database[Row], numbers: list[int], session: ClientSession) -> None:
    insert(database, "entries", [{"_id": number, "points": POINTS} for number in numbers], session)
    update(database, "accounts", (({"_id": one}, {"$inc": {"points": POINTS}}) for one in numbers), session)


if __name__ == "__main__":
    main()

"""A small service on a real bus: it writes down the amounts it hears of, and breaks at those it is told to break at."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import mongoengine as me
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from pymongo import InsertOne

from chassis.bus import topics
from chassis.bus.consumer import Consumer
from chassis.bus.event import Event
from chassis.bus.handlers import Handlers
from chassis.bus.outbox import append
from chassis.bus.unknown import Language
from chassis.database import rows_of, run_transaction, write
from tests.support.waiting import PATIENCE_SECONDS, until
from tests.support.words import Counted

SOURCES = ["north", "south"]
TOPICS = topics.topics_of(SOURCES)
BREAKS_AT: set[int] = set()


class Sums(me.Document):
    meta = {"collection": "sums", "auto_create_index": False}
    name = me.StringField()
    amount = me.IntField()


def on_counted(events: Sequence[Event[Counted]]) -> None:
    if any(event.body.amount in BREAKS_AT for event in events):
        raise ArithmeticError("an amount that is not to be told")
    write(Sums, [InsertOne({"name": event.body.name, "amount": event.body.amount}) for event in events])


def announce(*bodies: Any) -> None:
    run_transaction(lambda: [append(body, cause=f"test:{uuid.uuid4()}") for body in bodies])


def consume_until(
    kafka: str,
    group: str,
    condition: Callable[[], Any],
    handlers: Handlers | None = None,
    language: Language = None,
    seconds: float = PATIENCE_SECONDS,
) -> None:
    """Run a consumer of its own until the condition holds; of this small service, or of one with other handlers."""
    names = topics.topics_of(body.source for body in handlers) if handlers else TOPICS
    consumer = Consumer(kafka, group, names, handlers or {Counted: on_counted}, language)
    stop = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            consumer.run(stop)
        except BaseException as error:  # noqa: BLE001 -- raised again in the test's own thread
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        until(lambda: condition() or failures, seconds=seconds)
    finally:
        stop.set()
        thread.join()
        consumer.close()
    if failures:
        raise failures[0]


def amounts(name: str = "a") -> list[int]:
    return [row["amount"] for row in rows_of(Sums, {"name": name}, sort=[("_id", 1)])]


def lose(kafka: str, keep: int = 0) -> None:
    """The broker comes back with an old copy of the topic: only the first records of each partition are left."""
    kept = [record for number in range(3) for record in _records(kafka, number)[:keep]]
    client = topics.admin(kafka)
    client.delete_topics([TOPICS[0]])
    until(lambda: TOPICS[0] not in client.list_topics())
    client.close()
    topics.create(kafka, {TOPICS[0]: {"num_partitions": 3, "replication_factor": 1}})
    producer = KafkaProducer(bootstrap_servers=kafka)
    for one in kept:
        producer.send(TOPICS[0], one.value, one.key, list(one.headers), one.partition).get(timeout=20)
    producer.close()


def _records(kafka: str, number: int) -> list[object]:
    reader = KafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    place = TopicPartition(TOPICS[0], number)
    reader.assign([place])
    found: list[object] = []
    end = reader.end_offsets([place])[place]
    while len(found) < end:
        found += [one for some in reader.poll(timeout_ms=500).values() for one in some]
    reader.close(autocommit=False)
    return found

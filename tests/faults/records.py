"""Records of topics as any client of Kafka sees them: read, sent again, sent in another order; no code of the bus."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

POLL_MS = 500
SENT_SECONDS = 30
READ_SECONDS = 60.0
ID = "ce_id"


def topic_of(service: str) -> str:
    """The topic a service announces to."""
    return f"onex.{service}.v1"


def all_records(kafka: str, topic: str) -> list[Any]:
    """Every record of a topic that has an id, partition by partition."""
    with _reader(kafka) as reader:
        places = [TopicPartition(topic, number) for number in sorted(reader.partitions_for_topic(topic) or ())]
        return [record for place in places for record in _records_of(reader, place) if id_of(record)]


def id_of(record: Any) -> str:
    """The id of the event that a record carries; empty for one that is none."""
    return (dict(record.headers).get(ID) or b"").decode(errors="replace")


def send(kafka: str, records: Sequence[Any]) -> int:
    """Send records once more, with their keys and headers, to their partitions, in this order; how many."""
    producer = KafkaProducer(
        bootstrap_servers=kafka,
        client_id="breaker",
        enable_idempotence=True,  # in this order and no other
        acks="all",
        max_in_flight_requests_per_connection=5,
        linger_ms=20,
        allow_auto_create_topics=False,
    )
    try:
        futures = [
            producer.send(one.topic, key=one.key, value=one.value, headers=one.headers, partition=one.partition)
            for one in records
        ]
        for future in futures:
            future.get(SENT_SECONDS)
    finally:
        producer.close(timeout=SENT_SECONDS)
    return len(futures)


def send_garbage(kafka: str, topic: str, garbage: bytes) -> str:
    """Send a record that is no event; where it stands. Tried again it may stand twice."""
    producer = KafkaProducer(bootstrap_servers=kafka, client_id="breaker", acks="all", allow_auto_create_topics=False)
    try:
        placed = producer.send(topic, value=garbage).get(SENT_SECONDS)
    finally:
        producer.close(timeout=SENT_SECONDS)
    return f"{placed.topic}:{placed.partition}|{placed.offset}"


def ends(kafka: str, topic: str) -> dict[int, int]:
    """By partition, the offset of the next record."""
    with _reader(kafka) as reader:
        places = [TopicPartition(topic, number) for number in sorted(reader.partitions_for_topic(topic) or ())]
        return {place.partition: end for place, end in reader.end_offsets(places).items()}


@contextmanager
def _reader(kafka: str) -> Iterator[KafkaConsumer]:
    reader = KafkaConsumer(
        bootstrap_servers=kafka, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        yield reader
    finally:
        reader.close(autocommit=False)


def _records_of(reader: KafkaConsumer, place: TopicPartition) -> Iterator[Any]:
    reader.assign([place])
    reader.seek_to_beginning(place)
    end = reader.end_offsets([place])[place]
    deadline = time.monotonic() + READ_SECONDS
    while reader.position(place) < end:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{place} is not read within {READ_SECONDS:.0f} s")
        yield from (one for one in reader.poll(timeout_ms=POLL_MS).get(place, ()) if one.offset < end)

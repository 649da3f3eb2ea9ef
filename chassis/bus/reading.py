"""Reading records of topics for oneself, outside of any group."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from chassis.bus.event import Envelope, envelope_of
from chassis.errors import Transient

READ_SECONDS = 10.0  # without a record
POLL_MS = 500


@contextmanager
def reader_of(kafka: str) -> Iterator[KafkaConsumer]:
    """A reader that belongs to nobody and moves no position."""
    reader = KafkaConsumer(
        bootstrap_servers=kafka,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=1_048_576,
        bootstrap_timeout_ms=10_000,
        request_timeout_ms=10_000,
    )
    try:
        yield reader
    finally:
        reader.close(autocommit=False)


def place_of(name: str) -> TopicPartition:
    """The partition of a place, `topic:number`."""
    topic, number = name.rsplit(":", 1)
    return TopicPartition(topic, int(number))


def name_of(place: TopicPartition) -> str:
    """A partition as a place."""
    return f"{place.topic}:{place.partition}"


def places_of(reader: KafkaConsumer, topics: Iterable[str]) -> list[TopicPartition]:
    """Every partition of these topics; `Transient` when one does not exist."""
    found = []
    for topic in topics:
        numbers = reader.partitions_for_topic(topic)
        if not numbers:
            raise Transient(f"the topic {topic} does not exist")
        found += [TopicPartition(topic, number) for number in sorted(numbers)]
    return found


def records_in(kafka: str, topics: Iterable[str]) -> int:
    """How many records these topics hold; `Transient` when one does not exist."""
    with reader_of(kafka) as reader:
        places = places_of(reader, topics)
        begins, ends = reader.beginning_offsets(places), reader.end_offsets(places)
    return sum(ends[place] - begins[place] for place in places)


def between(reader: KafkaConsumer, place: TopicPartition, first: int, end: int) -> Iterator[Any]:
    """A partition's records from an offset on, up to another; `Transient` when Kafka does not give them."""
    if first >= end:
        return
    reader.assign([place])
    reader.seek(place, first)
    deadline = time.monotonic() + READ_SECONDS
    while reader.position(place) < end:
        found = reader.poll(timeout_ms=POLL_MS).get(place, ())
        if found:
            deadline = time.monotonic() + READ_SECONDS
        elif time.monotonic() > deadline:
            raise Transient(f"{name_of(place)} does not give its records from {first} on")
        yield from (one for one in found if one.offset < end)


def envelope_in(headers: Sequence[tuple[str, bytes | None]]) -> Envelope | None:
    """The envelope of a record; None for one that is no event."""
    try:
        return envelope_of(headers)
    except ValueError:
        return None

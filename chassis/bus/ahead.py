"""Whether others know more of this service than its own database does: then the database was set back.

Two witnesses: its topic, which has what it announced, and the offsets its group told Kafka, each with its turn, which
say what it read. Either is told only after a commit, and so never runs ahead of a database that was not set back; also
not when a worker that outlived a wiped Kafka tells the new one how far it had read the old: that is an earlier turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from chassis import standing
from chassis.bus.event import Envelope
from chassis.bus.losses import Acknowledged
from chassis.bus.outbox import Outbox
from chassis.bus.positions import Positions, how_far
from chassis.bus.reading import between, envelope_in, name_of, places_of, reader_of
from chassis.bus.topics import admin, topic_of
from chassis.database import rows_of
from chassis.errors import Transient

CHUNK = 500
NAMED = 3
NOTHING = (0, 0)
Told = tuple[Any, Envelope]  # a record and its envelope


def examine(kafka: str, group: str, topics: Sequence[str], sources: Sequence[str]) -> None:
    """`SetBack` when anything is ahead of the database; `Transient` when Kafka or a topic is away."""
    must_not_have_read_more(kafka, group, topics)
    must_not_have_announced_more(kafka, sources)


def must_not_have_announced_more(kafka: str, sources: Sequence[str]) -> None:
    """`SetBack` when the topic has announcements of ours that the database does not know."""
    standing.must_be_sound()
    if witnesses := announced_ahead(kafka, sources):
        standing.note_set_back(witnesses)


def must_not_have_read_more(kafka: str, group: str, topics: Sequence[str]) -> None:
    """`SetBack` when Kafka was told of more than the database knows to have read."""
    standing.must_be_sound()
    if witnesses := read_ahead(kafka, group, topics):
        standing.note_set_back(witnesses)


def announced_ahead(kafka: str, sources: Sequence[str]) -> list[str]:
    """In sentences, the partitions whose records since the last acknowledged one the outbox does not have."""
    with reader_of(kafka) as reader:
        found = {place: next(forgotten_in(reader, place, sources), None) for place in own_places(reader, sources)}
    first = {place: chunk[0][1] for place, chunk in found.items() if chunk}
    return [f"{name_of(place)} has {one.type} {one.id}, unknown here" for place, one in first.items()][:NAMED]


def own_places(reader: KafkaConsumer, sources: Sequence[str]) -> list[TopicPartition]:
    """The partitions that this service announces to."""
    return places_of(reader, sorted({topic_of(source) for source in sources}))


def forgotten_in(reader: KafkaConsumer, place: TopicPartition, sources: Sequence[str]) -> Iterator[list[Told]]:
    """Of a partition's records since the last acknowledged one, chunk by chunk, those of ours that the outbox lacks."""
    known = {row["_id"]: row["offset"] for row in rows_of(Acknowledged, {"_id": name_of(place)})}
    begin, end = reader.beginning_offsets([place])[place], reader.end_offsets([place])[place]
    records = between(reader, place, max(begin, known.get(name_of(place), -1) + 1), end)
    while chunk := list(islice(records, CHUNK)):
        told = [(one, envelope) for one in chunk if (envelope := envelope_in(one.headers))]
        ours = [(one, envelope) for one, envelope in told if envelope.source in sources]
        rows = rows_of(Outbox, {"_id": {"$in": [one.id for _, one in ours]}}, ["seq"])
        numbers = {row["_id"]: row["seq"] for row in rows}
        if lacking := [(one, envelope) for one, envelope in ours if numbers.get(envelope.id) != envelope.seq]:
            yield lacking


def read_ahead(kafka: str, group: str, topics: Sequence[str]) -> list[str]:
    """In sentences, the partitions in which Kafka was told of more than the database knows to have read."""
    told = told_to_kafka(kafka, group, topics)
    read = {row["_id"]: how_far(row) for row in rows_of(Positions, {})}
    accepted = {place: tuple(known) for place, known in standing.row().get("accepted", {}).items()}
    return [
        f"{place} was read up to {far[1]}, the database knows of {read.get(place, NOTHING)[1]}"
        for place, far in sorted(told.items())
        if far > max(read.get(place, NOTHING), accepted.get(place, NOTHING))
    ][:NAMED]


def told_to_kafka(kafka: str, group: str, topics: Sequence[str]) -> dict[str, tuple[int, int]]:
    """By place, what the group said it reads next: turn and offset."""
    client = admin(kafka)
    try:
        told = client.list_group_offsets([group]).get(group, {})
    except KafkaError as error:
        raise Transient(f"Kafka at {kafka} does not tell how far {group} is") from error
    finally:
        client.close()
    return {name_of(place): (_turn(one.metadata), one.offset) for place, one in told.items() if place.topic in topics}


def _turn(told: str | None) -> int:
    """The turn told with an offset; the first when somebody else set it."""
    return int(told) if told and told.isdecimal() else 0

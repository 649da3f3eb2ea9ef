"""Topics: one for each publisher, all cut alike, so that one worker holds a key in every topic."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from chassis.bus.event import topic_of as topic_of
from chassis.errors import Transient

REQUEST_MS = 10_000
PAUSE_SECONDS = 0.05


def topics_of(sources: Iterable[str]) -> list[str]:
    """The topics of these publishers, each once."""
    return sorted({topic_of(source) for source in sources})


def admin(kafka: str) -> KafkaAdminClient:
    """A client for looking at topics; `Transient` when no broker answers in time."""
    try:
        return KafkaAdminClient(
            bootstrap_servers=kafka, client_id="onex", bootstrap_timeout_ms=REQUEST_MS, request_timeout_ms=REQUEST_MS
        )
    except KafkaError as error:
        raise Transient(f"no Kafka broker answers at {kafka}") from error


def describe(kafka: str, topics: Sequence[str]) -> dict[str, tuple[str, int]]:
    """By topic: its id and its number of partitions; `Transient` when one does not exist yet."""
    client = admin(kafka)
    try:
        described = client.describe_topics(list(topics))
    except KafkaError as error:
        raise Transient(f"Kafka at {kafka} does not describe its topics") from error
    finally:
        client.close()
    found = {one["name"]: one for one in described if not one.get("error_code")}
    if missing := sorted(set(topics) - set(found)):
        raise Transient(f"these topics do not exist yet: {', '.join(missing)}")
    return {name: (str(one.get("topic_id", "")), len(one["partitions"])) for name, one in found.items()}


def must_be_cut_alike(described: Mapping[str, tuple[str, int]]) -> None:
    """`Transient` while topics differ in their number of partitions: a key would live with two workers.

    More partitions reach one topic after the other (ADR 10), so this passes, or an operator says the command again.
    """
    counts = {name: partitions for name, (_, partitions) in sorted(described.items())}
    most = max(counts.values(), default=0)
    if set(counts.values()) - {most}:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise Transient(f"not all topics have {most} partitions ({told}); say: onex topics --partitions {most}")


def create(kafka: str, wanted: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Create the topics that do not exist, cut like those that do; the names of those created."""
    client = admin(kafka)
    try:
        there = set(client.list_topics()) & set(wanted)
        cut = {"num_partitions": most_partitions(describe(kafka, sorted(there)))} if there else {}
        missing = {name: {**settings, **cut} for name, settings in wanted.items() if name not in there}
        if missing:
            client.create_topics(missing)
        return sorted(missing)
    finally:
        client.close()


def grow(kafka: str, topics: Sequence[str], partitions: int) -> list[str]:
    """Give these topics so many partitions in all; the names of those that grew.

    ValueError when one has more already: none can be taken away. `Transient` when Kafka does not show all of them in
    time; to say it again completes it.
    """
    described = describe(kafka, topics)
    if (most := most_partitions(described)) > partitions:
        raise ValueError(f"there are topics with {most} partitions, and none can be taken away: say {most} or more")
    lacking = sorted(name for name, (_, count) in described.items() if count < partitions)
    client = admin(kafka)
    try:
        if lacking:
            client.create_partitions(dict.fromkeys(lacking, partitions), timeout_ms=REQUEST_MS)
    except KafkaError as error:
        raise Transient(f"Kafka at {kafka} does not add partitions ({type(error).__name__})") from error
    finally:
        client.close()
    _wait_until_grown(kafka, lacking, partitions)
    return lacking


def most_partitions(described: Mapping[str, tuple[str, int]]) -> int:
    """How many partitions the largest of these topics has."""
    return max(partitions for _, partitions in described.values())


def _wait_until_grown(kafka: str, topics: Sequence[str], partitions: int) -> None:
    """The controller has them at once, brokers learn of them a moment later."""
    deadline = time.monotonic() + REQUEST_MS / 1000
    while any(count < partitions for _, count in describe(kafka, topics).values()):
        if time.monotonic() > deadline:
            raise Transient(f"Kafka at {kafka} does not show {partitions} partitions yet")
        time.sleep(PAUSE_SECONDS)

"""Topics: one for each publisher, all cut alike, so that one worker holds a key in every topic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from chassis.errors import Transient

REQUEST_MS = 10_000


def topic_of(source: str) -> str:
    """The topic of a publisher."""
    return f"onex.{source}.v1"


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
    """ValueError when topics have different numbers of partitions: a key would then live with two workers."""
    counts = {name: partitions for name, (_, partitions) in described.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"topics differ in their number of partitions: {counts}")


def create(kafka: str, wanted: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Create the topics that do not exist; the names of those created."""
    client = admin(kafka)
    try:
        missing = {name: dict(settings) for name, settings in wanted.items() if name not in set(client.list_topics())}
        if missing:
            client.create_topics(missing)
        return sorted(missing)
    finally:
        client.close()

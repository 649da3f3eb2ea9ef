"""A bus of one's own: fresh topics, a relay, a group."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from chassis.bus import topics
from chassis.bus.relay import Relay
from tests.support.bus import SOURCES, TOPICS
from tests.support.waiting import until


@pytest.fixture
def fresh_topics(kafka: str) -> None:
    client = topics.admin(kafka)
    present = set(client.list_topics())
    if old := [name for name in TOPICS if name in present]:
        client.delete_topics(old)
        until(lambda: not set(TOPICS) & set(client.list_topics()))
    topics.create(kafka, {name: {"num_partitions": 3, "replication_factor": 1} for name in TOPICS})
    client.wait_for_topics(TOPICS)
    client.close()


@pytest.fixture
def relay(kafka: str, mongo: str, fresh_topics: None) -> Iterator[Relay]:
    made = Relay(kafka, SOURCES)
    yield made
    made.close()


@pytest.fixture
def group() -> str:
    return f"test-{uuid.uuid4().hex[:8]}"

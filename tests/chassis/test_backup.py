"""A service on a real bus is backed up, lives on, and is put back: onto its own topic, and onto an empty one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chassis import standing
from chassis.bus.outbox import Outbox
from chassis.bus.relay import Relay
from chassis.database import database, rows_of
from chassis.worker import _begin
from onex.stack import dump
from tests.chassis.test_replay import kafka_forgets
from tests.chassis.test_set_back import publish, published
from tests.support.bus import SOURCES, TOPICS, amounts, consume_until


@pytest.fixture
def started(kafka: str) -> Any:
    """Begin as a worker of the service `north` does."""
    settings: Any = SimpleNamespace(kafka=kafka)
    return lambda: _begin("north", settings, TOPICS)


def quiet(_sentence: str) -> None:
    """Nobody reads along."""


def taken(mongo_url: str, mongo: str, folder: Path) -> list[dump.Part]:
    dump.stamp(mongo_url, [mongo], "s1")
    return dump.take(mongo_url, [mongo], folder, quiet)[0]


def put_back(mongo_url: str, mongo: str, parts: list[dump.Part], folder: Path) -> None:
    dump.put(mongo_url, parts, {mongo: mongo}, folder, quiet)
    dump.ask_for_recovery(mongo_url, [mongo], "onex restore")
    standing.look_again()


def test_put_back_onto_its_own_topic_it_recovers_by_itself_and_announces_nothing_twice(
    kafka: str, relay: Relay, mongo: str, mongo_url: str, tmp_path: Path, started: Any
) -> None:
    publish(relay, 1, 2)
    consume_until(kafka, "onex.north", lambda: amounts() == [1, 2])
    parts = taken(mongo_url, mongo, tmp_path)
    publish(relay, 3, 4)
    consume_until(kafka, "onex.north", lambda: amounts() == [1, 2, 3, 4])
    before = published(kafka)
    put_back(mongo_url, mongo, parts, tmp_path)
    with pytest.raises(standing.SetBack):
        standing.must_be_sound()
    started()
    assert standing.look_again()["state"] == standing.Standing.SOUND
    assert standing.again_before() > standing.NEVER
    publish(relay, 3, 4)  # who sent it sends it again
    consume_until(kafka, "onex.north", lambda: amounts() == [1, 2, 3, 4])
    assert published(kafka) == before
    assert rows_of(Outbox, {"forgotten": True}) == []


def test_put_back_onto_an_empty_topic_everything_is_published_again_and_dropped_as_seen(
    kafka: str, relay: Relay, mongo: str, mongo_url: str, tmp_path: Path, started: Any
) -> None:
    """The copy is of one instant: what its reader has seen its publisher knows, and gives no number twice."""
    publish(relay, 1, 2, 3)
    consume_until(kafka, "onex.north", lambda: amounts() == [1, 2, 3])
    publish(relay, 4)  # published and not read yet: on the empty topic it must come again
    parts = taken(mongo_url, mongo, tmp_path)
    kafka_forgets(kafka)
    put_back(mongo_url, mongo, parts, tmp_path)
    started()
    again = Relay(kafka, SOURCES, "again")
    try:
        again._compare()
        assert again.publish_pending() == 4
        publish(again, 5)
    finally:
        again.close()
    consume_until(kafka, "onex.north", lambda: 5 in amounts())
    assert amounts() == [1, 2, 3, 4, 5]
    assert [seq for _, seq in published(kafka)] == [1, 2, 3, 4, 5]


def test_who_holds_what_is_not_put_back(mongo: str, mongo_url: str, tmp_path: Path) -> None:
    database()["leases"].insert_one({"_id": "relay-shard:1", "holder": "somebody"})
    assert "leases" not in {part.collection for part in taken(mongo_url, mongo, tmp_path)}

"""A relay that slept through the theft of its lease wakes in its round, and nothing is doubled or reordered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from chassis.bus import relay as relaying
from chassis.bus.outbox import Outbox
from chassis.bus.relay import SHARD_LEASE, Relay
from chassis.database import database, rows_of
from tests.support.bus import SOURCES, amounts, announce, consume_until
from tests.support.waiting import until
from tests.support.words import Counted

NUMBERS = list(range(20))


class Asleep(Relay):
    """Falls asleep when it has read what is due and sent nothing of it, as one that SIGSTOP hit there would."""

    def __init__(self, kafka: str, holder: str) -> None:
        super().__init__(kafka, SOURCES, holder)
        self.sleeps, self.wakes = threading.Event(), threading.Event()

    def _send(self, row: dict[str, Any]) -> Any:
        self.sleeps.set()
        assert self.wakes.wait(60)
        return super()._send(row)


@pytest.fixture
def sleeper(kafka: str, mongo: str, fresh_topics: None) -> Iterator[Asleep]:
    made = Asleep(kafka, "sleeper")
    yield made
    made.close()


@pytest.fixture
def thief(kafka: str, mongo: str, fresh_topics: None) -> Iterator[Relay]:
    made = Relay(kafka, SOURCES, "thief")
    yield made
    made.close()


def steal(holder: str) -> None:
    """The database's clock runs past every lease of a holder."""
    database()["leases"].update_many({"holder": holder}, [{"$set": {"until": {"$subtract": ["$$NOW", 1]}}}])


def test_what_a_sleeper_sends_late_is_a_repeat_that_readers_drop(
    kafka: str, sleeper: Asleep, thief: Relay, group: str
) -> None:
    """Nobody can stop a send that was decided before the sleep; numbers make it harmless."""
    announce(*(Counted(name="a", amount=n) for n in NUMBERS[:10]))
    flight = threading.Thread(target=sleeper.publish_pending)
    flight.start()
    assert sleeper.sleeps.wait(30)
    steal("sleeper")
    assert thief.publish_pending() == 10
    announce(*(Counted(name="a", amount=n) for n in NUMBERS[10:]))
    assert thief.publish_pending() == 10
    consume_until(kafka, group, lambda: len(amounts()) == 20)
    sleeper.wakes.set()
    flight.join()
    announce(Counted(name="a", amount=20))
    thief.publish_pending()
    consume_until(kafka, group, lambda: 20 in amounts())
    assert amounts() == [*NUMBERS, 20]
    assert rows_of(Outbox, {"due": True}) == []


def test_once_awake_it_holds_nothing_that_was_stolen_and_publishes_nothing_of_it(sleeper: Asleep, thief: Relay) -> None:
    sleeper.wakes.set()
    announce(Counted(name="a", amount=1))
    assert sleeper.publish_pending() == 1
    steal("sleeper")
    thief.publish_pending()
    assert len(thief.shards) == relaying.SHARDS
    announce(Counted(name="a", amount=2))
    sleeper._good_until = 0.0  # by its own clock the lease is over: it slept
    assert sleeper.publish_pending() == 0
    sleeper._renew_at = 0.0
    assert sleeper.publish_pending() == 0
    assert sleeper.shards == []
    assert {row["holder"] for row in database()["leases"].find({"_id": {"$regex": f"^{SHARD_LEASE}"}})} == {"thief"}
    until(lambda: thief.publish_pending() or not rows_of(Outbox, {"due": True}))
    assert rows_of(Outbox, {"due": True}) == []

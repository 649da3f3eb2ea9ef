"""Promise 6: what Kafka acknowledged and lost is published again from the outbox, and doubles nothing."""

from __future__ import annotations

import pytest
from kafka import KafkaProducer

from chassis.bus import losses, topics
from chassis.bus.losses import Acknowledged, restore
from chassis.bus.outbox import Outbox
from chassis.bus.relay import Relay
from chassis.database import database, rows_of
from tests.support.bus import TOPICS, amounts, announce, consume_until, lose
from tests.support.words import Counted

TOPIC = TOPICS[0]


def announced(relay: Relay, *numbers: int) -> None:
    for n in numbers:
        announce(Counted(name="a", amount=n), Counted(name="b", amount=n))
    relay.publish_pending()


def test_nothing_is_lost_and_nothing_happens(kafka: str, relay: Relay) -> None:
    assert restore(kafka) == 0
    announced(relay, 1, 2)
    assert restore(kafka) == 0
    assert rows_of(Outbox, {"due": True}) == []


def test_a_topic_that_is_gone_is_filled_again(kafka: str, relay: Relay, group: str) -> None:
    announced(relay, 1, 2)
    consume_until(kafka, group, lambda: len(amounts("a")) == 2)
    lose(kafka)
    announced(relay, 3)
    assert restore(kafka) == 6
    assert rows_of(Acknowledged, {}) == []
    relay.publish_pending()
    assert restore(kafka) == 0
    consume_until(kafka, group, lambda: 3 in amounts("a") and 3 in amounts("b"))
    assert (amounts("a"), amounts("b")) == ([1, 2, 3], [1, 2, 3])


def test_a_reader_that_had_not_read_what_was_lost_gets_it(kafka: str, relay: Relay, group: str) -> None:
    announced(relay, 1, 2, 3)
    lose(kafka)
    assert restore(kafka) == 6
    relay.publish_pending()
    consume_until(kafka, group, lambda: len(amounts("a")) == 3 == len(amounts("b")))
    assert amounts("a") == [1, 2, 3]


def test_of_a_cut_tail_what_was_announced_since_comes_again(kafka: str, relay: Relay, group: str) -> None:
    announced(relay, 1)
    database()["outbox"].update_many({}, [{"$set": {"time": {"$subtract": ["$time", 7_200_000]}}}])
    announced(relay, 2, 3)
    assert rows_of(Outbox, {"due": True}) == []
    lose(kafka, keep=2)
    assert restore(kafka) == 4  # what is two hours older than the last record that is left is not told again
    relay.publish_pending()
    consume_until(kafka, group, lambda: len(amounts("a")) == 3 == len(amounts("b")))
    assert (amounts("a"), amounts("b")) == ([1, 2, 3], [1, 2, 3])


def test_a_grown_topic_that_comes_back_smaller_is_filled_again(
    kafka: str, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics.grow(kafka, TOPICS, 12)
    announce(*(Counted(name=f"k{n}", amount=n) for n in range(20)))
    relay.publish_pending()
    assert max(int(row["_id"].rsplit(":", 1)[1]) for row in rows_of(Acknowledged, {})) >= 3
    lose(kafka)
    monkeypatch.setattr(losses, "HEAR_SECONDS", 0.5)
    assert restore(kafka) == 20
    assert rows_of(Acknowledged, {}) == []


def test_a_topic_of_somebody_else_counts_as_gone(kafka: str, relay: Relay) -> None:
    announced(relay, 1)
    lose(kafka)
    producer = KafkaProducer(bootstrap_servers=kafka)
    for number in range(3):
        producer.send(TOPIC, b"stranger", b"x", partition=number).get(timeout=20)
    producer.close()
    assert restore(kafka) == 2


def test_a_running_relay_notices_by_itself(kafka: str, relay: Relay) -> None:
    announced(relay, 1)
    lose(kafka)
    relay._look_for_losses()
    assert len(rows_of(Outbox, {"due": True})) == 2

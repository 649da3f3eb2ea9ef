"""Bad input on the bus has a clear outcome and loses nothing: handled, kept, or a dead letter that says why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from kafka import KafkaProducer
from prometheus_client import REGISTRY

from chassis.bus.dead_letters import DeadLetters, sentence
from chassis.bus.event import MAX_BODY_BYTES, headers_of
from chassis.bus.outbox import Outbox, append
from chassis.bus.relay import Relay
from chassis.bus.retrying import rehearse
from chassis.bus.unknown import UnknownEvents
from chassis.clock import UTC, datetime
from chassis.database import Row, database, rows_of, run_transaction
from chassis.errors import Defect
from chassis.strands import Strands, is_parked
from tests.support.bus import TOPICS, amounts, announce, consume_until, on_counted
from tests.support.words import Counted

LANGUAGE = {"Counted", "Named"}
NORTH, SOUTH = TOPICS
HEADED: Row = {"type": "Counted", "source": "north", "cause": "test:1", "time": datetime(2021, 3, 1, 8, tzinfo=UTC)}
Headers = list[tuple[str, bytes]]


@contextmanager
def producing(kafka: str) -> Iterator[Any]:
    """Write records as a stranger would; whoever leaves the block knows that the broker has them."""
    producer = KafkaProducer(bootstrap_servers=kafka, max_request_size=4 * 1024 * 1024)
    yield lambda headers, body, topic=NORTH, key=b"thing:x": producer.send(
        topic, value=body, key=key, headers=headers, partition=1
    ).get(timeout=10)
    producer.close()


def headed(name: str = "x", seq: int = 1, **other: Any) -> Headers:
    return headers_of(HEADED | {"_id": f"e-{name}-{seq}", "key": f"thing:{name}", "seq": seq} | other)


def counted(name: str = "x", amount: int = 1, **more: Any) -> bytes:
    return json.dumps({"name": name, "amount": amount, **more}).encode()


def letters() -> list[Row]:
    return rows_of(DeadLetters, {}, sort=[("_id", 1)])


def why() -> list[str]:
    return [sentence(row, "en") for row in letters()]


def seen(key: str) -> dict[str, int]:
    [row] = rows_of(Strands, {"_id": key})
    found: dict[str, int] = row["seen"]
    return found


def consumed(kafka: str, group: str, relay: Relay) -> None:
    """Everything before a last sound event has been read."""
    with producing(kafka) as put:
        put(headed("last"), counted("last", 99), NORTH, b"thing:x")
        put(headed("last", source="south", type="Named"), b"{}", SOUTH, b"thing:x")
    consume_until(kafka, group, lambda: amounts("last") and "south" in seen("thing:last"), language=LANGUAGE)


def test_fields_of_a_newer_version_are_read_over(kafka: str, relay: Relay, group: str) -> None:
    with producing(kafka) as put:
        put([*headed(), ("ce_tomorrow", b"1")], counted(amount=7, tomorrow={"deep": [1, None]}))
    consumed(kafka, group, relay)
    assert amounts("x") == [7]
    assert letters() == rows_of(UnknownEvents, {}) == []


def test_an_envelope_of_a_newer_version_is_a_dead_letter(kafka: str, relay: Relay, group: str) -> None:
    with producing(kafka) as put:
        put([*headed()[1:], ("ce_specversion", b"2.0")], counted())
    consumed(kafka, group, relay)
    assert why() == ["The record breaks its contract: ValueError: ce_specversion is not 1.0, the one read here."]
    assert letters()[0]["body"] == counted()
    assert amounts("x") == []


@pytest.mark.parametrize("key", [None, b""])
def test_an_event_without_a_key_is_a_dead_letter_and_holds_up_nobody(
    kafka: str, relay: Relay, group: str, key: bytes | None
) -> None:
    headers = [one for one in headed() if one[0] != "ce_partitionkey"]
    with producing(kafka) as put:
        put(headers if key is None else [*headers, ("ce_partitionkey", key)], counted(), key=None)
    consumed(kafka, group, relay)
    missing = "there is no ce_partitionkey" if key is None else "a key that nobody gives"
    assert why() == [f"The record breaks its contract: ValueError: {missing}."]
    assert [(row["key"], row["body"]) for row in letters()] == [("", counted())]
    assert rows_of(Strands, {"_id": ""}) == []


def test_a_record_without_kafka_s_own_key_is_handled_by_its_envelope_s(kafka: str, relay: Relay, group: str) -> None:
    with producing(kafka) as put:
        put(headed(), counted(amount=3), key=None)
    consumed(kafka, group, relay)
    assert amounts("x") == [3]


def test_broken_json_is_a_dead_letter_and_its_key_waits(kafka: str, relay: Relay, group: str) -> None:
    with producing(kafka) as put:
        put(headed(seq=1), b'{"name": "x", "amou')
        put(headed(seq=2), counted(amount=2))
    consumed(kafka, group, relay)
    [sentence_] = why()
    assert sentence_.startswith("The record breaks its contract: DecodeError: Input data was truncated")
    assert [(row["_id"], row["body"]) for row in letters()] == [("north|thing:x|1", b'{"name": "x", "amou')]
    assert run_transaction(lambda: is_parked("thing:x"))
    assert amounts("x") == []


def test_an_event_of_two_megabytes_is_refused_before_kafka(kafka: str, relay: Relay, group: str) -> None:
    announce(Counted(name="x", amount=1))
    with pytest.raises(ValueError, match=f"Counted has 2000023 bytes, more than {MAX_BODY_BYTES}"):
        run_transaction(lambda: append(Counted(name="y" * 2_000_000, amount=1), cause="test:1"))
    assert len(rows_of(Outbox, {})) == 1
    assert relay.publish_pending() == 1
    consumed(kafka, group, relay)
    assert amounts("x") == [1]


@pytest.mark.parametrize("kind", ["Counted", "CountedAnew", "Broken"])
def test_a_record_near_the_broker_s_limit_that_arrives_anyway_is_not_lost(
    kafka: str, relay: Relay, group: str, kind: str
) -> None:
    """Other clients know nothing of our limit. It is handled, kept or dead like any other."""
    body = counted(amount=5, padding="字" * 345_000, tail="" if kind != "Broken" else None)
    body = body.replace(b'"amount": 5', b'"amount": "5"') if kind == "Broken" else body
    body = json.dumps(json.loads(body), ensure_ascii=False).encode()
    assert 1_030_000 < len(body) < 1_048_000
    with producing(kafka) as put:
        put(headed(type="Counted" if kind == "Broken" else kind), body)
    consumed(kafka, group, relay)
    assert amounts("x") == ([5] if kind == "Counted" else [])
    assert [row["body"] for row in rows_of(UnknownEvents, {})] == ([body] if kind == "CountedAnew" else [])
    assert [row["body"] for row in letters()] == ([body] if kind == "Broken" else [])


def test_an_event_from_the_future_is_handled_and_no_age_is_below_zero(kafka: str, relay: Relay, group: str) -> None:
    ahead = datetime.now(UTC) + timedelta(days=400)
    with producing(kafka) as put:
        put(headed(time=ahead), counted(amount=4))
    consume_until(kafka, group, lambda: amounts("x"), language=LANGUAGE)
    assert amounts("x") == [4]
    assert (REGISTRY.get_sample_value("onex_oldest_unhandled_seconds") or 0) >= 0
    assert letters() == []


def test_a_time_without_its_zone_is_a_dead_letter(kafka: str, relay: Relay, group: str) -> None:
    with producing(kafka) as put:
        put([*[one for one in headed() if one[0] != "ce_time"], ("ce_time", b"2021-03-01T08:00:00")], counted())
    consumed(kafka, group, relay)
    assert why() == ["The record breaks its contract: ValueError: ce_time has no zone."]


def test_an_event_on_another_s_topic_is_a_dead_letter_and_the_true_one_is_handled(
    kafka: str, relay: Relay, group: str
) -> None:
    """Its number counts for nothing: what its publisher announces under that number is no repeat of it."""
    with producing(kafka) as put:
        put(headed(), counted(amount=666), SOUTH)
        put(headed(), counted(amount=1), NORTH)
    consumed(kafka, group, relay)
    assert amounts("x") == [1]
    [letter] = letters()
    assert (letter["_id"], letter["key"]) == (f"{SOUTH}:1|0", "")
    assert why() == [f"The record breaks its contract: it says it is from north and stands in {SOUTH}."]
    with pytest.raises(Defect, match="stands in"):
        rehearse(letter["_id"], {Counted: on_counted})
    assert not run_transaction(lambda: is_parked("thing:x"))


def test_all_of_it_at_once_loses_nothing(kafka: str, relay: Relay, group: str) -> None:
    for n in range(30):
        announce(Counted(name=f"b{n}", amount=n))
    relay.publish_pending()
    with producing(kafka) as put:
        put(headed("u", type="CountedAnew"), b"{not even json")
        put(headed("k")[:-4], counted())
        put(headed("j"), b"{")
        put(headed("o"), counted(), SOUTH)
        put(headed("f", time=datetime(9999, 12, 31, 23, tzinfo=UTC)), counted("f", 8))
        put(headed("v", seq=1), counted("v", 1, more=True))
    consumed(kafka, group, relay)
    assert database()["sums"].count_documents({}) == 30 + 2 + 1
    assert len(letters()) == 3
    assert [row["body"] for row in rows_of(UnknownEvents, {})] == [b"{not even json"]

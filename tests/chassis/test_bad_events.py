"""Bad input on the bus has a clear outcome and loses nothing: handled, kept, or a dead letter that says why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
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
from chassis.clock import UTC
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
    """Write records as a stranger would; each is with the broker when it is written."""
    producer = KafkaProducer(bootstrap_servers=kafka, max_request_size=4 * 1024 * 1024)
    yield lambda headers, body, topic=NORTH, key=b"thing:x": producer.send(
        topic, value=body, key=key, headers=headers, partition=1
    ).get(timeout=10)
    producer.close()


def headed(name: str = "x", seq: int = 1, **other: Any) -> Headers:
    return headers_of(HEADED | {"_id": f"e-{name}-{seq}", "key": f"thing:{name}", "seq": seq} | other)


def instead(headers: Headers, name: str, value: bytes | None) -> Headers:
    """The headers with another value of one, or without it."""
    rest = [one for one in headers if one[0] != name]
    return rest if value is None else [*rest, (name, value)]


def counted(name: str = "x", amount: Any = 1, **more: Any) -> bytes:
    return json.dumps({"name": name, "amount": amount, **more}, ensure_ascii=False).encode()


@dataclass(frozen=True)
class Case:
    """One record, and what comes of it: `handled`, `kept`, or the sentence of its dead letter."""

    headers: Headers
    body: bytes
    outcome: str
    key: bytes | None = b"thing:x"


NEAR_LIMIT = "字" * 345_000  # a body of a little less than a megabyte, twice what `append` takes
BREAKS = "The record breaks its contract: "
CASES = {
    "newer": Case([*headed("newer"), ("ce_more", b"1")], counted("newer", deep={"a": [1, None]}), "handled"),
    "newtype": Case(headed("newtype", type="CountedV2"), counted("newtype"), "kept"),
    "newtype2": Case(headed("newtype2", type="CountedV2"), b"{not even json", "kept"),
    "envelope": Case(
        instead(headed("envelope"), "ce_specversion", b"2.0"),
        counted("envelope"),
        f"{BREAKS}ValueError: ce_specversion is not 1.0, the one read here.",
    ),
    "nokey": Case(
        instead(headed("nokey"), "ce_partitionkey", None),
        counted("nokey"),
        f"{BREAKS}ValueError: there is no ce_partitionkey.",
        key=None,
    ),
    "emptykey": Case(
        instead(headed("emptykey"), "ce_partitionkey", b""),
        counted("emptykey"),
        f"{BREAKS}ValueError: a key that nobody gives.",
        key=None,
    ),
    "kafkakey": Case(headed("kafkakey"), counted("kafkakey"), "handled", key=None),
    "json": Case(headed("json"), b'{"name": "json", "amou', f"{BREAKS}DecodeError: Input data was truncated."),
    "nobody": Case(headed("nobody"), b"", f"{BREAKS}DecodeError: Input data was truncated."),
    "wrongtype": Case(
        headed("wrongtype"),
        counted("wrongtype", "many"),
        f"{BREAKS}ValidationError: Expected `int`, got `str` - at `$.amount`.",
    ),
    "large": Case(headed("large"), counted("large", padding=NEAR_LIMIT), "handled"),
    "largenew": Case(headed("largenew", type="CountedV2"), counted("largenew", padding=NEAR_LIMIT), "kept"),
    "largebad": Case(
        headed("largebad"),
        counted("largebad", "many", padding=NEAR_LIMIT),
        f"{BREAKS}ValidationError: Expected `int`, got `str` - at `$.amount`.",
    ),
    "future": Case(headed("future", time=datetime.now(UTC) + timedelta(days=400)), counted("future"), "handled"),
    "lastyear": Case(headed("lastyear", time=datetime(9999, 12, 31, 23, tzinfo=UTC)), counted("lastyear"), "handled"),
    "nozone": Case(
        instead(headed("nozone"), "ce_time", b"2021-03-01T08:00:00"),
        counted("nozone"),
        f"{BREAKS}ValueError: ce_time has no zone.",
    ),
    "beyond": Case(
        instead(headed("beyond"), "ce_time", b"9999-12-31T23:59:59-14:00"),
        counted("beyond"),
        f"{BREAKS}ValueError: ce_time lies beyond the last year.",
    ),
    "yearone": Case(
        instead(headed("yearone"), "ce_time", b"0001-01-01T00:00:00Z"),
        counted("yearone"),
        f"{BREAKS}ValueError: ce_time lies before all clocks.",
    ),
    "notime": Case(
        instead(headed("notime"), "ce_time", b"tomorrow"),
        counted("notime"),
        f"{BREAKS}ValueError: Invalid isoformat string: 'tomorrow'.",
    ),
}  # fmt: skip


def outcomes() -> dict[bytes, list[str]]:
    """What came of each body."""
    found: dict[bytes, list[str]] = {}
    for row in database()["sums"].find():
        [body] = [case.body for name, case in CASES.items() if name == row["name"]] or [b"sound"]
        found.setdefault(body, []).append("handled")
    for row in rows_of(UnknownEvents, {}):
        found.setdefault(row["body"], []).append("kept")
    for row in rows_of(DeadLetters, {}):
        found.setdefault(row["body"], []).append(sentence(row, "en"))
    return found


def test_each_has_a_clear_outcome_and_nothing_is_lost(kafka: str, relay: Relay, group: str) -> None:
    ours = [Counted(name=f"b{n}", amount=n) for n in range(30)]
    announce(*ours)
    with producing(kafka) as put:
        for case in CASES.values():
            put(case.headers, case.body, key=case.key)
            relay.publish_pending()
    bodies = [case.body for case in CASES.values()]
    consume_until(kafka, group, lambda: sum(map(len, outcomes().values())) >= len(bodies + ours), language=LANGUAGE)
    found = outcomes()
    assert found.pop(b"sound") == ["handled"] * len(ours)
    expected: dict[bytes, list[str]] = {}
    for case in CASES.values():
        expected.setdefault(case.body, []).append(case.outcome)
    assert {body[:60]: said for body, said in found.items()} == {body[:60]: said for body, said in expected.items()}
    assert set(found) == set(expected)
    assert (REGISTRY.get_sample_value("onex_oldest_unhandled_seconds") or 0) >= 0
    assert rows_of(Strands, {"_id": ""}) == []
    assert waiting(CASES) == ["json", "largebad", "nobody", "wrongtype"]


def waiting(names: Sequence[str] | dict[str, Case]) -> list[str]:
    """Those whose keys wait behind a dead letter."""
    return sorted(name for name in names if run_transaction(lambda name=name: is_parked(f"thing:{name}")))


def test_the_large_ones_are_larger_than_ours_and_fit_the_broker() -> None:
    sizes = [len(case.body) for name, case in CASES.items() if name.startswith("large")]
    assert all(MAX_BODY_BYTES < 1_030_000 < size < 1_048_588 for size in sizes)


def test_an_event_of_two_megabytes_is_refused_before_kafka(mongo: str) -> None:
    announce(Counted(name="x", amount=1))

    def body() -> None:
        append(Counted(name="x", amount=2), cause="test:1")
        append(Counted(name="y" * 2_000_000, amount=1), cause="test:1")

    with pytest.raises(ValueError, match=f"Counted has 2000022 bytes, more than {MAX_BODY_BYTES}"):
        run_transaction(body)
    assert [row["seq"] for row in rows_of(Outbox, {})] == [1]


def test_an_event_on_another_s_topic_is_a_dead_letter_and_the_true_one_is_handled(
    kafka: str, relay: Relay, group: str
) -> None:
    """Its number counts for nothing: what its publisher announces under that number is no repeat of it."""
    with producing(kafka) as put:
        put(headed(), counted(amount=666), SOUTH)
        put(headed(), counted(amount=1), NORTH)
    consume_until(kafka, group, lambda: amounts("x") and rows_of(DeadLetters, {}), language=LANGUAGE)
    assert amounts("x") == [1]
    [letter] = rows_of(DeadLetters, {})
    assert (letter["_id"], letter["key"], letter["body"]) == (f"{SOUTH}:1|0", "", counted(amount=666))
    assert sentence(letter, "en") == f"{BREAKS}it says it is from north and stands in {SOUTH}."
    with pytest.raises(Defect, match="stands in"):
        rehearse(letter["_id"], {Counted: on_counted})
    assert waiting(["x"]) == []

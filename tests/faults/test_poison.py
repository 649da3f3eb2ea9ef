"""One poisoned event among ten thousand: all others are credited at once, its learner's later ones wait and follow."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from kafka import KafkaProducer

from chassis.bus import topics
from chassis.bus.dead_letters import DeadLetters
from chassis.bus.event import Announcement, Event, encode_body, event_id, headers_of
from chassis.bus.handlers import Handlers
from chassis.bus.parking import Parked
from chassis.bus.retrying import rehearse
from chassis.database import database, rows_of, run_transaction
from chassis.strands import is_parked
from contracts.assessment import OfResult, ResultFinalised
from services.creditbank.handlers import HANDLERS, on_results
from services.creditbank.ledger.commands import open_accounts
from tests.support.arrivals import ANNOUNCED
from tests.support.bus import consume_until
from tests.support.waiting import until
from tests.unit.creditbank.stories import annulled, audited, balances, corrected, entries, finalised, publish_annex

EVENTS = 10_000
PARTITIONS = 6
AT_ONCE = 500
WITHIN_SECONDS = 240.0
GUILTY = "00005000"
LETTER = f"assessment|learner:{GUILTY}|1"


class Mended:
    """Whether the code that breaks at the guilty event was mended."""

    is_so = False


def breaking(events: Sequence[Event[OfResult]]) -> None:
    if not Mended.is_so and any((event.body.learner_id, event.seq) == (GUILTY, 1) for event in events):
        raise ZeroDivisionError("a mistake in the code, met by one event alone")
    on_results(events)


BREAKING: Handlers = {**HANDLERS, ResultFinalised: breaking}


@pytest.fixture
def bank(kafka: str, mongo: str) -> str:
    """A bank with ten thousand accounts and empty topics; its group."""
    names = topics.topics_of(body.source for body in HANDLERS)
    client = topics.admin(kafka)
    if old := sorted(set(names) & set(client.list_topics())):
        client.delete_topics(old)
        until(lambda: not set(names) & set(client.list_topics()))
    topics.create(kafka, {name: {"num_partitions": PARTITIONS, "replication_factor": 1} for name in names})
    client.wait_for_topics(names)
    client.close()
    run_transaction(publish_annex)
    learners = [f"{number:08d}" for number in range(EVENTS)]
    for start in range(0, EVENTS, AT_ONCE):
        run_transaction(lambda start=start: open_accounts(learners[start : start + AT_ONCE]))  # type: ignore[misc]
    return f"test-{uuid.uuid4().hex[:8]}"


def publish(kafka: str, told: Sequence[tuple[Announcement, int]]) -> None:
    """Have these announcements, with their numbers, in their topic."""
    producer = KafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=20)
    try:
        futures = [producer.send(**record_of(body, seq)) for body, seq in told]
        for future in futures:
            future.get(60)
    finally:
        producer.close()


def record_of(body: Announcement, seq: int) -> dict[str, Any]:
    [key] = body.keys()
    name = type(body).__name__
    row = {"_id": event_id("test", name, key, seq), "key": key, "seq": seq, "type": name, "source": body.source}
    headers = headers_of(row | {"cause": f"test:{key}:{seq}", "time": ANNOUNCED})
    return {"topic": topics.topic_of(body.source), "key": key.encode(), "value": encode_body(body), "headers": headers}


def credited() -> int:
    return database()["accounts"].count_documents({"available_points": {"$gt": 0}})


def is_all_but_one_done(waiting: int) -> bool:
    return credited() == EVENTS - 1 and len(rows_of(Parked, {})) == waiting


def test_one_poisoned_event_among_ten_thousand_holds_up_its_learner_alone(kafka: str, bank: str) -> None:
    later = [
        (corrected(GUILTY, level=3, revision=3), 2),
        (annulled(GUILTY, level=3, revision=4), 3),
        (finalised(GUILTY, result="0002", level=1, revision=2), 4),
    ]
    publish(kafka, [(finalised(f"{number:08d}"), 1) for number in range(EVENTS)] + later)

    consume_until(kafka, bank, lambda: is_all_but_one_done(len(later)), BREAKING, seconds=WITHIN_SECONDS)
    [letter] = rows_of(DeadLetters, {})
    assert (letter["_id"], letter["state"], letter["attempts"]) == (LETTER, "waiting", 1)
    assert [row["seq"] for row in rows_of(Parked, {}, sort=[("seq", 1)])] == [2, 3, 4]
    assert (balances(GUILTY), entries(GUILTY)) == ((0, 0), [])
    assert run_transaction(lambda: is_parked(f"learner:{GUILTY}"))
    with pytest.raises(ZeroDivisionError):
        rehearse(LETTER, BREAKING)

    Mended.is_so = True
    rehearse(LETTER, BREAKING)
    assert entries(GUILTY) == []
    database()["dead_letters"].update_one({"_id": LETTER}, {"$set": {"state": "asked"}})
    consume_until(kafka, bank, lambda: not rows_of(Parked, {}), BREAKING, seconds=WITHIN_SECONDS)
    whats = [entry["what"] for entry in entries(GUILTY)]
    assert whats == ["ResultFinalised", "ResultCorrected", "ResultAnnulled", "ResultFinalised"]
    assert balances(GUILTY) == (0, 200)
    assert credited() == EVENTS
    assert not run_transaction(lambda: is_parked(f"learner:{GUILTY}"))
    assert audited().accounts == EVENTS

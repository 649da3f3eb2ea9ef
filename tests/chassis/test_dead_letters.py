"""Promise 5: a defect becomes a dead letter, its key waits behind it, everyone else goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from kafka import KafkaProducer

from chassis.bus.consumer import DEFECTS_LIMIT, ConsumerStopped, Positions
from chassis.bus.dead_letters import DeadLetters, LetterState, sentence
from chassis.bus.event import envelope_of, headers_of
from chassis.bus.outbox import Outbox
from chassis.bus.parking import MOST_AHEAD, Parked
from chassis.bus.relay import Relay
from chassis.bus.retrying import rehearse, serve
from chassis.database import Row, database, rows_of, run_transaction
from chassis.strands import is_parked
from tests.support.arrivals import ANNOUNCED
from tests.support.bus import BREAKS_AT, TOPICS, amounts, announce, consume_until, on_counted
from tests.support.words import Counted

HANDLERS = {Counted: on_counted}
HEADED = {"_id": "e1", "type": "Counted", "source": "north", "cause": "test:1", "time": ANNOUNCED}


@pytest.fixture(autouse=True)
def _breaks_at_thirteen() -> Iterator[None]:
    BREAKS_AT.add(13)
    yield
    BREAKS_AT.clear()


def letters(**where: object) -> list[Row]:
    return rows_of(DeadLetters, where, sort=[("_id", 1)])


def ask(state: LetterState = LetterState.ASKED) -> None:
    database()["dead_letters"].update_many({"state": "waiting"}, {"$set": {"state": state}})


def told(relay: Relay, *bodies: Counted) -> None:
    for body in bodies:
        announce(body)
    relay.publish_pending()


def test_only_its_own_key_waits_behind_a_dead_letter(kafka: str, relay: Relay, group: str) -> None:
    told(relay, Counted(name="a", amount=1), Counted(name="a", amount=13), Counted(name="a", amount=2))
    told(relay, *(Counted(name=f"b{n}", amount=n) for n in range(50) if n != 13))
    guilty = rows_of(Outbox, {"key": "thing:a", "seq": 2})[0]
    consume_until(kafka, group, lambda: database()["sums"].count_documents({}) == 50)
    [letter] = letters()
    assert (letter["_id"], letter["state"], letter["attempts"]) == ("north|thing:a|2", "waiting", 1)
    assert guilty["_id"] in letter["envelope"].decode()
    assert sentence(letter, "en").startswith("Handling it broke: ArithmeticError at tests/support/bus.py:")
    assert sentence(letter, "zh").startswith("处理时出错：ArithmeticError")
    assert "not to be told" not in str(letter)  # an error's own words may quote values
    assert amounts("a") == [1]
    assert [row["seq"] for row in rows_of(Parked, {})] == [3]
    assert run_transaction(lambda: is_parked("thing:a"))


def test_after_the_retry_what_waited_follows_in_order(kafka: str, relay: Relay, group: str) -> None:
    told(relay, *(Counted(name="a", amount=n) for n in (1, 13, 2, 3)))
    consume_until(kafka, group, lambda: len(rows_of(Parked, {})) == 2)
    BREAKS_AT.clear()
    ask()
    told(relay, Counted(name="a", amount=4))
    consume_until(kafka, group, lambda: len(amounts()) == 5)
    assert amounts() == [1, 13, 2, 3, 4]
    [letter] = letters()
    assert (letter["state"], letter["body"]) == ("handled", b"")
    assert not run_transaction(lambda: is_parked("thing:a"))


def test_a_retry_while_its_cause_stands_waits_again(kafka: str, relay: Relay, group: str) -> None:
    told(relay, Counted(name="a", amount=13), Counted(name="a", amount=2))
    consume_until(kafka, group, lambda: letters())
    ask()
    consume_until(kafka, group, lambda: letters(attempts=2))
    assert letters()[0]["state"] == "waiting"
    assert amounts() == []


def test_a_rehearsal_leaves_nothing_behind(kafka: str, relay: Relay, group: str) -> None:
    told(relay, Counted(name="a", amount=13))
    consume_until(kafka, group, lambda: letters())
    with pytest.raises(ArithmeticError):
        rehearse("north|thing:a|1", HANDLERS)
    BREAKS_AT.clear()
    rehearse("north|thing:a|1", HANDLERS)
    assert amounts() == []
    assert letters()[0]["state"] == "waiting"


def test_discarded_its_number_counts_as_seen(kafka: str, relay: Relay, group: str) -> None:
    told(relay, *(Counted(name="a", amount=n) for n in (1, 13, 2)))
    consume_until(kafka, group, lambda: rows_of(Parked, {}))
    ask(LetterState.DISCARDING)
    consume_until(kafka, group, lambda: len(amounts()) == 2)
    assert amounts() == [1, 2]
    assert letters()[0]["state"] == "discarded"


def test_the_guilty_one_among_those_that_waited_is_found(kafka: str, relay: Relay, group: str) -> None:
    """Behind a dead letter wait another that breaks, and sound ones."""
    BREAKS_AT.add(14)
    told(relay, *(Counted(name="a", amount=n) for n in (13, 1, 14, 2)))
    consume_until(kafka, group, lambda: len(rows_of(Parked, {})) == 3)
    BREAKS_AT.remove(13)
    ask()
    consume_until(kafka, group, lambda: letters(state="waiting", seq=3))
    assert amounts() == [13, 1]
    assert [(row["seq"], row["state"]) for row in letters()] == [(1, "handled"), (2, "handled"), (3, "waiting")]
    BREAKS_AT.clear()
    ask()
    consume_until(kafka, group, lambda: len(amounts()) == 4)
    assert amounts() == [13, 1, 14, 2]


def test_delivered_again_it_stays_one_letter(kafka: str, relay: Relay, group: str) -> None:
    told(relay, Counted(name="a", amount=13))
    consume_until(kafka, group, lambda: letters())
    database()["outbox"].update_many({}, {"$set": {"due": True}})
    assert relay.publish_pending() == 1
    told(relay, Counted(name="b", amount=1))
    consume_until(kafka, group, lambda: amounts("b"))
    assert [row["attempts"] for row in letters()] == [1]
    assert amounts() == []


def test_a_record_that_is_no_event_is_kept_and_holds_up_nobody(kafka: str, relay: Relay, group: str) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka)
    for payload, headers in ((b"hello", []), (b"", [("ce_id", b"\xff")])):
        producer.send(TOPICS[0], key=b"thing:a", value=payload, headers=headers, partition=1).get(timeout=10)
    producer.close()
    told(relay, *(Counted(name=f"b{n}", amount=n) for n in range(9)))
    consume_until(kafka, group, lambda: database()["sums"].count_documents({}) == 9 and len(letters()) == 2)
    assert [row["_id"] for row in letters()] == ["onex.north.v1:1|0", "onex.north.v1:1|1"]
    assert sentence(letters()[0], "en") == "The record breaks its contract: ValueError: there is no ce_sequence."
    ask(LetterState.DISCARDING)
    consume_until(kafka, group, lambda: len(letters(state="discarded")) == 2)


WRONG = {"ce_sequence": [b"0", b"9223372036854775807", b"9223372036854775808"], "ce_source": [b"a\0b", b"$set", b"a.b"]}


def test_numbers_and_sources_that_nobody_gives_are_kept_as_they_came(kafka: str, relay: Relay, group: str) -> None:
    """The database could not keep them by these names, and a gap of such a length is no gap."""
    wrong = [{name: value} for name, values in WRONG.items() for value in values]
    sound = dict(headers_of(HEADED | {"key": "thing:x", "seq": 1}))
    producer = KafkaProducer(bootstrap_servers=kafka)
    for one in wrong:
        producer.send(TOPICS[0], b"{bad", b"thing:x", list((sound | one).items()), partition=1).get(timeout=10)
    ahead = headers_of(HEADED | {"key": "thing:y", "seq": MOST_AHEAD + 2})
    producer.send(TOPICS[0], b'{"name": "y", "amount": 1}', b"thing:y", ahead, partition=1).get(timeout=10)
    producer.close()
    told(relay, *(Counted(name=f"b{n}", amount=n) for n in range(9)))
    consume_until(kafka, group, lambda: database()["sums"].count_documents({}) == 9 and len(letters()) == 7)
    assert {row["key"] for row in letters()} == {"", "thing:y"}
    assert "where 1 is next" in sentence(letters(key="thing:y")[0], "en")
    assert rows_of(Parked, {}) == []
    ask(LetterState.DISCARDING)
    consume_until(kafka, group, lambda: len(letters(state="discarded")) == 7)


def test_what_the_database_refuses_by_its_names_is_kept_raw(
    kafka: str, relay: Relay, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should a name slip through that it can't keep, the partition goes on all the same."""
    monkeypatch.setattr("chassis.bus.event.LAST_NUMBER", 2**64)
    headers = headers_of(HEADED | {"key": "thing:x", "seq": 2**63})
    producer = KafkaProducer(bootstrap_servers=kafka)
    producer.send(TOPICS[0], b"{bad", b"thing:x", headers, partition=1).get(timeout=10)
    producer.close()
    told(relay, Counted(name="b", amount=1))
    consume_until(kafka, group, lambda: amounts("b") and letters())
    assert [row["key"] for row in letters()] == [""]


def test_a_header_without_a_value_is_no_header() -> None:
    headers = [*headers_of(HEADED | {"key": "thing:x", "seq": 1}), ("traceparent", None)]
    assert envelope_of(headers).key == "thing:x"
    with pytest.raises(ValueError, match="ce_id has no value"):
        envelope_of([*headers, ("ce_id", None)])


def test_bad_code_stops_at_so_many_and_drains_no_topic(kafka: str, relay: Relay, group: str) -> None:
    told(relay, *(Counted(name=f"a{n}", amount=13) for n in range(3 * DEFECTS_LIMIT)))
    with pytest.raises(ConsumerStopped, match=f"{DEFECTS_LIMIT} of the last"):
        consume_until(kafka, group, lambda: False)
    assert len(letters()) == DEFECTS_LIMIT


def test_broken_events_that_come_again_are_passed_by_and_stop_nobody(kafka: str, relay: Relay, group: str) -> None:
    """A topic that is published again holds every letter's record once more."""
    record = headers_of(HEADED | {"key": "thing:x", "seq": 1})
    producer = KafkaProducer(bootstrap_servers=kafka)
    for _ in range(2 * DEFECTS_LIMIT):
        producer.send(TOPICS[0], b"{bad", b"thing:x", record, partition=1).get(timeout=10)
    producer.close()
    told(relay, *(Counted(name=f"b{n}", amount=n) for n in range(9)))
    consume_until(kafka, group, lambda: database()["sums"].count_documents({}) == 9 and has_read(2 * DEFECTS_LIMIT))
    assert [row["attempts"] for row in letters()] == [1]


def has_read(count: int) -> bool:
    """Whether the positions have gone past so many records."""
    return sum(row["next_offset"] for row in rows_of(Positions, {})) >= count


def test_two_owners_at_once_handle_a_letter_once(mongo: str, kafka: str, relay: Relay, group: str) -> None:
    told(relay, Counted(name="a", amount=13))
    consume_until(kafka, group, lambda: letters())
    BREAKS_AT.clear()
    ask()
    gate = threading.Barrier(2)

    def owner(_number: int) -> int:
        gate.wait()
        return len(serve("north|thing:a|1", HANDLERS))

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(owner, range(2))) == [0, 1]
    assert amounts() == [13]

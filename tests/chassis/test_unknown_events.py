"""What the language has no type for is kept, in the batch's transaction, until a worker knows it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import mongoengine as me
import pytest
from prometheus_client import REGISTRY
from pymongo import InsertOne

from chassis.bus import unknown
from chassis.bus.batches import take
from chassis.bus.dead_letters import DeadLetters, LetterState, bury
from chassis.bus.event import Announcement, Event, encode_body, headers_of
from chassis.bus.handlers import Handlers
from chassis.bus.late import AT_ONCE, hand_on
from chassis.bus.parking import Parked
from chassis.bus.relay import Relay
from chassis.bus.retrying import serve
from chassis.bus.unknown import UnknownEvents
from chassis.database import Row, database, rows_of, run_transaction, write
from chassis.strands import Strands
from tests.support.arrivals import arrival
from tests.support.bus import BREAKS_AT, amounts, announce, consume_until, on_counted
from tests.support.words import Counted, Named

OLD, NEW = {"Counted", "Named"}, {"Counted", "Named", "Measured"}
PLACE = "onex.north.v1:0"


class Measured(Announcement, frozen=True, kw_only=True):
    """What only newer workers know."""

    source: ClassVar[str] = "north"
    name: str
    weight: int

    def keys(self) -> tuple[str, ...]:
        return (f"thing:{self.name}",)


class Weights(me.Document):
    meta = {"collection": "weights", "auto_create_index": False}
    name = me.StringField()
    weight = me.IntField()


BREAKS_AT_WEIGHT: set[int] = set()


def on_measured(events: Sequence[Event[Measured]]) -> None:
    if any(event.body.weight in BREAKS_AT_WEIGHT for event in events):
        raise ArithmeticError("a weight that is not to be told")
    write(Weights, [InsertOne({"name": event.body.name, "weight": event.body.weight}) for event in events])


OLD_HANDLERS: Handlers = {Counted: on_counted}
NEW_HANDLERS: Handlers = {Counted: on_counted, Measured: on_measured}


@pytest.fixture(autouse=True)
def _nothing_breaks() -> Iterator[None]:
    yield
    BREAKS_AT.clear()
    BREAKS_AT_WEIGHT.clear()


def kept(**where: Any) -> list[Row]:
    return rows_of(UnknownEvents, where, sort=[("_id", 1)])


def weights(name: str = "a") -> list[int]:
    return [row["weight"] for row in rows_of(Weights, {"name": name}, sort=[("_id", 1)])]


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


def measured(name: str, weight: int, seq: int) -> Any:
    """As a worker reads it that does not know its type."""
    one = arrival(Measured(name=name, weight=weight), seq, handled=False)
    return type(one)(one.envelope, one.payload, None, PLACE, seq)


def taken(*arrivals: Any) -> None:
    run_transaction(lambda: take(arrivals, OLD_HANDLERS, language=OLD))


def test_an_unknown_type_is_kept_whole_and_its_key_goes_on(kafka: str, relay: Relay, group: str) -> None:
    before = metric("onex_events_unknown_total", source="north")
    announce(Counted(name="a", amount=1), Measured(name="a", weight=5), Counted(name="a", amount=2), Named(name="a"))
    relay.publish_pending()
    consume_until(kafka, group, lambda: amounts() == [1, 2] and handled("thing:a", 4), OLD_HANDLERS, OLD)
    [row] = kept()
    assert (row["_id"], row["type"], row["body"]) == (f"north|thing:a|{2:016d}", "Measured", b'{"name":"a","weight":5}')
    assert unknown.envelope_in(row).seq == 2
    assert metric("onex_events_unknown_total", source="north") == before + 1
    unknown.report()
    assert metric("onex_unknown_events_kept") == 1


def handled(key: str, number: int) -> bool:
    return bool(rows_of(Strands, {"_id": key, "seen.north": number}))


def test_a_known_type_that_nobody_listens_to_is_not_kept(kafka: str, relay: Relay, group: str) -> None:
    before = metric("onex_events_unhandled_total", source="north", type="Named")
    announce(Named(name="a"), Counted(name="a", amount=1))
    relay.publish_pending()
    consume_until(kafka, group, lambda: amounts() == [1], OLD_HANDLERS, OLD)
    assert kept() == []
    assert metric("onex_events_unhandled_total", source="north", type="Named") == before + 1


def test_an_upgraded_worker_handles_what_was_kept_before_anything_newer(kafka: str, relay: Relay, group: str) -> None:
    announce(*(Measured(name="a", weight=n) for n in range(12)), Measured(name="b", weight=1))
    relay.publish_pending()
    consume_until(kafka, group, lambda: len(kept()) == 13, OLD_HANDLERS, OLD)
    announce(Measured(name="a", weight=12))
    relay.publish_pending()
    consume_until(kafka, group, lambda: len(weights()) == 13, NEW_HANDLERS, NEW)
    assert weights() == list(range(13))
    assert weights("b") == [1]
    assert kept() == []


def test_delivered_again_it_is_kept_once_and_after_it_was_handled_not_at_all(
    kafka: str, relay: Relay, group: str
) -> None:
    announce(Measured(name="a", weight=1))
    relay.publish_pending()
    consume_until(kafka, group, kept, OLD_HANDLERS, OLD)
    again(relay)
    consume_until(kafka, group, lambda: amounts("z"), OLD_HANDLERS, OLD)
    assert len(kept()) == 1
    consume_until(kafka, group, lambda: weights() == [1], NEW_HANDLERS, NEW)
    database()["sums"].delete_many({})
    again(relay)
    consume_until(kafka, group, lambda: amounts("z"), NEW_HANDLERS, NEW)
    assert weights() == [1]


def again(relay: Relay) -> None:
    """Everything is published once more, and something new behind it."""
    database()["outbox"].update_many({}, {"$set": {"due": True}})
    announce(Counted(name="z", amount=1))
    relay.publish_pending()


def test_it_is_kept_in_the_batch_s_transaction(mongo: str) -> None:
    BREAKS_AT.add(13)
    with pytest.raises(ArithmeticError):
        taken(measured("a", 1, 1), arrival(Counted(name="b", amount=13), 1))
    assert kept() == []
    assert rows_of(Strands, {}) == []


def test_one_that_breaks_its_handler_stays_kept_with_later_ones_of_its_key(mongo: str) -> None:
    taken(*(measured("a", n, n) for n in (1, 2, 3)), measured("b", 4, 1))
    BREAKS_AT_WEIGHT.add(2)
    hand_on([PLACE], NEW_HANDLERS, NEW)
    assert (weights("a"), weights("b")) == ([1], [4])
    second, third = kept()
    assert (second["seq"], second["attempts"], second["problem"]["code"]) == (2, 1, "handling_broke")
    assert (third["seq"], third["attempts"]) == (3, 0)
    BREAKS_AT_WEIGHT.clear()
    hand_on([PLACE], NEW_HANDLERS, NEW)
    assert weights("a") == [1, 2, 3]
    assert kept() == []


def test_a_body_that_breaks_the_contract_it_has_by_now_stays_kept_with_the_reason(mongo: str) -> None:
    one = measured("a", 1, 1)
    taken(type(one)(one.envelope, b'{"name": "a"}', None, PLACE, 1))
    hand_on([PLACE], NEW_HANDLERS, NEW)
    assert "weight" in kept()[0]["problem"]["facts"]["what"]


def test_a_type_that_is_known_by_now_and_not_listened_to_is_let_go(mongo: str) -> None:
    taken(measured("a", 1, 1))
    hand_on([PLACE], OLD_HANDLERS, OLD)
    assert len(kept()) == 1
    hand_on([PLACE], OLD_HANDLERS, NEW)
    assert kept() == []


def test_only_the_owner_of_its_partition_hands_it_on(mongo: str) -> None:
    taken(measured("a", 1, 1))
    hand_on(["onex.north.v1:1"], NEW_HANDLERS, NEW)
    assert weights() == []
    assert len(kept()) == 1


def test_many_are_handed_on_in_parts(mongo: str) -> None:
    taken(*(measured("a", n, n) for n in range(1, 2 * AT_ONCE + 8)))
    hand_on([PLACE], NEW_HANDLERS, NEW)
    assert weights() == list(range(1, 2 * AT_ONCE + 8))


@pytest.mark.parametrize("bound", ["MOST_KEPT", "MOST_KEPT_BYTES"])
def test_what_goes_beyond_the_bound_is_counted(mongo: str, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    one = len(measured("a", 1, 1).payload)
    monkeypatch.setattr(unknown, bound, 3 if bound == "MOST_KEPT" else 3 * one)
    taken(measured("a", 1, 1), measured("a", 2, 2))
    taken(*(measured("a", n, n) for n in (3, 4, 5)))
    assert [row["seq"] for row in kept()] == [1, 2, 3]
    assert unknown.beyond() == {"north": 2}
    assert handled("thing:a", 5)
    unknown.report()
    assert metric("onex_unknown_events_beyond") == 2


def behind_a_gap() -> None:
    run_transaction(lambda: take([measured("a", 9, 2)], OLD_HANDLERS, language=OLD))
    assert len(rows_of(Parked, {})) == 1
    run_transaction(lambda: take([arrival(Counted(name="a", amount=1), 1)], OLD_HANDLERS, language=OLD))


def behind_a_letter() -> None:
    body = Counted(name="a", amount=13)
    row = {"_id": str(uuid.uuid4()), "key": "thing:a", "seq": 1, "type": "Counted", "source": "north", "cause": "t:1"}
    headers = headers_of(row | {"time": arrival(body, 1).envelope.time})
    run_transaction(lambda: bury(PLACE, 1, headers, encode_body(body), ArithmeticError()))
    taken(measured("a", 9, 2))
    database()["dead_letters"].update_many({}, {"$set": {"state": LetterState.ASKED}})
    serve("north|thing:a|1", OLD_HANDLERS, OLD)
    assert [one["state"] for one in rows_of(DeadLetters, {})] == ["handled"]


def behind_a_discarded_letter() -> None:
    BREAKS_AT.add(13)
    row = {"_id": "e", "key": "thing:a", "seq": 1, "type": "Counted", "source": "north", "cause": "t:1"}
    headers = headers_of(row | {"time": measured("a", 1, 1).envelope.time})
    run_transaction(lambda: bury(PLACE, 1, headers, b"{", ArithmeticError()))
    taken(measured("a", 9, 2))
    database()["dead_letters"].update_many({}, {"$set": {"state": LetterState.DISCARDING}})
    serve("north|thing:a|1", OLD_HANDLERS, OLD)


@pytest.mark.parametrize("wait", [behind_a_gap, behind_a_letter, behind_a_discarded_letter])
def test_one_that_had_to_wait_is_kept_when_its_turn_comes(mongo: str, wait: Callable[[], None]) -> None:
    wait()
    assert [row["seq"] for row in kept()] == [2]
    assert rows_of(Parked, {}) == []
    hand_on([PLACE], NEW_HANDLERS, NEW)
    assert weights() == [9]

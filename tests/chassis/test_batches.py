"""Promise 3 and 4: each event once, in order per key, in waves that one transaction handles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.bus.arrivals import arrival_of
from chassis.bus.batches import take, waves
from chassis.bus.event import Event
from chassis.bus.parking import Parked
from chassis.database import rows_of, run_transaction
from chassis.errors import Defect
from chassis.strands import Strands, is_parked
from tests.support.arrivals import arrival
from tests.support.words import Counted, FromSouth, Joined, Named


class Ledger:
    """Handlers that write down what they were given."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, Any]] = []

    def on_counted(self, events: Sequence[Event[Counted]]) -> None:
        self.lines += [("counted", event.body.name, event.body.amount) for event in events]

    def on_named(self, events: Sequence[Event[Named]]) -> None:
        self.lines += [("named", event.body.name, event.seq) for event in events]

    def on_joined(self, events: Sequence[Event[Joined]]) -> None:
        self.lines += [("joined", event.body.name, event.body.other) for event in events]

    @property
    def handlers(self) -> dict[Any, Any]:
        return {Counted: self.on_counted, Named: self.on_named, Joined: self.on_joined}


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def keys_of(event: Any) -> tuple[str, ...]:
    found: tuple[str, ...] = event.body.keys()
    return found


def deliver(ledger: Ledger, *arrivals: Any) -> None:
    """Take arrivals in one transaction; a body that runs again starts from the lines it had."""
    before = list(ledger.lines)

    def body() -> None:
        ledger.lines[:] = before
        take(arrivals, ledger.handlers)

    run_transaction(body)


def test_an_event_delivered_twice_counts_once(mongo: str, ledger: Ledger) -> None:
    first = arrival(Counted(name="a", amount=1), 1)
    deliver(ledger, first)
    deliver(ledger, first, first)
    assert ledger.lines == [("counted", "a", 1)]
    assert rows_of(Strands, {"_id": "thing:a"})[0]["seen"] == {"north": 1}


def test_what_comes_after_a_gap_waits_and_then_goes_in_order(mongo: str, ledger: Ledger) -> None:
    one, two, three = (arrival(Counted(name="a", amount=n), n) for n in (1, 2, 3))
    deliver(ledger, three)
    deliver(ledger, two)
    assert ledger.lines == []
    assert len(rows_of(Parked, {})) == 2
    assert run_transaction(lambda: is_parked("thing:a"))
    deliver(ledger, one)
    assert [line[2] for line in ledger.lines] == [1, 2, 3]
    assert rows_of(Parked, {}) == []
    assert not run_transaction(lambda: is_parked("thing:a"))


def test_a_gap_closed_within_one_batch_leaves_nothing_parked(mongo: str, ledger: Ledger) -> None:
    one, two, three = (arrival(Counted(name="a", amount=n), n) for n in (1, 2, 3))
    deliver(ledger, three, one, two)
    assert [line[2] for line in ledger.lines] == [1, 2, 3]
    assert rows_of(Parked, {}) == []


def test_a_gap_on_one_key_holds_up_nobody_else(mongo: str, ledger: Ledger) -> None:
    deliver(ledger, arrival(Counted(name="a", amount=2), 2), arrival(Counted(name="b", amount=1), 1))
    assert ledger.lines == [("counted", "b", 1)]


def test_each_source_numbers_a_key_for_itself(mongo: str, ledger: Ledger) -> None:
    deliver(ledger, arrival(FromSouth(name="a"), 1, handled=False), arrival(Counted(name="a", amount=1), 1))
    assert rows_of(Strands, {"_id": "thing:a"})[0]["seen"] == {"north": 1, "south": 1}


def test_an_event_nobody_handles_moves_the_number_too(mongo: str, ledger: Ledger) -> None:
    deliver(ledger, arrival(FromSouth(name="a"), 1, handled=False))
    deliver(ledger, arrival(FromSouth(name="a"), 2, handled=False))
    assert rows_of(Strands, {"_id": "thing:a"})[0]["seen"] == {"south": 2}
    assert ledger.lines == []


def test_a_record_without_a_number_is_a_defect() -> None:
    with pytest.raises(Defect, match="ce_sequence"):
        arrival_of([("ce_id", b"x"), ("ce_source", b"n"), ("ce_type", b"t"), ("ce_partitionkey", b"k")], b"{}", {})


def test_a_body_that_breaks_its_contract_is_a_defect() -> None:
    sound = arrival(Counted(name="a", amount=1), 1)
    headers = [("ce_id", b"x"), ("ce_source", b"north"), ("ce_type", b"Counted"), ("ce_partitionkey", b"thing:a")]
    headers += [("ce_sequence", b"1"), ("ce_cause", b"c"), ("ce_time", b"2021-03-01T08:00:00Z")]
    headers += [("ce_specversion", b"1.0")]
    assert arrival_of(headers, sound.payload, {"Counted": Counted}).event is not None
    for broken in (b"{", b'{"name": "a"}', b'{"name": "a", "amount": "many"}', b"\xff"):
        with pytest.raises(Defect):
            arrival_of(headers, broken, {"Counted": Counted})


names = st.sampled_from("abc")
bodies = st.one_of(
    st.builds(Counted, name=names, amount=st.integers(0, 9)),
    st.builds(Named, name=names),
    st.builds(Joined, name=st.just("a"), other=st.just("b")),
    st.builds(Joined, name=st.just("b"), other=st.just("c")),
)


@given(st.lists(bodies, max_size=30))
def test_waves_keep_the_order_that_one_at_a_time_would_have(given_bodies: list[Any]) -> None:
    numbered = [arrival(body, n + 1) for n, body in enumerate(given_bodies)]
    handled: list[tuple[str, int]] = []

    def note(events: Sequence[Event[Any]]) -> None:
        handled.extend((key, event.seq) for event in events for key in keys_of(event))

    def note_names(events: Sequence[Event[Any]]) -> None:
        note(events)

    def note_joins(events: Sequence[Event[Any]]) -> None:
        note(events)

    for wave in waves(numbered, {Counted: note, Named: note_names, Joined: note_joins}):
        touched = [{key for event in events for key in keys_of(event)} for _, events in wave]
        assert sum(map(len, touched)) == len(set().union(*touched)), "within a wave a key belongs to one handler"
        for handler, events in wave:
            handler(events)
    for key in ("thing:a", "thing:b", "thing:c"):
        one_at_a_time = [n + 1 for n, body in enumerate(given_bodies) if key in keys_of(arrival(body, n + 1).event)]
        assert [seq for at, seq in handled if at == key] == one_at_a_time


def test_different_keys_share_a_wave(ledger: Ledger) -> None:
    cut = list(waves([arrival(Counted(name=name, amount=1), 1) for name in "abc"], ledger.handlers))
    assert [[len(events) for _, events in wave] for wave in cut] == [[3]]

"""Approvals become places, or wait for one: on a real database, told once or often, in any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from functools import partial
from itertools import permutations
from threading import Barrier

import pytest

from chassis import waiters
from chassis.bus.batches import Arrival, take
from chassis.database import collection_of, rows_of, run_transaction
from chassis.errors import NOT_FOUND, Refusal
from contracts.assessment import SchemePublished
from contracts.enrolment import EnrolmentApproved, EnrolmentWithdrawn, LearnersMerged
from contracts.terms import LearnerKind, Level
from services.training.classes import commands
from services.training.classes.commands import WAITER, complete_places, place_waiting, put_class
from services.training.classes.domain import PlaceState, TrainingClass
from services.training.classes.models import Classes, Places
from services.training.classes.queries import class_by_code, place_counts, places_of
from services.training.handlers import HANDLERS
from services.training.schemes.queries import schemes_by_word
from tests.support.arrivals import arrival

pytestmark = pytest.mark.usefixtures("mongo")


def robots(places: int, code: str = "R1") -> TrainingClass:
    return TrainingClass(
        code, "industrial-robot", Level.ELEMENTARY, places, date(2020, 9, 1), date(2020, 11, 20), class_hours=48
    )


def approved(learner: str, seq: int = 1) -> Arrival:
    body = EnrolmentApproved(
        learner_id=learner,
        application_id=f"{learner}:industrial-robot:1",
        scheme="industrial-robot",
        level=Level.ELEMENTARY,
        kind=LearnerKind.STUDENT,
    )
    return arrival(body, seq)


def withdrawn(learner: str, seq: int = 2) -> Arrival:
    application = f"{learner}:industrial-robot:1"
    return arrival(
        EnrolmentWithdrawn(
            learner_id=learner, application_id=application, scheme="industrial-robot", level=Level.ELEMENTARY
        ),
        seq,
    )


def deliver(*arrivals: Arrival) -> None:
    """What the consumer does with a batch."""
    run_transaction(lambda: take(arrivals, HANDLERS))


def handle_again(arrivals: Sequence[Arrival]) -> None:
    """Hand events to their handlers as if nobody remembered them."""
    for one in arrivals:
        if one.event:
            event = one.event
            run_transaction(lambda event=event: HANDLERS[type(event.body)]([event]))


def sweep() -> bool:
    return waiters.sweep(WAITER, place_waiting)


def states() -> dict[str, tuple[str, str]]:
    return {row["learner_id"]: (row["state"], row["class_code"]) for row in rows_of(Places, {})}


def test_an_approved_learner_gets_a_place_in_a_class_with_room() -> None:
    put_class(robots(places=30))
    deliver(approved("ann"))
    assert states() == {"ann": ("held", "R1")}
    assert class_by_code("R1").taken == 1


def test_who_finds_no_room_waits_and_is_seated_when_a_class_opens() -> None:
    deliver(approved("ann"))
    assert states() == {"ann": ("waiting", "")}
    put_class(robots(places=1))
    sweep()
    assert states() == {"ann": ("held", "R1")}
    assert waiters.waiting(WAITER) == 0


def test_a_class_that_grows_seats_those_who_waited_longest() -> None:
    put_class(robots(places=1))
    for learner in ("ann", "bo", "cy"):
        deliver(approved(learner))
    put_class(robots(places=2))
    sweep()
    assert states() == {"ann": ("held", "R1"), "bo": ("held", "R1"), "cy": ("waiting", "")}
    assert waiters.waiting(WAITER) == 1


def test_a_withdrawn_place_goes_to_who_waits() -> None:
    put_class(robots(places=1))
    deliver(approved("ann"), approved("bo"))
    deliver(withdrawn("ann"))
    sweep()
    assert states() == {"bo": ("held", "R1")}
    assert class_by_code("R1").taken == 1


def test_who_withdraws_while_waiting_waits_no_more() -> None:
    deliver(approved("ann"), withdrawn("ann"))
    assert states() == {}
    assert waiters.waiting(WAITER) == 0


def test_who_completed_the_training_keeps_it_after_a_withdrawal() -> None:
    put_class(robots(places=1))
    deliver(approved("ann"))
    complete_places(["ann:industrial-robot:1"])
    deliver(withdrawn("ann"))
    assert states() == {"ann": ("completed", "R1")}


def test_approvals_told_twice_seat_nobody_twice() -> None:
    put_class(robots(places=2))
    told = [approved("ann"), approved("bo"), approved("cy")]
    deliver(*told)
    before = states()
    deliver(*told)
    handle_again(told)
    assert states() == before
    assert class_by_code("R1").taken == 2
    assert waiters.waiting(WAITER) == 1


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_whatever_order_learners_arrive_a_class_fills_and_the_rest_wait(order: tuple[int, ...]) -> None:
    told = [(approved("ann"), withdrawn("ann")), (approved("bo"),), (approved("cy"),)]
    put_class(robots(places=2))
    for index in order:
        for one in told[index]:
            deliver(one)
            deliver(one)
    sweep()
    assert states() == {"bo": ("held", "R1"), "cy": ("held", "R1")}
    assert class_by_code("R1").taken == 2


def test_a_withdrawal_that_overtakes_its_approval_waits_for_it() -> None:
    put_class(robots(places=2))
    deliver(withdrawn("ann"))
    deliver(approved("ann"))
    assert states() == {}
    assert class_by_code("R1").taken == 0


def test_five_hundred_approvals_are_a_handful_of_commands() -> None:
    put_class(robots(places=400))
    counter = collection_of(Classes).database.client
    before = counter.admin.command("serverStatus")["opcounters"]
    deliver(*(approved(f"learner-{n}") for n in range(500)))
    after = counter.admin.command("serverStatus")["opcounters"]
    assert place_counts() == {PlaceState.HELD: 400, PlaceState.WAITING: 100, PlaceState.COMPLETED: 0}
    assert after["query"] - before["query"] <= 8
    strands, places, waiting, the_class = 501, 500, 100, 1
    assert after["update"] - before["update"] <= strands + places + waiting + the_class


def test_two_learners_who_are_one_have_one_place() -> None:
    put_class(robots(places=5))
    deliver(approved("ann"), approved("old-ann"))
    merge = LearnersMerged(survivor_id="ann", merged_id="old-ann")
    deliver(arrival(merge, 2, key="learner:ann"), arrival(merge, 2, key="learner:old-ann"))
    assert [place.application_id for place in places_of(["ann"])] == ["ann:industrial-robot:1"]
    assert places_of(["old-ann"]) == []
    assert class_by_code("R1").taken == 1


def test_an_approval_of_a_merged_learner_is_the_survivors() -> None:
    put_class(robots(places=5))
    merge = LearnersMerged(survivor_id="ann", merged_id="old-ann")
    deliver(arrival(merge, 1, key="learner:old-ann"))
    deliver(approved("old-ann", seq=2))
    assert states() == {"ann": ("held", "R1")}


def test_a_class_keeps_its_learners_when_it_is_put_again() -> None:
    put_class(robots(places=2))
    deliver(approved("ann"), approved("bo"))
    assert put_class(robots(places=2)).taken == 2
    with pytest.raises(Refusal, match="places_held"):
        put_class(robots(places=1))
    assert class_by_code("R1").places == 2


def test_a_class_nobody_opened_is_not_found() -> None:
    with pytest.raises(Refusal) as refusal:
        class_by_code("R9")
    assert refusal.value.ground is NOT_FOUND


def test_the_last_word_on_a_schemes_name_counts() -> None:
    older, newer = "失智老人照护", "失智老年人照护"
    first = SchemePublished(scheme="dementia-care", name=older, aliases=(), teo="T", levels=(Level(2),))
    then = SchemePublished(scheme="dementia-care", name=newer, aliases=(older,), teo="T", levels=(Level(2),))
    deliver(arrival(first, 1), arrival(then, 2))
    assert schemes_by_word()["失智老人照护"].name == "失智老年人照护"


FREEINGS: dict[str, Callable[[], object]] = {
    "a withdrawal": lambda: deliver(withdrawn("ann")),
    "a larger class": lambda: put_class(robots(places=2)),
    "another class": lambda: put_class(robots(places=1, code="R2")),
}


@pytest.mark.parametrize("free", FREEINGS.values(), ids=FREEINGS)
def test_a_place_that_comes_free_is_owed_to_who_waits(free: Callable[[], object]) -> None:
    put_class(robots(places=1))
    deliver(approved("ann"), approved("zoe"))
    free()
    deliver(approved("bo"))
    sweep()
    assert (states()["zoe"][0], states()["bo"]) == ("held", ("waiting", ""))


def test_a_newcomer_told_together_with_the_withdrawal_comes_after_who_waits() -> None:
    put_class(robots(places=1))
    deliver(approved("ann"), approved("zoe"))
    deliver(withdrawn("ann"), approved("bo"), approved("cy"))
    sweep()
    assert states() == {"zoe": ("held", "R1"), "bo": ("waiting", ""), "cy": ("waiting", "")}


def test_who_wait_since_one_batch_are_seated_in_its_order() -> None:
    deliver(approved("zoe"), approved("ann"), approved("mia"))
    put_class(robots(places=2))
    sweep()
    assert states() == {"zoe": ("held", "R1"), "ann": ("waiting", ""), "mia": ("held", "R1")} or states() == {
        "zoe": ("held", "R1"),
        "ann": ("held", "R1"),
        "mia": ("waiting", ""),
    }


def test_a_retry_of_who_came_later_seats_who_came_first() -> None:
    deliver(approved("zoe"))
    deliver(approved("ann"))
    put_class(robots(places=1))
    run_transaction(lambda: place_waiting(["ann:industrial-robot:1"]))
    assert states() == {"zoe": ("held", "R1"), "ann": ("waiting", "")}
    assert waiters.waiting(WAITER) == 1


def test_more_than_are_seated_at_once_keep_their_order_and_no_newcomer_slips_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands, "MOST_SEATED", 2)
    monkeypatch.setattr(waiters, "SWEEP_ROWS", 2)
    for learner in ("zoe", "yan", "xu", "wu", "vera", "uta"):
        deliver(approved(learner))
    put_class(robots(places=5))
    deliver(approved("ann"))
    assert states()["ann"] == ("waiting", "")
    while sweep():
        assert overtaken() == []
    assert sorted(learner for learner, (state, _) in states().items() if state == "waiting") == ["ann", "uta"]


def test_a_full_class_of_one_level_keeps_nobody_from_another() -> None:
    put_class(robots(places=1))
    advanced = EnrolmentApproved(
        learner_id="cy",
        application_id="cy:industrial-robot:3",
        scheme="industrial-robot",
        level=Level.ADVANCED,
        kind=LearnerKind.STUDENT,
    )
    put_class(replace(robots(places=1, code="R3"), level=Level.ADVANCED))
    deliver(approved("ann"), approved("bo"), arrival(advanced, 1))
    assert states() == {"ann": ("held", "R1"), "bo": ("waiting", ""), "cy": ("held", "R3")}


def overtaken() -> list[str]:
    """Who waits although somebody whose turn came later has a place."""
    rows = rows_of(Places, {})
    last = max((row["turn"] for row in rows if row["state"] != "waiting"), default=0)
    return [row["learner_id"] for row in rows if row["state"] == "waiting" and row["turn"] < last]


def at_once(*deeds: Callable[[], object]) -> None:
    start = Barrier(len(deeds))

    def run(deed: Callable[[], object]) -> None:
        start.wait()
        deed()

    with ThreadPoolExecutor(len(deeds)) as threads:
        list(threads.map(run, deeds))


def one_by_one(learners: Sequence[str]) -> None:
    for learner in learners:
        deliver(approved(learner))


def drain() -> None:
    """Let every woken waiter be tried."""
    while sweep() or collection_of(waiters.Waiters).count_documents({"kind": WAITER, "woken": True}):
        pass


@pytest.mark.thousand
def test_two_batches_at_once_never_give_the_last_place_twice(tries: int) -> None:
    for n in range(tries):
        put_class(robots(places=n + 1))
        at_once(*(partial(deliver, approved(learner)) for learner in (f"ann-{n}", f"bo-{n}")))
        assert class_by_code("R1").taken == n + 1
    assert overtaken() == []
    assert place_counts() == {PlaceState.HELD: tries, PlaceState.WAITING: tries, PlaceState.COMPLETED: 0}


@pytest.mark.thousand
def test_no_newcomer_passes_who_waits_while_a_place_is_given_back(tries: int) -> None:
    put_class(robots(places=1))
    deliver(approved("z-0"))
    for n in range(tries):
        holds, waits, coming = f"z-{n}", f"z-{n + 1}", [f"a-{n}", f"b-{n}"]
        deliver(approved(waits))
        at_once(partial(deliver, withdrawn(holds)), partial(one_by_one, coming), sweep)
        drain()
        assert states() == {waits: ("held", "R1")} | dict.fromkeys(coming, ("waiting", ""))
        deliver(*map(withdrawn, coming))


@pytest.mark.thousand
def test_no_newcomer_passes_who_waits_while_a_class_is_opened(tries: int) -> None:
    for n in range(tries):
        waits, coming = f"z-{n}", [f"a-{n}", f"b-{n}"]
        deliver(approved(waits))
        at_once(partial(put_class, robots(places=1)), partial(one_by_one, coming), sweep)
        drain()
        assert states() == {waits: ("held", "R1")} | dict.fromkeys(coming, ("waiting", ""))
        deliver(*map(withdrawn, (waits, *coming)))
        put_class(replace(robots(places=1), level=Level.ADVANCED))


@pytest.mark.thousand
def test_of_two_newcomers_and_a_withdrawal_at_once_the_first_in_line_is_seated(tries: int) -> None:
    put_class(robots(places=1))
    deliver(approved("0"))
    for n in range(tries):
        (holds,) = states()
        newcomers = [partial(deliver, approved(learner)) for learner in (f"a-{n}", f"b-{n}")]
        at_once(partial(deliver, withdrawn(holds)), *newcomers)
        drain()
        assert (class_by_code("R1").taken, overtaken()) == (1, [])
        (waits,) = (learner for learner, (state, _) in states().items() if state == "waiting")
        deliver(withdrawn(waits))


def test_who_found_a_class_full_that_is_free_by_the_time_this_is_kept_has_not_begun_to_wait() -> None:
    put_class(robots(places=1))
    deliver(approved("ann"))
    meanwhile = [lambda: deliver(withdrawn("ann")), lambda: deliver(approved("cy"))]

    def bo_arrives() -> None:
        take([approved("bo")], HANDLERS)
        with ThreadPoolExecutor(1) as elsewhere:
            while meanwhile:
                elsewhere.submit(meanwhile.pop(0)).result()

    run_transaction(bo_arrives)
    sweep()
    assert states() == {"cy": ("held", "R1"), "bo": ("waiting", "")}
    turns = {row["learner_id"]: row["turn"] for row in rows_of(Places, {})}
    assert turns["cy"] < turns["bo"]

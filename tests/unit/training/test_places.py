"""Approvals become places, or wait for one: on a real database, told once or often, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
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


def test_two_batches_at_once_never_give_the_last_place_twice() -> None:
    for n in range(25):
        put_class(robots(places=n + 1))
        start = Barrier(2)

        def arrive(learner: str, start: Barrier = start) -> None:
            start.wait()
            deliver(approved(learner))

        with ThreadPoolExecutor(2) as both:
            list(both.map(arrive, (f"ann-{n}", f"bo-{n}")))
        assert class_by_code("R1").taken == n + 1
    assert place_counts() == {PlaceState.HELD: 25, PlaceState.WAITING: 25, PlaceState.COMPLETED: 0}

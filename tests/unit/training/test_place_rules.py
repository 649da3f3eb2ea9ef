"""Who gets a place in which class, and what a class may become: the rules alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Refusal
from contracts.terms import Level
from services.training.classes.domain import (
    Approval,
    Place,
    PlaceState,
    TrainingClass,
    allocate,
    check_class,
    doubled,
    without_place,
)
from services.training.schemes.domain import Scheme, by_word, scheme_of

ROBOTS = TrainingClass("R1", "industrial-robot", Level.ELEMENTARY, 2, date(2020, 9, 1), date(2020, 11, 20), 48)


def approval(learner: str, scheme: str = "industrial-robot", level: Level = Level.ELEMENTARY) -> Approval:
    return Approval(f"{learner}:{scheme}:{level:d}", learner, scheme, level)


def place(learner: str, state: PlaceState, class_code: str = "R1") -> Place:
    return Place(f"{learner}:industrial-robot:1", learner, "industrial-robot", Level.ELEMENTARY, state, class_code)


def test_who_is_approved_first_is_seated_first() -> None:
    seated = allocate([approval("ann"), approval("bo"), approval("cy")], [ROBOTS])
    assert seated == {"ann:industrial-robot:1": "R1", "bo:industrial-robot:1": "R1"}


def test_the_class_that_starts_first_is_filled_first() -> None:
    later = replace(ROBOTS, code="R0", starts_on=date(2021, 3, 1), ends_on=date(2021, 5, 1))
    seated = allocate([approval("ann"), approval("bo"), approval("cy")], [later, ROBOTS])
    assert list(seated.values()) == ["R1", "R1", "R0"]


def test_a_class_of_another_level_has_no_room_for_me() -> None:
    assert allocate([approval("ann", level=Level.ADVANCED)], [ROBOTS]) == {}


@given(st.lists(st.integers(0, 3), max_size=6), st.integers(0, 12))
def test_no_class_is_ever_overfull_and_nobody_waits_beside_a_free_place(rooms: list[int], learners: int) -> None:
    classes = [replace(ROBOTS, code=f"R{n}", places=5, taken=5 - room) for n, room in enumerate(rooms)]
    seated = allocate([approval(str(n)) for n in range(learners)], classes)
    codes = list(seated.values())
    assert all(codes.count(one.code) <= one.room for one in classes)
    assert len(codes) == min(learners, sum(rooms))


def test_an_approval_that_is_known_or_told_twice_asks_for_one_place() -> None:
    fresh = without_place(
        [approval("ann"), approval("bo"), approval("bo")], [place("ann", PlaceState.WAITING, class_code="")]
    )
    assert fresh == [approval("bo")]


def test_a_class_cannot_turn_its_learners_out() -> None:
    present = replace(ROBOTS, taken=2)
    with pytest.raises(Refusal, match="places_held"):
        check_class(replace(ROBOTS, places=1), present)
    with pytest.raises(Refusal, match="class_in_use"):
        check_class(replace(ROBOTS, level=Level.ADVANCED), present)
    check_class(replace(ROBOTS, places=3), present)


def test_an_empty_class_may_become_another() -> None:
    check_class(replace(ROBOTS, scheme="smart-finance", places=1), ROBOTS)


def test_a_class_does_not_end_before_it_starts() -> None:
    with pytest.raises(Refusal, match="dates_reversed"):
        check_class(replace(ROBOTS, ends_on=date(2020, 8, 31)), None)


def test_of_two_places_of_one_person_the_one_that_is_further_along_stays() -> None:
    own, other = place("ann", PlaceState.HELD), place("old-ann", PlaceState.COMPLETED)
    assert doubled([own, other], "ann") == [own]
    waiting = place("old-ann", PlaceState.WAITING, class_code="")
    assert doubled([waiting, own], "ann") == [waiting]


def test_of_two_equal_places_of_one_person_the_survivors_stays() -> None:
    own, other = place("zoe", PlaceState.HELD), place("ann", PlaceState.HELD)
    assert doubled([other, own], "zoe") == [other]


def test_who_waited_twice_keeps_the_turn_that_comes_first() -> None:
    own = replace(place("ann", PlaceState.WAITING, class_code=""), turn=9)
    other = replace(place("old-ann", PlaceState.WAITING, class_code=""), turn=4)
    assert doubled([own, other], "ann") == [own]


@pytest.mark.parametrize(
    "text", ["失智老年人照护", "失智老人照护", " 失智老年人照护职业技能等级证书 ", "dementia-care"]
)
def test_a_scheme_is_known_by_its_name_its_alias_and_its_code(text: str) -> None:
    care = Scheme("dementia-care", "失智老年人照护", ("失智老人照护",), (Level.INTERMEDIATE,))
    assert scheme_of(text, by_word([care])) == care


def test_a_scheme_nobody_published_is_unknown() -> None:
    with pytest.raises(Refusal, match="scheme_unknown"):
        scheme_of("直播电商", {})

"""The bank was set back to before an exemption that everybody else knows of: it is not paid for twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chassis.database import database
from services.creditbank.conversion import applying
from services.creditbank.conversion.applications import Application, State
from services.creditbank.conversion.deciding import release_decisions
from tests.support.forgetting import forget, forgotten
from tests.unit.creditbank.converting import (
    AFTER_WINDOW,
    BASICS_WISH,
    BY_DEPARTMENT,
    BY_REGISTRY,
    IN_WINDOW,
    MODULE_WISH,
    POLICY,
    Day,
    decide,
    enrol,
    file,
    grant,
    now,
    open_college,
    pockets,
    refused,
)
from tests.unit.creditbank.stories import Assessment, announced, annulled, audited, finalised, merged

KEPT = ("accounts", "entries", "conversion_applications", "outcomes")
TOLD = ("ConversionDecided", "ExemptionGranted", "ExemptionWithdrawn", "CreditPosted")
Snapshot = dict[str, list[dict[str, Any]]]


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Day:
    made = Day(tmp_path / "clock", monkeypatch)
    made.set(IN_WINDOW)
    return made


@pytest.fixture
def college(mongo: str, day: Day) -> Iterator[Assessment]:
    """mei has 400 points; the module costs 200 and the basics 200."""
    teller = Assessment()
    open_college(teller, replace(POLICY, undo_minutes=0))
    enrol(teller)
    yield teller
    audited()


def backup() -> Snapshot:
    return {name: list(database()[name].find()) for name in (*KEPT, "outbox")}


def set_back(snapshot: Snapshot) -> None:
    """The state is the backup's; what was announced since is known from the topic alone."""
    for name in KEPT:
        database()[name].delete_many({})
        if rows := snapshot[name]:
            database()[name].insert_many(rows)
    forget([], TOLD)
    known = [row["_id"] for row in snapshot["outbox"]]
    database()["outbox"].update_many({"_id": {"$in": known}}, {"$unset": {"forgotten": ""}})


def granted_and_told(one: Application) -> Application:
    grant(one)
    release_decisions()
    assert now(one).is_released
    return now(one)


def granted_before() -> list[str]:
    """What was announced of exemptions, and is not back."""
    return [one for one in forgotten() if one in {"ConversionDecided", "ExemptionGranted"}]


def test_nothing_else_is_filed_until_what_was_granted_is_back_under_its_name(college: Assessment) -> None:
    before = backup()
    one = granted_and_told(file(MODULE_WISH))
    set_back(before)
    assert (pockets(), granted_before()) == ((400, 0, 0), ["ConversionDecided", "ExemptionGranted"])
    assert refused(lambda: file(BASICS_WISH)) == "exemption_not_back"
    again = granted_and_told(file(MODULE_WISH))
    assert (again.id, pockets(), granted_before()) == (one.id, (200, 0, 200), [])
    assert len(announced("ExemptionGranted")) == 1, "nobody is told twice"
    assert granted_and_told(file(BASICS_WISH)).state == State.GRANTED


def test_what_is_brought_back_needs_no_window_and_keeps_its_term(college: Assessment, day: Day) -> None:
    before = backup()
    one = granted_and_told(file(MODULE_WISH))
    set_back(before)
    day.set(AFTER_WINDOW)
    again = granted_and_told(file(MODULE_WISH))
    assert (again.id, again.term, granted_before()) == (one.id, one.term, [])
    assert refused(lambda: file(BASICS_WISH)) == "conversion_window_closed"


def test_a_later_name_of_the_same_wish_comes_back_too(college: Assessment) -> None:
    before = backup()
    applying.withdraw(file(MODULE_WISH).id, "user-mei")
    second = granted_and_told(file(MODULE_WISH))
    set_back(before)
    assert granted_and_told(file(MODULE_WISH)).id == second.id
    assert granted_before() == []


def test_of_two_under_review_the_granted_one_is_decided_first_and_as_it_was(college: Assessment) -> None:
    one, other = file(MODULE_WISH), file(BASICS_WISH)
    decide(other, BY_DEPARTMENT)
    before = backup()
    granted_and_told(one)
    set_back(before)
    assert refused(lambda: decide(other, BY_REGISTRY)) == "exemption_not_back"
    assert refused(lambda: decide(one, BY_DEPARTMENT, is_approval=False)) == "exemption_not_back"
    granted_and_told(one)
    decide(other, BY_REGISTRY)
    assert pockets() == (0, 0, 400)
    assert granted_before() == []


def test_what_was_withdrawn_again_stands_in_nobodys_way(college: Assessment) -> None:
    before = backup()
    granted_and_told(file(MODULE_WISH))
    college.tell(annulled("mei", revision=3))
    assert announced("ExemptionWithdrawn")
    set_back(before)
    assert file(BASICS_WISH).state == State.REVIEW


def test_what_a_merged_learner_was_granted_is_not_forgotten_with_them(college: Assessment) -> None:
    enrol(college, "lan")
    before = backup()
    granted_and_told(file(MODULE_WISH, "lan"))
    set_back(before)
    college.tell(merged("mei", "lan"))
    assert refused(lambda: file(BASICS_WISH)) == "exemption_not_back"
    granted_and_told(file(MODULE_WISH))
    assert file(BASICS_WISH).state == State.REVIEW


def test_a_learner_of_whom_nothing_was_forgotten_goes_on(college: Assessment) -> None:
    enrol(college, "lan")
    before = backup()
    granted_and_told(file(MODULE_WISH))
    set_back(before)
    assert file(BASICS_WISH, "lan").state == State.REVIEW


def test_acts_that_come_again_at_another_place_in_the_chain_leave_nothing_forgotten(college: Assessment) -> None:
    """The pass is annulled and given anew before the exemption comes back: its entries have other numbers now."""
    before = backup()
    one = granted_and_told(file(MODULE_WISH))
    set_back(before)
    college.tell(annulled("mei", revision=3))
    college.tell(finalised("mei", revision=4))
    assert "CreditPosted" in forgotten()
    again = granted_and_told(file(MODULE_WISH))
    assert (again.id, pockets(), forgotten()) == (one.id, (200, 0, 200), [])

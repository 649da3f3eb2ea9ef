"""The bank was set back to before an exemption that everybody else knows of: it is not paid for twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chassis.database import database, run_transaction
from contracts.terms import Level
from services.creditbank.conversion import applying, exporting, models
from services.creditbank.conversion.appealing import appeal
from services.creditbank.conversion.applications import Application, Export, State
from services.creditbank.conversion.deciding import release_decisions
from services.creditbank.conversion.queries import void_figures
from services.creditbank.conversion.voiding import approve_void, lost_by, propose_void
from services.creditbank.conversion.voids import Void, VoidState, approved, proposed
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
    course_passed,
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
from tests.unit.creditbank.test_races import at_once, meet_at

KEPT = ("accounts", "entries", "conversion_applications", "outcomes")
TOLD = ("ConversionDecided", "AppealFiled", "ExemptionGranted", "ExemptionWithdrawn", "CreditPosted")
VOID = Void("one", "mei", "cloud-ops", Level(2), "KJ2105", "", 400, "lost", False, "li", IN_WINDOW)
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


# --- what can't be filed again is voided -----------------------------------------------------------------------------
def voided(learner_id: str, application: str, is_exported: bool = False) -> Void:
    """Proposed by one person at the registry and approved by another."""
    one = propose_void(learner_id, application, "the file is lost", is_exported, "li")
    return approve_void(application, one.revision, "wang")


def lost_one(college: Assessment) -> Application:
    """A module that mei was granted and told of, forgotten in a set-back."""
    before = backup()
    one = granted_and_told(file(MODULE_WISH))
    set_back(before)
    return one


def test_a_voided_exemption_is_told_once_and_its_learner_converts_again(college: Assessment) -> None:
    one = lost_one(college)
    college.tell(course_passed("mei", "KJ2105"))
    assert refused(lambda: file(MODULE_WISH)) == "course_already_passed", "it can't be filed again"
    assert refused(lambda: file(BASICS_WISH)) == "exemption_not_back"
    assert [(granted.application_id, void) for granted, void in lost_by("mei")] == [(one.id, None)]
    assert voided("mei", one.id).state == VoidState.VOIDED
    assert (lost_by("mei"), granted_before()) == ([], [])
    [row] = announced("ExemptionWithdrawn")
    assert [row[name] for name in ("key", "due")] == ["learner:mei", True]
    body = json.loads(bytes(row["body"]))
    assert (body["application_id"], body["code"], body["reason_zh"]) == (one.id, "exemption_voided", "the file is lost")
    assert len(announced("ExemptionGranted")) == len(announced("ConversionDecided")) == 1, "nobody is told twice"
    end = now(one)
    assert (end.state, end.spent, end.is_case, end.term) == (State.FALLEN, 0, False, one.term)
    assert [(act.what, act.by, act.note) for act in end.acts] == [
        ("granted", "bank", "forgotten"),
        ("voided", "wang", "li"),
    ]
    assert pockets() == (400, 0, 0)
    assert granted_and_told(file(BASICS_WISH)).state == State.GRANTED


def test_one_person_alone_voids_nothing(college: Assessment) -> None:
    one = lost_one(college)
    first = propose_void("mei", one.id, "the file is lost", False, "li")
    assert propose_void("mei", one.id, "the file is lost", False, "wang") == first, "the same again changes nothing"
    assert refused(lambda: approve_void(one.id, 1, "li")) == "void_proposed_by_you"
    second = propose_void("mei", one.id, "the file is lost", True, "wang")
    assert (second.revision, second.proposed_by) == (2, "wang")
    assert refused(lambda: approve_void(one.id, 1, "li")) == "void_proposed_anew"
    assert refused(lambda: file(BASICS_WISH)) == "exemption_not_back"
    done = approve_void(one.id, 2, "li")
    assert approve_void(one.id, 2, "li") == done, "a repeat changes nothing"
    assert len(announced("ExemptionWithdrawn")) == 1
    assert void_figures() == {"proposed": 0, "voided": 1, "exported": 1}


def test_what_the_registrys_system_has_is_a_case(college: Assessment) -> None:
    one = lost_one(college)
    voided("mei", one.id, is_exported=True)
    end = now(one)
    assert (end.state, end.is_case, end.export_state) == (State.FALLEN, True, Export.TAKEN)
    assert exporting.export("li") == 0, "it goes out no more"


def test_only_what_was_forgotten_is_voided(college: Assessment) -> None:
    one = granted_and_told(file(MODULE_WISH))
    assert refused(lambda: propose_void("mei", one.id, "why", False, "li")) == "exemption_not_forgotten"
    assert refused(lambda: approve_void(one.id, 1, "wang")) == "not_found"


def test_what_is_back_is_not_voided_any_more(college: Assessment) -> None:
    one = lost_one(college)
    proposal = propose_void("mei", one.id, "the file is lost", False, "li")
    granted_and_told(file(MODULE_WISH))
    assert refused(lambda: approve_void(one.id, proposal.revision, "wang")) == "exemption_not_forgotten"
    assert (now(one).state, announced("ExemptionWithdrawn")) == (State.GRANTED, [])


def test_what_is_under_review_again_ends_when_it_is_voided(college: Assessment) -> None:
    one = lost_one(college)
    assert file(MODULE_WISH).id == one.id
    voided("mei", one.id)
    assert (now(one).state, pockets()) == (State.FALLEN, (400, 0, 0))
    assert refused(lambda: decide(one, BY_DEPARTMENT)) == "application_not_under_review"
    assert file(MODULE_WISH).id != one.id, "she may ask for it anew"


def test_where_the_learner_alone_had_heard_of_it_they_alone_hear_that_it_fell(college: Assessment) -> None:
    one = lost_one(college)
    database()["outbox"].delete_many({"type": "ExemptionGranted"})
    voided("mei", one.id)
    assert announced("ExemptionWithdrawn") == []
    said = [json.loads(bytes(row["body"])) for row in announced("ConversionDecided")]
    assert [(body["decision"], body.get("code", "")) for body in said] == [
        ("granted", ""),
        ("fallen", "exemption_voided"),
    ]


def test_of_two_that_a_merge_brought_together_each_is_voided_for_itself(college: Assessment) -> None:
    enrol(college, "lan")
    before = backup()
    ones = [granted_and_told(file(MODULE_WISH, learner)) for learner in ("mei", "lan")]
    set_back(before)
    college.tell(merged("mei", "lan"))
    for left, one in ((1, ones[0]), (0, ones[1])):
        voided("mei", one.id)
        assert len(lost_by("mei")) == left
    assert {row["key"] for row in announced("ExemptionWithdrawn")} == {"learner:mei"}
    assert file(BASICS_WISH).state == State.REVIEW


def test_a_refusal_that_was_granted_on_appeal_and_forgotten_is_appealed_again_at_any_time(
    college: Assessment, day: Day
) -> None:
    one = file(MODULE_WISH)
    decide(one, BY_DEPARTMENT, is_approval=False)
    release_decisions()
    before = backup()
    decide(appeal(one.id, "the same book", "user-mei"), BY_REGISTRY)
    release_decisions()
    set_back(before)
    day.set(AFTER_WINDOW)
    decide(appeal(one.id, "the same book", "user-mei"), BY_REGISTRY)
    release_decisions()
    assert (now(one).state, granted_before(), pockets()) == (State.GRANTED, [], (200, 0, 200))
    assert len(announced("ExemptionGranted")) == 1, "nobody is told twice"


@pytest.mark.parametrize(
    ("before", "one", "code", "revision"),
    [
        (None, VOID, "", 1),
        (None, replace(VOID, reason=" "), "void_without_reason", 0),
        (VOID, replace(VOID, proposed_by="wang"), "", 1),
        (VOID, replace(VOID, reason="another"), "", 2),
        (replace(VOID, revision=4), replace(VOID, is_exported=True), "", 5),
    ],
)
def test_how_a_void_is_proposed(before: Void | None, one: Void, code: str, revision: int) -> None:
    if code:
        assert refused(lambda: proposed(before, one)) == code
    else:
        assert proposed(before, one).revision == revision


@pytest.mark.parametrize(
    ("seen", "by", "code"),
    [(1, "wang", ""), (1, "li", "void_proposed_by_you"), (2, "wang", "void_proposed_anew")],
)
def test_who_approves_a_void(seen: int, by: str, code: str) -> None:
    if code:
        assert refused(lambda: approved(VOID, seen, by, IN_WINDOW)) == code
    else:
        assert approved(VOID, seen, by, IN_WINDOW).approved_by == by


@pytest.mark.thousand
def test_a_void_races_its_exemption_that_is_filed_again(
    college: Assessment, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    """Whichever comes first: one name, nothing held for it in the end unless it stands, and her way is free."""
    learners = [f"lan-{number}" for number in range(tries)]
    for learner in learners:
        enrol(college, learner)
    before = backup()
    names = {learner: granted_and_told(file(MODULE_WISH, learner)).id for learner in learners}
    set_back(before)
    meet_at(monkeypatch, models, "applications_of")
    for learner, name in names.items():
        propose_void(learner, name, "the file is lost", False, "li")
        failures = at_once(
            partial(run_transaction, partial(approve_void, name, 1, "wang"), patience_seconds=30),
            partial(run_transaction, partial(file, MODULE_WISH, learner), patience_seconds=30),
        )
        found = {each.id: each for each in models.applications_of([learner])}
        held = sum(each.held for each in found.values() if each.stands)
        assert (failures, found[name].state, lost_by(learner)) == ([], State.FALLEN, [])
        assert (held, len(found)) in {(0, 1), (200, 2)}, "it was filed before, and ended; or after, under another name"
        assert pockets(learner) == (400 - held, held, 0)

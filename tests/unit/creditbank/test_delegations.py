"""Deciding in another's stead: for some days, within their scope, taken back at will; one person stays one person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.database import run_transaction
from chassis.errors import Refusal
from contracts.terms import Role
from services.creditbank.conversion import deciding, delegating, models
from services.creditbank.conversion.appealing import appeal
from services.creditbank.conversion.applications import Actor, Application, State
from services.creditbank.conversion.deciding import Decision, Undo, release_decisions
from services.creditbank.conversion.delegating import delegate, revoke
from services.creditbank.conversion.delegations import MOST_DAYS, Delegation, check_delegation, revoked, standing_in
from services.creditbank.conversion.domain import Step
from services.creditbank.conversion.queries import application_of
from tests.unit.creditbank.converting import (
    BY_DEPARTMENT,
    BY_REGISTRY,
    DEPARTMENT,
    IN_WINDOW,
    Day,
    decide,
    enrol,
    file,
    now,
    open_college,
    refused,
)
from tests.unit.creditbank.stories import Assessment, audited
from tests.unit.creditbank.test_appeals import BARE
from tests.unit.creditbank.test_conversion_http import as_person
from tests.unit.creditbank.test_conversion_http import decide as decide_over_http
from tests.unit.creditbank.test_conversion_http import file as file_over_http
from tests.unit.creditbank.test_http import ISSUER, answered, as_learner, http, settings
from tests.unit.creditbank.test_races import at_once, meet_at

__all__ = ["http", "settings"]
TODAY, LAST = date(2021, 3, 3), date(2021, 3, 12)
OTHER_DEPARTMENT = "机电学院"
COLLEAGUE = Actor("qian", {Role.DEPARTMENT}, {OTHER_DEPARTMENT})
CLERK = Actor("sun", {Role.REGISTRY})
GIVEN = Delegation("d", "zhou", "qian", Role.DEPARTMENT, (DEPARTMENT,), (), TODAY, LAST, "on leave", IN_WINDOW)


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Day:
    made = Day(tmp_path / "clock", monkeypatch)
    made.set(IN_WINDOW)
    return made


@pytest.fixture
def assessment(mongo: str, day: Day) -> Iterator[Assessment]:
    teller = Assessment()
    open_college(teller)
    enrol(teller)
    yield teller
    audited()


def given(actor: Actor = BY_DEPARTMENT, to: str = "qian", **more: Any) -> Delegation:
    role = next(iter(actor.roles))
    wish = replace(GIVEN, by=actor.subject, to=to, role=Role(role), departments=None)
    return delegate(replace(wish, **more), actor)


def decide_for(one: Application, actor: Actor, by: str, is_approval: bool = True) -> bool:
    return deciding.decide_one(Decision(0, one.id, is_approval, "too little", by), actor)


# --- the rules -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "actor", "code"),
    [
        ({}, BY_DEPARTMENT, ""),
        ({"to": "zhou"}, BY_DEPARTMENT, "delegation_to_yourself"),
        ({"role": Role.REGISTRY}, BY_DEPARTMENT, "delegation_role_not_yours"),
        ({"role": Role.TEO}, Actor("zhou", {Role.TEO}), "delegation_role_not_yours"),
        ({"departments": (OTHER_DEPARTMENT,)}, BY_DEPARTMENT, "delegation_scope_not_yours"),
        ({"departments": (DEPARTMENT, OTHER_DEPARTMENT)}, BY_DEPARTMENT, "delegation_scope_not_yours"),
        ({"departments": None}, BY_DEPARTMENT, "delegation_scope_not_yours"),
        ({"departments": ()}, Actor("zhou", {Role.DEPARTMENT}, ()), "delegation_scope_not_yours"),
        ({"departments": None}, Actor("zhou", {Role.DEPARTMENT}), ""),
        ({"first": LAST, "until": TODAY}, BY_DEPARTMENT, "delegation_days_wrong"),
        ({"first": date(2021, 3, 1), "until": date(2021, 3, 2)}, BY_DEPARTMENT, "delegation_days_wrong"),
        ({"until": date.fromordinal(TODAY.toordinal() + MOST_DAYS - 1)}, BY_DEPARTMENT, ""),
        ({"until": date.fromordinal(TODAY.toordinal() + MOST_DAYS)}, BY_DEPARTMENT, "delegation_days_wrong"),
    ],
)
def test_what_may_be_delegated(change: dict[str, Any], actor: Actor, code: str) -> None:
    assert code_of(lambda: check_delegation(replace(GIVEN, **change), actor, TODAY)) == code


ONE = replace(BARE, state=State.REVIEW, step=Step.DEPARTMENT)


@pytest.mark.parametrize(
    ("change", "actor", "roles", "code"),
    [
        ({}, COLLEAGUE, {Role.DEPARTMENT}, ""),
        ({"departments": None}, COLLEAGUE, {Role.DEPARTMENT}, ""),
        ({"departments": (OTHER_DEPARTMENT,)}, COLLEAGUE, {Role.DEPARTMENT}, "not_delegated_to_you"),
        ({}, COLLEAGUE, {Role.REGISTRY}, "not_delegated_to_you"),
        ({}, Actor("li", {Role.DEPARTMENT}), {Role.DEPARTMENT}, "not_delegated_to_you"),
        ({}, Actor("qian", {Role.TEO}), {Role.DEPARTMENT}, "delegate_not_staff"),
        ({"first": LAST}, COLLEAGUE, {Role.DEPARTMENT}, "not_delegated_to_you"),
        ({"until": date(2021, 3, 2)}, COLLEAGUE, {Role.DEPARTMENT}, "not_delegated_to_you"),
        ({"by": "wu"}, COLLEAGUE, {Role.DEPARTMENT}, "not_delegated_to_you"),
        ({"revoked_at": IN_WINDOW}, COLLEAGUE, {Role.DEPARTMENT}, "not_delegated_to_you"),
    ],
)
def test_who_stands_in_for_whom(change: dict[str, Any], actor: Actor, roles: set[Role], code: str) -> None:
    found = [replace(GIVEN, **change)]
    assert code_of(lambda: standing_in(actor, found, "zhou", ONE, roles, TODAY)) == code


def test_who_stands_in_has_what_was_delegated_and_nothing_of_their_own() -> None:
    both = replace(COLLEAGUE, roles={Role.DEPARTMENT, Role.REGISTRY}, learners={"lan"})
    stand_in = standing_in(both, [replace(GIVEN, learners=("xin",))], "zhou", ONE, {Role.DEPARTMENT}, TODAY)
    assert stand_in == Actor("qian", {Role.DEPARTMENT}, (DEPARTMENT,), {"lan", "xin"}, on_behalf_of="zhou")


@pytest.mark.parametrize(
    ("actor", "code"),
    [
        (BY_DEPARTMENT, ""),
        (COLLEAGUE, ""),
        (BY_REGISTRY, ""),
        (Actor("root", {Role.OPERATOR}), ""),
        (Actor("wu", {Role.DEPARTMENT}, {DEPARTMENT}), "delegation_not_yours"),
        (Actor("wu", {Role.REGISTRY}, {DEPARTMENT}), "delegation_not_yours"),
    ],
)
def test_who_revokes(actor: Actor, code: str) -> None:
    assert code_of(lambda: revoked(GIVEN, actor, IN_WINDOW)) == code


def code_of(deed: Callable[[], object]) -> str:
    """The code of its refusal; empty where it is not refused."""
    try:
        deed()
    except Refusal as refusal:
        return refusal.code
    return ""


# --- deciding by them ------------------------------------------------------------------------------------------------
def test_a_decision_says_by_whom_and_on_whose_behalf(assessment: Assessment) -> None:
    one = file()
    assert refused(lambda: decide(one, COLLEAGUE)) == "application_of_other_department"
    assert refused(lambda: decide_for(one, COLLEAGUE, "zhou")) == "not_delegated_to_you"
    given()
    assert decide_for(one, COLLEAGUE, "zhou")
    assert (now(one).step, now(one).reviewers) == (Step.REGISTRY, ("qian", "zhou"))
    shown = application_of(one.id)
    assert (shown["decided_by"], shown["decided_on_behalf_of"]) == ("qian", "zhou")
    assert not decide_for(one, COLLEAGUE, "zhou"), "a repeat changes nothing"
    decide(one, BY_REGISTRY)
    assert application_of(one.id)["decided_on_behalf_of"] == ""


@pytest.mark.parametrize("second", ["qian", "zhou", "for zhou"])
def test_who_stood_in_and_for_whom_are_both_done_with_an_application(assessment: Assessment, second: str) -> None:
    """Neither makes the next step, in their own right or by another delegate."""
    given()
    given(replace(CLERK, subject="zhou"), to="feng")
    one = file()
    decide_for(one, COLLEAGUE, "zhou")
    deeds = {
        "qian": lambda: decide(one, replace(CLERK, subject="qian")),
        "zhou": lambda: decide(one, replace(CLERK, subject="zhou")),
        "for zhou": lambda: decide_for(one, replace(CLERK, subject="feng"), "zhou"),
    }
    assert refused(deeds[second]) == "application_reviewed_by_you"
    decide(one, BY_REGISTRY)
    assert now(one).state == State.GRANTED


def test_who_decided_in_their_own_right_does_not_take_the_next_step_in_anothers_stead(assessment: Assessment) -> None:
    given(BY_REGISTRY, to="zhou")
    one = file()
    decide(one, BY_DEPARTMENT)
    assert refused(lambda: decide_for(one, BY_DEPARTMENT, "li")) == "application_reviewed_by_you"


def test_what_one_may_not_decide_oneself_is_not_decided_by_a_delegate(assessment: Assessment) -> None:
    given(replace(BY_DEPARTMENT, learners={"mei"}))
    given(replace(BY_DEPARTMENT, subject="user-mei"))
    one = file()
    for by in ("zhou", "user-mei"):
        assert refused(lambda by=by: decide_for(one, COLLEAGUE, by)) == "application_of_your_own"
    own = replace(COLLEAGUE, subject="user-mei")
    given(to="user-mei")
    assert refused(lambda: decide_for(one, own, "zhou")) == "application_of_your_own"


def test_there_are_no_chains(assessment: Assessment) -> None:
    """qian holds zhou's word and gives feng their own: feng has nothing of zhou's."""
    given()
    beyond = replace(GIVEN, by="qian", to="feng", departments=(DEPARTMENT,))
    assert refused(lambda: delegate(beyond, COLLEAGUE)) == "delegation_scope_not_yours"
    given(COLLEAGUE, to="feng")
    one, feng = file(), Actor("feng", {Role.DEPARTMENT}, {"信息学院"})
    for by in ("zhou", "qian"):
        assert refused(lambda by=by: decide_for(one, feng, by)) == "not_delegated_to_you"


def test_a_delegation_ends_with_its_last_day_and_when_it_is_revoked(assessment: Assessment, day: Day) -> None:
    first, second = given(), given(until=date(2021, 3, 4))
    one = file()
    revoke(first.id, BY_DEPARTMENT)
    assert revoke(first.id, BY_REGISTRY).revoked_by == "zhou", "again changes nothing"
    day.set(datetime(2021, 3, 4, 16, tzinfo=UTC))  # on campus the day after
    assert refused(lambda: decide_for(one, COLLEAGUE, "zhou")) == "not_delegated_to_you"
    day.set(datetime(2021, 3, 4, 15, tzinfo=UTC))
    assert decide_for(one, COLLEAGUE, "zhou")
    revoke(second.id, COLLEAGUE)
    assert now(one).step == Step.REGISTRY, "what was decided stays"


def test_delegated_twice_it_is_one_and_after_a_revocation_another(assessment: Assessment) -> None:
    first = given()
    assert given(note="another note") == first
    revoke(first.id, BY_DEPARTMENT)
    assert given().id != first.id
    assert sorted(each.revoked_by for each in models.delegations_by("zhou")) == ["", "zhou"]


def test_a_decision_in_anothers_stead_is_undone_in_their_stead(assessment: Assessment) -> None:
    given()
    one = file()
    decide_for(one, COLLEAGUE, "zhou", is_approval=False)
    asked = Undo(0, one.id)
    assert refused(lambda: deciding.undo_one(asked, COLLEAGUE)) == "application_of_other_department"
    deciding.undo_one(replace(asked, on_behalf_of="zhou"), COLLEAGUE)
    act = now(one).acts[-1]
    assert (act.what, act.persons, now(one).state) == ("undone", ("qian", "zhou"), State.REVIEW)
    decide(one, BY_DEPARTMENT)


def test_an_appeal_is_decided_by_nobody_who_decided_before_or_for_whom_somebody_did(
    assessment: Assessment, day: Day
) -> None:
    given()
    one = file()
    decide_for(one, COLLEAGUE, "zhou", is_approval=False)
    day.set(datetime(2021, 3, 3, 3, tzinfo=UTC))
    release_decisions()
    appeal(one.id, "the same book", "user-mei")
    for subject in ("qian", "zhou"):
        assert refused(lambda subject=subject: decide(one, replace(CLERK, subject=subject))) == "appeal_against_you"
    given(BY_REGISTRY, to="qian")
    assert refused(lambda: decide_for(one, COLLEAGUE, "li")) == "appeal_against_you"
    given(BY_REGISTRY, to="sun")
    decide_for(one, CLERK, "li")
    assert now(one).state == State.GRANTED


@pytest.mark.thousand
def test_a_revocation_races_a_decision_that_rests_on_it(
    assessment: Assessment, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    """Either it was decided before, or it is not decided at all."""
    meet_at(monkeypatch, delegating, "name_keys")
    for number in range(tries):
        learner = f"lan-{number}"
        enrol(assessment, learner)
        one, word = file(learner_id=learner), given()
        failures = at_once(
            partial(run_transaction, partial(decide_for, one, COLLEAGUE, "zhou"), patience_seconds=30),
            partial(run_transaction, partial(revoke, word.id, BY_DEPARTMENT), patience_seconds=30),
        )
        codes = [each.code if isinstance(each, Refusal) else repr(each) for each in failures]
        assert codes in ([], ["not_delegated_to_you"])
        assert now(one).step == (Step.DEPARTMENT if codes else Step.REGISTRY)


# --- over HTTP -------------------------------------------------------------------------------------------------------
@pytest.fixture
def college(http: FlaskClient, day: Day) -> FlaskClient:
    teller = Assessment()
    open_college(teller)
    enrol(teller)
    enrol(teller, "lan", department="信息学院")
    return http


WISH = {"to": "qian", "role": "department", "first": "2021-03-03", "until": "2021-03-12", "note": "on leave"}
PLACE = "/conversion-delegations"


def as_department(subject: str, department: str) -> dict[str, str]:
    return ISSUER.bearer("creditbank", Role.DEPARTMENT, subject=subject, owns={"department": [department]})


def test_a_delegate_finds_and_decides_what_was_delegated_and_no_more(college: FlaskClient) -> None:
    mine, other = (str(file_over_http(college, one)["application"]) for one in ("mei", "lan"))
    zhou, qian = as_department("zhou", DEPARTMENT), as_department("qian", OTHER_DEPARTMENT)
    path = f"/conversion-applications/{mine}"
    assert college.get(path, headers=qian).status_code == 403
    word = answered(college.post(PLACE, json=WISH, headers=zhou))
    assert (word["by"], word["departments"], word["holds_today"], word["revoked_at"]) == (
        "zhou",
        [DEPARTMENT],
        True,
        None,
    )
    listed = answered(college.get("/conversion-applications", headers=qian))["items"]
    assert [one["application"] for one in listed] == [mine]
    assert answered(college.get(path, headers=qian))["application"] == mine
    assert college.get(f"/conversion-applications/{other}", headers=qian).status_code == 403
    item = {"application": mine, "verdict": "approve"}
    assert decide_over_http(college, qian, item) == [("refused", "application_of_other_department")]
    assert decide_over_http(college, qian, item | {"on_behalf_of": "zhou"}) == [("accepted", None)]
    shown = answered(college.get(path, headers=as_person("li")))
    assert (shown["decided_by"], shown["decided_on_behalf_of"]) == ("qian", "zhou")
    assert answered(college.get(path, headers=as_learner()))["decided_on_behalf_of"] is None
    gone = answered(college.put(f"{PLACE}/{word['delegation']}/revocation", headers=zhou))
    assert (gone["holds_today"], gone["revoked_by"]) == (False, "zhou")
    assert college.get(path, headers=qian).status_code == 403
    assert answered(college.get("/conversion-applications", headers=qian))["items"] == []


def test_whoever_is_no_staff_gets_nothing_by_being_named(college: FlaskClient) -> None:
    application = file_over_http(college)["application"]
    word = WISH | {"to": "lan", "role": "registry"}
    assert answered(college.post(PLACE, json=word, headers=as_person("li")))["departments"] is None
    learner = ISSUER.bearer("creditbank", Role.LEARNER, subject="lan", owns={"learner": ["lan"]})
    assert answered(college.get("/conversion-applications", headers=learner))["items"] == []
    assert college.get(f"/conversion-applications/{application}", headers=learner).status_code == 403
    teo = ISSUER.bearer("creditbank", Role.TEO, subject="lan", owns={"teo": ["another"]})
    item = {"application": application, "verdict": "approve", "on_behalf_of": "li"}
    assert decide_over_http(college, teo, item) == [("refused", "delegate_not_staff")]


def test_delegations_are_listed_to_whom_they_concern_and_to_the_auditor(college: FlaskClient) -> None:
    answered(college.post(PLACE, json=WISH, headers=as_department("zhou", DEPARTMENT)))
    counts = {
        "zhou": as_department("zhou", DEPARTMENT),
        "qian": as_department("qian", OTHER_DEPARTMENT),
        "wu": as_department("wu", DEPARTMENT),
        "auditor": as_person("aud", Role.AUDITOR),
    }
    found = {who: len(answered(college.get(PLACE, headers=headers))["items"]) for who, headers in counts.items()}
    assert found == {"zhou": 1, "qian": 1, "wu": 0, "auditor": 1}
    assert college.post(PLACE, json=WISH, headers=as_person("aud", Role.AUDITOR)).status_code == 403
    assert college.put(f"{PLACE}/nothing/revocation", headers=as_person("li")).status_code == 404

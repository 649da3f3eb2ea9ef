"""An appeal against a refusal: once, in time, decided by another person, judged as an approval is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.database import database
from chassis.errors import Refusal
from contracts.terms import Level, Role
from services.creditbank.conversion import applying
from services.creditbank.conversion.appealing import appeal
from services.creditbank.conversion.applications import (
    APPEAL_DISMISSED,
    LAPSED,
    Actor,
    Appeal,
    Application,
    Because,
    Offer,
    State,
    check_actor,
    check_appeal,
    check_undo,
    deciders_before,
    is_repeat,
)
from services.creditbank.conversion.deciding import release_decisions, watch_deadlines
from services.creditbank.conversion.domain import REVIEW_STEPS, Step, StepDays, check_policy
from services.creditbank.conversion.queries import application_of, as_learner_sees, next_due
from services.creditbank.jobs import settle_applications
from services.creditbank.ledger.commands import set_frozen
from tests.unit.creditbank.converting import (
    AFTER_WINDOW,
    BASICS_WISH,
    BY_ANOTHER,
    BY_DEPARTMENT,
    BY_REGISTRY,
    IN_WINDOW,
    MODULE_WISH,
    POLICY,
    TAX,
    TAX_WISH,
    Day,
    course_passed,
    decide,
    enrol,
    file,
    now,
    open_college,
    pockets,
    publish_policy,
    refused,
    undo,
)
from tests.unit.creditbank.stories import Assessment, announced, annulled, audited, merged

REASON = "the module is taught from the same book"
TOLD_AT = datetime(2021, 3, 3, 3, tzinfo=UTC)  # when nothing can be undone any more
LAST_DAY = date(2021, 3, 10)  # five working days after it
LATE = datetime(2021, 3, 10, 17, tzinfo=UTC)  # on campus it is the next day


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Day:
    made = Day(tmp_path / "clock", monkeypatch)
    made.set(IN_WINDOW)
    return made


@pytest.fixture
def assessment(mongo: str, day: Day) -> Iterator[Assessment]:
    """A college that converts, and mei, who passed the intermediate level."""
    teller = Assessment()
    open_college(teller)
    enrol(teller)
    yield teller
    audited()


def told_refusal(day: Day, one: Application | None = None, by: Actor = BY_DEPARTMENT) -> Application:
    """An application that somebody refused, and its learner knows."""
    one = one or file()
    decide(one, by, is_approval=False)
    day.set(TOLD_AT)
    release_decisions()
    return now(one)


def appealed(one: Application) -> Application:
    return appeal(one.id, REASON, f"user-{one.learner_id}")


def told_of(one: Application) -> list[tuple[str, str, bool]]:
    """What its learner heard of decisions about it, in order, and whether of an appeal."""
    bodies = [(row["type"], body_of(row)) for row in announced("ConversionDecided")]
    return [
        (kind, body["decision"], body.get("is_appeal", False))
        for kind, body in bodies
        if body["application_id"] == one.id
    ]


def body_of(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes(row["body"]))
    return found


def woken_again() -> None:
    """What waits is tried again, as it is for ever."""
    database()["waiters"].update_many({}, {"$set": {"woken": True}})
    settle_applications()


# --- the rules -------------------------------------------------------------------------------------------------------
BECAUSE = Because("refused_by_review", "too little", "过少")
BARE = Application(
    "one", "mei", "user-mei", date(2021, 3, 3), "tax", 1, "measures", 1, "630302", 2019, "2019-mei", "财会学院",
    "1903", "cloud-ops", Level(2), TAX, "2020-2021-2",
)  # fmt: skip
REFUSED = replace(
    BARE.acted("filed", "user-mei", IN_WINDOW)
    .acted("approved", "zhou", IN_WINDOW, "department")
    .acted("refused", "li", IN_WINDOW)
    .acted("told", "bank", TOLD_AT),
    state=State.REFUSED,
    step=Step.REGISTRY,
    because=BECAUSE,
    is_released=True,
    is_appealable=True,
    appeal_until=LAST_DAY,
)
OPEN = replace(
    REFUSED.acted("appealed", "user-mei", TOLD_AT),
    state=State.REVIEW,
    step=Step.APPEAL,
    is_released=False,
    is_appealable=False,
    appeal=Appeal(REASON, date(2021, 3, 3), BECAUSE),
    reviewers=("zhou", "li"),
)


@pytest.mark.parametrize(
    ("one", "reason", "today", "code"),
    [
        (REFUSED, REASON, date(2021, 3, 10), ""),
        (REFUSED, REASON, date(2021, 3, 11), "appeal_too_late"),
        (REFUSED, "  ", date(2021, 3, 4), "appeal_without_reason"),
        (replace(REFUSED, is_released=False), REASON, date(2021, 3, 4), "application_not_appealable"),
        (replace(REFUSED, is_appealable=False), REASON, date(2021, 3, 4), "application_not_appealable"),
        (replace(REFUSED, state=State.FALLEN), REASON, date(2021, 3, 4), "application_not_appealable"),
        (replace(REFUSED, appeal=OPEN.appeal), REASON, date(2021, 3, 4), "appealed_before"),
        (replace(REFUSED, offer=Offer("tax", 1, TAX, None, True)), REASON, date(2021, 3, 4), "appeal_after_offer"),
        (replace(REFUSED, offer=Offer("tax", 1, TAX, None)), REASON, date(2021, 3, 4), ""),
    ],
)
def test_what_may_be_appealed(one: Application, reason: str, today: date, code: str) -> None:
    assert code_of(lambda: check_appeal(one, reason, one.appeal_until, today)) == code
    is_open = code in {"", "appeal_without_reason"}
    assert one.may_be_appealed(today) is is_open, "the page knows what the bank would say"


def code_of(deed: Callable[[], object]) -> str:
    """The code of its refusal; empty where it is not refused."""
    try:
        deed()
    except Refusal as refusal:
        return refusal.code
    return ""


@pytest.mark.parametrize(
    ("actor", "code"),
    [
        (BY_ANOTHER, ""),
        (BY_REGISTRY, "appeal_against_you"),
        (Actor("zhou", {Role.REGISTRY}), "appeal_against_you"),
        (Actor("user-mei", {Role.REGISTRY}), "application_of_your_own"),
        (Actor("sun", {Role.DEPARTMENT}), "application_step_of_others"),
        (Actor("sun", {Role.OPERATOR}), "application_step_of_others"),
        (Actor("sun", {Role.REGISTRY}, departments={"机电学院"}), "application_of_other_department"),
    ],
)
def test_who_decides_about_an_appeal(actor: Actor, code: str) -> None:
    assert code_of(lambda: check_actor(OPEN, actor, date(2021, 3, 4))) == code
    assert not is_repeat(OPEN, actor, State.GRANTED)
    assert not is_repeat(OPEN, actor, State.REFUSED)


def test_who_decided_before_an_appeal_does_not_undo_what_came_of_it() -> None:
    granted = OPEN.acted("granted", "wang", TOLD_AT, state=State.GRANTED, release_at=TOLD_AT + timedelta(minutes=30))
    assert deciders_before(granted) == ("zhou", "li")
    for subject, code in (("li", "appeal_against_you"), ("zhou", "appeal_against_you"), ("wang", "")):
        actor = Actor(subject, {Role.REGISTRY})
        assert code_of(lambda actor=actor: check_undo(granted, actor, TOLD_AT, names_version=False)) == code  # type: ignore[misc]


def test_a_policy_has_no_step_after_an_appeal_and_lists_none() -> None:
    assert POLICY.step_after(Step.APPEAL) is None
    assert replace(POLICY, appeal_review_days=7).days_of(Step.APPEAL) == 7
    wrong = replace(POLICY, code="wrong", steps=(*POLICY.steps, StepDays(Step.APPEAL, 3)))
    assert code_of(lambda: check_policy(wrong)) == "policy_steps_wrong"


# --- its life --------------------------------------------------------------------------------------------------------
def test_a_refusal_says_until_when_it_may_be_appealed(assessment: Assessment, day: Day) -> None:
    one = told_refusal(day)
    [row] = announced("ConversionDecided")
    assert (body_of(row)["appeal_until"], body_of(row).get("is_appeal", False)) == ("2021-03-10", False)
    shown = application_of(one.id)
    assert (shown["may_be_appealed"], shown["appeal_until"], shown["appeal"]) == (True, LAST_DAY, None)
    assert one.offer
    assert next_due(["learner:mei"]) == {"learner:mei": one.offer.until}, "the offer ends before"
    day.set(datetime(2021, 3, 9, 2, tzinfo=UTC))
    assert next_due(["learner:mei"]) == {"learner:mei": LAST_DAY}


def test_an_upheld_appeal_grants_and_is_told_once_it_can_not_be_undone(assessment: Assessment, day: Day) -> None:
    one = appealed(told_refusal(day))
    assert (one.state, one.step, one.held, one.due_on) == (State.REVIEW, Step.APPEAL, 400, date(2021, 3, 10))
    assert (pockets(), one.offer) == ((0, 400, 0), None)
    [row] = announced("AppealFiled")
    assert (body_of(row)["due_on"], "reason" in body_of(row)) == ("2021-03-10", False)
    decide(one, BY_ANOTHER)
    assert (now(one).state, pockets(), told_of(one)) == (
        State.GRANTED,
        (0, 0, 400),
        [("ConversionDecided", "refused", False)],
    )
    seen = as_learner_sees(application_of(one.id))
    assert (seen["state"], seen["step"], seen["held_points"]) == (State.REVIEW, Step.APPEAL, 400)
    day.set(TOLD_AT + timedelta(minutes=31))
    release_decisions()
    assert told_of(one)[1:] == [("ConversionDecided", "granted", True)]
    assert len(announced("ExemptionGranted")) == 1


def test_a_dismissed_appeal_says_why_and_there_is_no_other(assessment: Assessment, day: Day) -> None:
    one = appealed(told_refusal(day))
    assert refused(lambda: decide(one, BY_ANOTHER, is_approval=False, reason=" ")) == "refusal_without_reason"
    decide(one, BY_ANOTHER, is_approval=False, reason="another book")
    assert pockets() == (0, 400, 0), "an undo finds the points"
    assert appealed(one) == now(one), "as far as its learner knows it is open"
    day.set(TOLD_AT + timedelta(minutes=31))
    release_decisions()
    end = now(one)
    assert (end.state, pockets(), told_of(one)[1:]) == (
        State.REFUSED,
        (400, 0, 0),
        [("ConversionDecided", "refused", True)],
    )
    assert end.because
    assert (end.because.code, end.because.zh, end.is_appealable) == (APPEAL_DISMISSED, "another book", False)
    assert end.offer, "the next best is offered again"
    assert refused(lambda: appealed(one)) == "appealed_before"


def test_appealed_twice_it_is_one(assessment: Assessment, day: Day) -> None:
    one = appealed(told_refusal(day))
    again = appeal(one.id, "another reason", "user-mei")
    assert (again, len(announced("AppealFiled")), pockets()) == (one, 1, (0, 400, 0))


def test_a_decision_about_an_appeal_is_undone_and_goes_back_to_it(assessment: Assessment, day: Day) -> None:
    one = appealed(told_refusal(day))
    decide(one, BY_ANOTHER)
    undo(one, BY_REGISTRY)
    back = now(one)
    assert (back.state, back.step, back.reviewers, pockets()) == (State.REVIEW, Step.APPEAL, ("zhou",), (0, 400, 0))
    assert refused(lambda: decide(one, Actor("zhou", {Role.REGISTRY}))) == "appeal_against_you"
    decide(one, BY_ANOTHER, is_approval=False)
    assert now(one).state == State.REFUSED


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_a_refusal_at_each_step_is_appealed_and_no_other_step_follows(
    assessment: Assessment, day: Day, steps: int
) -> None:
    publish_policy(replace(POLICY, steps=tuple(StepDays(step, 3) for step in REVIEW_STEPS)))
    ranks = (
        BY_DEPARTMENT,
        BY_REGISTRY,
        Actor("chen", {Role.TEO}, teos={"91110108700000000A"}),
        Actor("root", {Role.OPERATOR}),
    )
    one = file()
    for actor in ranks[: steps - 1]:
        decide(one, actor)
    one = appealed(told_refusal(day, one, ranks[steps - 1]))
    assert one.reviewers == tuple(actor.subject for actor in ranks[:steps])
    decide(one, BY_ANOTHER)
    assert now(one).state == State.GRANTED


def test_an_appeal_comes_too_late(assessment: Assessment, day: Day) -> None:
    one = told_refusal(day)
    day.set(LATE)
    assert (refused(lambda: appealed(one)), application_of(one.id)["may_be_appealed"]) == ("appeal_too_late", False)


def test_the_days_to_appeal_are_working_days_and_the_policys(assessment: Assessment, day: Day) -> None:
    publish_policy(replace(POLICY, appeal_days=2, appeal_review_days=1))
    day.set(datetime(2021, 3, 5, 2, tzinfo=UTC))
    one = file()
    decide(one, BY_DEPARTMENT, is_approval=False)
    day.set(datetime(2021, 3, 5, 3, tzinfo=UTC))
    release_decisions()
    assert now(one).appeal_until == date(2021, 3, 9), "from a Friday over the weekend"
    assert appealed(one).due_on == date(2021, 3, 8)


def test_where_the_policy_has_no_appeal_there_is_none(assessment: Assessment, day: Day) -> None:
    publish_policy(replace(POLICY, appeal_days=0))
    one = told_refusal(day)
    assert (one.is_appealable, refused(lambda: appealed(one))) == (False, "application_not_appealable")


def test_what_a_rule_refused_is_not_appealed(assessment: Assessment, day: Day) -> None:
    one = told_refusal(day)
    database()["conversion_applications"].update_one({"_id": one.id}, {"$set": {"because.code": "level_not_passed"}})
    assert not applying.appealable(now(one)).is_appealable
    assert applying.appealable(replace(now(one), because=Because(LAPSED.code, "", ""))).is_appealable


def test_what_nobody_decided_in_time_is_appealed_as_well(assessment: Assessment, day: Day) -> None:
    one = file()
    decide(one, BY_DEPARTMENT)
    for moment in (datetime(2021, 3, 20, 2, tzinfo=UTC), datetime(2021, 4, 20, 2, tzinfo=UTC)):
        day.set(moment)
        watch_deadlines()
    assert now(one).is_appealable
    decide(appealed(one), BY_REGISTRY)
    assert now(one).state == State.GRANTED


def test_an_appeal_needs_no_window(assessment: Assessment, day: Day) -> None:
    day.set(datetime(2021, 3, 12, 2, tzinfo=UTC))
    one = file()
    decide(one, BY_DEPARTMENT, is_approval=False)
    day.set(AFTER_WINDOW)
    release_decisions()
    decide(appealed(one), BY_ANOTHER)
    assert now(one).state == State.GRANTED


def test_a_rule_that_speaks_against_it_by_now_is_said_to_whoever_upholds(assessment: Assessment, day: Day) -> None:
    one = appealed(told_refusal(day))
    assessment.tell(course_passed("mei", "KJ2105"))
    assert refused(lambda: decide(one, BY_ANOTHER)) == "course_already_passed"
    assert (now(one).state, pockets()) == (State.REVIEW, (0, 400, 0)), "it is still to be decided"
    decide(one, BY_ANOTHER, is_approval=False)


def test_a_rule_that_speaks_against_it_by_now_is_said_to_who_appeals(assessment: Assessment, day: Day) -> None:
    one = told_refusal(day)
    assessment.tell(course_passed("mei", "KJ2105"))
    assert (refused(lambda: appealed(one)), announced("AppealFiled")) == ("course_already_passed", [])


def test_a_fresh_application_for_the_same_is_in_the_appeals_way_and_the_other_way_round(
    assessment: Assessment, day: Day
) -> None:
    one = told_refusal(day)
    fresh = file()
    assert fresh.id != one.id
    assert refused(lambda: appealed(one)) == "exemption_already_asked"
    applying.withdraw(fresh.id, "user-mei")
    appealed(one)
    assert file().id == one.id, "the same wish is the application that was appealed"
    assert refused(lambda: file(MODULE_WISH)) == "exemption_already_asked"


def test_points_that_are_bound_elsewhere_are_not_held_for_an_appeal(assessment: Assessment, day: Day) -> None:
    one = told_refusal(day)
    file(BASICS_WISH)
    assert (refused(lambda: appealed(one)), pockets()) == ("above_balance", (200, 200, 0))


def test_who_took_the_offer_does_not_appeal_and_who_appeals_has_no_offer(assessment: Assessment, day: Day) -> None:
    one = told_refusal(day)
    other = applying.accept_offer(one.id, "user-mei")
    assert refused(lambda: appealed(one)) == "appeal_after_offer"
    applying.withdraw(other.id, "user-mei")
    assert refused(lambda: appealed(one)) == "appeal_after_offer"
    day.set(IN_WINDOW)
    second = told_refusal(day)
    appealed(second)
    assert refused(lambda: applying.accept_offer(second.id, "user-mei")) == "offer_over"


def test_an_appeal_is_withdrawn_and_is_over(assessment: Assessment, day: Day) -> None:
    one = appealed(told_refusal(day))
    assert applying.withdraw(one.id, "user-mei").state == State.WITHDRAWN
    assert pockets() == (400, 0, 0)
    assert refused(lambda: appealed(one)) == "appealed_before"


def test_credit_that_is_annulled_while_an_appeal_is_open_ends_it_visibly(assessment: Assessment, day: Day) -> None:
    one = appealed(told_refusal(day))
    assessment.tell(annulled("mei"))
    assert (now(one).state, told_of(one)[1:]) == (State.FALLEN, [("ConversionDecided", "fallen", True)])
    assert refused(lambda: decide(one, BY_ANOTHER)) == "application_not_under_review"
    assert refused(lambda: appealed(one)) == "appealed_before"


def test_credit_that_is_annulled_before_an_appeal_leaves_nothing_to_appeal_for(
    assessment: Assessment, day: Day
) -> None:
    one = told_refusal(day)
    assessment.tell(annulled("mei"))
    assert (refused(lambda: appealed(one)), now(one).state) == ("level_not_passed", State.REFUSED)


def test_an_appeal_of_a_frozen_account_waits_and_goes_on_to_its_own_step(assessment: Assessment, day: Day) -> None:
    one = told_refusal(day)
    set_frozen("mei", True, "looked into", "registrar")
    waiting = appealed(one)
    assert (waiting.state, pockets()) == (State.WAITING, (400, 0, 0))
    assert body_of(announced("AppealFiled")[0]).get("due_on") is None
    day.set(datetime(2021, 3, 15, 2, tzinfo=UTC))
    woken_again()
    assert now(one).state == State.WAITING, "it came in time, and waits on"
    set_frozen("mei", False, "it is hers", "registrar")
    woken_again()
    assert (now(one).state, now(one).step, now(one).due_on) == (State.REVIEW, Step.APPEAL, date(2021, 3, 22))


def test_an_appeal_that_is_due_is_told_escalated_and_lapses_in_the_end(assessment: Assessment, day: Day) -> None:
    one = appealed(told_refusal(day))
    day.set(datetime(2021, 3, 9, 2, tzinfo=UTC))
    watch_deadlines()
    watch_deadlines()
    [near] = announced("DeadlineNear")
    assert (body_of(near)["step"], body_of(near)["due_on"]) == ("appeal", "2021-03-10")
    day.set(datetime(2021, 3, 11, 2, tzinfo=UTC))
    assert refused(lambda: decide(one, BY_ANOTHER)) == "application_deadline_passed"
    watch_deadlines()
    assert (now(one).is_escalated, now(one).step, now(one).due_on) == (True, Step.APPEAL, date(2021, 3, 18))
    day.set(datetime(2021, 3, 19, 2, tzinfo=UTC))
    watch_deadlines()
    end = now(one)
    assert end.because
    assert (end.state, end.because.code, pockets()) == (State.REFUSED, "appeal_lapsed", (400, 0, 0))
    assert told_of(one)[1:] == [("ConversionDecided", "refused", True)]


def test_an_appeal_goes_with_its_learner_when_two_are_one(assessment: Assessment, day: Day) -> None:
    one = appealed(told_refusal(day))
    enrol(assessment, "lan")
    assessment.tell(merged("lan", "mei"))
    assert (now(one).learner_id, now(one).step) == ("lan", Step.APPEAL)
    decide(one, BY_ANOTHER)
    assert now(one).state == State.GRANTED


def test_filed_anew_what_was_dismissed_is_another_application_with_its_own_appeal(
    assessment: Assessment, day: Day
) -> None:
    one = appealed(told_refusal(day))
    decide(one, BY_ANOTHER, is_approval=False)
    day.set(TOLD_AT + timedelta(hours=1))
    release_decisions()
    second = file(TAX_WISH)
    assert (second.id == one.id, second.appeal) == (False, None)

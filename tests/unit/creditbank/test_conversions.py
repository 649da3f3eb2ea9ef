"""An application's life: filed, held, reviewed by two, granted, undone, told, exported, withdrawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.database import database
from chassis.errors import Refusal
from contracts.enrolment import Course
from contracts.terms import CourseKind, Level, Role, StudyStatus
from services.creditbank.conversion import applying, commands, deciding, exporting
from services.creditbank.conversion import models as conversion_models
from services.creditbank.conversion.applications import Actor, Application, State
from services.creditbank.conversion.applying import Wish
from services.creditbank.conversion.deciding import release_decisions, watch_deadlines
from services.creditbank.conversion.domain import REVIEW_STEPS, Share, Step, StepDays, Target, Window
from services.creditbank.conversion.exporting import Answer
from services.creditbank.conversion.queries import application_of, as_learner_sees, next_due
from services.creditbank.conversion.schemas import ApplicationSchema
from services.creditbank.jobs import settle_applications
from tests.unit.creditbank.converting import (
    AFTER_WINDOW,
    BASICS_WISH,
    BY_ANOTHER,
    BY_DEPARTMENT,
    BY_REGISTRY,
    COURSES,
    DEPARTMENT,
    IN_WINDOW,
    INTERMEDIATE,
    MODULE,
    MODULE_WISH,
    POLICY,
    TAX,
    TAX_WISH,
    Day,
    calendar,
    course_passed,
    curriculum,
    decide,
    enrol,
    file,
    grant,
    now,
    open_college,
    pockets,
    publish,
    publish_policy,
    record,
    refused,
    told,
    undo,
)
from tests.unit.creditbank.stories import (
    Assessment,
    annulled,
    audited,
    balances,
    corrected,
    finalised,
    holding,
    issued,
    merged,
    publicised,
    registered,
    revoked,
)

OUTCOMES = ("ConversionDecided", "ConversionOffered", "ExemptionGranted", "ExemptionWithdrawn")


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Day:
    """A day in the window."""
    day = Day(tmp_path / "clock", monkeypatch)
    day.set(IN_WINDOW)
    return day


@pytest.fixture
def assessment(mongo: str, day: Day) -> Assessment:
    """A college that converts, and mei, who passed the intermediate level."""
    teller = Assessment()
    open_college(teller)
    enrol(teller)
    return teller


def test_an_application_holds_its_points_and_is_granted_by_two(assessment: Assessment) -> None:
    one = file()
    assert (one.state, one.step, one.term, one.student_number) == (
        State.REVIEW,
        Step.DEPARTMENT,
        "2020-2021-2",
        "2019-mei",
    )
    assert (pockets(), one.due_on) == ((0, 400, 0), date(2021, 3, 8))
    decide(one, BY_DEPARTMENT)
    assert (now(one).step, now(one).due_on) == (Step.REGISTRY, date(2021, 3, 10))
    decide(one, BY_REGISTRY)
    assert (now(one).state, pockets()) == (State.GRANTED, (0, 0, 400))
    audited()


def test_filed_twice_it_is_one(assessment: Assessment) -> None:
    assert file() == file()
    assert pockets() == (0, 400, 0)


def test_nothing_is_told_before_it_can_be_undone_no_more(assessment: Assessment, day: Day) -> None:
    grant(file())
    release_decisions()
    assert told(*OUTCOMES) == []
    day.set(IN_WINDOW + timedelta(minutes=30))
    release_decisions()
    release_decisions()
    assert told(*OUTCOMES) == ["ConversionDecided", "ExemptionGranted"]


def test_an_undo_keeps_the_hold_and_nobody_hears_of_it(assessment: Assessment, day: Day) -> None:
    one = grant(file())
    undo(one)
    assert (now(one).state, now(one).step, pockets()) == (State.REVIEW, Step.REGISTRY, (0, 400, 0))
    day.set(IN_WINDOW + timedelta(hours=1))
    release_decisions()
    assert told(*OUTCOMES) == []
    decide(one, BY_REGISTRY)
    assert (now(one).state, pockets()) == (State.GRANTED, (0, 0, 400))
    day.set(IN_WINDOW + timedelta(hours=2))
    release_decisions()
    assert told(*OUTCOMES) == ["ConversionDecided", "ExemptionGranted"]
    audited()


def test_what_was_told_is_not_undone(assessment: Assessment, day: Day) -> None:
    one = grant(file())
    day.set(IN_WINDOW + timedelta(minutes=30))
    assert refused(lambda: undo(one)) == "undo_window_over"
    release_decisions()
    assert refused(lambda: undo(one)) == "undo_window_over"
    assert pockets() == (0, 0, 400)


def test_a_department_undoes_what_was_decided_at_its_step_and_nothing_else(assessment: Assessment) -> None:
    one = file()
    foreign = replace(BY_DEPARTMENT, subject="qian", departments={"机电学院"})
    decide(one, BY_DEPARTMENT, is_approval=False)
    assert refused(lambda: undo(one, foreign)) == "application_of_other_department"
    assert refused(lambda: undo(one, Actor("hu", {Role.TEO}))) == "application_step_of_others"
    assert refused(lambda: undo(one, BY_DEPARTMENT, rule_version=1)) == "undo_version_of_registry"
    undo(one, BY_DEPARTMENT)
    assert (now(one).state, now(one).step, pockets()) == (State.REVIEW, Step.DEPARTMENT, (0, 400, 0))
    grant(one)
    assert refused(lambda: undo(one, BY_DEPARTMENT)) == "application_step_of_others"


def test_staff_see_who_decided_last_and_until_when_it_can_be_undone(assessment: Assessment, day: Day) -> None:
    def seen() -> tuple[Any, ...]:
        shown = application_of(one.id)
        return shown["decided_by"], shown["decided_at"], shown["undo_until"]

    one = file()
    assert seen() == (None, None, None)
    decide(one, BY_DEPARTMENT)
    assert seen() == ("zhou", IN_WINDOW, None), "a step, not the end: nothing to undo"
    decide(one, BY_REGISTRY)
    until = IN_WINDOW + timedelta(minutes=30)
    assert seen() == ("li", IN_WINDOW, until)
    day.set(until)
    assert seen() == ("li", IN_WINDOW, None)
    day.set(IN_WINDOW)
    undo(one)
    assert seen() == (None, None, None)


def test_an_undo_names_the_version_that_judges_again(assessment: Assessment) -> None:
    one = grant(file())
    publish(replace(INTERMEDIATE, targets=(replace(MODULE, grade="80"), Target("KJ2105", 400, "80"))))
    undo(one, rule_version=2)
    assert (now(one).rule_version, now(one).target, pockets()) == (2, replace(MODULE, grade="80"), (200, 200, 0))
    decide(one, BY_ANOTHER)
    assert pockets() == (200, 0, 200)
    audited()


def test_a_refusal_keeps_its_hold_until_it_is_told_and_offers_what_would_stand(
    assessment: Assessment, day: Day
) -> None:
    one = file()
    decide(one, BY_DEPARTMENT, is_approval=False)
    assert (now(one).state, pockets(), now(one).offer) == (State.REFUSED, (0, 400, 0), None)
    undo(one)
    assert (now(one).step, pockets()) == (Step.DEPARTMENT, (0, 400, 0))
    decide(one, BY_DEPARTMENT, is_approval=False)
    day.set(IN_WINDOW + timedelta(minutes=31))
    release_decisions()
    offer = now(one).offer
    assert offer
    assert (offer.target.credit_points, offer.until, pockets()) == (200, date(2021, 3, 8), (400, 0, 0))
    assert told(*OUTCOMES) == ["ConversionDecided", "ConversionOffered"]
    audited()


def test_an_offer_is_taken_outside_the_window_and_while_it_is_open(assessment: Assessment, day: Day) -> None:
    one = file()
    decide(one, BY_DEPARTMENT, is_approval=False)
    day.set(datetime(2021, 3, 12, 3, tzinfo=UTC))
    release_decisions()
    offer = now(one).offer
    assert offer
    assert offer.until == date(2021, 3, 17)
    day.set(AFTER_WINDOW)
    taken = applying.accept_offer(one.id, "user-mei")
    assert (taken.target, taken.state, taken.term) == (offer.target, State.REVIEW, "2020-2021-2")
    assert refused(lambda: applying.accept_offer(one.id, "user-mei")) == "offer_over"
    decide(taken, BY_DEPARTMENT)
    decide(taken, BY_REGISTRY)
    assert pockets() == (200, 0, 200)


def test_an_offer_closes(assessment: Assessment, day: Day) -> None:
    one = file()
    decide(one, BY_DEPARTMENT, is_approval=False)
    assert refused(lambda: applying.accept_offer(one.id, "user-mei")) == "offer_over"
    day.set(IN_WINDOW + timedelta(hours=1))
    release_decisions()
    day.set(datetime(2021, 3, 9, 2, tzinfo=UTC))
    assert refused(lambda: applying.accept_offer(one.id, "user-mei")) == "offer_over"


def test_a_withdrawn_application_gives_its_points_back(assessment: Assessment) -> None:
    one = file()
    applying.withdraw(one.id, "user-mei")
    applying.withdraw(one.id, "user-mei")
    assert (now(one).state, pockets()) == (State.WITHDRAWN, (400, 0, 0))
    assert file().id != one.id
    audited()


def test_what_is_decided_is_not_withdrawn(assessment: Assessment) -> None:
    one = grant(file())
    assert refused(lambda: applying.withdraw(one.id, "user-mei")) == "application_decided"


def test_filed_on_provisional_credit_it_waits_for_the_result_to_be_final(assessment: Assessment, day: Day) -> None:
    assessment.tell(registered("lan"), record("lan"), publicised("lan", "0002"))
    one = file(learner_id="lan")
    assert (one.state, pockets("lan")) == (State.WAITING, (0, 0, 0))
    assert refused(lambda: decide(one, BY_DEPARTMENT)) == "application_waits_for_final"
    day.set(AFTER_WINDOW)
    assessment.tell(finalised("lan", "0002"))
    assert now(one).state == State.WAITING
    assessment.tell(issued("lan", "0002", number="X-2"))
    assert (now(one).state, now(one).step, pockets("lan")) == (State.REVIEW, Step.DEPARTMENT, (0, 400, 0))
    grant(one)
    assert pockets("lan") == (0, 0, 400)


def test_what_waits_is_tried_again_for_ever(assessment: Assessment) -> None:
    assessment.tell(registered("lan"), record("lan"), finalised("lan", "0002"))
    one = file(learner_id="lan")
    database()["waiters"].update_many({}, {"$set": {"woken": True}})
    settle_applications()
    assert (now(one).state, database()["waiters"].count_documents({"kind": "application"})) == (State.WAITING, 1)
    database()["schemes"].update_one({"_id": "cloud-ops"}, {"$set": {"needs_certificate_number": False}})
    database()["waiters"].update_many({}, {"$set": {"woken": True}})
    settle_applications()
    assert (now(one).state, database()["waiters"].count_documents({"kind": "application"})) == (State.REVIEW, 0)


def test_a_pass_that_is_annulled_in_publicity_refuses_what_waited_for_it(assessment: Assessment) -> None:
    assessment.tell(registered("lan"), record("lan"), publicised("lan", "0002"))
    one = file(learner_id="lan")
    assessment.tell(annulled("lan", "0002"))
    because = now(one).because
    assert because
    assert (now(one).state, because.code, told(*OUTCOMES)) == (State.REFUSED, "level_not_passed", ["ConversionDecided"])


def test_an_annulment_takes_held_points_and_the_application_falls(assessment: Assessment) -> None:
    one = file()
    assessment.tell(annulled("mei"))
    assert now(one).state == State.FALLEN
    assert told(*OUTCOMES) == ["ConversionDecided"]
    assert refused(lambda: decide(one, BY_DEPARTMENT)) == "application_not_under_review"
    audited()


def test_a_refusal_nobody_was_told_of_loses_its_hold_to_an_annulment(assessment: Assessment, day: Day) -> None:
    one = file()
    decide(one, BY_DEPARTMENT, is_approval=False)
    assessment.tell(annulled("mei"))
    day.set(IN_WINDOW + timedelta(hours=1))
    release_decisions()
    assert (now(one).state, now(one).held, told(*OUTCOMES)) == (State.FALLEN, 0, ["ConversionDecided"])
    audited()


def test_an_account_whose_news_is_held_up_files_nothing_and_keeps_what_waits_waiting(assessment: Assessment) -> None:
    assessment.tell(registered("lan"), record("lan"), publicised("lan", "0002"))
    waiting = file(learner_id="lan")
    database()["strands"].update_many({"_id": {"$in": ["learner:mei", "learner:lan"]}}, {"$set": {"dead": {"x": [1]}}})
    assert refused(file) == "account_held_up"
    database()["schemes"].update_one({"_id": "cloud-ops"}, {"$set": {"needs_certificate_number": False}})
    database()["outcomes"].update_many({"learner_id": "lan"}, {"$set": {"state": "final"}})
    applying.retry_waiting([waiting.id])
    assert now(waiting).state == State.WAITING


def test_the_newest_application_falls_first_and_its_rest_is_available_again(assessment: Assessment, day: Day) -> None:
    courses = (*COURSES, Course(code="KJ2109", name="管理会计", credit_points=200, kind=CourseKind.CORE, term=5))
    assessment.tell(curriculum(courses, revision=2), finalised("mei", "0003", level=3))
    assessment.tell(issued("mei", "0003", level=3, number="X-3"))
    levels, targets = (Level(2), Level(3)), (Target("KJ2109", 200, "免修"),)
    publish(replace(INTERMEDIATE, code="advanced", levels=levels, targets=targets))
    old = file(TAX_WISH)
    day.set(IN_WINDOW + timedelta(hours=1))
    new = file(Wish("advanced", "KJ2109"))
    assert pockets() == (0, 600, 0)
    assessment.tell(annulled("mei", "0003", level=3))
    assert (now(old).state, now(new).state, pockets()) == (State.REVIEW, State.FALLEN, (0, 400, 0))
    audited()


def test_an_exemption_that_was_not_exported_is_withdrawn_with_its_credit(assessment: Assessment, day: Day) -> None:
    one = grant(file())
    day.set(IN_WINDOW + timedelta(hours=1))
    release_decisions()
    assessment.tell(annulled("mei"))
    assert now(one).state == State.FALLEN
    assert told(*OUTCOMES) == ["ConversionDecided", "ExemptionGranted", "ExemptionWithdrawn"]
    assert exporting.export("li") == 0
    audited()


def test_an_exported_exemption_becomes_a_debt_and_a_case(assessment: Assessment, day: Day) -> None:
    one = grant(file())
    day.set(IN_WINDOW + timedelta(hours=1))
    release_decisions()
    assert exporting.export("li") == 1
    assessment.tell(annulled("mei"))
    assert (now(one).state, now(one).is_case, pockets()) == (State.GRANTED, True, (-400, 0, 400))
    assert "ExemptionWithdrawn" not in told(*OUTCOMES)
    audited()


def test_a_revoked_certificate_lets_what_is_held_fall_and_withdraws_what_was_spent(assessment: Assessment) -> None:
    enrol(assessment, "lan")
    held, spent = file(), grant(file(learner_id="lan"))
    assessment.tell(revoked("mei", number="X-mei"), revoked("lan", number="X-lan"))
    assert (now(held).state, now(spent).state) == (State.FALLEN, State.FALLEN)
    assert (pockets("mei"), pockets("lan")) == ((400, 0, 0), (400, 0, 0))
    assert refused(lambda: file(learner_id="lan")) == "certificate_is_revoked"
    audited()


def test_two_learners_made_one_have_one_account_and_their_applications(assessment: Assessment) -> None:
    one = file()
    assessment.tell(registered("twin"), merged("twin", "mei"))
    assert (now(one).learner_id, now(one).state, pockets("twin")) == ("twin", State.REVIEW, (0, 400, 0))
    grant(one)
    assert pockets("twin") == (0, 0, 400)
    audited()


@pytest.mark.parametrize(
    ("actor", "code"),
    [
        (Actor("user-mei", {Role.DEPARTMENT}), "application_of_your_own"),
        (Actor("zhou", {Role.DEPARTMENT}, learners={"mei"}), "application_of_your_own"),
        (Actor("zhou", {Role.DEPARTMENT}, {"机电学院"}), "application_of_other_department"),
        (Actor("zhou", {Role.DEPARTMENT}, ()), "application_of_other_department"),
        (Actor("zhou", {Role.DEPARTMENT}, teos={"another"}), "application_of_other_department"),
        (Actor("zhou", {Role.DEPARTMENT}, learners={"somebody"}), "application_of_other_department"),
        (BY_REGISTRY, "application_step_of_others"),
    ],
)
def test_who_may_not_decide(assessment: Assessment, actor: Actor, code: str) -> None:
    one = file()
    assert refused(lambda: decide(one, actor)) == code
    assert now(one).step == Step.DEPARTMENT


def test_nobody_reviews_twice(assessment: Assessment) -> None:
    one = file()
    decide(one, Actor("zhou", {Role.DEPARTMENT, Role.REGISTRY}))
    assert (
        refused(lambda: decide(one, Actor("zhou", {Role.DEPARTMENT, Role.REGISTRY}))) == "application_reviewed_by_you"
    )


def test_a_repeated_approval_changes_nothing(assessment: Assessment) -> None:
    one = grant(file())
    assert decide(one, BY_REGISTRY) is False
    assert now(one) == one


def test_an_approval_judges_everything_again(assessment: Assessment) -> None:
    one = file()
    decide(one, BY_DEPARTMENT)
    assessment.tell(course_passed("mei", "KJ2105"))
    assert refused(lambda: decide(one, BY_REGISTRY)) == "course_already_passed"
    assessment.tell(curriculum((replace_exempt(),), revision=2))
    assert refused(lambda: decide(one, BY_REGISTRY)) == "course_never_exempt"
    assert (now(one).state, pockets()) == (State.REVIEW, (0, 400, 0))


def replace_exempt() -> Course:
    return Course(code="KJ2105", name="税务会计", credit_points=400, kind=CourseKind.CORE, term=4, is_never_exempt=True)


def test_a_step_that_is_due_is_told_once_and_goes_on_without_the_department(assessment: Assessment, day: Day) -> None:
    one = file()
    day.set(datetime(2021, 3, 5, 2, tzinfo=UTC))
    watch_deadlines()
    watch_deadlines()
    assert told("DeadlineNear") == ["DeadlineNear"]
    day.set(datetime(2021, 3, 9, 2, tzinfo=UTC))
    assert refused(lambda: decide(one, BY_DEPARTMENT)) == "application_deadline_passed"
    watch_deadlines()
    assert (now(one).step, now(one).due_on) == (Step.REGISTRY, date(2021, 3, 16))
    decide(one, BY_REGISTRY)
    assert now(one).state == State.GRANTED


def test_what_the_registry_leaves_lying_is_escalated_and_lapses_in_the_end(assessment: Assessment, day: Day) -> None:
    one = file()
    decide(one, BY_DEPARTMENT)
    day.set(datetime(2021, 3, 11, 2, tzinfo=UTC))
    watch_deadlines()
    assert (now(one).is_escalated, now(one).due_on) == (True, date(2021, 3, 18))
    day.set(datetime(2021, 3, 19, 2, tzinfo=UTC))
    watch_deadlines()
    because = now(one).because
    assert because
    assert (now(one).state, because.code, pockets()) == (State.REFUSED, "application_lapsed", (400, 0, 0))
    audited()


def test_an_application_that_no_calendar_reaches_is_dated_when_one_comes(assessment: Assessment) -> None:
    database()["calendar_years"].delete_many({})
    one = file()
    assert one.due_on is None
    assessment.tell(calendar())
    watch_deadlines()
    assert now(one).due_on == date(2021, 3, 8)


def test_steps_that_are_switched_on_follow_the_registry(assessment: Assessment) -> None:
    publish_policy(replace(POLICY, steps=tuple(StepDays(step, 3) for step in REVIEW_STEPS)))
    one = file()
    grant(one)
    assert now(one).step == Step.TEO
    decide(one, Actor("teo", {Role.TEO}))
    decide(one, Actor("bank", {Role.OPERATOR}))
    assert (now(one).state, pockets()) == (State.GRANTED, (0, 0, 400))


def test_an_export_holds_each_exemption_once_and_what_was_rejected_again(assessment: Assessment, day: Day) -> None:
    enrol(assessment, "lan")
    first, second = grant(file(BASICS_WISH)), grant(file(learner_id="lan"))
    assert exporting.export("li") == 0, "nothing goes out before it is told"
    day.set(IN_WINDOW + timedelta(hours=1))
    release_decisions()
    assert exporting.export("li") == 1
    rows = {row["student_number"]: row for row in exporting.row_of(1)["rows"]}
    assert (rows["2019-mei"]["code"], rows["2019-mei"]["credits"], rows["2019-mei"]["kind_zh"]) == (
        "KJ2101",
        "2.0",
        "免修",
    )
    assert exporting.export("li") == 0
    answers = [Answer(0, first.id, ""), Answer(1, second.id, "unknown course"), Answer(2, "nobody", "")]
    judged = exporting.acknowledge(1, answers, "system")
    assert [value for _, value in judged.accepted] == [True, True]
    assert judged.refused[0][1].code == "not_found"
    assert [value for _, value in exporting.acknowledge(1, answers[:2], "system").accepted] == [False, False]
    assert exporting.export("li") == 2
    assert [row["application"] for row in exporting.row_of(2)["rows"]] == [second.id]
    assert len(exporting.row_of(1)["rows"]) == 2
    listed = [(one["number"], one["by"], one["rows"]) for one in exporting.exports_before(None, 10)]
    assert listed == [(2, "li", 1), (1, "li", 2)]
    assert [one["number"] for one in exporting.exports_before(2, 10)] == [1]


def test_a_sheet_is_what_the_registrys_system_reads() -> None:
    row = {"student_number": "2019040117", "code": "KJ2101", "term": "2020-2021-2", "credits": "2.0"}
    text = exporting.sheet_of([row | {"kind_zh": "免修", "grade": "=1", "application": "a"}])
    assert (
        text == "\ufeff学号,课程代码,学期,学分,类别,成绩,申请编号\r\n2019040117,KJ2101,2020-2021-2,2.0,免修,'=1,a\r\n"
    )


def test_who_studies_nowhere_accumulates_and_does_not_convert(assessment: Assessment) -> None:
    assessment.tell(registered("yumei"), finalised("yumei", "0002"), issued("yumei", "0002", number="X-2"))
    assert refused(lambda: file(learner_id="yumei")) == "not_admitted_yet"
    assessment.tell(record("yumei"))
    assert file(learner_id="yumei").state == State.REVIEW


def test_what_was_converted_elsewhere_is_noted_for_accounts_that_are_there(assessment: Assessment) -> None:
    assert refused(lambda: commands.keep_earlier("nobody", 100, "")) == "not_found"


def test_what_was_converted_elsewhere_counts_against_the_share(assessment: Assessment) -> None:
    publish_policy(replace(POLICY, shares=(Share("继续教育", 50, (DEPARTMENT,)),)))
    commands.keep_earlier("mei", 6_900, "prior courses")
    assert refused(lambda: file(TAX_WISH)) == "conversion_share_cap"
    commands.keep_earlier("mei", 6_600, "prior courses")
    assert file(TAX_WISH).state == State.REVIEW


def test_suspended_students_do_not_convert(assessment: Assessment) -> None:
    assessment.tell(record(status=StudyStatus.SUSPENDED))
    assert refused(file) == "not_studying_now"


def test_a_rule_that_was_retired_takes_nothing_new_and_what_was_filed_goes_on(assessment: Assessment) -> None:
    one = file(MODULE_WISH)
    commands.retire_rule("tax", 1)
    assert refused(lambda: file(TAX_WISH)) == "conversion_rule_not_in_force"
    grant(one)
    assert pockets() == (200, 0, 200)


def test_outside_the_window_nothing_is_filed(assessment: Assessment, day: Day) -> None:
    day.set(AFTER_WINDOW)
    assert refused(file) == "conversion_window_closed"
    publish_policy(replace(POLICY, windows=(Window("2020-2021-2", date(2021, 3, 1), date(2021, 3, 15)),)))
    assert file().state == State.REVIEW


def test_filed_again_under_another_version_it_is_another_application(assessment: Assessment) -> None:
    one = file()
    applying.withdraw(one.id, "user-mei")
    publish(replace(INTERMEDIATE, targets=(replace(TAX, grade="80"), MODULE)))
    again = file()
    assert (again.id != one.id, again.target.grade, pockets()) == (True, "80", (0, 400, 0))
    assert now(one).state == State.WITHDRAWN
    audited()


def test_what_an_undo_moved_to_another_target_is_not_overwritten_by_a_new_wish(assessment: Assessment) -> None:
    one = grant(file())
    publish(replace(INTERMEDIATE, targets=(MODULE, TAX)))
    undo(one, rule_version=2)
    decide(one, BY_ANOTHER)
    assert refused(file) == "exemption_already_asked"
    assert (now(one).state, now(one).target, pockets()) == (State.GRANTED, MODULE, (200, 0, 200))


def test_a_case_that_the_registrys_system_rejects_is_withdrawn_and_goes_out_no_more(
    assessment: Assessment, day: Day
) -> None:
    one = grant(file())
    day.set(IN_WINDOW + timedelta(hours=1))
    release_decisions()
    exporting.export("li")
    assessment.tell(annulled("mei"))
    exporting.acknowledge(1, [Answer(0, one.id, "not ours")], "system")
    assert (now(one).state, balances("mei")) == (State.FALLEN, (0, 0))
    assert told(*OUTCOMES)[-1] == "ExemptionWithdrawn"
    assert exporting.export("li") == 0
    audited()


def test_a_grant_nobody_heard_of_falls_as_an_application_does(assessment: Assessment) -> None:
    one = grant(file())
    assessment.tell(annulled("mei"))
    assert (now(one).state, balances("mei")) == (State.FALLEN, (0, 0))
    assert told(*OUTCOMES) == ["ConversionDecided"]
    audited()


def test_one_application_that_breaks_holds_up_no_other_decision(
    assessment: Assessment, day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(assessment, "lan")
    first, second = grant(file()), grant(file(learner_id="lan"))
    day.set(IN_WINDOW + timedelta(hours=1))
    tell = deciding.tell

    def break_first(one: Application) -> Application:
        if one.id == first.id:
            raise ArithmeticError
        return tell(one)

    monkeypatch.setattr(deciding, "tell", break_first)
    with pytest.raises(ArithmeticError):
        release_decisions()
    assert (now(first).is_released, now(second).is_released) == (False, True)


def test_a_refusal_that_can_be_undone_can_not_be_told_from_a_review(assessment: Assessment) -> None:
    one = file()
    decide(one, BY_DEPARTMENT, is_approval=False)
    assert file().id == one.id, "filed again it is the same, not a second one"
    assert pockets() == (0, 400, 0)
    with pytest.raises(Refusal) as refusal:
        applying.withdraw(one.id, "user-mei")
    assert "refused" not in refusal.value.sentence("en")


def test_a_department_that_repeats_its_approval_hears_that_it_stands(assessment: Assessment) -> None:
    one = file()
    assert decide(one, BY_DEPARTMENT) is True
    assert decide(one, BY_DEPARTMENT) is False
    assert now(one).step == Step.REGISTRY


def test_after_an_undo_of_the_last_step_whoever_came_after_the_department_may_decide_again(
    assessment: Assessment,
) -> None:
    publish_policy(replace(POLICY, steps=tuple(StepDays(step, 3) for step in REVIEW_STEPS)))
    one = grant(file())
    teo, bank = Actor("teo", {Role.TEO}), Actor("bank", {Role.OPERATOR})
    decide(one, teo)
    decide(one, bank)
    undo(one)
    assert (now(one).step, now(one).reviewers) == (Step.REGISTRY, ("zhou",))
    for actor in (BY_REGISTRY, teo, bank):
        decide(one, actor)
    assert now(one).state == State.GRANTED


def test_what_both_had_converted_before_counts_for_the_one_they_are(assessment: Assessment) -> None:
    assessment.tell(registered("lan"))
    commands.keep_earlier("mei", 100, "college A")
    commands.keep_earlier("lan", 6_900, "college B")
    for _ in range(2):
        assessment.tell(merged("mei", "lan"))
    assert conversion_models.earlier_points("mei") == 7_000
    assert conversion_models.earlier_points("lan") == 0


def test_two_learners_made_one_are_excused_once(assessment: Assessment, day: Day) -> None:
    enrol(assessment, "lan")
    older, newer = file(MODULE_WISH), grant(file(MODULE_WISH, learner_id="lan"))
    assessment.tell(merged("mei", "lan"))
    because = now(older).because
    assert because
    assert (now(older).state, because.code, now(newer).state) == (State.FALLEN, "application_doubled", State.GRANTED)
    assert pockets() == (200, 0, 200)
    assert told(*OUTCOMES) == ["ConversionDecided", "ExemptionGranted", "ConversionDecided"]
    audited()


def test_a_refusal_nobody_was_told_of_is_in_no_other_applications_way_after_a_merge(assessment: Assessment) -> None:
    enrol(assessment, "lan")
    older = file(MODULE_WISH, learner_id="lan")
    decide(older, BY_DEPARTMENT, is_approval=False)
    newer = file(MODULE_WISH)
    assessment.tell(merged("mei", "lan"))
    assert now(newer).state == State.REVIEW
    audited()


def test_until_a_decision_is_told_its_learner_sees_the_deadline_as_before(assessment: Assessment, day: Day) -> None:
    one = file()
    decide(one, BY_DEPARTMENT)
    before = seen(one)
    decide(one, BY_REGISTRY)
    assert before["due_on"]
    assert seen(one) == before
    day.set(IN_WINDOW + timedelta(hours=1))
    release_decisions()
    assert seen(one)["due_on"] is None


def seen(one: Application) -> Any:
    """An application as its learner reads it."""
    return ApplicationSchema().dump(as_learner_sees(application_of(one.id)))


def test_what_both_exported_before_they_were_one_is_a_case(assessment: Assessment, day: Day) -> None:
    enrol(assessment, "lan")
    first, second = grant(file(MODULE_WISH)), grant(file(MODULE_WISH, learner_id="lan"))
    day.set(IN_WINDOW + timedelta(hours=1))
    release_decisions()
    assert exporting.export("li") == 1
    assessment.tell(merged("mei", "lan"))
    assert sorted([now(first).is_case, now(second).is_case]) == [False, True]
    case = first if now(first).is_case else second
    exporting.acknowledge(1, [Answer(0, case.id, "twice")], "system")
    assert (now(case).state, pockets()) == (State.FALLEN, (200, 0, 200))
    audited()


def test_a_case_is_over_when_its_credit_is_there_again_and_goes_out_again(assessment: Assessment, day: Day) -> None:
    one = grant(file())
    day.set(IN_WINDOW + timedelta(hours=1))
    release_decisions()
    exporting.export("li")
    assessment.tell(annulled("mei"))
    assert now(one).is_case
    assessment.tell(corrected("mei", revision=4))
    assert (now(one).is_case, now(one).because, pockets()) == (False, None, (0, 0, 400))
    exporting.acknowledge(1, [Answer(0, one.id, "unknown course")], "system")
    assert exporting.export("li") == 2
    audited()


def test_what_was_withdrawn_and_is_taken_all_the_same_is_a_case(assessment: Assessment, day: Day) -> None:
    one = grant(file())
    day.set(IN_WINDOW + timedelta(hours=1))
    release_decisions()
    exporting.export("li")
    assessment.tell(annulled("mei"))
    exporting.acknowledge(1, [Answer(0, one.id, "not ours")], "system")
    exporting.acknowledge(1, [Answer(0, one.id, "")], "system")
    assert (now(one).state, now(one).is_case, balances("mei")) == (State.FALLEN, True, (0, 0))


def test_what_a_learner_waits_for_is_due_by_the_step_of_the_application_or_the_end_of_an_offer(
    assessment: Assessment, day: Day
) -> None:
    assert next_due(["learner:mei", "learner:lan", "scheme:cloud-ops"]) == {}
    one = file()
    assert next_due(["learner:mei", "learner:lan"]) == {"learner:mei": date(2021, 3, 8)}
    assessment.tell(registered("twin"), merged("twin", "mei"))
    assert next_due(["learner:mei", "learner:twin"]) == dict.fromkeys(["learner:mei", "learner:twin"], date(2021, 3, 8))
    decide(one, BY_DEPARTMENT, is_approval=False)
    assert next_due(["learner:twin"]) == {}
    day.set(datetime(2021, 3, 5, 2, tzinfo=UTC))
    release_decisions()
    offer = now(one).offer
    assert offer
    assert next_due(["learner:twin"]) == {"learner:twin": offer.until}
    day.set(datetime(2021, 3, 12, 2, tzinfo=UTC))
    assert next_due(["learner:twin"]) == {"learner:twin": date(2021, 3, 12)}, "the last day to appeal"
    day.set(datetime(2021, 3, 13, 2, tzinfo=UTC))
    assert next_due(["learner:twin"]) == {}


def test_a_revoked_certificate_is_no_ground_though_that_of_a_higher_level_is_on_record(assessment: Assessment) -> None:
    assessment.tell(finalised("mei", "0003", level=3), issued("mei", "0003", level=3, number="X-3"))
    assessment.tell(revoked("mei", number="X-mei"))
    assert (holding("mei")["certificate"], pockets()) == ("recorded", (600, 0, 0))
    assert refused(file) == "certificate_is_revoked"

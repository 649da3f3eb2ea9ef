"""Results from the submission to their end, as the stories tell it, on a real database."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from mongoengine import Document

from chassis.bus.outbox import Outbox
from chassis.clock import CAMPUS
from chassis.database import rows_of
from chassis.errors import Refusal
from chassis.sheet.kind import Row, Upload
from contracts.assessment import ResultAnnulled, ResultCorrected, ResultFinalised, ResultPublicised
from contracts.enrolment import CalendarPublished, EnrolmentWithdrawn
from contracts.terms import Verdict
from services.assessment.catalogue import models as catalogue_models
from services.assessment.catalogue.commands import put_scheme
from services.assessment.catalogue.domain import EachPart
from services.assessment.plans import models as plans_models
from services.assessment.plans.sheet import candidates_sheet
from services.assessment.results import models as results_models
from services.assessment.results.commands import (
    annul_result,
    close_due_publicity,
    close_publicity,
    correct_result,
    date_open_publicity,
    record_results,
)
from services.assessment.results.domain import Marks
from services.assessment.results.models import read_results
from services.assessment.results.queries import result_of, stages, steps_by_cause, warnings
from services.assessment.results.sheet import RESULTS_SHEET
from tests.support.arrivals import arrival
from tests.unit.assessment.stories import (
    AS_OF,
    CARE_TEO,
    FINANCE,
    FINANCE_TEO,
    MI1,
    MI2,
    SF2,
    CampusClock,
    Register,
    announced,
    approved,
    candidate_row,
    deliver,
    kinds,
    look,
    open_college,
    publish_2021,
    row,
    seat,
    sitting,
    states,
    submit,
    trained,
    upload,
    verdicts,
)

pytestmark = pytest.mark.usefixtures("mongo", "clock")
LATER = AS_OF + timedelta(hours=1)


def college_with(*learners: str) -> None:
    open_college(SF2)
    publish_2021()
    seat(SF2, *learners)


def test_s1_publicity_opened_on_09_16_closes_at_the_end_of_09_24(clock: CampusClock) -> None:
    college_with("chen")
    assert submit(sitting(SF2, "A1", 78, 85)) == ["accepted"]
    (told,) = announced(ResultPublicised)
    assert (told.due_on, told.verdict, told.revision) == (date(2021, 9, 24), Verdict.PASSED, 1)
    for moment in ("2021-09-24T23:59:59", "2021-09-23T00:00"):
        clock.stand_at(moment)
        assert not close_due_publicity()
        assert kinds() == ["ResultPublicised"]
    clock.stand_at("2021-09-25T00:00")
    close_due_publicity()
    assert kinds() == ["ResultPublicised", "ResultFinalised"]
    assert states(SF2) == {"A1/1": ("final", "passed", 2)}
    close_due_publicity()
    assert len(kinds()) == 2


def test_a_repeat_changes_nothing_and_announces_nothing() -> None:
    college_with("chen", "li")
    first = [sitting(SF2, "A1", 78, 85), sitting(SF2, "A2", remark="absent")]
    assert submit(*first) == ["accepted", "accepted"]
    assert submit(*reversed(first)) == ["unchanged", "unchanged"]
    assert submit(replace(first[0], as_of=LATER)) == ["unchanged"]
    assert kinds() == ["ResultPublicised"] * 2
    assert states(SF2) == {"A1/1": ("publicised", "passed", 1), "A2/1": ("publicised", "absent", 1)}


def test_s2_repeats_shuffled_in_parts_and_one_mark_changed_as_of_the_same_time() -> None:
    learners = [f"l{n}" for n in range(1, 311)]
    open_college(SF2)
    publish_2021()
    seat(SF2, *learners)
    gone = EnrolmentWithdrawn(learner_id="l309", application_id="a", scheme=SF2.scheme, level=SF2.level)
    deliver(arrival(gone, 2), arrival(replace_learner(gone, "l310"), 2))
    push = [sitting(SF2, f"A{n}", 78, 85) for n in range(1, 311)]
    judged = submit(*push)
    assert (judged.count("accepted"), judged.count("candidate_withdrawn")) == (308, 2)
    again = submit(*reversed(push[:200])) + submit(*push[200:])
    assert (again.count("unchanged"), again.count("candidate_withdrawn")) == (308, 2)
    push[6] = sitting(SF2, "A7", 87, 85)
    dropped = submit(*push)
    assert (dropped.count("unchanged"), dropped[6]) == (307, "conflicting_submission")
    assert len(kinds()) == 308


def replace_learner(body: EnrolmentWithdrawn, learner: str) -> EnrolmentWithdrawn:
    return EnrolmentWithdrawn(
        learner_id=learner, application_id=body.application_id, scheme=body.scheme, level=body.level
    )


def test_s2_newer_values_in_publicity_are_corrections_with_a_revision() -> None:
    college_with("up", "down", "same")
    submit(sitting(SF2, "A1", 40, 40), sitting(SF2, "A2", 40, 40), sitting(SF2, "A3", 40, 40))
    newer = [
        sitting(SF2, "A1", 42, 40, as_of=LATER),
        sitting(SF2, "A2", 38, 40, as_of=LATER),
        sitting(SF2, "A3", 40, 40, as_of=LATER),
    ]
    assert submit(*newer) == ["accepted", "accepted", "unchanged"]
    assert [revision for _, _, revision in states(SF2).values()] == [2, 2, 1]
    assert [(one.revision, one.final) for one in announced(ResultCorrected)] == [(2, False), (2, False)]
    _, changes = result_of(f"{SF2.id}:A1:1")
    assert [(one["revision"], one["theory"], one["kind"]) for one in changes] == [(2, 40, "corrected")]


def test_an_older_submission_is_refused_visibly_even_after_a_newer_one_said_the_same() -> None:
    college_with("chen")
    submit(sitting(SF2, "A1", 78, 85))
    submit(sitting(SF2, "A1", 78, 85, as_of=LATER))
    between = AS_OF + timedelta(minutes=30)
    assert submit(sitting(SF2, "A1", 87, 85, as_of=between)) == ["older_submission"]
    assert submit(sitting(SF2, "A1", 78, 85, as_of=AS_OF)) == ["unchanged"]


def test_a_final_result_takes_no_other_values_from_its_organisation() -> None:
    college_with("chen")
    submit(sitting(SF2, "A1", 78, 85))
    close_publicity(SF2.id)
    close_due_publicity()
    assert submit(sitting(SF2, "A1", 87, 85, as_of=LATER)) == ["already_final"]
    assert submit(sitting(SF2, "A1", 78, 85, as_of=LATER)) == ["unchanged"]
    assert states(SF2) == {"A1/1": ("final", "passed", 2)}


def test_what_is_wrong_with_one_item_is_said_of_that_item() -> None:
    college_with("chen", "li", "wang")
    judged = submit(
        sitting(SF2, "A1", 101, 85),
        sitting(SF2, "A2", 70, None),
        sitting(SF2, "Z9", 70, 70),
        sitting(replace(SF2, code="none"), "A1", 70, 70),
        sitting(SF2, "A3", 70, 70, attempt=0),
        sitting(SF2, "A3", 70, 70, as_of=datetime(2031, 1, 1, tzinfo=CAMPUS)),
        sitting(SF2, "A3", 70, 70),
    )
    assert judged == [
        "score_range",
        "score_missing",
        "admission_unknown",
        "plan_unknown",
        "attempt_range",
        "as_of_ahead",
        "accepted",
    ]


def test_the_same_sitting_twice_in_one_submission_counts_once() -> None:
    college_with("chen")
    one, other = sitting(SF2, "A1", 78, 85), sitting(SF2, "A1", 79, 85)
    assert submit(one, one, other, replace(other, as_of=LATER)) == [
        "accepted",
        "unchanged",
        "conflicting_submission",
        "accepted",
    ]
    assert kinds() == ["ResultPublicised", "ResultCorrected"]
    (kept,) = read_results({})
    assert (kept.marks.theory, kept.revision, kept.as_of) == (79, 2, LATER)


def test_a_senders_own_id_names_one_result() -> None:
    college_with("chen", "li")
    assert submit(sitting(SF2, "A1", 78, 85, external_id="X1")) == ["accepted"]
    assert submit(sitting(SF2, "A1", 78, 85, external_id="X1")) == ["unchanged"]
    assert submit(sitting(SF2, "A1", 78, 85, external_id="X2")) == ["unchanged"]
    assert submit(sitting(SF2, "A2", 78, 85, external_id="X1")) == ["external_id_used"]
    assert submit(sitting(SF2, "A2", 78, 85, external_id="X2")) == ["external_id_used"]
    assert submit(sitting(SF2, "A2", 78, 85, external_id="X3")) == ["accepted"]


def test_without_publicity_a_result_is_final_in_the_same_transaction() -> None:
    plan = replace(SF2, publicity_days=0)
    open_college(plan)
    seat(plan, "chen")
    submit(sitting(plan, "A1", 78, 85))
    assert kinds() == ["ResultPublicised", "ResultFinalised"]
    (publicised,), (final,) = announced(ResultPublicised), announced(ResultFinalised)
    assert (publicised.revision, final.revision, publicised.due_on) == (1, 2, date(2021, 9, 16))
    assert submit(sitting(plan, "A1", 78, 85)) == ["unchanged"]


def test_where_no_calendar_reaches_the_operator_is_warned_and_closes_by_command(clock: CampusClock) -> None:
    open_college(SF2)
    seat(SF2, "chen")
    submit(sitting(SF2, "A1", 78, 85))
    assert announced(ResultPublicised)[0].due_on is None
    assert warnings() == [{"teo": FINANCE_TEO, "plan": SF2.code, "count": 1, "opened_on": date(2021, 9, 16)}]
    clock.stand_at("2031-09-16T10:00")
    date_open_publicity()
    close_due_publicity()
    assert kinds() == ["ResultPublicised"]
    assert close_publicity(SF2.id) == 1
    assert warnings() == []
    close_due_publicity()
    assert kinds() == ["ResultPublicised", "ResultFinalised"]
    assert close_publicity(SF2.id) == 0


def test_a_calendar_that_arrives_or_changes_dates_open_publicity_but_not_what_a_command_closes() -> None:
    open_college(SF2, MI2)
    seat(SF2, "chen")
    seat(MI2, "huang")
    submit(sitting(SF2, "A1", 78, 85))
    submit(sitting(MI2, "A1", 78, 85))
    close_publicity(MI2.id)
    date_open_publicity()
    assert {one.due_on for one in read_results({})} == {None}
    publish_2021()
    date_open_publicity()
    due = {one.plan: one.due_on for one in read_results({})}
    assert due == {SF2.code: date(2021, 9, 24), MI2.code: None}
    deliver(arrival(CalendarPublished(year=2021, holidays=(), made_up_days=()), 2))
    date_open_publicity()
    assert {one.due_on for one in read_results({"plan": SF2.code})} == {date(2021, 9, 23)}
    close_due_publicity()
    assert states(MI2) == {"A1/1": ("final", "passed", 2)}
    assert states(SF2) == {"A1/1": ("publicised", "passed", 1)}


def test_results_close_five_hundred_at_a_time() -> None:
    open_college(replace(SF2, quota=600))
    for part in range(2):
        seat_many(300, part)
        submit(*[sitting(SF2, f"P{part}-{n}", 70, 70) for n in range(300)])
    assert close_publicity(SF2.id) == 600
    assert [close_due_publicity() for _ in range(2)] == [True, False]
    assert stages()["final"] == stages()["passed"] == stages()["results"] == 600
    assert stages()["publicised"] == 0


def seat_many(count: int, part: int) -> None:
    """Register so many learners with the admission numbers P<part>-0, P<part>-1 ..."""
    learners = [f"l{part}-{n}" for n in range(count)]
    deliver(*[one for learner in learners for one in (approved(learner, SF2), trained(learner, SF2))])
    rows = [candidate_row(n, SF2, f"P{part}-{n}", learner) for n, learner in enumerate(learners)]
    assert set(verdicts(upload(candidates_sheet(Register()), rows, part))) == {"new"}


def test_s3_the_practical_alone_is_resat_in_another_plan_and_the_theory_carried_over(clock: CampusClock) -> None:
    open_college(MI1, MI2)
    seat(MI1, "huang")
    seat(MI2, "huang", number=2)
    assert submit(sitting(MI1, "A1", 71, 54)) == ["accepted"]
    assert submit(sitting(MI2, "A1", None, 66)) == ["accepted"]
    assert states(MI1) == {"A1/1": ("publicised", "failed", 1)}
    assert states(MI2) == {"A1/1": ("publicised", "passed", 1)}
    again, _ = result_of(f"{MI2.id}:A1:1")
    assert again.carried_from == f"{MI1.id}:A1:1"
    assert submit(sitting(MI2, "A1", None, 66)) == ["unchanged"]
    assert submit(sitting(MI2, "A1", None, 59, as_of=LATER)) == ["accepted"]
    assert submit(sitting(MI1, "A1", 71, 60, as_of=LATER)) == ["carried_over"]


def test_a_first_attempt_and_its_resit_may_come_in_one_submission() -> None:
    open_college(MI1)
    seat(MI1, "huang", "liu")
    judged = submit(
        sitting(MI1, "A1", 71, 54),
        sitting(MI1, "A1", None, 66, attempt=2),
        sitting(MI1, "A1", None, 70, attempt=3),
        sitting(MI1, "A2", 66, None, attempt=2),
    )
    assert judged == ["accepted", "accepted", "resit_not_allowed", "score_missing"]
    assert states(MI1) == {"A1/1": ("publicised", "failed", 1), "A1/2": ("publicised", "passed", 1)}


def test_a_correction_changes_a_final_result_and_says_so() -> None:
    college_with("chen")
    submit(sitting(SF2, "A1", 50, 50))
    close_publicity(SF2.id)
    close_due_publicity()
    name = f"{SF2.id}:A1:1"
    after = correct_result(name, Marks(80, 80), "two papers were exchanged")
    assert (after.verdict, after.revision, after.state) == (Verdict.PASSED, 3, "final")
    assert correct_result(name, Marks(80, 80), "again") == after
    (told,) = announced(ResultCorrected)
    assert (told.final, told.verdict, told.revision) == (True, Verdict.PASSED, 3)
    with pytest.raises(Refusal, match="score_range"):
        correct_result(name, Marks(180, 80), "typo")
    with pytest.raises(Refusal, match="not_found"):
        correct_result("no:such:result:1", Marks(80, 80), "why")


def test_a_correction_is_judged_by_the_rule_of_its_session() -> None:
    college_with("chen")
    submit(sitting(SF2, "A1", 50, 70))
    newer = EachPart(2, date(2021, 9, 1), 60, 1, 365)
    put_scheme(replace(FINANCE, pass_rules=(*FINANCE.pass_rules, newer)))
    assert correct_result(f"{SF2.id}:A1:1", Marks(51, 70), "one more point").verdict == Verdict.PASSED


def test_an_annulled_result_counts_no_more_and_takes_no_other_values() -> None:
    college_with("chen")
    submit(sitting(SF2, "A1", 78, 85))
    name = f"{SF2.id}:A1:1"
    assert annul_result(name, "the paper was not theirs").state == "annulled"
    assert annul_result(name, "again").revision == 2
    (told,) = announced(ResultAnnulled)
    assert (told.reason, told.revision) == ("the paper was not theirs", 2)
    assert submit(sitting(SF2, "A1", 80, 85, as_of=LATER)) == ["result_annulled"]
    with pytest.raises(Refusal, match="result_annulled"):
        correct_result(name, Marks(80, 80), "no")
    close_publicity(SF2.id)
    close_due_publicity()
    assert kinds() == ["ResultPublicised", "ResultAnnulled"]


def test_what_a_resit_carries_over_stands_until_the_resit_is_annulled() -> None:
    open_college(MI1, MI2)
    seat(MI1, "huang")
    seat(MI2, "huang", number=2)
    submit(sitting(MI1, "A1", 71, 54))
    submit(sitting(MI2, "A1", None, 66))
    with pytest.raises(Refusal, match="carried_over"):
        annul_result(f"{MI1.id}:A1:1", "mixed up")
    annul_result(f"{MI2.id}:A1:1", "mixed up")
    assert annul_result(f"{MI1.id}:A1:1", "mixed up").state == "annulled"


def result_row(number: int, plan: str = SF2.code, **cells: str) -> Row:
    return row(number, Upload(1, "results"), 考核计划=plan, **cells)


def test_a_sheet_goes_through_the_same_rules_and_a_repeat_is_unchanged() -> None:
    college_with("chen", "li", "wang", "zhou")
    rows = [
        result_row(2, 准考证号="A1", 理论成绩="78", 实操成绩="85"),
        result_row(3, 准考证号="A2", 理论成绩="缺考", 实操成绩=""),
        result_row(4, 准考证号="A3", 理论成绩="70", 实操成绩="70", 备注="违纪"),
        result_row(5, 准考证号="A4", 理论成绩="101", 实操成绩="70"),
        result_row(6, 准考证号="Z9", 理论成绩="70", 实操成绩="70"),
        result_row(7, "SF-9999", 准考证号="A1", 理论成绩="70", 实操成绩="70"),
    ]
    expected = ["new", "new", "new", "score_range", "admission_unknown", "plan_unknown"]
    assert verdicts(look(RESULTS_SHEET, rows)) == expected
    assert kinds() == []
    assert verdicts(upload(RESULTS_SHEET, rows, 7)) == expected
    assert [verdict for _, verdict, _ in states(SF2).values()] == ["passed", "absent", "malpractice"]
    assert verdicts(upload(RESULTS_SHEET, rows, 8)) == ["unchanged"] * 3 + expected[3:]
    assert len(kinds()) == 3
    changed = [result_row(2, 准考证号="A1", 理论成绩="79", 实操成绩="85")]
    assert verdicts(look(RESULTS_SHEET, changed)) == ["conflicting_submission"]
    changed[0].cells["数据时间"] = AS_OF.isoformat()
    assert verdicts(upload(RESULTS_SHEET, changed, 9)) == ["changed"]


def test_a_newer_sheet_that_says_the_same_stands_against_an_older_one_that_says_otherwise() -> None:
    college_with("chen")
    same = {"准考证号": "A1", "理论成绩": "78", "实操成绩": "85"}
    upload(RESULTS_SHEET, [result_row(2, **same, 数据时间=AS_OF.isoformat())], 7)
    assert verdicts(upload(RESULTS_SHEET, [result_row(2, **same, 数据时间=LATER.isoformat())], 8)) == ["unchanged"]
    between = AS_OF + timedelta(minutes=30)
    older = result_row(2, 准考证号="A1", 理论成绩="87", 实操成绩="85", 数据时间=between.isoformat())
    assert verdicts(upload(RESULTS_SHEET, [older], 9)) == ["older_submission"]
    (kept,) = read_results({})
    assert (kept.as_of, kept.marks.theory, kept.revision, kept.submitted_by) == (
        LATER,
        78,
        1,
        "import:assessment:7:2",
    )
    assert kinds() == ["ResultPublicised"]


def test_a_sheet_of_the_same_time_renews_nothing() -> None:
    college_with("chen")
    rows = [result_row(2, 准考证号="A1", 理论成绩="78", 实操成绩="85")]
    upload(RESULTS_SHEET, rows, 7)
    assert [one.takes_effect for one in look(RESULTS_SHEET, rows)] == [False]


def test_a_row_is_the_cause_of_everything_its_result_becomes() -> None:
    college_with("chen")
    upload(RESULTS_SHEET, [result_row(2, 准考证号="A1", 理论成绩="78", 实操成绩="85")], 7)
    close_publicity(SF2.id)
    close_due_publicity()
    causes = {one["cause"] for one in rows_of(Outbox, {"type": {"$regex": "^Result"}})}
    assert causes == {"import:assessment:7:2"}
    (step,) = steps_by_cause("import:assessment:7:2")
    assert (step["id"], step["detail"]["state"]) == (f"{SF2.id}:A1:1", "final")
    submit(sitting(SF2, "A1", 78, 85))
    assert steps_by_cause(f"result:{SF2.id}:A1:1:r1") == []


def test_an_organisation_may_speak_of_its_own_plans_only_row_by_row() -> None:
    open_college(SF2, MI1)
    seat(SF2, "chen")
    seat(MI1, "huang")
    own = Upload(1, "results", owns={"teo": [CARE_TEO]})
    rows = [
        row(2, own, 考核计划=SF2.code, 准考证号="A1", 理论成绩="78", 实操成绩="85"),
        row(3, own, 考核计划=MI1.code, 准考证号="A1", 理论成绩="78", 实操成绩="85"),
    ]
    assert verdicts(upload(RESULTS_SHEET, rows)) == ["outside_your_scope", "new"]


def test_a_batch_of_five_hundred_is_a_handful_of_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    open_college(replace(SF2, quota=500))
    publish_2021()
    seat_many(500, 0)
    asked: list[str] = []

    def counted(document: type[Document], *args: Any, **kwargs: Any) -> list[dict[str, Any]]:
        asked.append(document.__name__)
        return rows_of(document, *args, **kwargs)

    for module in (catalogue_models, plans_models, results_models):
        monkeypatch.setattr(module, "rows_of", counted)
    record_results([sitting(SF2, f"P0-{n}", 70, 70) for n in range(500)])
    assert sorted(asked) == ["CalendarYears", "Candidates", "Plans", "Results", "Schemes"]
    assert len(kinds()) == 500

"""Course marks: by sheet and by address, each judged alone, announced once they have a student and a course."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from chassis import waiters
from chassis.bus.batches import take
from chassis.bus.outbox import Outbox
from chassis.database import rows_of, run_transaction
from chassis.errors import Refusal
from chassis.sheet.kind import Examined, Row
from contracts.enrolment import Course, LearnersMerged, ProgrammePublished, StudentRecordChanged
from contracts.terms import CourseKind, StudyStatus
from contracts.training import CourseResultFinalised
from services.training.courses.commands import (
    MARK,
    record_marks,
    set_pass_mark,
    settle_waiting,
    withdraw_results,
)
from services.training.courses.domain import Mark, given_out, mark_of, term_of
from services.training.courses.queries import results_page
from services.training.courses.sheet import COLUMNS, MARKS_SHEET
from services.training.handlers import HANDLERS
from tests.support.arrivals import arrival
from tests.support.forgetting import forget, forgotten

pytestmark = pytest.mark.usefixtures("mongo")

NUMBER, COURSE, TERM = "2019040117", "KJ2105", "2020-2021-1"
RESULT = f"{NUMBER}:{COURSE}:{TERM}"
imports = itertools.count(1)
JULY = datetime(2021, 7, 5, 4, 0, tzinfo=UTC)
TAX = Course(code=COURSE, name="税务会计", credit_points=400, kind=CourseKind.CORE, term=4)
DATA = Course(code="KJ2101", name="财务大数据基础", credit_points=200, kind=CourseKind.FOUNDATION, term=1)


class Enrolment:
    """Numbers what it announces, and delivers it."""

    def __init__(self) -> None:
        self.seq: dict[str, int] = {}

    def tell(self, *bodies: Any) -> None:
        told = []
        for body in bodies:
            for key in [*body.keys()]:
                self.seq[key] = self.seq.get(key, 0) + 1
                told.append(arrival(body, self.seq[key], key=key))
        run_transaction(lambda: take(told, HANDLERS))
        sweep()


def sweep() -> None:
    """What the worker does for marks that were woken."""
    while waiters.sweep(MARK, settle_waiting):
        pass


def record(learner_id: str = "lan", number: str = NUMBER, college: str = "4144012345") -> StudentRecordChanged:
    return StudentRecordChanged(
        learner_id=learner_id, student_number=number, college=college, programme="630302", entry_year=2019,
        department="财会学院", class_name="会计1903班", status=StudyStatus.ENROLLED, since=date(2019, 9, 1),
    )  # fmt: skip


def programme(*courses: Course, revision: int = 1) -> ProgrammePublished:
    return ProgrammePublished(
        programme="630302", name="会计", entry_year=2019, credit_points_total=14_000, courses=courses,
        curriculum_revision=revision,
    )  # fmt: skip


@pytest.fixture
def college() -> Enrolment:
    """A student of 会计 2019 whose curriculum has two courses."""
    enrolment = Enrolment()
    enrolment.tell(record(), programme(TAX, DATA))
    return enrolment


def said(mark: int = 86, as_of: datetime = JULY, **more: Any) -> Mark:
    fields: dict[str, Any] = {
        "student_number": NUMBER, "course": COURSE, "term": TERM, "mark": mark, "grade": "", "as_of": as_of,
    }  # fmt: skip
    return Mark(**fields | more)


def submit(*marks: Mark) -> list[str]:
    """What became of each mark."""
    judged = record_marks(list(enumerate(marks)))
    found = {index: "new" if one.is_news else "unchanged" for (index, _), one in judged.accepted}
    found |= {index: refusal.code for (index, _), refusal in judged.refused}
    return [found[index] for index in range(len(marks))]


def told() -> list[CourseResultFinalised]:
    rows = rows_of(Outbox, {"type": "CourseResultFinalised"}, sort=[("time", 1), ("seq", 1)])
    return [msgspec.json.decode(row["body"], type=CourseResultFinalised) for row in rows]


def waiting() -> list[str]:
    return [one.waits_for for one in results_page({"waiting": True}, None, 100)]


def test_a_mark_is_announced_with_the_credit_of_its_course(college: Enrolment) -> None:
    assert submit(said()) == ["new"]
    assert told() == [
        CourseResultFinalised(
            learner_id="lan", course=COURSE, term=TERM, mark=86, passed=True, credit_points=400, result_id=RESULT,
            student_number=NUMBER, programme="630302", entry_year=2019, revision=1,
        )
    ]  # fmt: skip


def test_the_same_mark_again_is_told_to_nobody(college: Enrolment) -> None:
    submit(said())
    later, earlier = said(as_of=JULY + timedelta(days=1)), said(as_of=JULY - timedelta(days=9))
    assert submit(said(), later, earlier) == ["unchanged"] * 3
    assert len(told()) == 1


def test_a_repeat_moves_the_time_up_to_which_a_mark_is_known(college: Enrolment) -> None:
    submit(said(), said(as_of=JULY + timedelta(days=2)))
    assert submit(said(50, JULY + timedelta(days=1))) == ["mark_older"]


def test_a_newer_mark_corrects_and_an_older_or_equal_one_is_refused(college: Enrolment) -> None:
    submit(said())
    assert submit(said(55, JULY - timedelta(days=1))) == ["mark_older"]
    assert submit(said(55)) == ["mark_conflicts"]
    assert submit(said(55, JULY + timedelta(days=1))) == ["new"]
    assert [(one.mark, one.passed, one.revision) for one in told()] == [(86, True, 1), (55, False, 2)]


def test_marks_of_one_batch_are_judged_in_their_order_each_alone(college: Enrolment) -> None:
    day = timedelta(days=1)
    assert submit(said(50), said(60), said(70, JULY + day), said(80, course="KJ2101")) == [
        "new", "mark_conflicts", "new", "new",
    ]  # fmt: skip
    assert [(one.course, one.mark, one.revision) for one in told() if one.course == "KJ2101"] == [("KJ2101", 80, 1)]
    kept = results_page({"student_number": NUMBER}, None, 10)
    assert [(one.given.course, one.given.mark, one.revision) for one in kept] == [("KJ2101", 80, 1), (COURSE, 70, 2)]


def test_a_mark_of_the_future_is_refused(college: Enrolment) -> None:
    assert submit(said(as_of=datetime.now(UTC) + timedelta(days=2))) == ["mark_ahead"]
    assert told() == []


def test_a_mark_of_a_student_nobody_knows_waits_and_counts_when_the_record_comes() -> None:
    enrolment = Enrolment()
    enrolment.tell(programme(TAX))
    assert submit(said()) == ["new"]
    assert (waiting(), waiters.waiting(MARK), told()) == (["student"], 1, [])
    enrolment.tell(record("bo", "2019040999"))
    assert waiting() == ["student"], "the record of another student changes nothing"
    enrolment.tell(record())
    assert (waiting(), waiters.waiting(MARK)) == ([], 0)
    assert [(one.learner_id, one.revision) for one in told()] == [("lan", 1)]


def test_a_mark_of_a_course_not_in_the_curriculum_yet_waits_for_it() -> None:
    enrolment = Enrolment()
    enrolment.tell(record(), programme(revision=0))
    submit(said())
    assert (waiting(), told()) == (["course"], [])
    enrolment.tell(programme(DATA))
    assert waiting() == ["course"]
    enrolment.tell(programme(DATA, TAX, revision=2))
    assert waiting() == []
    assert [one.credit_points for one in told()] == [400]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0), (0, 2, 1), (1, 0, 2)])
def test_student_course_and_mark_may_come_in_any_order(order: tuple[int, ...]) -> None:
    enrolment = Enrolment()
    deeds = (lambda: enrolment.tell(record()), lambda: enrolment.tell(programme(TAX)), lambda: submit(said()))
    for deed in order:
        deeds[deed]()
    assert [(one.learner_id, one.credit_points, one.revision) for one in told()] == [("lan", 400, 1)]


def test_a_waiting_mark_is_corrected_before_anybody_hears_of_it() -> None:
    enrolment = Enrolment()
    enrolment.tell(programme(TAX))
    assert submit(said(50), said(70, JULY + timedelta(days=1))) == ["new", "new"]
    enrolment.tell(record())
    assert [(one.mark, one.revision) for one in told()] == [(70, 1)]


def test_a_number_that_two_colleges_gave_waits_until_it_is_one(college: Enrolment) -> None:
    college.tell(record("bo", college="4144099999"))
    submit(said())
    assert (waiting(), told()) == (["one_student"], [])


def test_a_withdrawn_result_counts_no_more_until_a_newer_mark_comes(college: Enrolment) -> None:
    submit(said())
    assert [changed for _, changed in withdraw_results([(0, RESULT, "typed twice")]).accepted] == [True]
    assert [changed for _, changed in withdraw_results([(0, RESULT, "typed twice")]).accepted] == [False]
    assert submit(said()) == ["mark_older"], "the sheet that was withdrawn does not bring it back"
    assert submit(said(as_of=datetime.now(UTC) + timedelta(hours=1))) == ["new"]
    assert [(one.revision, one.is_withdrawn) for one in told()] == [(1, False), (2, True), (3, False)]


def test_a_withdrawn_result_comes_back_with_the_credit_its_course_has_by_now(college: Enrolment) -> None:
    submit(said())
    withdraw_results([(0, RESULT, "typed twice")])
    college.tell(programme(msgspec.structs.replace(TAX, credit_points=TAX.credit_points + 100), DATA, revision=2))
    later = datetime.now(UTC) + timedelta(hours=1)
    assert submit(said(as_of=later)) == ["new"]
    assert [one.credit_points - TAX.credit_points for one in told()] == [0, 0, 100]
    assert submit(said(52, later + timedelta(minutes=1))) == ["new"]
    college.tell(programme(DATA, revision=3))
    withdraw_results([(0, RESULT, "typed twice")])
    assert submit(said(as_of=later + timedelta(hours=1))) == ["new"]
    assert told()[-1].credit_points - TAX.credit_points == 100, "taught no more, it has the credit it had"


def test_a_withdrawn_mark_that_waited_is_told_to_nobody() -> None:
    submit(said())
    withdraw_results([(0, RESULT, "typed twice")])
    assert waiters.waiting(MARK) == 0
    Enrolment().tell(record(), programme(TAX))
    assert told() == []


def test_an_unknown_result_is_not_withdrawn(college: Enrolment) -> None:
    submit(said())
    judged = withdraw_results([(0, "nobody:X:2020-2021-1", "no reason"), (1, RESULT, "typed twice")])
    assert [refusal.code for _, refusal in judged.refused] == ["not_found"]
    assert len(judged.accepted) == 1


def test_the_pass_mark_is_data_and_what_was_judged_stays(college: Enrolment) -> None:
    submit(said(62))
    set_pass_mark("default", 70)
    submit(said(62, course="KJ2101"))
    set_pass_mark("630302", 60)
    submit(said(62, course="KJ2101", term="2020-2021-2"))
    assert [one.passed for one in told()] == [True, False, True]


def test_a_word_for_a_mark_passes_or_fails_by_itself(college: Enrolment) -> None:
    set_pass_mark("default", 80)
    words = {"合格": "1", "不合格": "2", "良好": "3"}
    marks = [mark_of(NUMBER, COURSE, f"20{20 + int(n)}-20{21 + int(n)}-1", word, JULY) for word, n in words.items()]
    submit(*marks)
    assert [(one.grade, one.mark, one.passed) for one in told()] == [
        ("合格", 60, True), ("不合格", 0, False), ("良", 85, True),
    ]  # fmt: skip


def test_the_results_of_a_merged_learner_are_the_survivors(college: Enrolment) -> None:
    submit(said())
    college.tell(LearnersMerged(survivor_id="lan-now", merged_id="lan"))
    submit(said(50, JULY + timedelta(days=1)), said(course="KJ2101"))
    assert [(one.learner_id, one.course, one.revision) for one in told()] == [
        ("lan", COURSE, 1), ("lan-now", COURSE, 2), ("lan-now", "KJ2101", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["2020-2021-2", "２０２０-2021-2", "2020-2021学年第二学期", "2020-2021学年2", " 2020-2021-二 "]
)
def test_a_term_is_read_as_people_write_it(text: str) -> None:
    assert term_of(text) == "2020-2021-2"


@pytest.mark.parametrize("text", ["", "2020-1", "2020-2022-1", "2020-2021-4", "1020-1021-1", "2021"])
def test_what_is_no_term_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="term_malformed"):
        term_of(text)


@pytest.mark.parametrize(
    ("number", "course", "mark", "code"),
    [
        ("20 19", COURSE, "86", "student_number_invalid"),
        (NUMBER, "税务", "86", "course_code_malformed"),
        (NUMBER, COURSE, "101", "mark_unknown"),
        (NUMBER, COURSE, "-1", "mark_unknown"),
        (NUMBER, COURSE, "86.5", "mark_unknown"),
        (NUMBER, COURSE, "缓考", "mark_unknown"),
    ],
)
def test_what_is_no_mark_is_refused(number: str, course: str, mark: str, code: str) -> None:
    with pytest.raises(Refusal, match=code):
        mark_of(number, course, TERM, mark, JULY)


# --- the sheet ----------------------------------------------------------------------------------------------------
def line(**cells: str) -> dict[str, str]:
    return {"学号": NUMBER, "课程代码": COURSE, "学期": TERM, "成绩": "86"} | cells


def judged(*lines: Mapping[str, str]) -> list[Examined]:
    table = [Row(number, dict(one)) for number, one in enumerate(lines, start=2)]
    return MARKS_SHEET.examine(table, MARKS_SHEET.known(table))


def upload(*lines: Mapping[str, str]) -> list[str]:
    """Commit rows as the sheet jobs do; the verdict on each."""
    number = next(imports)

    def body() -> list[Examined]:
        examined = judged(*lines)
        accepted = [one for one in examined if one.takes_effect]
        for one in accepted:
            one.cause = f"import:training:{number}:{one.row_no}"
        MARKS_SHEET.commit(accepted)
        return examined

    return codes(run_transaction(body))


def codes(examined: Sequence[Examined]) -> list[str]:
    return [one.refusal.code if one.refusal else one.status for one in examined]


def test_a_sheet_is_judged_row_by_row(college: Enrolment) -> None:
    lines = (line(), line(成绩="缺"), line(课程代码="KJ2101", 成绩="良"), line(学号="2019049999"))
    assert [[note.code for note in one.notes] for one in judged(*lines)] == [[], [], [], ["student_awaited"]]
    assert upload(*lines) == ["new", "mark_unknown", "new", "new"]
    assert [(one.course, one.mark, one.grade) for one in told()] == [(COURSE, 86, ""), ("KJ2101", 85, "良")]
    causes = [row["cause"] for row in rows_of(Outbox, {}, sort=[("seq", 1)])]
    assert [cause.rpartition(":")[2] for cause in causes] == ["2", "4"]
    assert waiting() == ["student"]


def test_the_same_sheet_again_changes_nothing_and_a_correction_says_its_time(college: Enrolment) -> None:
    assert upload(line()) == ["new"]
    assert upload(line()) == ["unchanged"]
    assert upload(line(成绩="68")) == ["mark_conflicts"]
    assert upload(line(成绩="68", 数据时间="2021-03-01T00:00:00+08:00")) == ["changed"]
    assert [(one.mark, one.revision) for one in told()] == [(86, 1), (68, 2)]


def test_without_a_time_a_mark_holds_since_marks_of_its_term_are_given_out(college: Enrolment) -> None:
    upload(line())
    [kept] = results_page({"student_number": NUMBER}, None, 10)
    assert kept.given.as_of == given_out(TERM) == datetime(2020, 12, 31, 16, 0, tzinfo=UTC)


def test_cells_are_read_as_numbers_or_as_words() -> None:
    read = {one.name: one.read for one in COLUMNS}["成绩"]
    assert [read(cell) for cell in (86, 86.0, "８６", "优秀", " 合格 ")] == ["86", "86", "86", "优秀", "合格"]
    with pytest.raises(Refusal, match="not_a_whole_number"):
        read(86.5)


# --- after a set-back ---------------------------------------------------------------------------------------------
def test_after_a_set_back_the_same_mark_is_not_told_again_and_another_gets_its_own_revision(college: Enrolment) -> None:
    submit(said(), said(course="KJ2101"))
    forget(("course_results",), ("CourseResultFinalised",))
    assert submit(said(), said(55, course="KJ2101")) == ["new", "new"]
    assert [(one.course, one.mark, one.revision) for one in told()] == [
        (COURSE, 86, 1), ("KJ2101", 86, 1), ("KJ2101", 55, 2),
    ]  # fmt: skip
    assert forgotten() == []

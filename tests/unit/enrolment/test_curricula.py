"""Curricula: kept whole by address or row by row by sheet, checked, and announced with a revision that grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from chassis.database import run_transaction
from chassis.errors import Refusal
from chassis.sheet.kind import Examined, Row
from contracts.terms import CourseKind, course_kind_of, credit_points_of, credits_of
from services.enrolment.programmes.commands import publish_curriculum, publish_programme
from services.enrolment.programmes.domain import (
    Course,
    CourseModule,
    Curriculum,
    check_curriculum,
    warnings_of,
)
from services.enrolment.programmes.queries import curriculum
from services.enrolment.programmes.sheet import COLUMNS, CURRICULA_SHEET
from tests.support.forgetting import forget, forgotten
from tests.unit.enrolment.rosters import ACCOUNTING, announced

DATA = Course("KJ2101", "财务大数据基础", 200, CourseKind.FOUNDATION, 1)
TAX = Course("KJ2105", "税务会计", 400, CourseKind.CORE, 4, modules=(CourseModule("KJ2105-2", "个税核算", 200),))
SPORTS = Course("GG1003", "体育", 400, CourseKind.FOUNDATION, 1, is_never_exempt=True)


def core(serial: int) -> Course:
    return Course(f"KJ31{serial:02d}", f"核心{serial}", 400, CourseKind.CORE, 3)


def told() -> list[tuple[int, int, list[str]]]:
    """Entry year, revision and courses of each announcement."""
    return [
        (one["entry_year"], one.get("curriculum_revision", 0), [course["code"] for course in one.get("courses", [])])
        for one in announced("ProgrammePublished")
    ]


def test_a_curriculum_is_announced_whole_and_a_repeat_is_not(mongo: str) -> None:
    publish_programme(ACCOUNTING)
    publish_curriculum("630302", 2019, (DATA, TAX))
    publish_curriculum("630302", 2019, (DATA, TAX))
    publish_curriculum("630302", 2019, (TAX,))
    assert told()[2:] == [(2019, 1, ["KJ2101", "KJ2105"]), (2019, 2, ["KJ2105"])]
    last = announced("ProgrammePublished")[-1]
    assert (last["name"], last["credit_points_total"]) == ("会计", 14_000)
    assert last["courses"][0] == {
        "code": "KJ2105", "name": "税务会计", "credit_points": 400, "kind": "core", "term": 4,
        "modules": [{"code": "KJ2105-2", "name": "个税核算", "credit_points": 200}],
    }  # fmt: skip
    assert curriculum("630302", 2019) == Curriculum("630302", 2019, (TAX,), 2)


def test_a_curriculum_emptied_is_a_revision_too(mongo: str) -> None:
    publish_programme(ACCOUNTING)
    publish_curriculum("630302", 2019, (DATA,))
    publish_curriculum("630302", 2019, ())
    publish_curriculum("630302", 2019, ())
    assert told()[2:] == [(2019, 1, ["KJ2101"]), (2019, 2, [])]


def test_a_new_total_is_announced_with_the_courses_in_a_new_revision(mongo: str) -> None:
    publish_programme(ACCOUNTING)
    publish_curriculum("630302", 2019, (DATA,))
    publish_programme(replace(ACCOUNTING, credit_points_total=13_600))
    assert told()[3:] == [(2018, 0, []), (2019, 2, ["KJ2101"])]
    assert curriculum("630302", 2019).revision == 2


def test_a_new_entry_year_leaves_the_curricula_of_others_alone(mongo: str) -> None:
    publish_programme(ACCOUNTING)
    publish_curriculum("630302", 2019, (DATA,))
    publish_programme(replace(ACCOUNTING, entry_years=(2018, 2019, 2020)))
    assert told()[3:] == [(2020, 0, [])]
    publish_curriculum("630302", 2020, (TAX,))
    assert told()[4:] == [(2020, 1, ["KJ2105"])]
    assert curriculum("630302", 2019).revision == 1


def test_a_total_below_the_required_courses_is_refused_and_nothing_is_told(mongo: str) -> None:
    publish_programme(ACCOUNTING)
    publish_curriculum("630302", 2019, (DATA, TAX))
    before = told()
    with pytest.raises(Refusal, match="courses_exceed_total"):
        publish_programme(replace(ACCOUNTING, credit_points_total=500))
    assert told() == before


@pytest.mark.parametrize(
    ("courses", "year", "code"),
    [
        ((DATA,), 2030, "entry_year_not_offered"),
        ((DATA, DATA), 2019, "course_repeated"),
        ((TAX, replace(DATA, code="KJ2105-2")), 2019, "course_repeated"),
        ((replace(DATA, code="KJ 21"),), 2019, "course_code_invalid"),
        ((replace(TAX, credit_points=100),), 2019, "modules_exceed_course"),
        ((replace(DATA, credit_points=10_000), replace(TAX, credit_points=4_100)), 2019, "courses_exceed_total"),
        (tuple(replace(DATA, code=f"E{n}", kind=CourseKind.ELECTIVE) for n in range(201)), 2019, "curriculum_too_long"),
    ],
)
def test_courses_that_cannot_be_together_are_refused(courses: tuple[Course, ...], year: int, code: str) -> None:
    with pytest.raises(Refusal, match=code):
        check_curriculum(Curriculum("630302", year, courses), ACCOUNTING)


def test_a_refused_curriculum_changes_nothing(mongo: str) -> None:
    publish_programme(ACCOUNTING)
    publish_curriculum("630302", 2019, (DATA,))
    with pytest.raises(Refusal, match="course_repeated"):
        publish_curriculum("630302", 2019, (DATA, DATA))
    with pytest.raises(Refusal, match="not_found"):
        publish_curriculum("999999", 2019, (DATA,))
    with pytest.raises(Refusal, match="not_found"):
        curriculum("630302", 2018)
    assert curriculum("630302", 2019) == Curriculum("630302", 2019, (DATA,), 1)


def warned(*courses: Course) -> list[str]:
    return [one.code for one in warnings_of(Curriculum("630302", 2019, courses), ACCOUNTING)]


def test_fewer_than_four_core_courses_are_warned_of() -> None:
    assert warned(core(1), core(2), core(3)) == ["few_core_courses"]
    assert warned(core(1), core(2), core(3), core(4)) == []


def test_electives_above_the_total_are_warned_of_and_taken() -> None:
    many = replace(DATA, credit_points=10_000, kind=CourseKind.ELECTIVE)
    courses = (core(1), core(2), core(3), core(4), many, replace(many, code="KJ2102"))
    check_curriculum(Curriculum("630302", 2019, courses), ACCOUNTING)
    assert warned(*courses) == ["electives_above_total"]


def test_sports_without_the_mark_are_warned_of() -> None:
    four = (core(1), core(2), core(3), core(4))
    assert warned(*four, SPORTS) == []
    assert warned(*four, replace(SPORTS, is_never_exempt=False)) == ["usually_never_exempt"]


@pytest.mark.parametrize(("text", "points"), [("2", 200), ("2.0", 200), ("2.5", 250), ("０.25", 25), ("100", 10_000)])
def test_credits_are_read_as_points(text: str, points: int) -> None:
    assert credit_points_of(text) == points


@pytest.mark.parametrize("text", ["", "0", "0.00", "2.005", "-1", "1e2", "101", "2,5", "nan", "四"])
def test_what_is_no_number_of_credits_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="credit_malformed"):
        credit_points_of(text)


def test_points_are_shown_as_credits() -> None:
    assert [credits_of(points) for points in (400, 250, 25, 14_000)] == ["4.0", "2.5", "0.25", "140.0"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("核心", "core"),
        ("专业核心课程", "core"),
        ("基础课", "foundation"),
        ("Elective", "elective"),
        ("实践", "practice"),
    ],
)
def test_kinds_are_read_as_people_write_them(text: str, kind: str) -> None:
    assert course_kind_of(text) == kind


def test_a_word_that_is_no_kind_is_refused() -> None:
    with pytest.raises(Refusal, match="course_kind_unknown"):
        course_kind_of("必学")


# --- the sheet ----------------------------------------------------------------------------------------------------
def line(**cells: str) -> dict[str, str]:
    return {
        "专业": "会计", "年级": "2019级", "课程代码": "KJ2105", "课程名称": "税务会计", "学分": "4.0", "类别": "核心",
        "学期": "4",
    } | cells  # fmt: skip


def judged(*lines: Mapping[str, str]) -> list[Examined]:
    table = [Row(number, dict(one)) for number, one in enumerate(lines, start=2)]
    return CURRICULA_SHEET.examine(table, CURRICULA_SHEET.known(table))


def upload(*lines: Mapping[str, str], number: int = 1) -> list[str]:
    """Commit rows as the sheet jobs do; the verdict on each."""

    def body() -> list[Examined]:
        examined = judged(*lines)
        accepted = [one for one in examined if one.takes_effect]
        for one in accepted:
            one.cause = f"import:enrolment:{number}:{one.row_no}"
        if accepted:
            CURRICULA_SHEET.commit(accepted)
        return examined

    return codes(run_transaction(body))


def codes(examined: Sequence[Examined]) -> list[str]:
    return [one.refusal.code if one.refusal else one.status for one in examined]


MODULE = {"模块代码": "KJ2105-2", "模块": "个税核算", "模块学分": "2.0"}
FOUNDATION = {"课程代码": "KJ2101", "课程名称": "财务大数据基础", "学分": "2", "类别": "基础", "学期": "1"}


def test_a_sheet_publishes_each_curriculum_once(mongo: str) -> None:
    publish_programme(ACCOUNTING)
    assert upload(line(), line(**MODULE), line(**FOUNDATION), line(年级="2018")) == ["new"] * 4
    assert told()[2:] == [(2019, 1, ["KJ2105", "KJ2101"]), (2018, 1, ["KJ2105"])]
    assert curriculum("630302", 2019).courses == (TAX, DATA)
    assert {one["cause"] for one in announced("ProgrammePublished")[2:]} == {
        "import:enrolment:1:2",
        "import:enrolment:1:5",
    }


def test_the_same_sheet_again_changes_nothing_and_a_part_of_it_leaves_the_rest(mongo: str) -> None:
    publish_programme(ACCOUNTING)
    upload(line(**MODULE), line(**FOUNDATION))
    assert upload(line(**MODULE), line(**FOUNDATION), number=2) == ["unchanged", "unchanged"]
    assert upload(line(课程名称="税务会计实务"), number=3) == ["changed"]
    assert told()[2:] == [(2019, 1, ["KJ2105", "KJ2101"]), (2019, 2, ["KJ2105", "KJ2101"])]
    tax = curriculum("630302", 2019).courses[0]
    assert (tax.name, [one.code for one in tax.modules]) == ("税务会计实务", ["KJ2105-2"])


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"专业": "天文学"}, "programme_unknown"),
        ({"专业": " "}, "programme_unknown"),
        ({"年级": "二〇一九"}, "entry_year_malformed"),
        ({"年级": "2030"}, "entry_year_not_offered"),
        ({"学分": "四"}, "credit_malformed"),
        ({"类别": "必学"}, "course_kind_unknown"),
        ({"学期": "13"}, "term_range"),
        ({"是否不可免修": "也许"}, "yes_or_no"),
        ({"模块": "个税核算"}, "module_incomplete"),
        (MODULE | {"模块学分": "4.5"}, "modules_exceed_course"),
        (MODULE | {"模块代码": "KJ2105"}, "course_repeated"),
        ({"课程代码": "K#1"}, "course_code_invalid"),
        ({"课程名称": "长" * 101}, "cell_too_long"),
    ],
)
def test_a_row_that_cannot_be_is_refused_and_the_others_are_taken(mongo: str, cells: dict[str, str], code: str) -> None:
    publish_programme(ACCOUNTING)
    assert upload(line(**cells), line(**FOUNDATION)) == [code, "new"]
    assert [one.code for one in curriculum("630302", 2019).courses] == ["KJ2101"]


def test_rows_of_one_course_agree_on_it(mongo: str) -> None:
    publish_programme(ACCOUNTING)
    assert codes(judged(line(), line(**MODULE | {"学分": "3"}))) == ["new", "course_said_otherwise"]


def test_the_row_that_goes_beyond_the_total_is_refused(mongo: str) -> None:
    publish_programme(replace(ACCOUNTING, credit_points_total=500))
    assert codes(judged(line(), line(**FOUNDATION))) == ["new", "courses_exceed_total"]


def test_two_rows_that_say_the_same_are_known_by_their_identity(mongo: str) -> None:
    publish_programme(ACCOUNTING)
    one, other, module = judged(line(), line(), line(**MODULE))
    assert one.identity == other.identity != module.identity


def test_what_looks_never_exempt_is_remarked_until_the_sheet_says_so(mongo: str) -> None:
    publish_programme(ACCOUNTING)
    sports = {"课程代码": "GG1003", "课程名称": "体育", "类别": "基础"}
    silent, marked, unmarked = judged(
        line(**sports),
        *(line(**sports | {"是否不可免修": word, "课程代码": code}) for word, code in (("是", "G1"), ("否", "G2"))),
    )
    assert [note.code for note in silent.notes] == ["usually_never_exempt"]
    assert (marked.notes, unmarked.notes) == ((), ())
    assert (marked.value.course.is_never_exempt, unmarked.value.course.is_never_exempt) == (True, False)


def test_credits_come_from_figures_and_text_alike() -> None:
    read: dict[str, Any] = {one.name: one.read for one in COLUMNS}
    assert [read["学分"](cell) for cell in (2.5, 2, 4.0, " 2.0 ", "")] == ["2.5", "2", "4", "2.0", ""]
    with pytest.raises(Refusal, match="credit_malformed"):
        read["学分"](0.1 + 0.2)


# --- after a set-back ---------------------------------------------------------------------------------------------
def test_after_a_set_back_the_same_curriculum_is_the_one_announced(mongo: str) -> None:
    publish_programme(ACCOUNTING)
    publish_curriculum("630302", 2019, (DATA,))
    before = told()
    forget(("curricula",), ("ProgrammePublished",))
    assert publish_curriculum("630302", 2019, (DATA,)).revision == 1
    assert told() == before
    assert len(forgotten()) == len(before) - 1


def test_after_a_set_back_another_curriculum_gets_a_revision_nobody_was_told_of(mongo: str) -> None:
    publish_programme(ACCOUNTING)
    publish_curriculum("630302", 2019, (DATA,))
    publish_curriculum("630302", 2019, (DATA, TAX))
    forget(("curricula",), ("ProgrammePublished",))
    assert publish_curriculum("630302", 2019, (TAX,)).revision == 3
    assert told()[-1] == (2019, 3, ["KJ2105"])

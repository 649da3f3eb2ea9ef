"""Who would miss graduation, seen two terms ahead, and which unspent credits would save them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient

from chassis.database import database
from contracts.enrolment import Course, ProgrammePublished
from contracts.terms import CourseKind, Role, StudyStatus
from services.creditbank.conversion.deciding import release_decisions
from services.creditbank.conversion.domain import Target
from services.creditbank.planning.queries import Cohort, rescues_after
from tests.unit.creditbank.converting import (
    COURSES,
    DEPARTMENT,
    IN_WINDOW,
    INTERMEDIATE,
    MODULE_WISH,
    TAX_WISH,
    Day,
    course_passed,
    curriculum,
    enrol,
    file,
    grant,
    open_college,
    publish,
    record,
    refused,
)
from tests.unit.creditbank.stories import Assessment, registered
from tests.unit.creditbank.test_http import ISSUER, answered, as_learner, as_staff, http, settings

__all__ = ["http", "settings"]
FIFTH = "2021-2022-1"
LIST = f"/graduation-rescues?programme=630302&entry_year=2019&term={FIFTH}"
Said = dict[str, Any]


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Day:
    made = Day(tmp_path / "clock", monkeypatch)
    made.set(IN_WINDOW)
    return made


@pytest.fixture
def college(settings: None, day: Day) -> Assessment:
    """会计 2019级: KJ2101 in its second term, KJ2105 in its fourth; no total of credits that could be reached."""
    teller = Assessment()
    open_college(teller)
    return teller


def rescues(term: str = FIFTH, limit: int = 100) -> list[Said]:
    found, _ = rescues_after(Cohort("630302", 2019, term), "", limit)
    return found


def overdue(found: Iterable[Said]) -> dict[str, list[str]]:
    return {one["learner_id"]: [late["course"] for late in one["overdue"]] for one in found}


def totalling(total: int, *more: Course) -> ProgrammePublished:
    """The curriculum with more courses, of which so many points are asked for."""
    told = curriculum((*COURSES, *more), revision=2)
    return msgspec.structs.replace(told, credit_points_total=total)


def test_who_failed_a_course_is_saved_by_unspent_credits(college: Assessment) -> None:
    enrol(college)
    college.tell(course_passed("mei", "KJ2101"), course_passed("mei", "KJ2105", passed=False))
    (found,) = rescues()
    (late,) = found["overdue"]
    assert (late["course"], late["term"], late["is_failed"], found["short_points"]) == ("KJ2105", 4, True, None)
    assert [(one["rule"], one["course"], one["when"]) for one in found["choices"]] == [("tax", "KJ2105", "now")]
    assert found["is_saved"]
    assert found["zh"] == "未修得：税务会计 KJ2105。可用未使用学分免修：税务会计 KJ2105，可全部补足。"
    assert found["en"].endswith("excuse from 税务会计 KJ2105: all is made up then.")


def test_what_is_still_to_be_taught_is_presumed_to_be_passed(college: Assessment) -> None:
    college.tell(registered("mei"), record("mei"))
    assert overdue(rescues("2019-2020-2")) == {}
    assert overdue(rescues("2020-2021-1")) == {"mei": ["KJ2101"]}
    assert overdue(rescues("2020-2021-2")) == {"mei": ["KJ2101"]}
    assert overdue(rescues(FIFTH)) == {"mei": ["KJ2101", "KJ2105"]}


def test_a_failure_counts_as_soon_as_its_course_is_due_within_two_terms(college: Assessment) -> None:
    college.tell(registered("mei"), record("mei"), course_passed("mei", "KJ2105", passed=False))
    assert overdue(rescues("2019-2020-1")) == {}
    assert overdue(rescues("2019-2020-2")) == {"mei": ["KJ2105"]}


def test_who_passed_or_is_excused_would_not_miss_it(college: Assessment, day: Day) -> None:
    enrol(college)
    college.tell(course_passed("mei", "KJ2101"))
    assert overdue(rescues()) == {"mei": ["KJ2105"]}
    grant(file(TAX_WISH))
    assert rescues() == []
    day.set(IN_WINDOW + timedelta(hours=1))
    release_decisions()
    assert rescues() == []


def test_a_module_alone_excuses_from_no_course(college: Assessment) -> None:
    enrol(college)
    college.tell(course_passed("mei", "KJ2101"))
    grant(file(MODULE_WISH))
    (found,) = rescues()
    assert (found["choices"], found["is_saved"]) == ([], False)
    assert "仍不能补足" in found["zh"]


def test_credits_that_do_not_cover_all_that_is_needed_do_not_save(college: Assessment) -> None:
    enrol(college)
    (found,) = rescues()
    assert ([one["course"] for one in found["choices"]], found["is_saved"]) == (["KJ2105"], False)


def test_whose_credits_cannot_be_spent_now_reads_why(college: Assessment) -> None:
    enrol(college)
    college.tell(course_passed("mei", "KJ2101"))
    assert rescues()[0]["because"] is None
    database()["strands"].update_one({"_id": "learner:mei"}, {"$set": {"parked": ["assessment"]}})
    (found,) = rescues()
    assert (found["choices"], found["is_saved"], found["because"]["code"]) == ([], False, "account_held_up")
    assert found["zh"] == f"未修得：税务会计 KJ2105。{found['because']['zh']}"
    assert found["en"].endswith(found["because"]["en"])


def test_an_elective_counts_where_the_total_falls_short(college: Assessment) -> None:
    elective = Course(code="A", name="选修", credit_points=200, kind=CourseKind.ELECTIVE, term=3)
    college.tell(totalling(600, elective))
    publish(replace(INTERMEDIATE, code="elective", targets=(Target("A", 200, "免修"),)))
    enrol(college)
    college.tell(course_passed("mei", "KJ2101"), course_passed("mei", "KJ2105"))
    assert rescues() == [], "600 are asked for, and had"
    college.tell(msgspec.structs.replace(totalling(800, elective), curriculum_revision=3))
    (found,) = rescues()
    assert (overdue([found]), found["short_points"]) == ({"mei": ["A"]}, 200)
    assert ([one["course"] for one in found["choices"]], found["is_saved"]) == (["A"], True)
    college.tell(msgspec.structs.replace(totalling(900, elective), curriculum_revision=4))
    assert rescues() == [], "more is asked for than is taught as far as it is known here: what lacks is not known"


def test_every_record_is_looked_at_once_page_by_page(college: Assessment) -> None:
    everybody = [f"l{number}" for number in range(7)]
    for one in everybody:
        college.tell(registered(one), record(one))
    for one in everybody[:3]:
        college.tell(course_passed(one, "KJ2101"), course_passed(one, "KJ2105"))
    seen: list[list[str]] = []
    last = ""
    while last or not seen:
        found, last = rescues_after(Cohort("630302", 2019, FIFTH), last, 2)
        seen.append([one["learner_id"] for one in found])
    assert seen == [[], ["l3"], ["l4", "l5"], ["l6"]], "a page may show nobody while there are more"


def test_a_page_reads_as_often_as_one_learner(college: Assessment) -> None:
    for one in (f"l{number}" for number in range(8)):
        enrol(college, one)
    assert len(rescues()) == 8
    assert _reads_for(1) == _reads_for(8) > 0


def _reads_for(limit: int) -> int:
    def queries() -> int:
        said = database().client.admin.command("serverStatus")
        return int(said["opcounters"]["query"])

    before = queries()
    rescues(limit=limit)
    return queries() - before


def test_only_those_who_study_the_programme_now_are_looked_at(college: Assessment) -> None:
    college.tell(
        registered("mei"),
        record("mei", status=StudyStatus.WITHDRAWN),
        registered("lan"),
        record("lan", entry_year=2020),
    )
    assert rescues() == []


def test_terms_and_curricula_that_are_none_are_refused(college: Assessment) -> None:
    assert refused(lambda: rescues("2018-2019-1")) == "rescue_term_malformed"
    assert refused(lambda: rescues("2021-2023-1")) == "rescue_term_malformed"
    assert refused(lambda: rescues_after(Cohort("560301", 2019, FIFTH), "", 10)) == "rescue_cohort_unknown"


def test_the_list_is_the_registrys_and_each_departments_own(http: FlaskClient, college: Assessment) -> None:
    enrol(college)
    enrol(college, "lan", department="机电学院")
    found = answered(http.get(LIST, headers=as_staff(Role.REGISTRY) | {"Accept-Language": "zh"}))
    assert [one["learner_id"] for one in found["items"]] == ["lan", "mei"]
    assert found["items"][0]["text"] == found["items"][0]["zh"]
    own = ISSUER.bearer("creditbank", Role.DEPARTMENT, owns={"department": [DEPARTMENT]})
    assert [one["learner_id"] for one in answered(http.get(LIST, headers=own))["items"]] == ["mei"]
    assert http.get(LIST, headers=as_learner()).status_code == 403
    first = answered(http.get(f"{LIST}&limit=1", headers=as_staff(Role.REGISTRY)))
    rest = answered(http.get(f"{LIST}&limit=1&cursor={first['next']}", headers=as_staff(Role.REGISTRY)))
    assert ([one["learner_id"] for one in rest["items"]], rest["next"]) == (["mei"], None)
    assert http.get(f"{LIST}&limit=101", headers=as_staff(Role.REGISTRY)).status_code == 422
    assert http.get(LIST.replace(FIFTH, "autumn"), headers=as_staff(Role.REGISTRY)).status_code == 422

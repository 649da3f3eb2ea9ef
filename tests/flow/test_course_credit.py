"""The road of a course mark: from the registry's sheet to what the credit bank knows of a student, in any order."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from chassis import waiters
from contracts.terms import CourseKind
from services.creditbank.curricula import queries as bank
from services.enrolment.applications.commands import merge
from services.enrolment.programmes.commands import publish_curriculum, publish_programme
from services.enrolment.programmes.domain import Course, CourseModule
from services.training.courses.commands import MARK, record_marks, settle_waiting, withdraw_results
from services.training.courses.domain import Mark
from services.training.courses.queries import results_page
from tests.support.campus import Campus
from tests.unit.enrolment import rosters

TAX = Course("KJ2130", "税务会计", 400, CourseKind.CORE, 4, modules=(CourseModule("KJ2130-2", "个税核算", 200),))
DATA = Course("KJ2101", "财务大数据基础", 200, CourseKind.FOUNDATION, 4)
NUMBER = rosters.student()["学号"]
JULY = datetime(2021, 7, 5, tzinfo=UTC)


@pytest.fixture
def campus(mongo_url: str) -> Iterator[Campus]:
    made = Campus(mongo_url, f"flow_{uuid.uuid4().hex[:8]}")
    made.sweeps["training"] = [lambda: waiters.sweep(MARK, settle_waiting)]
    yield made
    made.drop()


def teach(campus: Campus, *courses: Course) -> None:
    def publish() -> None:
        publish_programme(rosters.ACCOUNTING)
        publish_curriculum("630302", 2019, courses)

    campus.do("enrolment", publish)


def enrol(campus: Campus, *serials: int) -> list[str]:
    """Students by roster, who apply for nothing; their learner ids."""
    rows = [rosters.student(serial, 申请证书="", 申请等级="") for serial in serials]
    with campus.at("enrolment"):
        assert rosters.statuses(rosters.upload(*rows)) == ["new"] * len(rows)
        told = rosters.announced("StudentRecordChanged")
    found = {one["student_number"]: one["learner_id"] for one in told}
    return [found[row["学号"]] for row in rows]


def mark(campus: Campus, course: str, value: int, as_of: datetime = JULY, number: str = NUMBER) -> None:
    said = Mark(number, course, "2020-2021-2", value, "", as_of)
    assert not campus.do("training", lambda: record_marks([(0, said)])).refused


def known(campus: Campus, learner_id: str) -> tuple[set[str], list[str], int]:
    """Passed courses, programmes, and the revision of the curriculum at the bank."""
    with campus.at("creditbank"):
        curriculum = bank.curriculum("630302", 2019)
        records = [f"{one.programme}/{one.entry_year}" for one in bank.records_of(learner_id)]
        return bank.passed_courses(learner_id), records, curriculum.revision if curriculum else -1


def test_s1_a_failed_course_and_a_passed_one_are_known_to_the_bank(campus: Campus) -> None:
    teach(campus, DATA, TAX)
    [lan] = enrol(campus, 1)
    campus.pump()
    mark(campus, "KJ2130", 52)
    mark(campus, "KJ2101", 88)
    campus.pump()
    assert known(campus, lan) == ({"KJ2101"}, ["630302/2019"], 1)
    with campus.at("creditbank"):
        curriculum = bank.curriculum("630302", 2019)
        assert curriculum is not None
        tax = curriculum.course("KJ2130")
        assert tax is not None
        assert (tax.credit_points, tax.kind, tax.modules[0].name) == (400, "core", "个税核算")
        assert {one.course: one.mark for one in bank.course_results(lan)} == {"KJ2130": 52, "KJ2101": 88}


@pytest.mark.parametrize("seed", range(5))
def test_marks_before_roster_and_curriculum_come_to_the_same(campus: Campus, seed: int) -> None:
    mark(campus, "KJ2130", 52)
    mark(campus, "KJ2130", 71, datetime(2021, 9, 1, tzinfo=UTC))
    campus.pump()
    [lan] = enrol_after(campus, seed)
    campus.pump()
    assert known(campus, lan) == ({"KJ2130"}, ["630302/2019"], 1)
    campus.deliver_again(random.Random(seed))
    assert known(campus, lan) == ({"KJ2130"}, ["630302/2019"], 1)
    with campus.at("training"):
        assert [one.revision for one in results_page({}, None, 10)] == [1]


def enrol_after(campus: Campus, seed: int) -> list[str]:
    """The curriculum before the roster, or the roster before the courses."""
    if seed % 2:
        teach(campus, DATA, TAX)
        campus.pump()
        return enrol(campus, 1)
    campus.do("enrolment", lambda: publish_programme(rosters.ACCOUNTING))
    found = enrol(campus, 1)
    campus.pump()
    teach(campus, DATA, TAX)
    return found


def test_what_is_withdrawn_or_corrected_is_not_passed_any_more(campus: Campus) -> None:
    teach(campus, DATA, TAX)
    [lan] = enrol(campus, 1)
    campus.pump()
    mark(campus, "KJ2101", 88)
    mark(campus, "KJ2130", 90)
    campus.pump()
    mark(campus, "KJ2130", 50, datetime(2021, 8, 1, tzinfo=UTC))
    campus.do("training", lambda: withdraw_results([(0, f"{NUMBER}:KJ2101:2020-2021-2", "typed twice")]))
    campus.pump()
    assert known(campus, lan)[0] == set()


def test_two_learners_who_are_one_have_passed_what_both_did(campus: Campus) -> None:
    teach(campus, DATA, TAX)
    other, lan = enrol(campus, 2, 1)
    campus.pump()
    mark(campus, "KJ2101", 88)
    mark(campus, "KJ2130", 77, number=rosters.student(2)["学号"])
    campus.pump()
    campus.do("enrolment", lambda: merge(lan, other, rosters.KEYRING))
    campus.pump()
    assert known(campus, lan) == ({"KJ2101", "KJ2130"}, ["630302/2019"] * 2, 1)
    mark(campus, "KJ2130", 40, datetime(2021, 8, 1, tzinfo=UTC), number=rosters.student(2)["学号"])
    campus.pump()
    campus.deliver_again(random.Random(3))
    assert known(campus, lan) == ({"KJ2101"}, ["630302/2019"] * 2, 1)
    assert known(campus, other)[0] == set()

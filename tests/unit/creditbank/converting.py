"""A college with conversion rules for its bank's tests: 会计 2019级, its curriculum, calendar, windows, two rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from chassis.database import database
from chassis.errors import Refusal
from contracts.enrolment import CalendarPublished, Course, CourseModule, ProgrammePublished, StudentRecordChanged
from contracts.terms import CourseKind, Level, Role, StudyStatus
from contracts.training import CourseResultFinalised
from services.creditbank.conversion import applying, commands, deciding
from services.creditbank.conversion import models as conversion
from services.creditbank.conversion.applications import Actor, Application
from services.creditbank.conversion.applying import Wish
from services.creditbank.conversion.deciding import Decision, Undo
from services.creditbank.conversion.domain import ConversionRule, Policy, Target, Window
from tests.unit.creditbank.stories import Assessment, announced, finalised, holding, issued, publish_annex, registered
from tests.unit.creditbank.stories import scheme as told_scheme

FROM, UNTIL = date(2021, 1, 1), date(2023, 12, 31)
IN_WINDOW, AFTER_WINDOW = datetime(2021, 3, 3, 2, tzinfo=UTC), datetime(2021, 3, 15, 2, tzinfo=UTC)
WINDOWS = (
    Window("2020-2021-2", date(2021, 3, 1), date(2021, 3, 12)),
    Window("2021-2022-1", date(2021, 9, 6), date(2021, 9, 17)),
)
POLICY = Policy("measures", 0, "学分转换办法", "教〔2020〕7 号", date(2020, 12, 1), FROM, UNTIL, 800, windows=WINDOWS)
BASICS, TAX = Target("KJ2101", 200, "免修"), Target("KJ2105", 400, "免修")
MODULE = Target("KJ2105", 200, "免修", module="KJ2105-2")
ELEMENTARY = ConversionRule(
    "basics", 0, "measures", "630302", 2019, "cloud-ops", (Level(1), Level(2)), (BASICS,), FROM, UNTIL
)
INTERMEDIATE = replace(ELEMENTARY, code="tax", levels=(Level(2),), targets=(TAX, MODULE))
DEPARTMENT, CONTINUING = "财会学院", "继续教育学院"
BY_DEPARTMENT = Actor("zhou", {Role.DEPARTMENT}, {DEPARTMENT, CONTINUING})
BY_REGISTRY, BY_ANOTHER = Actor("li", {Role.REGISTRY}), Actor("wang", {Role.REGISTRY})
TAX_WISH, MODULE_WISH = Wish("tax", "KJ2105"), Wish("tax", "KJ2105", "KJ2105-2")
BASICS_WISH = Wish("basics", "KJ2101")
COURSES = (
    Course(code="KJ2101", name="财务大数据基础", credit_points=200, kind=CourseKind.FOUNDATION, term=2),
    Course(
        code="KJ2105",
        name="税务会计",
        credit_points=400,
        kind=CourseKind.CORE,
        term=4,
        modules=(CourseModule(code="KJ2105-2", name="个税核算", credit_points=200),),
    ),
)


def curriculum(courses: tuple[Course, ...] = COURSES, revision: int = 1) -> ProgrammePublished:
    return ProgrammePublished(
        programme="630302",
        name="会计",
        entry_year=2019,
        credit_points_total=14_000,
        courses=courses,
        curriculum_revision=revision,
    )


def record(learner_id: str = "mei", status: StudyStatus = StudyStatus.ENROLLED, **more: Any) -> StudentRecordChanged:
    said: dict[str, Any] = {
        "learner_id": learner_id,
        "student_number": f"2019-{learner_id}",
        "college": "4144012345",
        "programme": "630302",
        "entry_year": 2019,
        "department": DEPARTMENT,
        "class_name": "1903",
        "status": status,
        "since": date(2019, 9, 1),
    }
    return StudentRecordChanged(**said | more)


def course_passed(learner_id: str, course: str, passed: bool = True) -> CourseResultFinalised:
    return CourseResultFinalised(
        learner_id=learner_id,
        course=course,
        term="2020-2021-1",
        mark=86 if passed else 52,
        passed=passed,
        credit_points=400,
        result_id=f"{learner_id}:{course}",
        student_number=f"2019-{learner_id}",
        programme="630302",
        entry_year=2019,
        revision=1,
    )


def calendar(year: int = 2021) -> CalendarPublished:
    """S1's year: 中秋 from 09-19 to 21, 09-18 and 09-26 are worked."""
    holidays = (date(2021, 9, 20), date(2021, 9, 21), date(2021, 10, 1))
    return CalendarPublished(year=year, holidays=holidays, made_up_days=(date(2021, 9, 18), date(2021, 9, 26)))


class Day:
    """The field's clock, in a test's hand."""

    def __init__(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = file
        monkeypatch.setenv("DEMO", "1")
        monkeypatch.setenv("CLOCK_FILE", str(file))

    def set(self, moment: datetime) -> None:
        self.file.write_text(moment.isoformat())


def publish(rule: ConversionRule) -> ConversionRule:
    """Draft a rule, have two people approve it, and publish it."""
    draft = commands.draft_rule(rule, "li")
    for by in ("li", "wang"):
        commands.approve_rule(rule.code, draft.version, by)
    return commands.publish_rule(rule.code, draft.version)


def publish_policy(policy: Policy) -> Policy:
    """Draft a policy document, have two people approve it, and publish it."""
    draft = commands.draft_policy(policy, "li")
    for by in ("li", "wang"):
        commands.approve_policy(policy.code, draft.version, by)
    return commands.publish_policy(policy.code, draft.version)


def open_college(assessment: Assessment, policy: Policy = POLICY) -> None:
    """Everything that learners can convert by, but no learner."""
    publish_annex()
    assessment.tell(told_scheme(), curriculum(), calendar())
    publish_policy(policy)
    publish(ELEMENTARY)
    publish(INTERMEDIATE)


def enrol(assessment: Assessment, learner_id: str = "mei", level: int = 2, **more: Any) -> None:
    """A student with a final, numbered pass."""
    assessment.tell(registered(learner_id), record(learner_id, **more))
    assessment.tell(finalised(learner_id, level=level), issued(learner_id, level=level, number=f"X-{learner_id}"))


def decide(one: Application, actor: Actor, is_approval: bool = True, reason: str = "not enough in common") -> bool:
    """Decide about one application; raises its Refusal."""
    judged = deciding.decide([Decision(0, one.id, is_approval, reason)], actor)
    if judged.refused:
        raise judged.refused[0][1]
    return judged.accepted[0][1]


def undo(one: Application, actor: Actor = BY_REGISTRY, **more: Any) -> None:
    judged = deciding.undo([Undo(0, one.id, **more)], actor)
    if judged.refused:
        raise judged.refused[0][1]


def grant(one: Application) -> Application:
    """Through both steps."""
    decide(one, BY_DEPARTMENT)
    decide(one, BY_REGISTRY)
    return now(one)


def now(one: Application) -> Application:
    found = conversion.application(one.id)
    assert found
    return found


def file(wish: Wish = TAX_WISH, learner_id: str = "mei") -> Application:
    return applying.apply(learner_id, wish, f"user-{learner_id}")


def pockets(learner_id: str = "mei") -> tuple[int, int, int]:
    """Available, held and spent points."""
    found = holding(learner_id)
    return found["available_points"], found["held_points"], found["spent_points"]


def told(*kinds: str) -> list[str]:
    """The announcements of these kinds, in their order."""
    found = [row for kind in kinds for row in announced(kind)]
    return [row["type"] for row in sorted(found, key=lambda row: row["seq"])]


def refused(deed: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as refusal:
        deed()
    assert refusal.value.sentence("zh") != refusal.value.sentence("en")
    return refusal.value.code


def count(collection: str) -> int:
    return database()[collection].count_documents({})

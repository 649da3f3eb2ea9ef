"""S1 of the stories: the registry's window, a higher level, and a wrong batch, with the page's numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chassis.clock import CAMPUS
from chassis.database import database
from chassis.errors import Refusal
from contracts.assessment import ResultPublicised
from contracts.enrolment import Course, CourseModule
from contracts.terms import CourseKind, Level, Role
from services.creditbank.conversion import applying, commands, deciding, exporting, models
from services.creditbank.conversion.applications import Actor, Application, State
from services.creditbank.conversion.applying import Wish
from services.creditbank.conversion.deciding import Decision, Undo, release_decisions
from services.creditbank.conversion.domain import ConversionRule, Policy, Share, Step, Target, Window
from services.creditbank.conversion.exporting import Answer
from services.creditbank.ledger.queries import account_of
from services.creditbank.recognition.commands import publish_rule
from tests.unit.creditbank.converting import Day, calendar, course_passed, curriculum, publish, publish_policy, record
from tests.unit.creditbank.stories import (
    Assessment,
    audited,
    finalised,
    issued,
    of_result,
    registered,
    scheme,
)

XIAOLAN, SCHEME = "xiaolan", "smart-finance"
FROM, UNTIL = date(2021, 1, 1), date(2023, 12, 31)
POLICY = Policy(
    code="measures",
    version=0,
    title="学分转换办法",
    number="",
    issued_on=FROM,
    valid_from=FROM,
    valid_until=UNTIL,
    most_points_per_certificate=800,
    shares=(Share("继续教育", 50, ("继续教育学院",)),),
    windows=(
        Window("2020-2021-2", date(2021, 3, 1), date(2021, 3, 12)),
        Window("2021-2022-1", date(2021, 9, 6), date(2021, 9, 17)),
    ),
)
BASICS, TAX = Target("KJ2101", 200, "免修"), Target("KJ2130", 400, "免修")
MODULE, WRONG = Target("KJ2130", 200, "免修", module="KJ2130-1"), Target("KJ2103", 400, "免修")
MANAGEMENT, AUDIT = Target("KJ2140", 200, "免修"), Target("KJ2150", 400, "免修")
FIRST = ConversionRule("finance-1", 0, "measures", "630302", 2019, SCHEME, (Level(1),), (BASICS,), FROM, UNTIL)
SECOND = replace(FIRST, code="finance-2", levels=(Level(2),), targets=(TAX, MODULE))
CLASSES = (Actor("zhou", {Role.DEPARTMENT}), Actor("qian", {Role.DEPARTMENT}))
LI, WANG = Actor("li", {Role.REGISTRY}), Actor("wang", {Role.REGISTRY, Role.DEPARTMENT})


def course(code: str, name: str, points: int, kind: CourseKind = CourseKind.CORE, **more: Any) -> Course:
    return Course(code=code, name=name, credit_points=points, kind=kind, term=4, **more)


def module(code: str, name: str, points: int) -> Any:
    return CourseModule(code=code, name=name, credit_points=points)


COURSES = (
    course("KJ2101", "财务大数据基础", 200, CourseKind.FOUNDATION),
    course("KJ2103", "中级财务会计", 400),
    course("KJ2130", "税务会计", 400, modules=(module("KJ2130-1", "个税核算", 200),)),
    course("KJ2140", "管理会计", 200),
    course("KJ2150", "审计", 400),
)


def at(month: int, day: int, hour: int = 9, minute: int = 0) -> datetime:
    return datetime(2021, month, day, hour, minute, tzinfo=CAMPUS)


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Day:
    return Day(tmp_path / "clock", monkeypatch)


@pytest.fixture
def assessment(mongo: str, day: Day) -> Iterator[Assessment]:
    """The college as S1 finds it; 陈晓岚 has passed 初级, and its number is on record."""
    day.set(at(1, 15))
    teller = Assessment()
    for level in (1, 2):
        publish_rule(SCHEME, Level(level), credit_points=200 * level, sessions_from=date(2019, 4, 1))
    teller.tell(scheme(SCHEME), curriculum(COURSES), calendar())
    publish_policy(POLICY)
    publish(FIRST)
    publish(SECOND)
    teller.tell(registered(XIAOLAN), record(XIAOLAN, student_number="2019040117"))
    teller.tell(passed(XIAOLAN, 1), numbered(XIAOLAN, 1))
    yield teller
    audited()


def passed(learner_id: str, level: int) -> Any:
    return finalised(learner_id, f"{learner_id}-{level}", level=level, scheme=SCHEME)


def numbered(learner_id: str, level: int) -> Any:
    said = issued(learner_id, f"{learner_id}-{level}", level, number=f"N-{learner_id}-{level}")
    return msgspec.structs.replace(said, scheme=SCHEME)


def pockets(learner_id: str) -> tuple[int, int, int]:
    """Available, held, spent."""
    [found] = account_of(learner_id)["holdings"]
    return found["available_points"], found["held_points"], found["spent_points"]


def now(one: Application) -> Application:
    found = models.application(one.id)
    assert found
    return found


def approve(ones: list[Application], actor: Actor) -> Counter[str]:
    """A bulk approval; what became of its items."""
    judged = deciding.decide([Decision(n, one.id, is_approval=True) for n, one in enumerate(ones)], actor)
    return Counter(["accepted"] * len(judged.accepted) + [refusal.code for _, refusal in judged.refused])


def told(learner_id: str) -> list[str]:
    where = {"key": f"learner:{learner_id}", "type": {"$ne": "CreditPosted"}}
    return [row["type"] for row in database()["outbox"].find(where).sort("seq", 1)]


def first_exemption(day: Day) -> Application:
    """Step 1: +200, filed in the window, approved by the department and another person in the registry."""
    assert pockets(XIAOLAN) == (200, 0, 0)
    day.set(at(3, 3))
    one = applying.apply(XIAOLAN, Wish("finance-1", "KJ2101"), "chen")
    assert approve([one], CLASSES[0]) == {"accepted": 1}
    assert approve([one], LI) == {"accepted": 1}
    day.set(at(3, 3, 9, 31))
    release_decisions()
    return one


def test_a_window_and_a_higher_level(assessment: Assessment, day: Day) -> None:
    """Steps 1 to 4."""
    first_exemption(day)
    [row] = exporting.row_of(exporting.export("li"))["rows"]
    named = ("student_number", "code", "term", "credits", "kind_zh")
    assert [row[name] for name in named] == ["2019040117", "KJ2101", "2020-2021-2", "2.0", "免修"]
    wish = filed_on_provisional_credit(assessment, day)

    day.set(at(9, 25, 0))
    assessment.tell(passed(XIAOLAN, 2), numbered(XIAOLAN, 2))
    refused = now(wish)
    assert refused.because
    assert refused.offer
    assert (pockets(XIAOLAN), refused.state, refused.because.code) == ((200, 0, 200), State.REFUSED, "above_balance")
    assert (refused.offer.target, refused.offer.until) == (MODULE, date(2021, 9, 28))

    day.set(at(9, 26))
    taken = applying.accept_offer(wish.id, "chen")
    assert approve([taken], CLASSES[0]) == {"accepted": 1}
    assert (now(taken).step, pockets(XIAOLAN)) == (Step.REGISTRY, (0, 200, 200))
    assert told(XIAOLAN) == ["ConversionDecided", "ExemptionGranted", "ConversionDecided", "ConversionOffered"]


def filed_on_provisional_credit(assessment: Assessment, day: Day) -> Application:
    """Steps 2 and 3: she fails the course, passes 中级, and files while that is in publicity."""
    assessment.tell(course_passed(XIAOLAN, "KJ2130", passed=False))
    day.set(at(9, 16))
    assessment.tell(of_result(ResultPublicised, XIAOLAN, f"{XIAOLAN}-2", 1, 2, scheme=SCHEME))
    day.set(at(9, 17, 22))
    wish = applying.apply(XIAOLAN, Wish("finance-2", "KJ2130"), "chen")
    assert wish.state == State.WAITING, "waiting for final"
    day.set(at(9, 18))
    with pytest.raises(Refusal, match="conversion_window_closed"):
        applying.apply(XIAOLAN, Wish("finance-2", "KJ2130", "KJ2130-1"), "chen")
    return wish


def enrol_many(assessment: Assessment, names: list[str], **more: Any) -> None:
    for name in names:
        assessment.tell(registered(name), record(name, **more))
        assessment.tell(passed(name, 2), numbered(name, 2))


RIGHT, MISTAKEN = [f"right{n}" for n in range(15)], [f"mistaken{n}" for n in range(4)]


def test_a_bulk_approval_and_the_batch_that_was_wrong(assessment: Assessment, day: Day) -> None:
    """Steps 5 and 6: a tenth of the page's 220, with each of its kinds; four of them name the wrong course."""
    filed = all_filed(assessment, day)
    never = [msgspec.structs.replace(one, is_never_exempt=one.code == "KJ2140") for one in COURSES]
    assessment.tell(curriculum(tuple(never), revision=2))
    commands.keep_earlier("cont", 6_900, "69.0 credits converted from courses")
    assert approve(list(filed.values()), WANG) == {
        "accepted": 19,
        "course_never_exempt": 1,
        "conversion_share_cap": 1,
        "application_reviewed_by_you": 1,
    }
    undo_the_mistaken(filed, day)
    day.set(at(9, 6, 10))
    release_decisions()
    assert {tuple(told(one)) for one in (*RIGHT, *MISTAKEN)} == {("ConversionDecided", "ExemptionGranted")}
    assert {pockets(one) for one in (*RIGHT, *MISTAKEN)} == {(0, 0, 400)}
    export_twice()


def all_filed(assessment: Assessment, day: Day) -> dict[str, Application]:
    """Everybody's application, after the department."""
    publish(replace(SECOND, targets=(WRONG,)))
    for code, target in (("management", MANAGEMENT), ("audit", AUDIT)):
        publish(replace(SECOND, code=code, targets=(target,)))
    enrol_many(assessment, [*RIGHT, *MISTAKEN, "barred", "reviewed"])
    enrol_many(assessment, ["cont"], department="继续教育学院")
    day.set(at(9, 6))
    wishes = dict.fromkeys((*RIGHT, "reviewed", "cont"), Wish("audit", "KJ2150"))
    wishes |= dict.fromkeys(MISTAKEN, Wish("finance-2", "KJ2103")) | {"barred": Wish("management", "KJ2140")}
    filed = {name: applying.apply(name, wish, f"user-{name}") for name, wish in wishes.items()}
    assert approve([filed["reviewed"]], WANG) == {"accepted": 1}
    assert approve([one for name, one in filed.items() if name != "reviewed"], CLASSES[0]) == {"accepted": 21}
    return filed


def undo_the_mistaken(filed: dict[str, Application], day: Day) -> None:
    """Eleven minutes later they are back with their holds, another version judges them, and nobody is told."""
    day.set(at(9, 6, 9, 11))
    version = publish(replace(SECOND, targets=(TAX,))).version
    undone = deciding.undo([Undo(n, filed[one].id, version) for n, one in enumerate(MISTAKEN)], LI)
    assert (len(undone.accepted), undone.refused) == (4, [])
    back = {(now(filed[one]).step, now(filed[one]).target.course, pockets(one)) for one in MISTAKEN}
    assert back == {(Step.REGISTRY, "KJ2130", (0, 400, 0))}
    assert {kind for one in MISTAKEN for kind in told(one)} == set()
    assert approve([filed[one] for one in MISTAKEN], WANG) == {"accepted": 4}


def export_twice() -> None:
    """The registry's system rejects two; the next export holds those two."""
    number = exporting.export("li")
    rows = exporting.row_of(number)["rows"]
    assert Counter(row["course"] for row in rows) == {"KJ2150": 15, "KJ2130": 4}
    rejected = [Answer(n, row["application"], "unknown student") for n, row in enumerate(rows[:2])]
    taken = [Answer(n, row["application"], "") for n, row in enumerate(rows[2:], 2)]
    assert exporting.acknowledge(number, [*rejected, *taken], "registry's system").refused == []
    again = exporting.row_of(exporting.export("li"))["rows"]
    assert [row["application"] for row in again] == [row["application"] for row in rows[:2]]
    assert exporting.export("li") == 0

"""The reverse rule, over HTTP with all services in one process: a course that was passed excuses from a module of a
training, its learner is told once, the completion sheet counts the hours, and nothing runs in a circle.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from chassis import waiters
from chassis.bus.outbox import Outbox
from chassis.database import rows_of
from contracts.terms import Role
from contracts.training import TrainingCompleted
from services.training.courses.commands import MARK, settle_waiting
from services.training.modules.reviewing import review_learners, spread_rules
from services.training.students.domain import REVIEW
from tests.support.doors import SCHEME, Doors, open_doors
from tests.support.sound import filed, judged
from tests.unit.enrolment.rosters import identity, student

BASIS = "学历与等级证书互通办法第八条"
RULE = {
    "basis": BASIS, "scheme": SCHEME, "programme": "630302", "entry_year": 2019, "least_mark": 75,
    "valid_from": "2019-09-01", "valid_until": "2025-08-31",
}  # fmt: skip
TERM = "2020-2021-1"
COMPLETED = {"type": "TrainingCompleted"}


class College(Doors):
    """What its people do about modules and excuses."""

    def works(self) -> None:
        """Training's worker does what time brings."""
        self.campus.sweeps["training"] = [
            lambda: waiters.sweep(MARK, settle_waiting),
            spread_rules,
            lambda: waiters.sweep(REVIEW, review_learners),
        ]
        self.campus.pump()

    def rules(self, code: str, level: int, course: str) -> None:
        """A module of 16 hours and a rule about it, approved by two people."""
        module = {"name": "纳税申报", "class_hours": 16}
        self.sound("training", "PUT", f"/training-modules/{SCHEME}/{level}/tax", Role.REGISTRY, json=module)
        body = RULE | {"module": "tax", "level": level, "course": course}
        self.sound("training", "PUT", f"/excuse-rules/{code}", Role.REGISTRY, json=body)
        for role in (Role.REGISTRY, Role.OPERATOR):
            self.sound("training", "PUT", f"/excuse-rules/{code}/versions/1/approval", role)
        self.sound("training", "PUT", f"/excuse-rules/{code}/versions/1/publication", Role.REGISTRY)
        self.campus.pump()

    def approves(self, application: str) -> None:
        items = [{"application_id": application}]
        [answer] = self.sound("enrolment", "POST", "/applications/approvals", Role.REGISTRY, json=items)
        assert answer["status"] == "accepted", answer
        self.campus.pump()

    def marks(self, serial: int, mark: int, course: str = "KJ2105", as_of: str = "2021-01-20T12:00:00+08:00") -> None:
        body = {"student_number": student(serial)["学号"], "course": course, "term": TERM, "mark": mark, "as_of": as_of}
        [answer] = self.sound("training", "POST", "/course-results", Role.REGISTRY, json=[body])
        assert answer["status"] == "accepted", answer
        self.campus.pump()

    def excuses(self, serial: int) -> list[dict[str, Any]]:
        """What a learner sees of what they are excused from."""
        learner_id = self.college.learners[serial]
        path, owns = f"/learners/{learner_id}/training-excuses", {"learner": [learner_id]}
        found: dict[str, Any] = self.call("training", "GET", path, Role.LEARNER, owns).json
        return list(found["items"])

    def told(self, serial: int, language: str) -> list[str]:
        """What a learner's mailbox says of trainings, oldest first."""
        learner_id = self.college.learners[serial]
        path, owns = f"/mailboxes/{learner_id}/notices?language={language}", {"learner": [learner_id]}
        found = self.call("notify", "GET", path, Role.LEARNER, owns).json["items"]
        return [one["text"] for one in reversed(found) if one["event"].startswith("Training")]


@pytest.fixture(scope="module")
def college(mongo_url: str) -> Iterator[College]:
    """The six applications, and two rules in force: KJ2105 excuses at level 1, KJ2101 at level 2."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tests.support.doors.Doors", College)
        with open_doors(mongo_url) as made:
            assert isinstance(made, College)
            made.works()
            made.rules("tax-by-course", 1, "KJ2105")
            made.rules("tax-by-basics", 2, "KJ2101")
            yield made


def test_a_course_excuses_from_a_module_is_told_once_and_counted_on_the_sheet(college: College) -> None:
    college.approves(college.college.application(8))
    assert college.excuses(8) == []
    college.marks(8, 86)
    [shown] = college.excuses(8)
    assert (shown["is_excused"], shown["mark"], shown["rule_version"], shown["basis"]) == (True, 86, 1, BASIS)
    college.campus.deliver_again(random.Random(8))
    [zh], [en] = college.told(8, "zh"), college.told(8, "en")
    assert "KJ2105" in zh
    assert "纳税申报" in zh
    assert "智能财税" in zh
    assert "16 学时" in zh
    assert "KJ2105" in en
    assert "16 class hours" in en
    assert "No credit is spent" in en
    _completes(college)
    college.marks(8, 50, as_of="2021-03-01T12:00:00+08:00")
    [kept] = college.excuses(8)
    assert (kept["is_excused"], kept["ended"]) == (True, "excuse_result_changed")
    assert len(college.told(8, "zh")) == 1


def _completes(college: College) -> None:
    """The trainer's sheet: 32 of 48 hours, which the preview explains and the announcement tells."""
    row = {"姓名": "陈晓岚8", "证件类型": "居民身份证", "证件号码": identity(8), "证书名称": "智能财税", "等级": "初级"}
    row |= {"培训结果": "合格", "学时": "32"}
    number = college.upload("training", "completion", [row], Role.TRAINER)
    [seen] = college.sound("training", "GET", f"/imports/{number}/rows", Role.TRAINER)["items"]
    assert "纳税申报 16" in str(seen)
    college.take("training", "completion", [row], Role.TRAINER)
    with college.campus.at("training"):
        told = [msgspec.json.decode(one["body"], type=TrainingCompleted) for one in rows_of(Outbox, COMPLETED)]
    mine = [one for one in told if one.learner_id == college.college.learners[8]]
    assert [(one.class_hours, one.excused_hours) for one in mine] == [(32, 16)]


def test_a_mark_before_the_place_excuses_and_its_correction_takes_that_back(college: College) -> None:
    college.marks(9, 80)
    assert college.excuses(9) == []
    college.approves(college.college.application(9))
    assert [one["is_excused"] for one in college.excuses(9)] == [True]
    college.marks(9, 60, as_of="2021-03-01T12:00:00+08:00")
    assert [one["is_excused"] for one in college.excuses(9)] == [False]
    given, taken = college.told(9, "zh")
    assert "你免训" in given
    assert "已撤回" in taken
    assert "成绩已更正或撤回" in taken
    assert "no longer excused" in college.told(9, "en")[-1]
    college.campus.deliver_again(random.Random(9))
    assert len(college.told(9, "zh")) == 2


def test_a_course_that_credit_has_bought_excuses_from_no_training(college: College) -> None:
    application = filed(college, serial=2)
    judged(college, application, Role.DEPARTMENT, "approve")
    judged(college, application, Role.REGISTRY, "approve")
    college.campus.pump()
    college.marks(2, 80, "KJ2101")  # as the registry records an exemption: 80
    college.marks(3, 80, "KJ2101")
    for serial in (2, 3):
        college.take("enrolment", "roster", [student(serial, 申请等级="中级")], Role.REGISTRY)
        college.approves(f"{college.college.learners[serial]}:{SCHEME}:2")
    assert college.excuses(2) == []
    assert [(one["is_excused"], one["course"]) for one in college.excuses(3)] == [(True, "KJ2101")]
    assert (college.told(2, "zh"), len(college.told(3, "zh"))) == ([], 1)

"""S3 of the stories, steps 2 and 5, over HTTP with all services in one process.

A community learner's credit comes first, her admission later, and she is one person whatever papers she brings.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from chassis.clock import CAMPUS
from contracts.terms import Role
from portal.identity.tokens.domain import Grant
from tests.support.doors import Doors
from tests.unit.creditbank.converting import Day
from tests.unit.enrolment.rosters import SOCIAL_WORK, neighbour

TEO, SCHEME = "91370100000000078R", "maternal-infant"
SUNSHINE = {"name": "济南阳光大姐服务有限责任公司"}
NOVEMBER, APRIL = "MI-2020-B", "MI-2021-A"
EACH_PART = {
    "version": 1, "sessions_from": "2019-04-01", "kind": "each", "pass_at": 60, "resits": 1, "resit_within_days": 365,
}  # fmt: skip
SCHEME_BODY = {
    "name": "母婴护理", "teo": TEO, "levels": [2], "needs_training": False, "needs_certificate_number": True,
    "pass_rules": [EACH_PART],
}  # fmt: skip
CARE = {"code": "SG2101", "name": "母婴照护", "credit_points": 400, "kind": "core", "term": 4}
LASTING = {"valid_from": "2019-09-01", "valid_until": "2024-08-31", "is_folklore_default": True}
POLICY = {
    "title": "学分转换办法", "issued_on": "2019-09-01",
    "windows": [{"term": "2021-2022-1", "opens_on": "2021-05-01", "closes_on": "2021-09-30"}],
}  # fmt: skip
RULE = {
    "policy": "measures", "programme": SOCIAL_WORK.code, "entry_year": 2021, "scheme": SCHEME, "levels": [2],
    "targets": [{"course": "SG2101", "credit_points": 400}],
}  # fmt: skip
WISH = {"rule": "care", "course": "SG2101"}
YUMEI = neighbour(申请证书="母婴护理")
STUDENT = {
    "学校代码": "4144099999", "学号": "2021090233", "院系": "公共管理学院", "年级": "2021级", "专业": "社会工作",
    "班级": "2101班", "学籍状态": "在读",
}  # fmt: skip


class Town(Doors):
    """The six applications, and the days of one learner."""

    def owns(self, role: Role) -> dict[str, list[str]]:
        """The organisation of this story owns itself."""
        return {"teo": [TEO]} if role == Role.TEO else {}

    def learner(self, **query: str) -> str:
        [found] = self.sound("enrolment", "GET", "/learners", Role.REGISTRY, query_string=query)["items"]
        return str(found["learner_id"])

    def account(self, learner_id: str) -> dict[str, Any]:
        """The account as its learner sees it."""
        owns = {"learner": [learner_id]}
        found: dict[str, Any] = self.call("creditbank", "GET", f"/accounts/{learner_id}", Role.LEARNER, owns).json
        return found

    def apply(self, learner_id: str) -> dict[str, Any]:
        """What a wish to be excused is answered."""
        path = f"/accounts/{learner_id}/conversion-applications"
        found: dict[str, Any] = self.call(
            "creditbank", "POST", path, Role.LEARNER, {"learner": [learner_id]}, json=WISH
        ).json
        return found

    def sit(self, plan: str, attempt: int, **scores: int | None) -> dict[str, Any]:
        """The TEO tells of a sitting, and publicity closes; the result."""
        said = {"admission_number": f"{plan}-1", "attempt": attempt, "theory": None, "practical": None} | scores
        at = {"as_of": "2021-04-17T18:00:00+08:00" if plan == APRIL else "2020-11-21T18:00:00+08:00"}
        path = f"/teos/{TEO}/plans/{plan}"
        [judged] = self.sound("assessment", "POST", f"{path}/results", Role.TEO, json=[said | at])
        assert judged["status"] == "accepted", judged
        self.campus.pump()
        self.sound("assessment", "POST", f"{path}/publicity/close", Role.EXAM_OFFICE)
        self.campus.pump()
        [result] = self.sound("assessment", "GET", f"{path}/results", Role.EXAM_OFFICE)["items"]
        return dict(result)

    def take_sheet(self, service: str, kind: str, row: Mapping[str, str], role: Role) -> None:
        self.take(service, kind, [dict(row)], role)


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Day:
    made = Day(tmp_path / "clock", monkeypatch)
    made.set(at(2020, 9, 1))
    return made


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 9, tzinfo=CAMPUS)


@pytest.fixture
def town(mongo_url: str, day: Day) -> Iterator[Town]:
    """The annex, and 黄玉梅 as the street knows her: no student, with a wish."""
    doors = Town(mongo_url, f"town_{uuid.uuid4().hex[:8]}")
    try:
        found(doors)
        yield doors
    finally:
        doors.close()


def found(town: Town) -> None:
    def put(service: str, path: str, body: Any) -> None:
        town.sound(service, "PUT", path, Role.OPERATOR, json=body)

    programme = {"name": SOCIAL_WORK.name, "entry_years": [2021], "credit_points_total": 14_000, "code_2021": ""}
    put("enrolment", f"/programmes/{SOCIAL_WORK.code}", programme)
    put("enrolment", f"/programmes/{SOCIAL_WORK.code}/curricula/2021", {"courses": [CARE]})
    for year in (2020, 2021):
        put("enrolment", f"/calendar/{year}", {"holidays": [f"{year}-01-01"], "made_up_days": []})
    put("assessment", f"/teos/{TEO}", SUNSHINE)
    put("assessment", f"/schemes/{SCHEME}", SCHEME_BODY)
    for plan, on in ((NOVEMBER, "2020-11-21"), (APRIL, "2021-04-17")):
        body = {"scheme": SCHEME, "level": 2, "session_date": on, "quota": 40, "publicity_days": 5}
        put("assessment", f"/teos/{TEO}/plans/{plan}", body)
    rule = {"credit_points": 400, "sessions_from": "2019-04-01", "is_folklore_default": True}
    put("creditbank", f"/recognition-rules/{SCHEME}/2", rule)
    town.campus.pump()
    put("creditbank", "/conversion-policies/measures", POLICY | LASTING)
    put("creditbank", "/conversion-rules/care", RULE | LASTING)


def enrolled(town: Town) -> str:
    """She applies, is approved, and is registered in both plans; who she is."""
    town.take_sheet("enrolment", "roster", YUMEI, Role.REGISTRY)
    [application] = town.sound("enrolment", "GET", "/applications", Role.REGISTRY)["items"]
    wanted = [{"application_id": application["application_id"]}]
    town.sound("enrolment", "POST", "/applications/approvals", Role.REGISTRY, json=wanted)
    town.campus.pump()
    for plan in (NOVEMBER, APRIL):
        candidate = {"考核计划": plan, "准考证号": f"{plan}-1"} | person()
        town.take_sheet("assessment", "candidates", candidate, Role.EXAM_OFFICE)
    return str(application["learner_id"])


def person() -> dict[str, str]:
    return {"姓名": "黄玉梅", "证件类型": "居民身份证", "证件号码": YUMEI["证件号码"]}


def passed(town: Town, day: Day) -> str:
    """Steps 1 and 2: the theory of November is carried over to the practical of April; the number comes in May."""
    learner_id = enrolled(town)
    day.set(at(2020, 11, 21))
    assert town.sit(NOVEMBER, 1, theory=71, practical=54)["verdict"] == "failed"
    assert town.account(learner_id)["holdings"] == []
    day.set(at(2021, 4, 17))
    assert town.sit(APRIL, 1, practical=66)["verdict"] == "passed"
    [holding] = town.account(learner_id)["holdings"]
    assert (holding["available_points"], holding["unnumbered"]) == (400, True)
    day.set(at(2021, 5, 20))
    row = person() | {"证书名称": "母婴护理", "职业技能等级": "中级", "准考证号": f"{APRIL}-1"}
    town.take_sheet("assessment", "certificates", row | {"证书编号": "MI-1", "发证日期": "2021-05-20"}, Role.TEO)
    return learner_id


def test_credit_without_a_programme_is_kept_and_converted_once_she_is_admitted(town: Town, day: Day) -> None:
    """Step 2, and what it is for: the same account after her admission."""
    learner_id = passed(town, day)
    refusal = town.apply(learner_id)
    assert (refusal["code"], "once you are admitted" in refusal["detail"]) == ("not_admitted_yet", True)
    day.set(at(2021, 9, 6))
    town.take_sheet("enrolment", "roster", YUMEI | STUDENT | {"申请证书": "", "申请等级": ""}, Role.REGISTRY)
    assert town.learner(student_number="2021090233") == learner_id
    assert town.account(learner_id)["balances"]["available"] == 400
    filed = town.apply(learner_id)
    assert (filed["state"], filed["student_number"], filed["held_points"]) == ("review", "2021090233", 400)


def test_whatever_papers_she_brings_she_is_one_person_with_400_once(town: Town, day: Day) -> None:
    """Step 5: a mistyped number is refused; her passport makes a second learner, whom two members of staff merge."""
    learner_id = passed(town, day)
    number = YUMEI["证件号码"]
    mistyped = YUMEI | {"证件号码": number[:-1] + ("1" if number[-1] != "1" else "2")}
    import_number = town.upload("enrolment", "roster", [mistyped], Role.REGISTRY)
    [row] = town.sound("enrolment", "GET", f"/imports/{import_number}/rows", Role.REGISTRY)["items"]
    assert (row["status"], row["code"]) == ("refused", "identity_check_digit")

    by_passport = YUMEI | {"证件类型": "护照", "证件号码": "E12345678", "手机": "", "邮箱": ""} | STUDENT
    town.take_sheet("enrolment", "roster", by_passport | {"申请证书": "", "申请等级": ""}, Role.REGISTRY)
    other = town.learner(student_number="2021090233")
    assert other != learner_id
    before = entries_of(town, learner_id)
    body = {"survivor_id": learner_id, "merged_id": other}
    assert ask(town, "first", body) == "asked"
    assert town.learner(student_number="2021090233") == other
    assert ask(town, "second", body) == "accepted"
    town.campus.pump()
    assert town.learner(student_number="2021090233") == learner_id
    assert town.account(learner_id)["balances"]["available"] == 400
    assert entries_of(town, learner_id)[: len(before)] == before, "history is kept"
    assert town.sound("creditbank", "GET", "/books", Role.AUDITOR)["sum"] == 0
    day.set(at(2021, 9, 6))
    assert town.apply(learner_id)["state"] == "review"


def ask(town: Town, who: str, body: Mapping[str, str]) -> str:
    """One member of staff says that two are one; what came of it."""
    told = {"Authorization": f"Bearer {token(town, who)}"}
    return str(town.call("enrolment", "POST", "/merges", headers=told, json=body).json["status"])


def token(town: Town, who: str) -> str:
    return town.mint.issue(Grant(who, f"client-{who}", (Role.REGISTRY,), {}), "enrolment")


def entries_of(town: Town, learner_id: str) -> list[Any]:
    """The hashes of an account's entries, oldest first."""
    found = town.sound("creditbank", "GET", f"/accounts/{learner_id}/entries", Role.AUDITOR)["items"]
    return [one["hash"] for one in sorted(found, key=lambda one: one["number"])]

"""The outcomes sheet: a workbook or a CSV file as offices write it, previewed, committed, credited, sent again."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from openpyxl import Workbook

from chassis.database import database, run_transaction
from chassis.seal import key_of
from chassis.sheet.jobs import sheet_jobs
from chassis.web.tokens import Tokens
from contracts.terms import Role, StudyStatus
from services.creditbank.curricula.commands import keep_student_records
from services.creditbank.curricula.domain import StudentRecord
from services.creditbank.ledger import queries as ledger
from services.creditbank.outcomes.commands import put_source
from services.creditbank.outcomes.domain import Source
from services.creditbank.recognition.commands import publish_rule
from services.creditbank.sheets import sheets
from tests.chassis.web.tokens import TestIssuer
from tests.unit.creditbank.stories import TEO, Assessment, audited, entries, registered
from tests.unit.enrolment.rosters import identity

ISSUER = TestIssuer()
SEAL = "A" * 43
MEI, STRANGER = identity(1), identity(99)
Line = Mapping[str, Any]


class Register:
    """What enrolment's match route answers: one identity number is mei's. It counts what it was asked for."""

    def __init__(self) -> None:
        self.purposes: set[str | None] = set()

    def match(self, documents: Sequence[tuple[str, str]], purpose: str | None = None) -> list[str | None]:
        self.purposes.add(purpose)
        return ["mei" if number == MEI else None for _, number in documents]


class Office:
    """Somebody who uploads sheets, and the bank's worker behind the door."""

    def __init__(self, http: FlaskClient) -> None:
        self.http, self.register = http, Register()
        self.taken = sheets(self.register, key_of(SEAL), 180)

    def work(self) -> None:
        for _, verb, _ in sheet_jobs(self.taken):
            while verb():
                pass

    def upload(self, content: bytes, name: str, role: Role = Role.REGISTRY, query: str = "", **owns: list[str]) -> int:
        """The number of an import that was previewed."""
        self.headers = ISSUER.bearer("creditbank", role, owns=owns)
        file = {"file": (io.BytesIO(content), name)}
        given = self.http.post(f"/imports?kind=outcomes{query}", data=file, headers=self.headers)
        assert given.status_code == 202, given.json
        self.work()
        number: int = given.json["number"]
        return number

    def verdicts(self, number: int) -> list[str]:
        """What is said of each row: its status, or why it is refused."""
        rows = self.http.get(f"/imports/{number}/rows", headers=self.headers).json["items"]
        return [one["code"] or one["status"] for one in rows]

    def commit(self, number: int) -> dict[str, int]:
        assert self.http.post(f"/imports/{number}/commit", headers=self.headers).status_code == 202
        self.work()
        done: dict[str, int] = self.http.get(f"/imports/{number}", headers=self.headers).json["done"]
        return done


@pytest.fixture
def office(mongo: str, mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A bank with rules for a licence, two learners, and the student number of one."""
    given = {"MONGO": mongo_url, "DATABASE": mongo, "PORTAL_URL": "http://portal.test"}
    for name, value in (given | {"CLIENT_SECRET": "secret", "SEAL_KEY": SEAL}).items():
        monkeypatch.setenv(name, value)
    for level, points in ((5, 100), (4, 200), (1, 500)):
        publish_rule("licence.electrician", level, points, date(2019, 4, 1))
    publish_rule("prior.bookkeeping", 1, 50, date(2019, 4, 1))
    Assessment().tell(registered("mei"), registered("lan"))
    run_transaction(
        lambda: keep_student_records([record("2019040117", "lan"), record("77", "mei"), record("77", "lan")])
    )
    app = importlib.import_module("services.creditbank.app").app
    app.extensions["onex.tokens"] = Tokens("creditbank", ISSUER)
    return Office(app.test_client())


def record(number: str, learner_id: str) -> StudentRecord:
    return StudentRecord(
        learner_id=learner_id,
        college=f"college of {learner_id}",
        student_number=number,
        programme="630302",
        entry_year=2019,
        department="财会系",
        class_name="会计1901",
        status=StudyStatus.ENROLLED,
        since=date(2019, 9, 1),
        until=None,
        told_at=datetime(2019, 9, 1, tzinfo=UTC),
    )


def line(external_id: str = "ZG-1", **more: Any) -> Line:
    said = {"成果编号": external_id, "成果类别": "职业资格证书", "成果代码": "electrician", "成果名称": "电工"}
    said |= {"等级": "四级/中级工", "证件号码": MEI, "取得日期": "2021-01-15", "状态": "有效"}
    return said | {"数据时间": "2021-01-20 18:00"} | more


def workbook(*lines: Line) -> bytes:
    book, content = Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    heads = list(dict.fromkeys(name for one in lines for name in one))
    sheet.append(heads)
    for one in lines:
        sheet.append([one.get(name) for name in heads])
    book.save(content)
    return content.getvalue()


def delimited(*lines: Line, encoding: str = "gb18030") -> bytes:
    written = io.StringIO()
    writer = csv.DictWriter(written, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    return written.getvalue().encode(encoding)


def holdings(learner_id: str = "mei") -> dict[str, tuple[int | None, int, int]]:
    shown = ledger.account_of(learner_id)["holdings"]
    return {one["scheme"]: (one["level"], one["provisional_points"], one["available_points"]) for one in shown}


def test_a_workbook_is_previewed_committed_and_credited_and_the_same_again_changes_nothing(office: Office) -> None:
    content = workbook(
        line(),
        line("ZG-2", 等级="初级", 证件号码="", 学号="2019040117", 取得日期=datetime(2021, 1, 15)),  # noqa: DTZ001
        line("XQ-1", 成果类别="先前学习", 成果代码="bookkeeping", 成果名称="记账", 等级="", 证明材料="三年工作证明"),
    )
    number = office.upload(content, "成果.xlsx")
    assert office.verdicts(number) == ["new", "new", "new"]
    assert holdings() == {}, "a preview credits nothing"
    assert office.commit(number)["new"] == 3
    assert holdings() == {"licence.electrician": (4, 0, 200), "prior.bookkeeping": (1, 0, 50)}
    assert holdings("lan") == {"licence.electrician": (5, 0, 100)}
    assert office.register.purposes == {"outcomes sheet"}
    again = office.upload(content, "成果.xlsx")
    assert office.verdicts(again) == ["unchanged"] * 3
    audited()


def test_the_headers_that_others_use_are_understood(office: Office) -> None:
    other = {"证书编号": "ZG-9", "类别": "国家职业资格", "职业代码": "electrician", "职业名称": "电工"}
    other |= {"职业资格等级": "高级技师", "身份证号": MEI, "发证日期": "2021年1月15日"}
    number = office.upload(delimited(other), "licences.csv")
    assert office.verdicts(number) == ["new"]
    office.commit(number)
    assert holdings() == {"licence.electrician": (1, 0, 500)}


def test_a_later_sheet_puts_right_and_withdraws(office: Office) -> None:
    def send(*lines: Line) -> list[str]:
        number = office.upload(delimited(*lines), "later.csv")
        found = office.verdicts(number)
        office.commit(number)
        return found

    assert send(line(状态="公示中")) == ["new"]
    assert holdings() == {"licence.electrician": (4, 200, 0)}
    assert send(line(状态="有效")) == ["outcome_conflict"]
    assert send(line(状态="有效", 数据时间="2021-02-01")) == ["changed"]
    assert send(line(等级="五级", 数据时间="2021-01-25")) == ["outcome_older"]
    assert holdings() == {"licence.electrician": (4, 0, 200)}
    assert send(line(状态="撤回", 数据时间="2021-02-02")) == ["changed"]
    assert holdings() == {}
    audited()


def test_what_is_not_understood_is_said_row_by_row(office: Office) -> None:
    rows = [
        line("1", 等级="六级"),
        line("2", 等级="五级/高级工"),
        line("3", 成果类别="奖状"),
        line("4", 成果类别="职业技能等级证书", 等级="中级"),
        line("5", 状态="也许"),
        line("6", 证件号码=""),
        line("7", 证件号码=STRANGER),
        line("8", 证件号码="", 学号="404"),
        line("9", 证件号码="", 学号="77"),
        line("10", 学号="2019040117"),
        line("11", 成果代码="welder", 成果名称=""),
        line("12", 取得日期="2999-01-01"),
        line("13", 取得日期="去年"),
        line("14", 证件号码=MEI[:-1]),
        line("15", 取得日期="0001-01-01", 数据时间=""),
        line("16"),
    ]
    number = office.upload(workbook(*rows), "wrong.xlsx")
    assert office.verdicts(number) == [
        "level_outside_kind",
        "level_outside_kind",
        "outcome_kind_unknown",
        "certificates_elsewhere",
        "outcome_state_unknown",
        "person_missing",
        "learner_unknown",
        "student_number_not_here",
        "student_number_of_several",
        "persons_differ",
        "source_unnamed",
        "outcome_in_future",
        "not_a_date",
        "identity_length",
        "not_an_instant",
        "new",
    ]
    assert office.commit(number)["new"] == 1
    assert holdings() == {"licence.electrician": (4, 0, 200)}


def test_an_organisation_uploads_its_own_licences_alone(office: Office) -> None:
    number = office.upload(delimited(line()), "teo.csv", Role.TEO, teo=[TEO])
    assert office.verdicts(number) == ["source_not_yours"]
    put_source(Source("licence.electrician", "电工", TEO))
    number = office.upload(delimited(line()), "teo.csv", Role.TEO, teo=[TEO])
    assert office.verdicts(number) == ["new"]
    office.commit(number)
    [row] = database()["submitted_outcomes"].find()
    assert row["_id"] == f"{TEO}:ZG-1"


def test_two_revisions_in_one_sheet_are_taken_in_their_order(office: Office) -> None:
    first, second = line(状态="公示"), line(状态="有效", 数据时间="2021-02-01")
    number = office.upload(delimited(first, second), "both.csv")
    assert office.verdicts(number) == ["new", "changed"]
    office.commit(number)
    assert holdings() == {"licence.electrician": (4, 0, 200)}
    assert len(entries("mei")) == 2


def test_a_row_can_be_followed_and_no_identity_number_is_kept(office: Office) -> None:
    number = office.upload(delimited(line()), "life.csv", query="&sender=renshe")
    office.commit(number)
    [kept] = database()["submitted_outcomes"].find()
    assert (kept["_id"], kept["submitted_by"]) == ("renshe:ZG-1", f"import:creditbank:{number}:2")
    headers = ISSUER.bearer("creditbank", Role.AUDITOR)
    steps = office.http.get(f"/lives/{kept['submitted_by']}", headers=headers).json["steps"]
    assert [one["what"] for one in steps] == ["row submitted", "outcome submitted"]
    for name in database().list_collection_names():
        for row in database()[name].find():
            assert MEI not in repr(row)

"""A completion sheet: each row judged, recorded, and each success announced once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import msgspec
import pytest

from chassis.bus.outbox import Outbox
from chassis.database import rows_of, run_transaction
from chassis.seal import new_key
from chassis.sheet.imports import Received, Sheets, ask_to_commit, found, receive
from chassis.sheet.jobs import sheet_jobs
from chassis.sheet.kind import Examined, Row, Upload
from contracts.terms import Level
from contracts.training import TrainingCompleted
from services.training.classes.commands import give_places, put_class
from services.training.classes.domain import Approval, PlaceState, TrainingClass
from services.training.classes.queries import place_counts
from services.training.completions.commands import move_completions
from services.training.completions.models import Completions
from services.training.completions.sheet import completion_kind, sheets
from services.training.schemes.commands import keep_schemes
from services.training.schemes.domain import Scheme

pytestmark = pytest.mark.usefixtures("mongo")

ANN, BO = "11010519491231002X", "440524188001010014"
DAMAGED = "110105194912310021"
LEARNERS = {("resident", ANN): "ann", ("resident", BO): "bo", ("passport", "G1234567"): "cy"}


class Register:
    """Who has which document, as enrolment would answer; it remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def match(self, documents: Sequence[tuple[str, str]]) -> list[str | None]:
        self.asked += documents
        return [LEARNERS.get(document) for document in documents]


@pytest.fixture
def campus(mongo: str) -> None:
    """A class with ann and bo in it; cy waits for one."""
    keep_schemes([Scheme("dementia-care", "失智老年人照护", ("失智老人照护",), (Level.INTERMEDIATE,))])
    put_class(TrainingClass("D1", "dementia-care", Level(2), 2, date(2020, 9, 1), date(2020, 11, 20), 48))
    give_places(
        [Approval(f"{one}:dementia-care:2", one, "dementia-care", Level(2), "approved") for one in ("ann", "bo", "cy")]
    )


def row(number: int, document: str, result: str = "合格", **cells: str) -> Row:
    usual = {
        "姓名": "黄玉梅",
        "证件号码": document,
        "证书名称": "失智老人照护",
        "等级": "中级",
        "完成日期": "2020-11-21",
    }
    return Row(number, usual | {"培训结果": result} | cells)


def preview(*rows: Row) -> list[Examined]:
    kind = completion_kind(Register())
    kind.resolve(list(rows))
    return kind.examine(list(rows), kind.known(list(rows)))


def upload(*rows: Row) -> list[str]:
    """Preview and commit; what each row was."""
    kind = completion_kind(Register())
    kind.resolve(list(rows))

    def commit() -> list[Examined]:
        examined = kind.examine(list(rows), kind.known(list(rows)))
        accepted = [one for one in examined if one.status in {"new", "changed"}]
        for one in accepted:
            one.cause = f"import:training:1:{one.row_no}"
        kind.commit(accepted)
        return examined

    return [one.status for one in run_transaction(commit)]


def codes(examined: Sequence[Examined]) -> list[str]:
    return [one.refusal.code if one.refusal else one.status for one in examined]


def announced() -> list[TrainingCompleted]:
    return [msgspec.json.decode(one["body"], type=TrainingCompleted) for one in rows_of(Outbox, {}, sort=[("_id", 1)])]


@pytest.mark.usefixtures("campus")
def test_a_success_is_recorded_and_announced() -> None:
    assert upload(row(2, ANN)) == ["new"]
    assert announced() == [
        TrainingCompleted(
            learner_id="ann",
            class_code="D1",
            scheme="dementia-care",
            level=Level.INTERMEDIATE,
            class_hours=48,
            completed_on=date(2020, 11, 21),
        )
    ]
    assert place_counts()[PlaceState.COMPLETED] == 1
    assert rows_of(Outbox, {})[0]["cause"] == "import:training:1:2"


@pytest.mark.usefixtures("campus")
def test_a_failure_is_recorded_and_not_announced() -> None:
    assert upload(row(2, ANN, "不合格")) == ["new"]
    assert announced() == []
    assert rows_of(Completions, {})[0]["passed"] is False
    assert place_counts()[PlaceState.COMPLETED] == 0


@pytest.mark.usefixtures("campus")
def test_the_same_sheet_again_changes_and_announces_nothing() -> None:
    sheet = [row(2, ANN), row(3, BO, "不合格")]
    upload(*sheet)
    assert upload(*sheet) == ["unchanged", "unchanged"]
    assert len(announced()) == 1


@pytest.mark.usefixtures("campus")
def test_a_corrected_sheet_adds_only_what_is_new() -> None:
    upload(row(2, ANN), row(3, BO, "不合格"))
    assert upload(row(2, ANN, 学时="50"), row(3, BO, "合格")) == ["changed", "changed"]
    assert [one.learner_id for one in announced()] in (["ann", "bo"], ["bo", "ann"])
    assert {one["learner_id"]: one["class_hours"] for one in rows_of(Completions, {})} == {"ann": 50, "bo": 48}


@pytest.mark.usefixtures("campus")
def test_what_was_announced_cannot_become_failed() -> None:
    upload(row(2, ANN))
    assert codes(preview(row(2, ANN, "不合格"))) == ["already_completed"]


@pytest.mark.usefixtures("campus")
def test_each_bad_row_says_what_is_wrong_with_it() -> None:
    bad = [
        row(2, DAMAGED),
        row(3, "110101199003074477"),
        row(4, ANN, 证书名称="直播电商"),
        row(5, ANN, 等级="特级"),
        row(6, ANN, 等级="高级"),
        row(7, "G1234567", 证件类型="护照"),
        row(8, ANN, "优秀"),
        row(9, ANN, 学时="9999"),
        row(10, ANN, 证件类型="军官证"),
    ]
    expected = [
        "identity_check_digit",
        "learner_unknown",
        "scheme_unknown",
        "level_unknown",
        "not_enrolled",
        "no_place",
        "training_result_unknown",
        "class_hours_range",
        "document_type_unknown",
    ]
    assert codes(preview(*bad)) == expected


@pytest.mark.usefixtures("campus")
def test_without_hours_and_date_those_of_the_class_count() -> None:
    upload(row(2, ANN, 完成日期=""))
    assert (announced()[0].class_hours, announced()[0].completed_on) == (48, date(2020, 11, 20))


@pytest.mark.usefixtures("campus")
def test_numbers_that_cannot_be_read_are_asked_of_nobody() -> None:
    register = Register()
    completion_kind(register).resolve([row(2, DAMAGED), row(3, ANN)])
    assert register.asked == [("resident", ANN)]


@pytest.mark.usefixtures("campus")
def test_two_rows_for_one_training_have_one_identity() -> None:
    first, second = preview(row(2, ANN), row(3, ANN, "不合格"))
    assert first.identity == second.identity


@pytest.mark.usefixtures("campus")
def test_a_trainer_speaks_of_the_own_classes_only() -> None:
    for owns, verdict in (({"class": ["D2"]}, "outside_your_scope"), ({"department": ["x"]}, "outside_your_scope")):
        [judged] = preview(replace(row(2, ANN), upload=Upload(1, "completion", owns=owns)))
        assert judged.refusal is not None
        assert judged.refusal.code == verdict
    [judged] = preview(replace(row(2, ANN), upload=Upload(1, "completion", owns={"class": ["D1"]})))
    assert (judged.status, judged.refusal) == ("new", None)


@pytest.mark.usefixtures("campus")
def test_a_merged_learners_completions_are_the_survivors() -> None:
    upload(row(2, ANN))
    move_completions("bo", "ann")
    assert [one["learner_id"] for one in rows_of(Completions, {})] == ["bo"]


@pytest.mark.usefixtures("campus")
def test_a_file_goes_all_the_way_and_the_same_file_again_changes_nothing() -> None:
    taken = sheets(Register(), new_key())
    file = (
        "2020年秋季培训结业名单,,,,,\n"
        "姓名,证件号,证书名称,职业技能等级,结论,完成日期\n"
        f"黄玉梅,{ANN},失智老人照护,中级,合格,2020年11月21日\n"
        f"陈晓岚,{BO},失智老年人照护,2级,不合格,2020/11/21\n"
        f"某某,{DAMAGED},失智老年人照护,2,合格,20201121\n"
    )
    for expected in ({"new": 2, "refused": 1}, {"unchanged": 2, "refused": 1}):
        number = receive(taken, Received("completion", "zh", "结业.csv", file.encode("gb18030"), {}, "trainer", {}))
        run(taken)
        ask_to_commit(number)
        run(taken)
        row = found(number)
        assert row["state"] == "committed"
        assert {status: count for status, count in row["done"].items() if count} == expected
    assert [one.learner_id for one in announced()] == ["ann"]
    assert {one["learner_id"]: one["passed"] for one in rows_of(Completions, {})} == {"ann": True, "bo": False}


def run(taken: Sheets) -> None:
    """Let the worker's jobs do all there is to do."""
    while any(verb() for _, verb, _ in sheet_jobs(taken)):
        pass

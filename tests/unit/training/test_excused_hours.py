"""The completion sheet of learners who are excused from modules: their hours are right, and what was sat is kept."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from chassis.bus.outbox import Outbox
from chassis.database import rows_of, run_transaction
from chassis.sheet.kind import Examined, Row
from contracts.training import TrainingCompleted
from services.training.completions.models import Completions
from services.training.completions.sheet import completion_kind
from tests.unit.training.excusing import LATER, College, excused, marked, place, published, record, rule, settle

pytestmark = pytest.mark.usefixtures("mongo")
ANN = "11010519491231002X"


class Register:
    def match(self, documents: Sequence[tuple[str, str]]) -> list[str | None]:
        return ["lan" for _ in documents]


@pytest.fixture
def college(mongo: str) -> College:
    """Lan is excused from 16 of the class's 48 hours."""
    made = College().founded()
    published()
    made.tell(place(), record())
    marked()
    settle()
    assert excused() == [("lan", "tax", 16)]
    return made


def upload(result: str = "合格", **cells: str) -> Examined:
    """One row, examined and committed in one transaction, as the worker does."""
    kind = completion_kind(Register())
    row = Row(2, {"证件号码": ANN, "证书名称": "智能财税", "等级": "初级", "培训结果": result} | cells)
    kind.resolve([row])

    def commit() -> Examined:
        [examined] = kind.examine([row], kind.known([row]))
        examined.cause = "import:training:1:2"
        if examined.takes_effect:
            kind.commit([examined])
        return examined

    return run_transaction(commit)


def told() -> list[tuple[int, int]]:
    """Hours sat and excused, as they were announced."""
    rows = rows_of(Outbox, {"type": "TrainingCompleted"})
    bodies = [msgspec.json.decode(row["body"], type=TrainingCompleted) for row in rows]
    return [(one.class_hours, one.excused_hours) for one in bodies]


def kept() -> list[tuple[int, int]]:
    return [(row["class_hours"], row["excused_hours"]) for row in rows_of(Completions, {})]


def notes(examined: Examined) -> list[str]:
    return [note.code for note in examined.notes]


def test_excused_hours_stand_for_those_that_were_not_sat(college: College) -> None:
    examined = upload(学时="32")
    assert (examined.status, notes(examined)) == ("new", ["class_hours_excused"])
    assert (told(), kept()) == ([(32, 16)], [(32, 16)])
    for language, part in (("zh", "纳税申报 16"), ("en", "纳税申报 16")):
        assert part in examined.notes[0].sentence(language)  # type: ignore[arg-type]


def test_without_hours_those_of_the_class_but_for_excused_ones_were_sat(college: College) -> None:
    assert upload().status == "new"
    assert told() == [(32, 16)]
    assert upload().status == "unchanged"


def test_who_sat_all_the_same_needs_no_excuse(college: College) -> None:
    assert notes(upload(学时="48")) == []
    assert told() == [(48, 0)]


def test_of_an_excuse_only_what_was_not_sat_counts(college: College) -> None:
    assert notes(upload(学时="40")) == ["class_hours_excused"]
    assert told() == [(40, 8)]


def test_hours_that_nothing_excuses_are_remarked(college: College) -> None:
    examined = upload(学时="30")
    assert notes(examined) == ["class_hours_excused", "class_hours_short"]
    assert "2" in examined.notes[1].sentence("zh")
    assert told() == [(30, 16)]


def test_without_an_excuse_missing_hours_are_remarked_and_none_are_excused(mongo: str) -> None:
    College().founded().tell(place())
    settle()
    assert notes(upload(学时="40")) == ["class_hours_short"]
    assert told() == [(40, 0)]


def test_a_failure_is_remarked_for_nothing(college: College) -> None:
    assert notes(upload("不合格", 学时="10")) == []
    assert told() == []


def test_two_excused_modules_add_up(college: College) -> None:
    published(rule("ledger-by-course", module="ledger", course="KJ2101"))
    marked(course="KJ2101")
    settle()
    assert len(excused()) == 2
    assert upload(学时="0").refusal is not None, "20 of 48 hours are not excused"
    assert upload(学时="20").status == "new"
    assert told() == [(20, 28)]


def test_what_was_taken_back_before_the_sheet_covers_nothing(college: College) -> None:
    marked(50, LATER)
    settle()
    assert notes(upload(学时="32")) == ["class_hours_short"]
    assert told() == [(32, 0)]


def test_a_mark_that_falls_after_the_sheet_leaves_what_was_recorded(college: College) -> None:
    upload(学时="32")
    marked(50, LATER)
    settle()
    assert upload(学时="32").status == "unchanged"
    assert (told(), kept()) == ([(32, 16)], [(32, 16)])

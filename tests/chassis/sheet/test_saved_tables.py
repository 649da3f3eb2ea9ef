"""A long table is made in the background for who asked: in steps, once, whole, and gone after a day."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from openpyxl import load_workbook

from chassis.database import collection_of
from chassis.errors import Refusal
from chassis.sheet import saved, saving
from chassis.sheet.export import Table
from chassis.sheet.saved import SavedTableParts, SavedTables, Values
from chassis.sheet.saving import Scribe, TableKind
from chassis.sheet.write import Leaf

pytestmark = pytest.mark.usefixtures("mongo")
LINES = 9_000


def read(values: Values, language: str) -> Table:
    """As many lines as are asked for, and how many that are."""
    count = values["count"]
    if count < 0:
        raise saved.TABLE_NOT_READY(number=count)
    lines = ([number, "=1+1"] for number in range(count))
    return Table(("n", language), count, lines, [Leaf("All", ("count",), [[count]])])


KIND = TableKind("numbers", (), read)


def asked(count: int = LINES, by: str = "li") -> int:
    return int(saved.ask("numbers", {"count": count}, "zh", "numbers.xlsx", count, by)["_id"])


def content(number: int, by: str = "li") -> bytes:
    return b"".join(saved.file_of(saved.found(number, by)))


def rows(data: bytes) -> list[list[tuple[Any, ...]]]:
    return [list(sheet.iter_rows(values_only=True)) for sheet in load_workbook(io.BytesIO(data)).worksheets]


def work(scribe: Scribe) -> int:
    """Run the job until there is nothing to do; how many steps that took."""
    steps = 0
    while scribe():
        steps += 1
    return steps


def code(deed: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        deed()
    return refusal.value.code


def test_a_table_is_whole_whatever_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "STEP_SECONDS", 0.0)
    monkeypatch.setattr(saved, "PART_BYTES", 10_000)
    number = asked()
    assert work(Scribe([KIND])) > 3
    table, totals = rows(content(number))
    assert (table[0], table[1], table[-1], len(table)) == (("n", "zh"), (0, "=1+1"), (LINES - 1, "=1+1"), LINES + 1)
    assert totals == [("count",), (LINES,)]
    row = saved.found(number, "li")
    assert (row["state"], row["done"], row["lines"]) == ("ready", LINES, LINES)
    assert row["parts"] == collection_of(SavedTableParts).count_documents({}) > 1


def test_how_far_it_is_can_be_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "STEP_SECONDS", 0.0)
    monkeypatch.setattr("chassis.sheet.write.BUFFER_CHARACTERS", 1_000)
    number, scribe = asked(), Scribe([KIND])
    seen = []
    while scribe():
        seen.append(saved.found(number, "li")["done"])
    assert seen == sorted(seen)
    assert 0 < seen[len(seen) // 2] < LINES
    assert code(lambda: content(asked(5))) == "table_not_ready"


def test_the_same_asked_again_is_made_once() -> None:
    first, again, others = asked(), asked(), asked(by="wang")
    assert first == again != others
    work(Scribe([KIND]))
    assert asked() == first
    fresh = collection_of(SavedTables)
    fresh.update_one({"_id": first}, {"$set": {"ended_at": saved.found(first, "li")["ended_at"] - saved.FRESH}})
    assert asked() not in {first, others}


def test_a_table_is_for_who_asked() -> None:
    number = asked()
    work(Scribe([KIND]))
    assert code(lambda: content(number, "wang")) == code(lambda: content(99)) == "not_found"


def test_what_a_worker_left_half_made_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "STEP_SECONDS", 0.0)
    number, killed = asked(), Scribe([KIND])
    killed()
    killed.leave()
    assert collection_of(SavedTableParts).count_documents({}) == 0
    work(Scribe([KIND]))
    assert len(rows(content(number))[0]) == LINES + 1


def test_a_table_that_can_not_be_read_any_more_says_why_and_is_in_nobodys_way() -> None:
    gone, other = asked(-1), asked(3)
    work(Scribe([KIND]))
    told = saved.found(gone, "li")
    assert (told["state"], told["problem"]["code"]) == ("failed", "table_not_ready")
    assert told["problem"]["zh"] != told["problem"]["en"]
    assert len(rows(content(other))[0]) == 4


def test_a_defect_is_raised_once_and_the_next_table_is_made() -> None:
    def broken(values: Values, language: str) -> Table:
        def lines() -> Iterator[list[int]]:
            yield [1]
            raise ZeroDivisionError

        return Table(("n",), 2, lines()) if values["count"] == 2 else read(values, language)

    wrong, right = asked(2), asked(3)
    scribe = Scribe([TableKind("numbers", (), broken)])
    with pytest.raises(ZeroDivisionError):
        scribe()
    assert saved.found(wrong, "li")["problem"]["code"] == "table_fault"
    work(scribe)
    assert saved.found(right, "li")["state"] == "ready"


def test_tables_go_after_a_day() -> None:
    old, new = asked(), asked(3)
    work(Scribe([KIND]))
    before = saved.found(old, "li")["asked_at"] - saved.KEPT - timedelta(seconds=1)
    collection_of(SavedTables).update_one({"_id": old}, {"$set": {"asked_at": before}})
    assert (saved.purge_some(), saved.purge_some()) == (True, False)
    assert code(lambda: saved.found(old, "li")) == "not_found"
    assert len(rows(content(new))[0]) == 4
    assert {row["_id"][:2] for row in collection_of(SavedTableParts).find({}, ["_id"])} == {f"{new}:"}

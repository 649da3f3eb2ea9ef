"""Tables that only go out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date

import pytest
from openpyxl import load_workbook

from chassis.errors import Refusal
from chassis.sheet import export
from chassis.sheet.export import csv_lines, table_file


def test_a_table_is_read_back_as_it_was_written() -> None:
    lines = [["mei", 3, date(2021, 3, 1)], ["=1+1", None, "<b>&"]]
    sheet = load_workbook(table_file(["谁", "Points", "On"], 2, lines)).active
    assert sheet is not None
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0] == ("谁", "Points", "On")
    assert (rows[1][:2], rows[1][2].date()) == (("mei", 3), date(2021, 3, 1))  # type: ignore[union-attr]
    assert rows[2] == ("=1+1", None, "<b>&")
    assert sheet["A3"].data_type == "s"
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:C3")


def test_lines_are_taken_one_after_the_other() -> None:
    alive = [0]

    def lines() -> Iterator[list[int]]:
        for number in range(20_000):
            alive[0] += 1
            yield [number]

    sheet = load_workbook(table_file(["n"], 20_000, lines()), read_only=True).active
    assert sheet is not None
    assert alive == [20_000]
    assert sum(1 for _ in sheet.iter_rows()) == 20_001


def test_a_table_that_no_sheet_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MOST_LINES", 2)
    with pytest.raises(Refusal, match="too_long_to_save"):
        table_file(["n"], 3, iter([]))


def test_csv_is_read_back_and_computes_nothing() -> None:
    written = "".join(csv_lines(["谁", "On"], [["mei", date(2021, 3, 1)], ["=1+1", None], ['a,"b"', 3]]))
    assert written.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(written.removeprefix("\ufeff"))))
    assert rows == [["谁", "On"], ["mei", "2021-03-01"], ["'=1+1", ""], ['a,"b"', "3"]]

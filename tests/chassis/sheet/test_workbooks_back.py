"""What goes back: the rows as they came with a verdict on each, and a template that can be filled in and uploaded."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import pytest
from openpyxl import load_workbook

from chassis.sheet.imports import found
from chassis.sheet.read import table_of
from chassis.sheet.routes import workbook_of
from chassis.sheet.write import COLOURS, template
from tests.chassis.sheet.library import COLUMNS, HEADER, LENDING, committed, csv, lending, previewed, sheets_of, xlsx

TITLED = [
    ["借阅登记"],
    [*HEADER, "备注"],
    ["黄 玉", "E1", 3, date(2020, 11, 21), "+1+1"],
    [None, None, None, None, None],
    ["陈<&>", "E2", 101, "2020-11-21", 2.5],
    ["李", "E1", 3, "2020-11-21", "@x"],
    ["很长很长很长的名字啊", "E3", 3, "", True],
]


def back(number: int) -> Any:
    """The workbook of an import, opened by another library than wrote its rows."""
    return load_workbook(workbook_of(sheets_of(), found(number))).active


@pytest.mark.usefixtures("mongo")
def test_the_rows_go_back_as_they_came_with_status_and_what_to_do() -> None:
    previewed(sheets_of(), xlsx(TITLED, header=None))
    sheet = back(1)
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    assert rows[0][0] == "借阅登记"
    assert rows[1] == [*HEADER, "备注", "导入状态", "导入说明"]
    assert [row[5] for row in rows[2:]] == ["新增", None, "未接受", "未接受", "新增"]
    assert rows[4][6] == "101 本太多。"
    assert rows[5][6] == "与本文件第 3 行重复，请删除其中一行。"
    assert rows[6][6] == "姓名较长。"
    assert [str(cell)[:10] if place == 3 else cell for place, cell in enumerate(rows[2][:5])] == [
        "黄 玉", "E1", 3, "2020-11-21", "+1+1",
    ]  # fmt: skip
    assert (rows[4][0], rows[4][4], rows[6][4]) == ("陈<&>", 2.5, True)
    assert sheet["F5"].fill.fgColor.rgb.endswith(COLOURS["refused"])
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A3", "A2:G7")


@pytest.mark.usefixtures("mongo")
def test_what_looks_like_a_formula_stays_text() -> None:
    previewed(sheets_of(), csv([("=cmd|' /C calc'!A0", "+1", 1, "-"), ("@SUM(1)", "E2", "-1", "")]))
    cells = {cell.coordinate: cell for row in back(1).iter_rows(min_row=2) for cell in row}
    suspects = [cells[place] for place in ("A2", "B2", "D2", "A3", "C3")]
    assert [cell.value for cell in suspects] == ["=cmd|' /C calc'!A0", "+1", "-", "@SUM(1)", "-1"]
    assert all(cell.data_type != "f" and cell.quotePrefix for cell in suspects)


@pytest.mark.usefixtures("mongo")
def test_the_workbook_back_may_be_corrected_and_uploaded_again() -> None:
    committed(sheets_of(), csv([("黄", "E1", 3, ""), ("陈", "E2", 101, "")]), language="en")
    sheet = back(1)
    assert [sheet["E1"].value, sheet["E3"].value, sheet["F3"].value] == [
        "Import status",
        "refused",
        "101 books are too many.",
    ]
    sheet["C3"].value = 5
    content = io.BytesIO()
    sheet.parent.save(content)
    row = committed(sheets_of(), content.getvalue())
    assert (row["done"]["new"], row["done"]["unchanged"]) == (1, 1)
    again = back(2)
    assert [cell.value for cell in again[1]] == [*HEADER, "导入状态", "导入说明"]


@pytest.mark.usefixtures("mongo")
def test_after_commit_the_workbook_tells_what_was_done() -> None:
    previewed(sheets_of(), csv(lending(600)))
    committed(sheets_of(), csv(lending(600)))
    committed(sheets_of(), csv(lending(600)))
    words = [row[4] for row in back(3).iter_rows(min_row=2, values_only=True)]
    assert words == ["无变化"] * 600


def test_a_template_has_each_column_as_text_and_is_not_taken_for_filled() -> None:
    content = template(LENDING)
    book = load_workbook(io.BytesIO(content))
    sheet, notes = book.worksheets
    assert [cell.value for cell in sheet[1]] == ["姓名*", "借书证号*", "册数", "日期"]
    assert sheet.column_dimensions["B"].number_format == "@"
    told = [[cell.value for cell in row] for row in notes.iter_rows()]
    assert told[3][:3] == ["借书证号", "是 yes", "证号、Card number"]
    assert (notes["F4"].value, notes["F4"].data_type) == ("=1+1", "s")
    with pytest.raises(Exception, match="sheet_without_rows"):
        table_of(content, COLUMNS)


def test_a_filled_template_is_read() -> None:
    book = load_workbook(io.BytesIO(template(LENDING)))
    book.worksheets[0].append(["黄", "E1", "3", "2020-11-21"])
    content = io.BytesIO()
    book.save(content)
    table = table_of(content.getvalue(), COLUMNS)
    assert [list(line) for _, line in table.data_lines()] == [["黄", "E1", "3", "2020-11-21"]]

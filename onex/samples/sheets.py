"""A sheet of the samples and how it becomes a file, the same bytes each time."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain
from typing import TypeAlias

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

Cell: TypeAlias = str | int | date | datetime | None
STAMP = datetime(2021, 12, 31, 8, 0, 0)  # noqa: DTZ001 (document properties carry no zone)
ZIP_STAMP = (2021, 12, 31, 8, 0, 0)
MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*(</dcterms:modified>)")


def headed(text: str) -> tuple[tuple[str, str], ...]:
    """Headers and the fields below them, from `header:field header:field`."""
    pairs = [word.partition(":") for word in text.split()]
    return tuple((header, name) for header, _, name in pairs)


@dataclass(frozen=True)
class Line:
    """One row by field; `refused` is the code it must be refused with, empty when it must be taken."""

    cells: dict[str, Cell]
    refused: str = ""


@dataclass
class Sheet:
    """One file: whose client sends it where, its headers by field, and its rows."""

    file: str
    stage: str
    kind: str
    service: str
    client: str
    columns: tuple[tuple[str, str], ...]
    title: str = ""
    lines: list[Line] = field(default_factory=list)

    @property
    def is_workbook(self) -> bool:
        return self.file.endswith(".xlsx")

    def row_of(self, index: int) -> int:
        """The row a line stands in as a spreadsheet counts: the header is 1, or 2 under a title."""
        return index + (3 if self.title else 2)

    def content(self) -> bytes:
        """The file's bytes."""
        if self.is_workbook:
            return workbook_bytes(self)
        return csv_bytes(self, "gb18030" if self.file.endswith(".gb18030.csv") else "utf-8-sig")


def csv_bytes(sheet: Sheet, encoding: str) -> bytes:
    """The sheet as CSV, lines ended as Excel ends them."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([header for header, _ in sheet.columns])
    writer.writerows([[line.cells.get(name) for _, name in sheet.columns] for line in sheet.lines])
    return out.getvalue().encode(encoding)


def workbook_bytes(sheet: Sheet) -> bytes:
    """The sheet as an XLSX workbook."""
    book = Workbook()
    table: Worksheet = book.worksheets[0]
    table.title = "Sheet1"
    book.properties.creator = "college"
    book.properties.created = STAMP
    if sheet.title:
        add_title(table, sheet)
    table.append([header for header, _ in sheet.columns])
    for line in sheet.lines:
        table.append([line.cells.get(name) for _, name in sheet.columns])
    set_formats(table)
    out = io.BytesIO()
    book.save(out)
    return with_fixed_stamps(out.getvalue())


def add_title(table: Worksheet, sheet: Sheet) -> None:
    """A title over the whole width, merged, as colleges like it."""
    table.append([sheet.title])
    table.merge_cells(f"A1:{get_column_letter(len(sheet.columns))}1")
    table["A1"].font = Font(bold=True, size=14)
    table["A1"].alignment = Alignment(horizontal="center")


def set_formats(table: Worksheet) -> None:
    """Text cells are text for good, dates look like dates."""
    for cell in chain.from_iterable(table.iter_rows()):
        if isinstance(cell.value, str):
            cell.number_format = "@"
        elif isinstance(cell.value, datetime):
            cell.number_format = "yyyy-mm-dd hh:mm"
        elif isinstance(cell.value, date):
            cell.number_format = "yyyy/m/d"


def with_fixed_stamps(content: bytes) -> bytes:
    """The same archive without the time it was made at."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as made, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as fixed:
        for name in made.namelist():
            body = MODIFIED.sub(rb"\g<1>" + STAMP.strftime("%Y-%m-%dT%H:%M:%SZ").encode() + rb"\2", made.read(name))
            fixed.writestr(zipfile.ZipInfo(name, ZIP_STAMP), body, zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()

"""Tables that only go out: a heading and lines, streamed into a workbook that is held packed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import IO

from openpyxl.utils import get_column_letter

from chassis.errors import Ground
from chassis.sheet.cells import Cell, shown
from chassis.sheet.write import LIKE_A_FORMULA, Leaf, Styles, buffered, cell_xml, filling, plain_frame, text_xml

MOST_LINES = 1_000_000  # a workbook's sheet has 1,048,576 rows; packed, this many are some 40 MB
TOO_LONG_TO_SAVE = Ground(
    "too_long_to_save",
    en="A sheet holds {limit} lines, and this table has {count}. Narrow it with a filter, or read it page by page.",
    zh="一张表最多 {limit} 行，此表有 {count} 行。请缩小筛选范围，或通过接口分页读取。",
)


@dataclass(frozen=True)
class Table:
    """A heading, so many lines, streamed, and small sheets behind them."""

    headings: Sequence[str]
    count: int
    lines: Iterable[Sequence[Cell]]
    leaves: Sequence[Leaf] = ()


def table_file(
    headings: Sequence[str], count: int, lines: Iterable[Sequence[Cell]], leaves: Sequence[Leaf] = ()
) -> IO[bytes]:
    """A workbook of a heading and lines, with small sheets behind it; Refusal when it has too many lines."""
    content = io.BytesIO()
    for _ in writing(Table(headings, count, lines, leaves), content):
        pass
    content.seek(0)
    return content


def writing(table: Table, content: IO[bytes]) -> Iterator[int]:
    """The same into a file, some lines at a time; it is whole when there is no further step."""
    check_length(table.count)
    frame, styles = plain_frame(len(table.headings), table.count + 1, leaves=table.leaves)
    yield from filling(frame, content, buffered(_rows(table.headings, table.lines, styles)))


def check_length(count: int) -> None:
    """Refuse more lines than a sheet holds."""
    if count > MOST_LINES:
        raise TOO_LONG_TO_SAVE(limit=MOST_LINES, count=count)


def csv_lines(headings: Sequence[str], lines: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """The same as CSV that spreadsheets read, line by line; what looks like a formula stays the text it is."""
    written = io.StringIO()
    writer = csv.writer(written)
    yield "\ufeff"
    for line in chain([headings], lines):
        writer.writerow([harmless(shown(cell)) for cell in line])
        yield written.getvalue()
        written.seek(0)
        written.truncate()


def harmless(text: str) -> str:
    """A cell's text that no spreadsheet computes."""
    return f"'{text}" if text.startswith(LIKE_A_FORMULA) else text


def _rows(headings: Sequence[str], lines: Iterable[Sequence[Cell]], styles: Styles) -> Iterator[str]:
    letters = [get_column_letter(place) for place in range(1, len(headings) + 1)]
    cells = [text_xml(word, f"{letter}1", styles["header"]) for letter, word in zip(letters, headings, strict=True)]
    yield f'<row r="1">{"".join(cells)}</row>'
    for number, line in enumerate(lines, 2):
        cells = [cell_xml(cell, f"{letter}{number}", styles) for letter, cell in zip(letters, line, strict=True)]
        yield f'<row r="{number}">{"".join(cells)}</row>'

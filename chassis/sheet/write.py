"""Workbooks that go out: a sheet's own rows back with a verdict on each, and the template to begin with.

openpyxl makes the frame with its styles; the rows are written into it as text, many times faster than cell by cell.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from typing import IO, Any
from xml.sax.saxutils import escape

from openpyxl import Workbook
from openpyxl.cell import Cell as XlsxCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import to_excel

from chassis.errors import Language
from chassis.sheet.cells import Cell
from chassis.sheet.kind import Column, SheetKind, Status
from chassis.sheet.read import Table
from chassis.sheet.sealed import Judgement

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
VERDICT_HEADERS: dict[Language, tuple[str, str]] = {
    "zh": ("导入状态", "导入说明"),
    "en": ("Import status", "What to do"),
}
STATUS_WORDS: dict[Language, dict[Status, str]] = {
    "zh": {"new": "新增", "changed": "变更", "unchanged": "无变化", "refused": "未接受"},
    "en": {"new": "new", "changed": "changed", "unchanged": "unchanged", "refused": "refused"},
}
OURS = {header for headers in VERDICT_HEADERS.values() for header in headers}
COLOURS: dict[Status, str] = {"new": "D9F2D9", "changed": "FFF2CC", "unchanged": "EDEDED", "refused": "F8CBAD"}
LIKE_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")
ILLEGAL_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
FRAME_SHEET = "xl/worksheets/sheet1.xml"
ROWS_GO_HERE = re.compile(rb"<sheetData>.*</sheetData>|<sheetData\s*/>", re.DOTALL)
DIMENSION = re.compile(rb"<dimension[^>]*/>")  # the frame's own, which some readers believe
BUFFER_CHARACTERS = 1 << 18
USUAL_WIDTH, VERDICT_WIDTHS = 16, (14, 70)

Styles = Mapping[str, int]
Judged = Iterator[tuple[int, Judgement]]


@dataclass(frozen=True)
class Leaf:
    """A further sheet of a workbook, small enough to be written cell by cell: totals, notes."""

    title: str
    headings: Sequence[str]
    lines: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Layout:
    """Where things go in the workbook back. `dropped`: columns of ours from an earlier time."""

    language: Language
    width: int
    dropped: frozenset[int]
    letters: tuple[str, ...]
    styles: Styles


def workbook_back(table: Table, judged: Judged, language: Language) -> IO[bytes]:
    """The uploaded rows as they came, in their order, with two columns more: the status, and what to do."""
    dropped = frozenset(place for place, header in enumerate(table.headers) if header in OURS)
    width = max((len(line) for _, line in table.lines()), default=0) - len(dropped)
    frame, styles = _frame(table, width)
    letters = tuple(get_column_letter(place) for place in range(1, width + 3))
    layout = Layout(language, width, dropped, letters, styles)
    content = io.BytesIO()
    fill(frame, content, buffered(_rows(table, judged, layout)))
    content.seek(0)
    return content


def fill(frame: IO[bytes], content: IO[bytes], texts: Iterator[str]) -> None:
    """The frame's package again, with these rows in its sheet."""
    for _ in filling(frame, content, texts):
        pass


def filling(frame: IO[bytes], content: IO[bytes], texts: Iterator[str]) -> Iterator[int]:
    """The same in steps, a text at a time; the package is whole when there is no further one."""
    with (
        zipfile.ZipFile(frame) as source,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target,
    ):
        _copy_others(source, target)
        before, after = ROWS_GO_HERE.split(source.read(FRAME_SHEET), maxsplit=1)
        with target.open(FRAME_SHEET, "w", force_zip64=True) as sheet:
            around = DIMENSION.sub(b"", before) + b"<sheetData>", b"</sheetData>" + after
            yield from map(sheet.write, chain(around[:1], (text.encode() for text in texts), around[1:]))


def _copy_others(source: zipfile.ZipFile, target: zipfile.ZipFile) -> None:
    for member in source.infolist():
        if member.filename != FRAME_SHEET:
            target.writestr(member, source.read(member))


def _frame(table: Table, width: int) -> tuple[IO[bytes], Styles]:
    """The frame of a workbook back, with room for two columns more."""
    return plain_frame(width, max(table.height, table.header_line), table.header_line, VERDICT_WIDTHS)


def plain_frame(
    width: int, last_line: int, header_line: int = 1, further: Sequence[int] = (), leaves: Sequence[Leaf] = ()
) -> tuple[IO[bytes], Styles]:
    """A workbook with everything but the rows, and the numbers of its styles; `further` columns have these widths."""
    book = Workbook()
    sheet: Any = book.active
    styles = _styles(sheet)
    widths = [USUAL_WIDTH] * width + list(further)
    for place, wide in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(place)].width = wide
    sheet.freeze_panes = f"A{header_line + 1}"
    sheet.auto_filter.ref = f"A{header_line}:{get_column_letter(len(widths))}{last_line}"
    for leaf in leaves:
        _write_leaf(book.create_sheet(leaf.title), leaf)
    return _saved(book), styles


def _write_leaf(sheet: Any, leaf: Leaf) -> None:
    """A further sheet, whose texts stay the texts they are."""
    for number, line in enumerate((leaf.headings, *leaf.lines), 1):
        for place, value in enumerate(line, 1):
            _fill_cell(sheet.cell(number, place), value, is_heading=number == 1)
    for place in range(1, len(leaf.headings) + 1):
        sheet.column_dimensions[get_column_letter(place)].width = USUAL_WIDTH
    sheet.freeze_panes = "A2"


def _fill_cell(cell: XlsxCell, value: Cell, is_heading: bool) -> None:
    cell.font = Font(bold=is_heading)
    if isinstance(value, str):
        cell.value, cell.data_type = ILLEGAL_IN_XML.sub("", value), "s"
        cell.quotePrefix = value.startswith(LIKE_A_FORMULA)
    else:
        cell.value = value


def _styles(sheet: Any) -> dict[str, int]:
    cells = [sheet.cell(1, place) for place in range(1, 10)]
    names = ["general", "text", "quoted", "date", "instant", *COLOURS]
    for name, cell in zip(names, cells, strict=True):
        _style(name, cell)
    styles = {name: cell.style_id for name, cell in zip(names, cells, strict=True)}
    header = sheet.cell(2, 1)
    header.font, header.alignment = Font(bold=True), Alignment(wrap_text=True, vertical="top")
    return styles | {"header": header.style_id}


def _style(name: str, cell: XlsxCell) -> None:
    formats = {"text": "@", "quoted": "@", "date": "yyyy-mm-dd", "instant": "yyyy-mm-dd hh:mm:ss"}
    cell.number_format = formats.get(name, "General")
    if name == "quoted":
        cell.quotePrefix = True  # shown as written, never computed
    if name in COLOURS:
        cell.fill = PatternFill("solid", fgColor=COLOURS[name])
        cell.alignment = Alignment(wrap_text=True, vertical="top")


def _saved(book: Workbook) -> IO[bytes]:
    content = io.BytesIO()
    book.save(content)
    content.seek(0)
    return content


def _rows(table: Table, judged: Judged, layout: Layout) -> Iterator[str]:
    """Each line as XML; verdicts join the lines they are about."""
    following = next(judged, None)
    for number, line in table.lines():
        verdict: Sequence[str] = ()
        if number == table.header_line:
            verdict = _headers(number, layout)
        elif following is not None and following[0] == number:
            verdict = _verdict(number, following[1], layout)
            following = next(judged, None)
        style = "header" if number == table.header_line else "text"
        kept = [cell for place, cell in enumerate(line) if place not in layout.dropped]
        cells = [
            cell_xml(cell, f"{letter}{number}", layout.styles, style)
            for letter, cell in zip(layout.letters, kept, strict=False)
        ]
        yield f'<row r="{number}">{"".join(cells)}{"".join(verdict)}</row>'


def _headers(number: int, layout: Layout) -> list[str]:
    words = VERDICT_HEADERS[layout.language]
    places = layout.letters[layout.width :]
    return [
        text_xml(word, f"{letter}{number}", layout.styles["header"]) for letter, word in zip(places, words, strict=True)
    ]


def _verdict(number: int, judgement: Judgement, layout: Layout) -> list[str]:
    words = STATUS_WORDS[layout.language][judgement.status], explained(judgement, layout.language)
    style = layout.styles[judgement.status]
    places = layout.letters[layout.width :]
    return [text_xml(word, f"{letter}{number}", style) for letter, word in zip(places, words, strict=True)]


def explained(judgement: Judgement, language: Language) -> str:
    """Why, and what to do, with the remarks that refuse nothing."""
    parts = ([judgement.said] if judgement.said else []) + list(judgement.notes)
    return " ".join(one.sentence(language) for one in parts)


def cell_xml(cell: Cell, place: str, styles: Styles, style: str = "text") -> str:
    """One cell as it came; what looks like a formula stays the text it is."""
    if cell is None or cell == "":
        return ""
    if isinstance(cell, str):
        return text_xml(cell, place, styles["quoted" if cell.startswith(LIKE_A_FORMULA) else style])
    if isinstance(cell, bool):
        return f'<c r="{place}" t="b"><v>{int(cell)}</v></c>'
    if isinstance(cell, int | float):
        return f'<c r="{place}"><v>{cell!r}</v></c>'
    if isinstance(cell, date):
        serial: float = to_excel(cell)  # type: ignore[no-untyped-call]
        return f'<c r="{place}" s="{styles["instant" if isinstance(cell, datetime) else "date"]}"><v>{serial}</v></c>'
    return text_xml(str(cell), place, styles[style])


def text_xml(text: str, place: str, style: int) -> str:
    """A text cell."""
    plain = text if text.isalnum() else escape(ILLEGAL_IN_XML.sub("", text))
    return f'<c r="{place}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{plain}</t></is></c>'


def buffered(texts: Iterator[str]) -> Iterator[str]:
    """The same text in larger pieces."""
    held: list[str] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size > BUFFER_CHARACTERS:
            yield "".join(held)
            held, size = [], 0
    yield "".join(held)


def template(kind: SheetKind[Any]) -> bytes:
    """An empty sheet with this kind's header, and beside it what goes into each column, with examples."""
    book = Workbook()
    sheet: Any = book.active
    sheet.title = re.sub(r"[\[\]:*?/\\]", " ", kind.title_zh)[:31]
    for place, column in enumerate(kind.columns, 1):
        _template_column(sheet, place, column)
    sheet.freeze_panes = "A2"
    _notes(book.create_sheet("说明 Notes"), kind)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _template_column(sheet: Any, place: int, column: Column) -> None:
    """The header, and cells that keep what is typed as text, so that no number loses its digits."""
    letter = get_column_letter(place)
    sheet.column_dimensions[letter].number_format = "@"
    sheet.column_dimensions[letter].width = 22
    header = sheet.cell(1, place, column.name + ("*" if column.required else ""))
    header.font = Font(bold=True)
    if column.required:
        header.fill = PatternFill("solid", fgColor=COLOURS["changed"])


def _notes(sheet: Any, kind: SheetKind[Any]) -> None:
    """One line for each column: whether it must be there, other headers for it, how to fill it, examples."""
    headings = ("列 Column", "必需 Required", "也可写作 Also headed", "说明", "Note", "示例 Examples")
    lines: list[Sequence[str]] = [(kind.title_zh, kind.title_en), headings]
    lines += [
        (
            column.name,
            "是 yes" if column.required else "",
            "、".join(column.aliases),
            column.note_zh,
            column.note_en,
            "；".join(column.examples),
        )
        for column in (*kind.columns, *kind.options)
    ]
    for number, line in enumerate(lines, 1):
        for place, text in enumerate(line, 1):
            cell = sheet.cell(number, place)
            cell.value, cell.data_type, cell.number_format = text, "s", "@"
            cell.font = Font(bold=number <= 2)
    for place, width in enumerate((18, 14, 34, 50, 60, 40), 1):
        sheet.column_dimensions[get_column_letter(place)].width = width

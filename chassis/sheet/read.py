"""From a file's bytes to rows: find the header, tell its columns, read the cells of each line."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from chassis.errors import Ground, Refusal
from chassis.sheet import delimited, workbooks
from chassis.sheet.cells import Cell, shown
from chassis.sheet.kind import Column, Row, Upload
from chassis.sheet.limits import HEADER_WITHIN_LINES, MAX_CELL_CHARACTERS, MAX_ROWS, TOO_MANY_ROWS
from chassis.sheet.sayings import Said, about, said

FILE_EMPTY = Ground("file_empty", en="The file is empty. Choose the file again.", zh="文件为空，请重新选择文件。")
HEADER_MISSING = Ground(
    "header_missing",
    en="No line has the column headers of this sheet. Needed: {columns}. Download the template to compare.",
    zh="未找到表头行。需要的列：{columns}。请下载模板对照。",
)
COLUMNS_MISSING = Ground(
    "columns_missing",
    en="These columns are missing: {columns}. Add them to the header in line {line} and upload the file again.",
    zh="缺少以下列：{columns}。请在第 {line} 行表头中补充后重新上传。",
)
HEADER_REPEATED = Ground(
    "header_repeated",
    en="Two columns are headed as {column}: {headers}. Keep one of them.",
    zh="有两列同为“{column}”：{headers}。请只保留一列。",
)
COLUMNS_UNKNOWN = Ground(
    "columns_unknown",
    en="This sheet has no such columns: {headers}. Delete them, or rename them as in the template.",
    zh="本表没有以下列：{headers}。请删除这些列，或按模板更改列名。",
)
NO_ROWS = Ground(
    "sheet_without_rows",
    en="The sheet has a header but no rows. Fill it in and upload it again.",
    zh="表格只有表头，没有数据行。请填写后重新上传。",
)
CELL_MISSING = Ground("cell_missing", en="{column} is empty. Fill it in.", zh="“{column}”为空，请补填。")
CELL_TOO_LONG = Ground(
    "cell_too_long",
    en="{column} has {length} characters; at most {limit} fit.",
    zh="“{column}”有 {length} 个字符，最多 {limit} 个。",
)

Lines = Callable[[], Iterator[tuple[int, Sequence[Cell]]]]
WORDS_REMEMBERED = 2_000
NAMED_HEADERS = 10
BRACKETS = re.compile(r"\([^)]*\)|\[[^\]]*\]|【[^】]*】|（[^）]*）")
DECORATION = re.compile(r"[\s*:：#·_\-]+")


@dataclass(frozen=True)
class Table:
    """A table found in a file. `places`: where each known column stands; `lines` starts anew at each call."""

    lines: Lines
    height: int  # at most so many lines
    header_line: int
    headers: tuple[str, ...]
    places: dict[str, int]
    ignored: tuple[str, ...]

    def data_lines(self) -> Iterator[tuple[int, Sequence[Cell]]]:
        """The lines below the header that hold anything."""
        below = (line for line in self.lines() if line[0] > self.header_line)
        for count, line in enumerate((line for line in below if holds_anything(line[1])), 1):
            if count > MAX_ROWS:
                raise TOO_MANY_ROWS()
            yield line


@dataclass(frozen=True)
class Header:
    line: int
    headers: tuple[str, ...]
    found: dict[str, list[int]]


def table_of(content: bytes, columns: Sequence[Column]) -> Table:
    """The table in a file; refused with what to do when there is none that fits these columns."""
    if not content.strip(b"\x00\r\n\t ,;\xef\xbb\xbf"):
        raise FILE_EMPTY()
    options = workbook_lines(content) if workbooks.is_workbook(content) else delimited_lines(content)
    best: tuple[Header, int, Lines] | None = None
    for height, lines in options:
        header = header_of(lines, columns)
        if best is None or len(header.found) > len(best[0].found):
            best = header, height, lines
        if all(column.name in header.found for column in columns if column.required) and header.found:
            break
    if best is None:
        raise FILE_EMPTY()
    return fitted(*best, columns)


def workbook_lines(content: bytes) -> Iterator[tuple[int, Lines]]:
    """The sheets of a workbook: how high each is, and its lines."""
    for sheet in workbooks.sheets_of(content):
        yield workbooks.height_of(sheet), partial(workbooks.lines_of, sheet)


def delimited_lines(content: bytes) -> Iterator[tuple[int, Lines]]:
    """A text, parted by each delimiter in turn: how high it is, and its lines."""
    encoding = delimited.encoding_of(content)
    for delimiter in by_promise(content, encoding):
        height = delimited.check_height(content, encoding, delimiter)
        yield height, partial(delimited.lines_of, content, encoding, delimiter)


def by_promise(content: bytes, encoding: str) -> list[str]:
    """The delimiters, that first which the file's beginning has most of."""
    beginning = content[:4096].decode(encoding, "ignore")
    return sorted(delimited.DELIMITERS, key=beginning.count, reverse=True)


def header_of(lines: Lines, columns: Sequence[Column]) -> Header:
    """The line among the first that names most columns; merged titles stand above it."""
    names = {plain_header(word): column.name for column in columns for word in (*column.aliases, column.name)}
    return max(
        (header_at(number, cells, names) for number, cells in islice(lines(), HEADER_WITHIN_LINES)),
        key=lambda header: len(header.found),
        default=Header(0, (), {}),
    )


def header_at(line: int, cells: Sequence[Cell], names: Mapping[str, str]) -> Header:
    """What a line would be as a header: which known columns it names, and where."""
    headers = tuple(shown(cell).strip()[:200] for cell in cells)
    found: dict[str, list[int]] = {}
    for place, header in enumerate(headers):
        name = names.get(plain_header(header))
        if name:
            found.setdefault(name, []).append(place)
    return Header(line, headers, found)


def plain_header(text: str) -> str:
    """A header without what people decorate it with: width, spaces, line breaks, stars, units in brackets."""
    word = unicodedata.normalize("NFKC", text).lower()
    return DECORATION.sub("", BRACKETS.sub("", word)) or DECORATION.sub("", word)


def fitted(header: Header, height: int, lines: Lines, columns: Sequence[Column]) -> Table:
    """The table under a header, refused when it lacks a column or has one twice."""
    required = [column.name for column in columns if column.required]
    if len(header.found) < min(2, len(columns)):
        raise HEADER_MISSING(columns="、".join(required or [column.name for column in columns]))
    if missing := [name for name in required if name not in header.found]:
        raise COLUMNS_MISSING(columns="、".join(missing), line=header.line)
    for name, found in header.found.items():
        if len(found) > 1:
            raise HEADER_REPEATED(column=name, headers="、".join(header.headers[place] for place in found))
    places = {name: found[0] for name, found in header.found.items()}
    known = set(places.values())
    ignored = tuple(text for place, text in enumerate(header.headers) if text and place not in known)
    table = Table(lines, height, header.line, header.headers, places, ignored)
    if next(table.data_lines(), None) is None:
        raise NO_ROWS()
    return table


def check_known(table: Table) -> None:
    """Refuse a table with columns that nobody knows."""
    if table.ignored:
        raise COLUMNS_UNKNOWN(headers="、".join(table.ignored[:NAMED_HEADERS]))


def holds_anything(cells: Sequence[Cell]) -> bool:
    """Whether a line is more than blanks."""
    return any(cell is not None and cell != "" and (type(cell) is not str or not cell.isspace()) for cell in cells)


RowReader = Callable[[int, Sequence[Cell]], tuple[Row, Said | None]]


@dataclass(frozen=True)
class Place:
    """Where a column stands in the lines of a table; `seen`: words that were read before, since most come again."""

    column: Column
    at: int
    seen: dict[str, str] = field(default_factory=dict)

    def read(self, cell: Cell) -> tuple[str, Said | None]:
        """The cell as text in one form, and what is wrong with it if it cannot be taken."""
        if type(cell) is str and len(cell) > MAX_CELL_CHARACTERS and len(cell.strip()) > MAX_CELL_CHARACTERS:
            return cell[:MAX_CELL_CHARACTERS], misfit(self.column, cell)
        try:
            value = self.column.read(cell)
        except Refusal as refusal:
            return shown(cell)[:MAX_CELL_CHARACTERS], about(self.column.name, refusal)
        if (self.column.filled and not value) or len(value) > MAX_CELL_CHARACTERS:
            return value[:MAX_CELL_CHARACTERS], misfit(self.column, value)
        if type(cell) is str and len(self.seen) < WORDS_REMEMBERED:
            self.seen[cell] = value
        return value, None


def row_reader(table: Table, columns: Sequence[Column], upload: Upload) -> RowReader:
    """How a line of this table becomes a row, and what is wrong with it if a cell cannot be read."""
    places = [Place(column, table.places[column.name]) for column in columns if column.name in table.places]
    plan = [(place.column.name, place.at, place.seen, place.read) for place in places]

    def row_of(number: int, line: Sequence[Cell]) -> tuple[Row, Said | None]:
        cells: dict[str, str] = {}
        wrong: Said | None = None
        width = len(line)
        for name, at, seen, read in plan:
            cell = line[at] if at < width else ""
            value = seen.get(cell) if type(cell) is str else None
            if value is None:
                value, amiss = read(cell)
                wrong = wrong or amiss
            cells[name] = value
        return Row(number, cells, {}, upload), wrong

    return row_of


def misfit(column: Column, value: str) -> Said:
    """Why a cell is refused for its length."""
    if not value:
        return said(CELL_MISSING(column=column.name))
    return said(CELL_TOO_LONG(column=column.name, length=len(value), limit=MAX_CELL_CHARACTERS))

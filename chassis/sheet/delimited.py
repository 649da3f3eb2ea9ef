"""CSV as colleges save it: UTF-8 with or without a mark, GB18030, or a spreadsheet's "Unicode text"."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator

from chassis.errors import Ground
from chassis.sheet.limits import MAX_COLUMNS, MAX_LINES, TOO_MANY_COLUMNS, TOO_MANY_ROWS

NOT_A_SHEET = Ground(
    "not_a_sheet",
    en="This file is neither an Excel workbook (.xlsx) nor a CSV text. Save the table as .xlsx and upload it again.",
    zh="该文件既不是 Excel 工作簿（.xlsx），也不是 CSV 文本。请将表格另存为 .xlsx 后重新上传。",
)
CSV_MALFORMED = Ground(
    "csv_malformed",
    en="Line {line} of this CSV cannot be read: a quotation mark is probably never closed. Save the table as .xlsx.",
    zh="该 CSV 第 {line} 行无法读取，可能缺少结束引号。请将表格另存为 .xlsx 后重新上传。",
)

DELIMITERS = (",", ";", "\t")
DECODE_BYTES = 1 << 20
BINARY = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")

GB18030_BOM = "\ufeff".encode("gb18030")  # no codec takes it off


def encoding_of(content: bytes) -> str:
    """The first encoding that reads every byte; refused when none does, or when what it reads is no text."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates: tuple[str, ...] = ("utf-16",)
    else:
        candidates = ("utf-8-sig", "gb18030")
    for encoding in candidates:
        if is_text(content, encoding):
            return encoding
    raise NOT_A_SHEET()


def is_text(content: bytes, encoding: str) -> bool:
    """Whether all of it decodes, to characters that people type."""
    try:
        return not any(BINARY.search(text) for text in decoded(content, encoding))
    except UnicodeDecodeError:
        return False


def decoded(content: bytes, encoding: str) -> Iterator[str]:
    """The text piece by piece; UnicodeDecodeError where it is not in this encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    view = memoryview(content)
    for start in range(0, len(view), DECODE_BYTES):
        yield decoder.decode(bytes(view[start : start + DECODE_BYTES]))
    yield decoder.decode(b"", final=True)


def lines_of(content: bytes, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each line with its number from 1; lazily, so that a large file costs no memory of its own."""
    binary = io.BytesIO(content)
    if encoding == "gb18030" and content.startswith(GB18030_BOM):
        binary.seek(len(GB18030_BOM))
    stream = io.TextIOWrapper(binary, encoding, newline="")
    reader = csv.reader(stream, delimiter=delimiter)
    number = 0
    try:
        for number, cells in enumerate(reader, 1):
            yield number, narrow_enough(cells)
    except csv.Error as error:
        raise CSV_MALFORMED(line=number + 1) from error


def narrow_enough(cells: list[str]) -> list[str]:
    """The cells of a line, refused when there are more than are read."""
    if len(cells) > MAX_COLUMNS:
        raise TOO_MANY_COLUMNS(columns=len(cells), limit=MAX_COLUMNS)
    return cells


def check_height(content: bytes, encoding: str, delimiter: str) -> int:
    """How many lines there are; refused when too many. Counts properly only where line breaks leave a doubt."""
    breaks = content.count(b"\n") + content.count(b"\r") + 1
    if breaks <= MAX_LINES:
        return breaks
    lines = 0
    for lines, _ in lines_of(content, encoding, delimiter):
        if lines > MAX_LINES:
            raise TOO_MANY_ROWS()
    return lines

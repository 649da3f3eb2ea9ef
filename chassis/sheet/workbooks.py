"""XLSX, looked over inside its zip before it is opened: a small file may unpack to anything."""

from __future__ import annotations

import collections
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    SheetMetadata,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from chassis.errors import Ground
from chassis.sheet.cells import Cell
from chassis.sheet.delimited import NOT_A_SHEET
from chassis.sheet.limits import (
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_LINES,
    MAX_MEMBERS,
    MAX_RATIO,
    MAX_UNPACKED_BYTES,
    RATIO_FROM_BYTES,
    TOO_MANY_COLUMNS,
    TOO_MANY_ROWS,
    UNPACKS_TOO_LARGE,
)

WORKBOOK_BROKEN = Ground(
    "workbook_broken",
    en="This workbook is damaged and cannot be read. Open it in Excel or WPS, save it again as .xlsx and upload that.",
    zh="该工作簿已损坏，无法读取。请用 Excel 或 WPS 打开并另存为 .xlsx 后重新上传。",
)
WORKBOOK_LOCKED = Ground(
    "workbook_locked",
    en="This workbook is protected by a password. Remove the password, save it and upload it again.",
    zh="该工作簿设有打开密码。请取消密码并保存后重新上传。",
)
WORKBOOK_OLD = Ground(
    "workbook_old",
    en="This is an old .xls workbook. Save it as .xlsx and upload it again.",
    zh="这是旧版 .xls 工作簿，请另存为 .xlsx 后重新上传。",
)

ZIP_MARK = b"PK\x03\x04"
OLE_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
WORKSHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
MAX_SHEETS_TRIED = 8

SCAN_BYTES = 1 << 20
FEED_BYTES = 1 << 16
OVERLAP_BYTES = 512
ROWS, CELLS = (b"<row", b":row"), (b"<c", b":c")
# A reference beyond what is read: a row of six digits or more, or a cell in one, or a cell right of column CZ.
# The whole rectangle up to such a cell would be spanned in memory.
BEYOND = rb"""(?:(\d{6,})|(?:[D-Zd-z][A-Za-z]|[A-Za-z]{3,})\d+|[A-Za-z]{1,3}(\d{6,}))["']"""
REFERENCE = re.compile(rb"""r\s*=\s*["']""" + BEYOND)


def is_workbook(content: bytes) -> bool:
    """Whether it is an XLSX by its first bytes; other spreadsheets of Excel's are refused by name."""
    if content.startswith(OLE_MARK):
        raise WORKBOOK_LOCKED() if ENCRYPTED in content else WORKBOOK_OLD()
    return content.startswith(ZIP_MARK)


def check_package(content: bytes) -> None:
    """Refuse a zip that is no workbook, unpacks too large, or spans too many rows or columns."""
    try:
        look_over(content)
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        EOFError,
        RuntimeError,
        ValueError,
        OSError,
        struct.error,
    ) as error:
        raise WORKBOOK_BROKEN() from error


def look_over(content: bytes) -> None:
    """Check the zip's directory, then every member as it really unpacks, and each worksheet's own text."""
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        members = package.infolist()
    check_members(members)
    for member in members:
        chunks = unpacked(content, member)
        if is_worksheet(member):
            check_worksheet(chunks)
        collections.deque(chunks, maxlen=0)  # to the end: a directory may lie about sizes


def is_worksheet(member: zipfile.ZipInfo) -> bool:
    """Whether a member of the package holds a sheet's cells."""
    return WORKSHEET.fullmatch(member.filename) is not None


def check_members(members: list[zipfile.ZipInfo]) -> None:
    """By the zip's own directory: names, sizes, and how much each member grows."""
    if not any(member.filename.lower() == "xl/workbook.xml" for member in members):
        raise NOT_A_SHEET()
    if any(member.flag_bits & 1 for member in members):
        raise WORKBOOK_LOCKED()
    if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_UNPACKED_BYTES:
        raise UNPACKS_TOO_LARGE()
    for member in members:
        if member.file_size > RATIO_FROM_BYTES and member.file_size > MAX_RATIO * max(member.compress_size, 1):
            raise UNPACKS_TOO_LARGE()


def unpacked(content: bytes, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """A member piece by piece, refused as soon as it unpacks to more than its directory entry says."""
    name_length, extra_length = struct.unpack_from("<HH", content, member.header_offset + 26)
    begin = member.header_offset + 30 + name_length + extra_length
    packed = memoryview(content)[begin : begin + member.compress_size]
    size = 0
    for chunk in inflated(packed, member.compress_type):
        size += len(chunk)
        if size > member.file_size:
            raise UNPACKS_TOO_LARGE()
        yield chunk


def inflated(packed: memoryview, compress_type: int) -> Iterator[bytes]:
    """Stored or deflated bytes as they were, piece by piece."""
    if compress_type == zipfile.ZIP_STORED:
        yield from (bytes(packed[start : start + SCAN_BYTES]) for start in range(0, len(packed), SCAN_BYTES))
        return
    if compress_type != zipfile.ZIP_DEFLATED:
        raise NotImplementedError(compress_type)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for start in range(0, len(packed), FEED_BYTES):
        feed: bytes | memoryview = packed[start : start + FEED_BYTES]
        more = True
        while more:
            chunk = inflater.decompress(feed, SCAN_BYTES)
            yield chunk
            feed = inflater.unconsumed_tail
            more = bool(feed) or len(chunk) == SCAN_BYTES


def check_worksheet(chunks: Iterator[bytes]) -> None:
    """Count rows and cells and look for far-off ones, holding one chunk at a time."""
    rows = cells = 0
    tail = b""
    for chunk in chunks:
        rows += sum(map(chunk.count, ROWS))
        cells += sum(map(chunk.count, CELLS))
        if rows > MAX_LINES:
            raise TOO_MANY_ROWS()
        if cells > MAX_CELLS:
            raise UNPACKS_TOO_LARGE()
        check_far(tail + chunk)
        tail = chunk[-OVERLAP_BYTES:]


def check_far(window: bytes) -> None:
    """Refuse a row or a cell beyond what is read."""
    for found in REFERENCE.finditer(window):
        if not window[max(found.start() - 1, 0) : found.start()].isspace():
            continue  # another attribute, or text
        row = found[1] or found[2]
        if row is None:
            raise TOO_MANY_COLUMNS(columns="more than 100", limit=MAX_COLUMNS)
        if int(row) > MAX_LINES:
            raise TOO_MANY_ROWS()


def sheets_of(content: bytes) -> Iterator[CalamineSheet]:
    """The workbook's visible sheets that hold anything, each loaded when asked for."""
    check_package(content)
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        for meta in filter(is_visible, workbook.sheets_metadata[:MAX_SHEETS_TRIED]):
            yield from filled(workbook.get_sheet_by_name(meta.name))
    except CalamineError as error:
        raise WORKBOOK_BROKEN() from error


def is_visible(meta: SheetMetadata) -> bool:
    """Whether a person who opens the workbook sees this sheet."""
    return bool(meta.typ == SheetTypeEnum.WorkSheet and meta.visible == SheetVisibleEnum.Visible)


def filled(sheet: CalamineSheet) -> Iterator[CalamineSheet]:
    """The sheet, unless nothing is in it."""
    if sheet.start is not None:
        yield checked(sheet)


def checked(sheet: CalamineSheet) -> CalamineSheet:
    """The sheet, if its table is as wide and high as may be read."""
    if sheet.width > MAX_COLUMNS:
        raise TOO_MANY_COLUMNS(columns=sheet.width, limit=MAX_COLUMNS)
    if height_of(sheet) > MAX_LINES:
        raise TOO_MANY_ROWS()
    return sheet


def height_of(sheet: CalamineSheet) -> int:
    """The number of the last line that holds anything."""
    return sheet.end[0] + 1 if sheet.end else 0


def lines_of(sheet: CalamineSheet) -> Iterator[tuple[int, list[Cell]]]:
    """Each line with the number that the spreadsheet shows beside it."""
    try:
        yield from enumerate(sheet.iter_rows(), 1)
    except CalamineError as error:
        raise WORKBOOK_BROKEN() from error

"""What a person meant to write in one cell, as text in one form."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import TypeAlias

from chassis.clock import CAMPUS
from chassis.errors import Ground, Refusal

Cell: TypeAlias = str | int | float | bool | date | datetime | time | timedelta | None
Reader: TypeAlias = Callable[[Cell], str]

NUMBER_DAMAGED = Ground(
    "number_damaged",
    en="The spreadsheet kept this long number as a figure and lost its last digits. Make the column text; retype it.",
    zh="该长号码被表格软件存为数值，末尾数字已丢失。请将该列设为文本格式后重新填写。",
)
NOT_A_WHOLE_NUMBER = Ground("not_a_whole_number", en="'{text}' is not a whole number.", zh="“{text}”不是整数。")
NOT_A_DATE = Ground(
    "not_a_date",
    en="'{text}' is not a date. Write it like 2020-11-21.",
    zh="“{text}”不是有效日期，请按 2020-11-21 的格式填写。",
)
NOT_AN_INSTANT = Ground(
    "not_an_instant",
    en="'{text}' is not a date and time. Write it like 2020-11-21 18:30.",
    zh="“{text}”不是有效的日期时间，请按 2020-11-21 18:30 的格式填写。",
)

# Spreadsheets keep 15 digits of a number; what is longer is no longer what was typed.
EXACT_BELOW = 10**15
NARROW = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
UNSEEN = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0x7F, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF])
SCIENTIFIC = re.compile(r"[+-]?\d(\.\d+)?[eE]\+1[5-9]|[+-]?\d(\.\d+)?[eE]\+[2-9]\d")
SPACES = re.compile(r"\s+")
LAST_YEAR = 9999
WHOLE = re.compile(r"([+-]?\d+)(\.0*)?")
DAY = re.compile(r"(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{2})(\d{2}))(?:[ T]0{1,2}:00(?::00)?)?")


def text(cell: Cell) -> str:
    """Trimmed, without invisible characters, otherwise as written: names, remarks."""
    if type(cell) is str:
        return cell.strip() if cell.isprintable() else cell.translate(UNSEEN).strip()
    return written(cell)


def code(cell: Cell) -> str:
    """An identifier: full-width forms made narrow, no spaces; a number never becomes a float."""
    word = cell if type(cell) is str else written(cell)
    if word.isalnum() and word.isascii():
        return word
    word = SPACES.sub("", word.translate(UNSEEN).translate(NARROW)).removeprefix("'")
    if SCIENTIFIC.fullmatch(word):
        raise NUMBER_DAMAGED()
    return word


def integer(cell: Cell) -> str:
    """A whole number: 88, 88.0 and ８８ are `88`."""
    word = code(cell)
    if not word:
        return ""
    whole = WHOLE.fullmatch(word)
    if whole is None:
        raise NOT_A_WHOLE_NUMBER(text=word)
    return str(int(whole[1]))


def day(cell: Cell) -> str:
    """A calendar date as `2020-11-21`: a real one, 2020/11/21, 2020年11月21日 or 20201121."""
    if isinstance(cell, date):
        return cell.date().isoformat() if isinstance(cell, datetime) else cell.isoformat()
    word = shown(cell).translate(NARROW).strip()
    if not word:
        return ""
    found = DAY.fullmatch(word)
    if found is None:
        raise NOT_A_DATE(text=word)
    year, month, number = found[1], found[2] or found[4], found[3] or found[5]
    try:
        return date(int(year), int(month), int(number)).isoformat()
    except ValueError:
        raise NOT_A_DATE(text=word) from None


def instant(cell: Cell) -> str:
    """A date and time, aware; without a zone it is campus time, and a date alone is its first moment."""
    if isinstance(cell, datetime):
        return aware(cell)
    word = shown(cell).translate(NARROW).strip()
    if not word:
        return ""
    try:
        return aware(datetime.fromisoformat(word.replace("/", "-")))
    except ValueError:
        pass
    try:
        return aware(datetime.fromisoformat(day(cell)))
    except Refusal as refusal:
        raise NOT_AN_INSTANT(text=word) from refusal


def aware(moment: datetime) -> str:
    """An instant as text, with its zone; refused at the ends of time, which another zone can't tell."""
    if not 1 < moment.year < LAST_YEAR:
        raise NOT_AN_INSTANT(text=moment.isoformat())
    return (moment if moment.tzinfo else moment.replace(tzinfo=CAMPUS)).isoformat()


def written(cell: Cell) -> str:
    """A cell that is no text, as a person reads it; a figure too long to be exact is refused."""
    if isinstance(cell, float | int) and not isinstance(cell, bool) and abs(cell) >= EXACT_BELOW:
        raise NUMBER_DAMAGED()
    return shown(cell)


def shown(cell: Cell) -> str:
    """Any cell as text, losing nothing that is still there."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat(" ") if isinstance(cell, datetime) else cell.isoformat()
    return str(cell)

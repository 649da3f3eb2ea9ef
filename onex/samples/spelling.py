"""How people write one thing in many ways: levels, numbers, dates, scores."""

from __future__ import annotations

from datetime import date, datetime

from onex.samples.people import Person
from onex.samples.sheets import Cell

WORDS = {1: "初", 2: "中", 3: "高"}
WIDE = {ord(narrow): ord(narrow) + 0xFEE0 for narrow in "0123456789X"}


def wide(text: str) -> str:
    """Digits as a Chinese input method leaves them: full-width."""
    return text.translate(WIDE)


def level(value: int, n: int, *, workbook: bool) -> Cell:
    """A level: 高级 mostly, else `3`, `3级`, 高, full-width, with a space, or a number cell."""
    word = WORDS[value]
    spellings: dict[int, Cell] = {
        2: str(value),
        5: f"{value}级",
        8: word,
        11: wide(f"{value}级"),
        14: f"{word}级 ",
        17: value if workbook else str(value),
    }
    return spellings.get(n % 19, f"{word}级")


def document_number(person: Person, n: int) -> str:
    """A document number, now and then full-width, with a trailing space, or with a small x."""
    number = person.document_number
    if n % 37 == 5:
        return wide(number)
    if n % 23 == 4:
        return number + " "
    return number.lower() if number.endswith("X") and n % 3 == 0 else number


def name(person: Person, n: int) -> str:
    """A name, now and then with the other middle dot or a trailing full-width space."""
    return person.name.replace("·", "•" if n % 2 else "·") + ("\u3000" if n % 43 == 9 else "")


def day(value: date, n: int, *, workbook: bool) -> Cell:
    """A date: a real one in workbooks, mostly, else one of four texts."""
    if workbook and n % 4:
        return value
    forms = ("%Y-%m-%d", "%Y/%m/%d", "%Y年%m月%d日", "%Y%m%d")
    return value.strftime(forms[n // 4 % 4 if workbook else n % 4])


def instant(value: datetime, n: int, *, workbook: bool) -> Cell:
    """A date and time: a real one or text."""
    return value if workbook and n % 2 else value.strftime("%Y-%m-%d %H:%M")


def score(value: int | None, n: int, *, workbook: bool) -> Cell:
    """A score: a number cell, or text, full-width or with a space."""
    if value is None:
        return ""
    if n % 29 == 3:
        return wide(str(value))
    if n % 31 == 4:
        return f"{value} "
    return value if workbook else str(value)


def entry_year(value: int, n: int) -> Cell:
    """A year of entry: 2019 or 2019级."""
    return f"{value}级" if n % 3 else str(value)

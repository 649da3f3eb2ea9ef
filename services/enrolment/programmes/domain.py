"""What a programme is, and which of its entry years a change concerns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chassis.errors import Ground
from contracts.terms import plain

PROGRAMME_UNKNOWN = Ground(
    "programme_unknown",
    en="There is no programme '{text}' here. Check its name, or have an operator add it.",
    zh="本校没有专业“{text}”，请核对专业名称，或请管理员先行添加。",
)
PROGRAMME_CODE_INVALID = Ground(
    "programme_code_invalid",
    en="A programme's code has 1 to 20 letters, digits or dashes, like 560301.",
    zh="专业代码应为 1 至 20 位字母、数字或短横，如 560301。",
)

CODE = re.compile(r"[0-9A-Za-z-]{1,20}")


@dataclass(frozen=True, slots=True)
class Programme:
    """专业: a course of study; its credit total belongs to each entry year."""

    code: str
    name: str
    entry_years: tuple[int, ...]
    credit_points_total: int
    code_2021: str = ""


def code_of(text: str) -> str:
    """A programme's code; refuses what cannot be one."""
    if not CODE.fullmatch(text):
        raise PROGRAMME_CODE_INVALID()
    return text


def years_to_announce(before: Programme | None, after: Programme) -> tuple[int, ...]:
    """The entry years that are new, or all when name or total changed."""
    if before is None or (before.name, before.credit_points_total) != (after.name, after.credit_points_total):
        return after.entry_years
    return tuple(year for year in after.entry_years if year not in before.entry_years)


def by_word(programmes: Iterable[Programme]) -> Mapping[str, Programme]:
    """Programmes by every word people write for them: name, code of 2015, code of 2021."""
    found: dict[str, Programme] = {}
    for programme in programmes:
        found.setdefault(plain(programme.name), programme)
        found.setdefault(programme.code_2021, programme)
    found.pop("", None)
    return found | {programme.code: programme for programme in programmes}


def programme_of(text: str, known: Mapping[str, Programme]) -> Programme | None:
    """The programme meant by a cell; None for an empty one, refuses an unknown one."""
    word = "".join(plain(text).split())
    if not word:
        return None
    if word not in known:
        raise PROGRAMME_UNKNOWN(text=text)
    return known[word]

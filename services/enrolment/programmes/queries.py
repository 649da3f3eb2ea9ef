"""Which programmes there are, and what they teach."""

from __future__ import annotations

from collections.abc import Iterable

from chassis.errors import NOT_FOUND
from services.enrolment.programmes import models
from services.enrolment.programmes.domain import Curriculum, Programme


def programme(code: str) -> Programme:
    """One programme by its code."""
    row = models.rows_by_code([code]).get(code)
    if row is None:
        raise NOT_FOUND(what="programme", id=code)
    return models.programme_in(row)


def programmes(after: str = "", limit: int = 0) -> list[Programme]:
    """Programmes by code, from after one on; all of them without a limit."""
    return [models.programme_in(row) for row in models.page(after, limit)]


def programmes_by_code(codes: Iterable[str]) -> dict[str, Programme]:
    """Programmes by their codes, where there are such."""
    return {code: models.programme_in(row) for code, row in models.rows_by_code(codes).items()}


def curriculum(code: str, entry_year: int) -> Curriculum:
    """The curriculum of a programme and entry year."""
    found = curriculum_or_none(code, entry_year)
    if not found.revision:
        raise NOT_FOUND(what="curriculum", id=found.place)
    return found


def curriculum_or_none(code: str, entry_year: int) -> Curriculum:
    """The curriculum of a programme and entry year; an empty one in revision 0 while there is none."""
    return models.curriculum_of(code, entry_year)


def curricula_at(places: Iterable[str]) -> dict[str, Curriculum]:
    """Curricula by `<programme>:<entry year>`, where there are such."""
    return models.curricula_at(places)


def curricula_after(after: str, limit: int) -> list[Curriculum]:
    """Curricula by programme and entry year, from after one on."""
    return models.curricula_after(after, limit)

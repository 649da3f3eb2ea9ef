"""Which programmes there are."""

from __future__ import annotations

from chassis.errors import NOT_FOUND
from services.enrolment.programmes import models
from services.enrolment.programmes.domain import Programme


def programme(code: str) -> Programme:
    """One programme by its code."""
    row = models.rows_by_code([code]).get(code)
    if row is None:
        raise NOT_FOUND(what="programme", id=code)
    return models.programme_in(row)


def programmes(after: str = "", limit: int = 0) -> list[Programme]:
    """Programmes by code, from after one on; all of them without a limit."""
    return [models.programme_in(row) for row in models.page(after, limit)]

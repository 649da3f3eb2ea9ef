"""Which days are worked."""

from __future__ import annotations

from chassis.errors import NOT_FOUND
from services.enrolment.calendar import models
from services.enrolment.calendar.domain import Year


def year(number: int) -> Year:
    """A year's calendar."""
    row = models.year_row(number)
    if row is None:
        raise NOT_FOUND(what="calendar", id=number)
    return models.year_in(row)

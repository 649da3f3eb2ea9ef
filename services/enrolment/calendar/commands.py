"""Publish a year's calendar."""

from __future__ import annotations

from chassis.bus.outbox import append
from chassis.database import transactional
from chassis.strands import name_keys
from contracts.enrolment import CalendarPublished
from services.enrolment.calendar import models
from services.enrolment.calendar.domain import Year


@transactional
def publish_year(year: Year) -> None:
    """Keep a year's calendar as it is now, and announce it when it changed."""
    name_keys(["calendar:working-days"])
    row = models.year_row(year.year)
    if row and models.year_in(row) == year:
        return
    revision = row["revision"] + 1 if row else 1
    models.keep(year, revision)
    published = CalendarPublished(year=year.year, holidays=year.holidays, made_up_days=year.made_up_days)
    append(published, f"calendar:{year.year}:r{revision}")

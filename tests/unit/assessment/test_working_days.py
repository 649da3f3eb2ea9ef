"""How long publicity lasts."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from contracts.workdays import WorkingDays
from services.assessment.handlers import year_of
from services.assessment.results.domain import end_of
from tests.unit.assessment.stories import YEAR_2021

DAYS = WorkingDays({2021: year_of(YEAR_2021)})


def test_s1_five_working_days_from_2021_09_16_end_on_09_24() -> None:
    assert DAYS.last_of(date(2021, 9, 16), 5) == date(2021, 9, 24)


def test_a_monday_to_friday_calendar_would_say_09_23() -> None:
    plain = WorkingDays({2021: year_of(YEAR_2021).__class__(frozenset(), frozenset())})
    assert plain.last_of(date(2021, 9, 16), 5) == date(2021, 9, 23)


def test_no_day_ends_on_the_opening_day_even_where_no_calendar_reaches() -> None:
    assert WorkingDays({}).last_of(date(2030, 1, 5), 0) == date(2030, 1, 5)


def test_a_year_nobody_published_gives_no_due_date() -> None:
    assert DAYS.last_of(date(2021, 12, 30), 1) == date(2021, 12, 31)
    assert DAYS.last_of(date(2021, 12, 30), 2) is None
    assert DAYS.is_working(date(2022, 1, 4)) is None


def test_a_day_ends_when_the_next_begins_on_campus() -> None:
    assert end_of(date(2021, 9, 24)).isoformat() == "2021-09-25T00:00:00+08:00"


@given(st.dates(date(2021, 1, 1), date(2021, 10, 1)), st.integers(1, 40))
def test_so_many_working_days_lie_after_the_opening_day_and_the_last_is_one(opened_on: date, days: int) -> None:
    last = DAYS.last_of(opened_on, days)
    assert last is not None
    after = [opened_on + timedelta(days=n) for n in range(1, (last - opened_on).days + 1)]
    assert sum(bool(DAYS.is_working(day)) for day in after) == days
    assert DAYS.is_working(last)

"""Working days 工作日, which all deadlines count: Monday to Friday without holidays, and the made-up days 调休."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class Year:
    """What differs from Monday to Friday in one year."""

    holidays: frozenset[date]
    made_up_days: frozenset[date]


@dataclass(frozen=True)
class WorkingDays:
    """The calendar as far as it is published."""

    years: Mapping[int, Year]

    def is_working(self, day: date) -> bool | None:
        """Whether the field works on a day; None where no calendar reaches."""
        year = self.years.get(day.year)
        if year is None:
            return None
        return day in year.made_up_days or (day.weekday() < 5 and day not in year.holidays)

    def last_of(self, opened_on: date, days: int) -> date | None:
        """The last of so many working days; the opening day is not counted. None where no calendar reaches."""
        day = opened_on
        while days > 0:
            day += timedelta(days=1)
            working = self.is_working(day)
            if working is None:
                return None
            days -= working
        return day

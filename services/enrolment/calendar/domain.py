"""What a year's calendar says, and what it must not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from chassis.errors import Ground

YEAR_OUT_OF_REACH = Ground(
    "year_out_of_reach",
    en="{year} is no year of this calendar: it keeps {first} to {last}.",
    zh="日历仅支持 {first} 至 {last} 年，{year} 不在其中。",
)
DAY_OF_ANOTHER_YEAR = Ground(
    "day_of_another_year",
    en="{day} is no day of {year}. Put it into the calendar of its own year.",
    zh="{day} 不属于 {year} 年，请放入其所在年份的日历。",
)
DAY_BOTH_WAYS = Ground(
    "day_both_ways",
    en="{day} stands both as a holiday and as a worked day. Remove one.",
    zh="{day} 同时列为假日和调休上班日，请删除其一。",
)

FIRST_YEAR, LAST_YEAR = 2000, 2199


@dataclass(frozen=True, slots=True)
class Year:
    """The working days of a year: holidays on weekdays, weekend days that are worked 调休."""

    year: int
    holidays: tuple[date, ...]
    made_up_days: tuple[date, ...]


def year_of(year: int, holidays: list[date], made_up_days: list[date]) -> Year:
    """A year's calendar, its days in order; refuses days of other years and days that are said both ways."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise YEAR_OUT_OF_REACH(year=year, first=FIRST_YEAR, last=LAST_YEAR)
    for day in (*holidays, *made_up_days):
        if day.year != year:
            raise DAY_OF_ANOTHER_YEAR(day=day.isoformat(), year=year)
    for day in sorted(set(holidays) & set(made_up_days)):
        raise DAY_BOTH_WAYS(day=day.isoformat())
    return Year(year, tuple(sorted(set(holidays))), tuple(sorted(set(made_up_days))))

"""How the calendar is kept."""

from __future__ import annotations

from datetime import date

import mongoengine as me
from pymongo import ReplaceOne

from chassis.database import Row, rows_of, write
from services.enrolment.calendar.domain import Year


class Years(me.Document):
    """A year's holidays and made-up days as ISO texts; `revision` grows with each change."""

    meta = {"collection": "calendar", "auto_create_index": False, "strict": False}
    year = me.IntField(primary_key=True)
    holidays = me.ListField(me.StringField())
    made_up_days = me.ListField(me.StringField())
    revision = me.IntField()


def year_row(year: int) -> Row | None:
    """A year as it is kept."""
    rows = rows_of(Years, {"_id": year})
    return rows[0] if rows else None


def year_in(row: Row) -> Year:
    """A year out of its row."""
    return Year(
        year=row["_id"],
        holidays=tuple(date.fromisoformat(day) for day in row["holidays"]),
        made_up_days=tuple(date.fromisoformat(day) for day in row["made_up_days"]),
    )


def keep(year: Year, revision: int) -> None:
    """Keep a year as it is now."""
    row: Row = {
        "_id": year.year,
        "holidays": [day.isoformat() for day in year.holidays],
        "made_up_days": [day.isoformat() for day in year.made_up_days],
        "revision": revision,
    }
    write(Years, [ReplaceOne({"_id": year.year}, row, upsert=True)])

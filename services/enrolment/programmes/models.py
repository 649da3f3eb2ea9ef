"""How programmes are kept."""

from __future__ import annotations

from collections.abc import Iterable

import mongoengine as me
from pymongo import ReplaceOne

from chassis.database import Row, rows_of, write
from services.enrolment.programmes.domain import Programme


class Programmes(me.Document):
    """A programme by its code of 2015; `revision` grows with each change."""

    meta = {"collection": "programmes", "auto_create_index": False, "strict": False}
    code = me.StringField(primary_key=True)
    name = me.StringField()
    entry_years = me.ListField(me.IntField())
    credit_points_total = me.IntField()
    code_2021 = me.StringField()
    revision = me.IntField()


def programme_in(row: Row) -> Programme:
    """A programme out of its row."""
    return Programme(
        code=row["_id"],
        name=row["name"],
        entry_years=tuple(row["entry_years"]),
        credit_points_total=row["credit_points_total"],
        code_2021=row["code_2021"],
    )


def rows_by_code(codes: Iterable[str]) -> dict[str, Row]:
    """Programmes as they are kept, by code."""
    return {row["_id"]: row for row in rows_of(Programmes, {"_id": {"$in": list(codes)}})}


def page(after: str, limit: int) -> list[Row]:
    """Programmes by code, from after one on; `limit` 0 for all."""
    return rows_of(Programmes, {"_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)


def keep(programme: Programme, revision: int) -> None:
    """Keep a programme as it is now."""
    row: Row = {
        "_id": programme.code,
        "name": programme.name,
        "entry_years": list(programme.entry_years),
        "credit_points_total": programme.credit_points_total,
        "code_2021": programme.code_2021,
        "revision": revision,
    }
    write(Programmes, [ReplaceOne({"_id": programme.code}, row, upsert=True)])

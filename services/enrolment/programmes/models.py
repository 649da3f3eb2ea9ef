"""How programmes and their curricula are kept."""

from __future__ import annotations

from collections.abc import Iterable

import mongoengine as me
import msgspec
from pymongo import ReplaceOne

from chassis.database import Row, rows_of, write
from services.enrolment.programmes.domain import Curriculum, Programme


class Programmes(me.Document):
    """A programme by its code of 2015; `revision` grows with each change."""

    meta = {"collection": "programmes", "auto_create_index": False, "strict": False}
    code = me.StringField(primary_key=True)
    name = me.StringField()
    entry_years = me.ListField(me.IntField())
    credit_points_total = me.IntField()
    code_2021 = me.StringField()
    revision = me.IntField()


class Curricula(me.Document):
    """By `<programme>:<entry year>`; `revision` grows with each change that is announced."""

    meta = {"collection": "curricula", "auto_create_index": False, "strict": False}
    place = me.StringField(primary_key=True)
    programme = me.StringField()
    entry_year = me.IntField()
    courses = me.ListField(me.DictField())
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


def curricula_at(places: Iterable[str]) -> dict[str, Curriculum]:
    """Curricula as they are now, by `<programme>:<entry year>`."""
    rows = rows_of(Curricula, {"_id": {"$in": list(places)}})
    return {row["_id"]: msgspec.convert(row, Curriculum) for row in rows}


def curriculum_of(code: str, entry_year: int) -> Curriculum:
    """The curriculum of a programme and entry year; an empty one in revision 0 while there is none."""
    none = Curriculum(code, entry_year)
    return curricula_at([none.place]).get(none.place, none)


def curricula_after(after: str, limit: int) -> list[Curriculum]:
    """Curricula in the order of their places, from after one on."""
    rows = rows_of(Curricula, {"_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)
    return [msgspec.convert(row, Curriculum) for row in rows]


def keep_curriculum(curriculum: Curriculum) -> None:
    """Keep a curriculum as it is now."""
    row: Row = msgspec.to_builtins(curriculum)
    write(Curricula, [ReplaceOne({"_id": curriculum.place}, row, upsert=True)])

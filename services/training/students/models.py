"""Student records at rest."""

from __future__ import annotations

from collections.abc import Iterable

import mongoengine as me
from pymongo import ReplaceOne, UpdateMany

from chassis.database import Row, rows_of, write
from services.training.students.domain import StudentRecord


class Students(me.Document):
    """By `<college>:<student number>`."""

    meta = {
        "collection": "students",
        "auto_create_index": False,
        "strict": False,
        "indexes": [("student_number",), ("learner_id",)],
    }
    place = me.StringField(primary_key=True)
    learner_id = me.StringField()
    college = me.StringField()
    student_number = me.StringField()
    programme = me.StringField()
    entry_year = me.IntField()
    told_at = me.DateTimeField()
    told_on = me.StringField()


def found(places: Iterable[str]) -> dict[str, StudentRecord]:
    """Records by `<college>:<student number>`."""
    return {one.place: one for one in _read({"_id": {"$in": list(places)}})}


def of_numbers(numbers: Iterable[str]) -> list[StudentRecord]:
    """The records with these student numbers, of any college."""
    return _read({"student_number": {"$in": list(numbers)}})


def of_learners(learner_ids: Iterable[str]) -> list[StudentRecord]:
    """The records of these learners."""
    return _read({"learner_id": {"$in": sorted(set(learner_ids))}})


def _read(where: Row) -> list[StudentRecord]:
    return [
        StudentRecord(
            learner_id=row["learner_id"],
            college=row["college"],
            student_number=row["student_number"],
            programme=row["programme"],
            entry_year=row["entry_year"],
            told_at=row["told_at"],
            told_on=row["told_on"],
        )
        for row in rows_of(Students, where, sort=[("_id", 1)])
    ]


def keep(records: Iterable[StudentRecord]) -> None:
    """Keep records as they are now."""
    write(Students, [ReplaceOne({"_id": one.place}, _row(one), upsert=True) for one in records])


def _row(one: StudentRecord) -> Row:
    return {
        "learner_id": one.learner_id,
        "college": one.college,
        "student_number": one.student_number,
        "programme": one.programme,
        "entry_year": one.entry_year,
        "told_at": one.told_at,
        "told_on": one.told_on,
    }


def give_to(survivor_id: str, merged_id: str) -> None:
    """Give the merged learner's records to the survivor."""
    write(Students, [UpdateMany({"learner_id": merged_id}, {"$set": {"learner_id": survivor_id}})])

"""Curricula, course results, student records and calendars at rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, TypeVar

import mongoengine as me
import msgspec
from pymongo import ReplaceOne, UpdateMany

from chassis.database import Row, rows_of, write
from contracts.terms import StudyStatus
from services.creditbank.curricula.domain import CalendarYear, CourseResult, Curriculum, StudentRecord

Kept = TypeVar("Kept", Curriculum, CourseResult, StudentRecord, CalendarYear)


class KnownCurricula(me.Document):
    """By `<programme>:<entry year>:<revision>`; old revisions stay."""

    meta = {
        "collection": "curricula",
        "auto_create_index": False,
        "strict": False,
        "indexes": [("programme", "entry_year", "-revision")],
    }
    place = me.StringField(primary_key=True)
    programme = me.StringField()
    name = me.StringField()
    entry_year = me.IntField()
    revision = me.IntField()
    credit_points_total = me.IntField()
    courses = me.ListField(me.DictField())
    told_at = me.DateTimeField()
    told_on = me.StringField()


class KnownCourseResults(me.Document):
    """By result; withdrawn ones are kept."""

    meta = {"collection": "course_results", "auto_create_index": False, "strict": False, "indexes": [("learner_id",)]}
    place = me.StringField(primary_key=True)
    result_id = me.StringField()
    learner_id = me.StringField()
    student_number = me.StringField()
    programme = me.StringField()
    entry_year = me.IntField()
    course = me.StringField()
    term = me.StringField()
    mark = me.IntField()
    grade = me.StringField()
    passed = me.BooleanField()
    credit_points = me.IntField()
    revision = me.IntField()
    is_withdrawn = me.BooleanField()


class KnownStudentRecords(me.Document):
    """By `<college>:<student number>`; dates are ISO texts."""

    meta = {
        "collection": "student_records",
        "auto_create_index": False,
        "strict": False,
        "indexes": [("learner_id",), ("programme", "entry_year", "_id"), ("student_number",)],
    }
    place = me.StringField(primary_key=True)
    learner_id = me.StringField()
    college = me.StringField()
    student_number = me.StringField()
    programme = me.StringField()
    entry_year = me.IntField()
    department = me.StringField()
    class_name = me.StringField()
    status = me.StringField()
    since = me.StringField()
    until = me.StringField()
    told_at = me.DateTimeField()
    told_on = me.StringField()


class KnownCalendarYears(me.Document):
    """By year; days are ISO texts."""

    meta = {"collection": "calendar_years", "auto_create_index": False, "strict": False}
    year = me.IntField(primary_key=True)
    holidays = me.ListField(me.StringField())
    made_up_days = me.ListField(me.StringField())
    told_at = me.DateTimeField()
    told_on = me.StringField()


DOCUMENTS: dict[type[Any], type[me.Document]] = {
    Curriculum: KnownCurricula,
    CourseResult: KnownCourseResults,
    StudentRecord: KnownStudentRecords,
    CalendarYear: KnownCalendarYears,
}


def found(kind: type[Kept], places: Iterable[str | int]) -> dict[Any, Kept]:
    """What is kept of a kind at these places."""
    return {one.place: one for one in _read(kind, {"_id": {"$in": list(places)}})}


def keep(kind: type[Kept], kept: Collection[Kept]) -> None:
    """Write what is kept of a kind, each at its place."""
    write(DOCUMENTS[kind], [ReplaceOne({"_id": one.place}, _row(one), upsert=True) for one in kept])


def curricula_of(programme: str, entry_year: int, revision: int = 0) -> list[Curriculum]:
    """A curriculum in one revision, or its last one; none or one."""
    where = {"programme": programme, "entry_year": entry_year} | ({"revision": revision} if revision else {})
    return _read(Curriculum, where, sort=[("revision", -1)], limit=1)


def results_of(learner_ids: Collection[str]) -> list[CourseResult]:
    """Every course result of these learners."""
    return _read(CourseResult, {"learner_id": {"$in": list(learner_ids)}}, sort=[("_id", 1)])


def records_of(learner_ids: Collection[str]) -> list[StudentRecord]:
    """Every student record of these learners."""
    return _read(StudentRecord, {"learner_id": {"$in": list(learner_ids)}}, sort=[("_id", 1)])


def records_after(
    programme: str, entry_year: int, departments: Collection[str] | None, after: str, limit: int
) -> list[StudentRecord]:
    """The records of those who study a programme now, of some departments or all, by place, after one of them."""
    where: Row = {"programme": programme, "entry_year": entry_year, "status": StudyStatus.ENROLLED.value}
    if departments is not None:
        where["department"] = {"$in": sorted(departments)}
    return _read(StudentRecord, where | {"_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)


def holders_of(numbers: Collection[str]) -> dict[str, list[str]]:
    """The learners who have each of these student numbers, in any college."""
    names = ["student_number", "learner_id"]
    holders: dict[str, set[str]] = {}
    for row in rows_of(KnownStudentRecords, {"student_number": {"$in": sorted(numbers)}}, names) if numbers else []:
        holders.setdefault(row["student_number"], set()).add(row["learner_id"])
    return {number: sorted(found) for number, found in holders.items()}


def calendar() -> list[CalendarYear]:
    """Every year's working days, a few dozen days each."""
    return _read(CalendarYear, {})


def move(kind: type[Kept], survivor_id: str, merged_id: str) -> None:
    """Give what a merged learner has of a kind to the survivor."""
    write(DOCUMENTS[kind], [UpdateMany({"learner_id": merged_id}, {"$set": {"learner_id": survivor_id}})])


def _read(kind: type[Kept], where: Row, sort: list[tuple[str, int]] | None = None, limit: int = 0) -> list[Kept]:
    rows = rows_of(DOCUMENTS[kind], where, sort=sort, limit=limit)
    return [msgspec.convert({"year": row["_id"], **row}, kind, builtin_types=(datetime,)) for row in rows]


def _row(one: Any) -> Row:
    """What is kept, as MongoDB takes it: moments as they are, dates as texts."""
    row: Row = msgspec.to_builtins(one, builtin_types=(datetime,))
    return row

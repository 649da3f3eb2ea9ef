"""Courses, course results and pass marks at rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import mongoengine as me
from pymongo import ReplaceOne, UpdateMany

from chassis.database import Row, rows_of, write
from services.training.courses.domain import CourseResult, Curriculum, Lack, Mark


class TaughtCourses(me.Document):
    """By `<programme>:<entry year>`: what enrolment published last; `courses`: code and credit points each."""

    meta = {"collection": "taught_courses", "auto_create_index": False, "strict": False}
    place = me.StringField(primary_key=True)
    programme = me.StringField()
    entry_year = me.IntField()
    revision = me.IntField()
    courses = me.ListField(me.DictField())


class CourseResults(me.Document):
    """By `<student number>:<course>:<term>`; `waits_for` is left out where it waits for nothing."""

    meta = {
        "collection": "course_results",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            ("learner_id", "_id"),
            ("student_number", "_id"),
            ("cause",),
            {"fields": ["waits_for", "_id"], "partialFilterExpression": {"waits_for": {"$exists": True}}},
        ],
    }
    id = me.StringField(primary_key=True)
    student_number = me.StringField()
    course = me.StringField()
    term = me.StringField()
    mark = me.IntField()
    grade = me.StringField()
    as_of = me.DateTimeField()
    learner_id = me.StringField()
    programme = me.StringField()
    entry_year = me.IntField()
    credit_points = me.IntField()
    pass_mark = me.IntField()
    passed = me.BooleanField()
    revision = me.IntField()
    is_withdrawn = me.BooleanField()
    waits_for = me.StringField()
    cause = me.StringField()
    at = me.DateTimeField()


class PassMarks(me.Document):
    """By programme; `default` holds for all others."""

    meta = {"collection": "pass_marks", "auto_create_index": False, "strict": False}
    programme = me.StringField(primary_key=True)
    pass_mark = me.IntField()


def curricula(places: Iterable[str]) -> dict[str, Curriculum]:
    """What was published last of programmes' entry years."""
    return {
        row["_id"]: Curriculum(
            programme=row["programme"],
            entry_year=row["entry_year"],
            revision=row["revision"],
            courses={one["code"]: one["credit_points"] for one in row["courses"]},
        )
        for row in rows_of(TaughtCourses, {"_id": {"$in": list(places)}})
    }


def keep_curricula(kept: Iterable[Curriculum]) -> None:
    """Keep what was published of entry years."""
    write(TaughtCourses, [ReplaceOne({"_id": one.place}, _curriculum_row(one), upsert=True) for one in kept])


def _curriculum_row(one: Curriculum) -> Row:
    return {
        "programme": one.programme,
        "entry_year": one.entry_year,
        "revision": one.revision,
        "courses": [{"code": code, "credit_points": points} for code, points in one.courses.items()],
    }


def results_by_id(result_ids: Iterable[str]) -> dict[str, CourseResult]:
    """Course results by their ids."""
    return {one.id: one for one in read_results({"_id": {"$in": list(result_ids)}})}


def read_results(where: Mapping[str, Any], limit: int = 0) -> list[CourseResult]:
    """Course results in the order of their ids."""
    return [result_of(row) for row in rows_of(CourseResults, where, sort=[("_id", 1)], limit=limit)]


def result_of(row: Row) -> CourseResult:
    """A course result out of its row."""
    given = Mark(row["student_number"], row["course"], row["term"], row["mark"], row["grade"], row["as_of"])
    return CourseResult(
        given=given,
        learner_id=row["learner_id"],
        programme=row["programme"],
        entry_year=row["entry_year"],
        credit_points=row["credit_points"],
        pass_mark=row["pass_mark"],
        passed=row["passed"],
        revision=row["revision"],
        is_withdrawn=row["is_withdrawn"],
        waits_for=Lack(row.get("waits_for", "")),
        cause=row["cause"],
    )


def keep_results(results: Iterable[CourseResult]) -> None:
    """Write course results."""
    at = datetime.now(UTC)
    write(CourseResults, [ReplaceOne({"_id": one.id}, _row(one, at), upsert=True) for one in results])


def _row(one: CourseResult, at: datetime) -> Row:
    row: Row = {
        "student_number": one.given.student_number,
        "course": one.given.course,
        "term": one.given.term,
        "mark": one.given.mark,
        "grade": one.given.grade,
        "as_of": one.given.as_of,
        "learner_id": one.learner_id,
        "programme": one.programme,
        "entry_year": one.entry_year,
        "credit_points": one.credit_points,
        "pass_mark": one.pass_mark,
        "passed": one.passed,
        "revision": one.revision,
        "is_withdrawn": one.is_withdrawn,
        "cause": one.cause,
        "at": at,
    }
    return row | ({"waits_for": str(one.waits_for)} if one.waits_for else {})


def give_to(survivor_id: str, merged_id: str) -> None:
    """Give the merged learner's course results to the survivor."""
    write(CourseResults, [UpdateMany({"learner_id": merged_id}, {"$set": {"learner_id": survivor_id}})])


def rows_caused_by(cause: str) -> list[Row]:
    """The course results whose values a cause gave."""
    return rows_of(CourseResults, {"cause": cause}, limit=100)


def pass_marks() -> dict[str, int]:
    """The pass marks that were set, by programme; there are few."""
    return {row["_id"]: row["pass_mark"] for row in rows_of(PassMarks, {}, sort=[("_id", 1)])}


def keep_pass_mark(programme: str, pass_mark: int) -> None:
    """Set the pass mark of a programme, or the one of all others."""
    write(PassMarks, [ReplaceOne({"_id": programme}, {"pass_mark": pass_mark}, upsert=True)])

"""Completions at rest."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime

import mongoengine as me
from pymongo import ReplaceOne, UpdateMany

from chassis.database import Row, rows_of, write
from contracts.terms import Level
from services.training.completions.domain import Completion


class Completions(me.Document):
    """By application. `announced`: TrainingCompleted is out; it goes out once."""

    meta = {
        "collection": "completions",
        "auto_create_index": False,
        "strict": False,
        "indexes": [("learner_id",), ("cause",)],
    }
    id = me.StringField(primary_key=True)
    learner_id = me.StringField()
    class_code = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    class_hours = me.IntField()
    passed = me.BooleanField()
    completed_on = me.StringField()
    announced = me.BooleanField()
    excused_hours = me.IntField()
    cause = me.StringField()
    at = me.DateTimeField()


def find(application_ids: Iterable[str]) -> list[Completion]:
    """Completions by application."""
    return [_completion(row) for row in rows_of(Completions, {"_id": {"$in": list(application_ids)}})]


def _completion(row: Row) -> Completion:
    return Completion(
        application_id=row["_id"],
        learner_id=row["learner_id"],
        class_code=row["class_code"],
        scheme=row["scheme"],
        level=Level(row["level"]),
        class_hours=row["class_hours"],
        passed=row["passed"],
        completed_on=date.fromisoformat(row["completed_on"]),
        announced=row["announced"],
        excused_hours=row.get("excused_hours", 0),
    )


def keep(completions: Iterable[tuple[Completion, str]]) -> None:
    """Write completions, each with its cause."""
    at = datetime.now(UTC)
    write(
        Completions,
        [ReplaceOne({"_id": one.application_id}, _row(one, cause, at), upsert=True) for one, cause in completions],
    )


def _row(one: Completion, cause: str, at: datetime) -> Row:
    return {
        "_id": one.application_id,
        "learner_id": one.learner_id,
        "class_code": one.class_code,
        "scheme": one.scheme,
        "level": int(one.level),
        "class_hours": one.class_hours,
        "passed": one.passed,
        "completed_on": one.completed_on.isoformat(),
        "announced": one.announced,
        "excused_hours": one.excused_hours,
        "cause": cause,
        "at": at,
    }


def give_to(survivor_id: str, merged_id: str) -> None:
    """Give the merged learner's completions to the survivor."""
    write(Completions, [UpdateMany({"learner_id": merged_id}, {"$set": {"learner_id": survivor_id}})])


def rows_caused_by(cause: str) -> list[Row]:
    """The completions that a row of a sheet led to."""
    return rows_of(Completions, {"cause": cause}, limit=100)

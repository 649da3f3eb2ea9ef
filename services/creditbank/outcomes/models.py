"""Submissions and their sources at rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import mongoengine as me
from pymongo import ReplaceOne, UpdateMany, UpdateOne

from chassis.database import Row, rows_of, write
from services.creditbank.outcomes.domain import Source, State, Submission, Training

LAST = "~"  # comes after every source's name
IMPORTED = {"$gte": "import:", "$lt": "import;"}


class SubmittedOutcomes(me.Document):
    """By `<sender>:<external id>`, each as it was submitted last. `day` is an ISO text."""

    meta = {
        "collection": "submitted_outcomes",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["learner_id"], "name": "learner_id"},
            {"fields": ["scheme", "place"], "name": "scheme"},
            {"fields": ["submitted_by"], "partialFilterExpression": {"submitted_by": IMPORTED}},
        ],
    }
    place = me.StringField(primary_key=True)
    sender = me.StringField()
    external_id = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    learner_id = me.StringField()
    day = me.StringField()
    state = me.StringField()
    as_of = me.DateTimeField()
    evidence = me.StringField()
    revision = me.IntField()
    is_old = me.BooleanField()
    submitted_by = me.StringField()
    kept_at = me.DateTimeField()


class OutcomeSources(me.Document):
    """By `<kind>.<code>`: what outcomes come from."""

    meta = {"collection": "outcome_sources", "auto_create_index": False, "strict": False}
    scheme = me.StringField(primary_key=True)
    title = me.StringField()
    teo = me.StringField()


class OutcomeDigests(me.Document):
    """By account: up to which of its entries old outcomes were told of, and from which day on there is more to tell."""

    meta = {
        "collection": "outcome_digests",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["due_on"], "sparse": True, "name": "due_on"}],
    }
    learner_id = me.StringField(primary_key=True)
    told_up_to = me.IntField()
    due_on = me.StringField()


class Trainings(me.Document):
    """By learner, class, scheme and level. `waits_at`: the rule that would credit it, until it is settled by one."""

    meta = {
        "collection": "completed_trainings",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["waits_at"], "sparse": True, "name": "waits_at"}],
    }
    place = me.StringField(primary_key=True)
    learner_id = me.StringField()
    class_code = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    completed_on = me.StringField()
    cause = me.StringField()
    waits_at = me.StringField()


def submission_of(row: Row) -> Submission:
    """A submission as it stands."""
    return Submission(
        sender=row["sender"],
        external_id=row["external_id"],
        scheme=row["scheme"],
        level=row["level"],
        learner_id=row["learner_id"],
        day=date.fromisoformat(row["day"]),
        state=State(row["state"]),
        as_of=row["as_of"],
        evidence=row["evidence"],
        revision=row["revision"],
        is_old=row["is_old"],
        submitted_by=row["submitted_by"],
    )


def _row(one: Submission) -> Row:
    row: Row = {name: getattr(one, name) for name in Submission.__dataclass_fields__}
    return row | {"day": one.day.isoformat(), "state": str(one.state), "kept_at": datetime.now(UTC)}


def find(places: Collection[str]) -> dict[str, Submission]:
    """The submissions known by these names."""
    rows = rows_of(SubmittedOutcomes, {"_id": {"$in": sorted(places)}}) if places else []
    return {row["_id"]: submission_of(row) for row in rows}


def page_of(where: dict[str, Any], limit: int) -> list[Submission]:
    """Submissions in the order of their names."""
    return [submission_of(row) for row in rows_of(SubmittedOutcomes, where, sort=[("_id", 1)], limit=limit)]


def caused_by(cause: str) -> list[tuple[Submission, datetime]]:
    """The submissions that came by a row of a sheet, and when they were kept."""
    where = {"$and": [{"submitted_by": cause}, {"submitted_by": IMPORTED}]}
    return [(submission_of(row), row["kept_at"]) for row in rows_of(SubmittedOutcomes, where)]


def keep(submissions: Iterable[Submission]) -> None:
    """Write submissions as they are now."""
    latest = {one.place: one for one in submissions}
    write(SubmittedOutcomes, [ReplaceOne({"_id": place}, _row(one), upsert=True) for place, one in latest.items()])


def move(survivor_id: str, merged_id: str) -> None:
    """Give a merged learner's submissions to the survivor."""
    write(SubmittedOutcomes, [UpdateMany({"learner_id": merged_id}, {"$set": {"learner_id": survivor_id}})])


def mark_due(learner_ids: Iterable[str], day: date) -> None:
    """Have these accounts be told of from a day on; due already, they stay due."""
    change = {"$setOnInsert": {"told_up_to": 0}, "$min": {"due_on": day.isoformat()}}
    write(OutcomeDigests, [UpdateOne({"_id": one}, change, upsert=True) for one in sorted(learner_ids)])


def due(day: date, limit: int) -> list[tuple[str, int]]:
    """Accounts with something to tell by this day, and up to which entry they were told of."""
    rows = rows_of(OutcomeDigests, {"due_on": {"$lte": day.isoformat()}}, sort=[("due_on", 1)], limit=limit)
    return [(row["_id"], row["told_up_to"]) for row in rows]


def mark_told(told_up_to: Mapping[str, int]) -> None:
    """Note up to which entries accounts were told of, now that nothing is due."""
    changes = {one: {"$set": {"told_up_to": last}, "$unset": {"due_on": ""}} for one, last in told_up_to.items()}
    write(OutcomeDigests, [UpdateOne({"_id": one}, change) for one, change in changes.items()])


def find_sources(schemes: Collection[str]) -> dict[str, Source]:
    """The sources of these names, where there are any."""
    rows = rows_of(OutcomeSources, {"_id": {"$in": sorted(schemes)}}) if schemes else []
    return {row["_id"]: Source(row["_id"], row["title"], row["teo"]) for row in rows}


def page_of_sources(after: str, limit: int, before: str = LAST) -> list[Source]:
    """Sources in the order of their names, after one of them and before another."""
    rows = rows_of(OutcomeSources, {"_id": {"$gt": after, "$lt": before}}, sort=[("_id", 1)], limit=limit)
    return [Source(row["_id"], row["title"], row["teo"]) for row in rows]


def keep_sources(sources: Iterable[Source]) -> None:
    """Write sources as they are now."""
    rows = [{"_id": one.scheme, "title": one.title, "teo": one.teo} for one in sources]
    write(OutcomeSources, [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows])


def add_trainings(trainings: Iterable[Training]) -> None:
    """Keep trainings that are not known yet."""
    names = ("learner_id", "class_code", "scheme", "level", "cause")
    rows: dict[str, Row] = {}
    for one in trainings:
        said = {name: getattr(one, name) for name in names} | {"completed_on": one.completed_on.isoformat()}
        rows[one.place] = said | {"waits_at": f"training.{one.scheme}:{one.level}"}
    write(Trainings, [UpdateOne({"_id": place}, {"$setOnInsert": row}, upsert=True) for place, row in rows.items()])


def uncredited_trainings(places: Collection[str], limit: int) -> list[Training]:
    """Trainings that wait for one of these rules, `<source>:<level>`."""
    rows = rows_of(Trainings, {"waits_at": {"$in": sorted(places)}}, sort=[("waits_at", 1), ("_id", 1)], limit=limit)
    names = ("learner_id", "class_code", "scheme", "level", "cause")
    return [
        Training(**{name: row[name] for name in names}, completed_on=date.fromisoformat(row["completed_on"]))
        for row in rows
    ]


def mark_credited(trainings: Iterable[Training]) -> None:
    """Note that trainings were settled: from now on recognition has them."""
    write(Trainings, [UpdateOne({"_id": one.place}, {"$unset": {"waits_at": ""}}) for one in trainings])

"""Classes and places at rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import mongoengine as me
from pymongo import DeleteMany, ReplaceOne, UpdateMany, UpdateOne

from chassis.database import Row, collection_of, rows_of, write
from contracts.terms import Level
from services.training.classes.domain import Approval, Place, PlaceState, Queue, TrainingClass


class Classes(me.Document):
    meta = {
        "collection": "classes",
        "auto_create_index": False,
        "strict": False,
        "indexes": [("scheme", "level")],
    }
    code = me.StringField(primary_key=True)
    scheme = me.StringField()
    level = me.IntField()
    places = me.IntField()
    taken = me.IntField()
    starts_on = me.StringField()
    ends_on = me.StringField()
    class_hours = me.IntField()


class Places(me.Document):
    """By application. `learner_id` is the person it belongs to now; `at` when it last changed its state; `turn` its
    number in the queue of its scheme and level."""

    meta = {
        "collection": "places",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            ("learner_id",),
            ("class_code", "id"),
            ("state",),
            ("cause",),
            {
                "fields": ["scheme", "level", "turn"],
                "partialFilterExpression": {"state": "waiting"},
                "name": "queue",
            },
        ],
    }
    id = me.StringField(primary_key=True)
    learner_id = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    state = me.StringField()
    class_code = me.StringField()
    turn = me.IntField()
    cause = me.StringField()
    at = me.DateTimeField()


def class_of(row: Row) -> TrainingClass:
    """A class as it was stored."""
    return TrainingClass(
        code=row["_id"],
        scheme=row["scheme"],
        level=Level(row["level"]),
        places=row["places"],
        taken=row["taken"],
        starts_on=date.fromisoformat(row["starts_on"]),
        ends_on=date.fromisoformat(row["ends_on"]),
        class_hours=row["class_hours"],
    )


def place_of(row: Row) -> Place:
    """A place as it was stored."""
    return Place(
        application_id=row["_id"],
        learner_id=row["learner_id"],
        scheme=row["scheme"],
        level=Level(row["level"]),
        state=PlaceState(row["state"]),
        class_code=row["class_code"],
        turn=row.get("turn", 0),
    )


def find_classes(codes: Iterable[str]) -> dict[str, TrainingClass]:
    """Classes by code."""
    return {row["_id"]: class_of(row) for row in rows_of(Classes, {"_id": {"$in": list(codes)}})}


def classes_with_room(queues: Iterable[Queue]) -> list[TrainingClass]:
    """Classes of these schemes and levels that are not full."""
    pairs = [{"scheme": scheme, "level": int(level)} for scheme, level in sorted(queues)]
    if not pairs:
        return []
    return [class_of(row) for row in rows_of(Classes, {"$or": pairs, "$expr": {"$lt": ["$taken", "$places"]}})]


def keep_class(one: TrainingClass) -> None:
    """Write a class whole."""
    row = {
        "_id": one.code,
        "scheme": one.scheme,
        "level": int(one.level),
        "places": one.places,
        "taken": one.taken,
        "starts_on": one.starts_on.isoformat(),
        "ends_on": one.ends_on.isoformat(),
        "class_hours": one.class_hours,
    }
    write(Classes, [ReplaceOne({"_id": one.code}, row, upsert=True)])


def take(codes: Iterable[str], sign: int = 1) -> None:
    """Count a place of each of these classes as held; with -1, as free again."""
    counted = sorted(Counter(codes).items())
    write(Classes, [UpdateOne({"_id": code}, {"$inc": {"taken": sign * places}}) for code, places in counted])


def places_of_learners(learner_ids: Iterable[str]) -> list[Place]:
    """What these learners hold or wait for."""
    return [place_of(row) for row in rows_of(Places, {"learner_id": {"$in": sorted(set(learner_ids))}})]


def places_after(application_id: str, limit: int) -> list[Place]:
    """Places by application, after the one named."""
    return [place_of(row) for row in rows_of(Places, {"_id": {"$gt": application_id}}, sort=[("_id", 1)], limit=limit)]


def find_places(application_ids: Iterable[str]) -> list[Place]:
    """Places by application."""
    return [place_of(row) for row in rows_of(Places, {"_id": {"$in": list(application_ids)}})]


def waiting_approvals(application_ids: Iterable[str]) -> list[Approval]:
    """What still waits of these, as it was approved."""
    where = {"_id": {"$in": list(application_ids)}, "state": PlaceState.WAITING}
    return [_approval_of(row) for row in rows_of(Places, where)]


def first_waiting(queue: Queue, limit: int) -> list[Approval]:
    """Who waits in front of a queue."""
    scheme, level = queue
    where = {"scheme": scheme, "level": int(level), "state": PlaceState.WAITING}
    return [_approval_of(row) for row in rows_of(Places, where, sort=[("turn", 1)], limit=limit)] if limit else []


def _approval_of(row: Row) -> Approval:
    return Approval(
        application_id=row["_id"],
        learner_id=row["learner_id"],
        scheme=row["scheme"],
        level=Level(row["level"]),
        cause=row["cause"],
        turn=row.get("turn", 0),
    )


def keep_places(approvals: Iterable[Approval], class_codes: Mapping[str, str]) -> None:
    """Write a place for each approval: held in its class, or waiting for one."""
    at = datetime.now(UTC)
    rows = [_row(one, class_codes, at) for one in approvals]
    write(Places, [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows])


def _row(approval: Approval, class_codes: Mapping[str, str], at: datetime) -> Row:
    code = class_codes.get(approval.application_id, "")
    return {
        "_id": approval.application_id,
        "learner_id": approval.learner_id,
        "scheme": approval.scheme,
        "level": int(approval.level),
        "state": PlaceState.HELD if code else PlaceState.WAITING,
        "class_code": code,
        "turn": approval.turn,
        "cause": approval.cause,
        "at": at,
    }


def remove_places(application_ids: Sequence[str]) -> None:
    """Remove places."""
    if application_ids:
        write(Places, [DeleteMany({"_id": {"$in": list(application_ids)}})])


def mark_completed(application_ids: Sequence[str]) -> None:
    """Mark places that are held as completed."""
    where = {"_id": {"$in": list(application_ids)}, "state": PlaceState.HELD}
    write(Places, [UpdateMany(where, {"$set": {"state": PlaceState.COMPLETED, "at": datetime.now(UTC)}})])


def give_to(survivor_id: str, merged_id: str) -> None:
    """Give the merged learner's places to the survivor."""
    write(Places, [UpdateMany({"learner_id": merged_id}, {"$set": {"learner_id": survivor_id}})])


def rows_of_class(code: str, after: str, limit: int) -> list[Row]:
    """The places of a class, by application, after the one named."""
    return rows_of(Places, {"class_code": code, "_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)


def rows_of_classes(after: str, limit: int, where: Mapping[str, Any]) -> list[Row]:
    """Classes by code, after the one named."""
    return rows_of(Classes, {"_id": {"$gt": after}, **where}, sort=[("_id", 1)], limit=limit)


def rows_caused_by(cause: str) -> list[Row]:
    """The places an event led to."""
    return rows_of(Places, {"cause": cause}, limit=100)


def count_by_state() -> dict[str, int]:
    """How many places stand in each state."""
    pipeline = [{"$group": {"_id": "$state", "count": {"$sum": 1}}}]
    return {row["_id"]: row["count"] for row in collection_of(Places).aggregate(pipeline)}

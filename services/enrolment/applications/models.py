"""How applications and the schemes they are for are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import mongoengine as me
from pymongo import DeleteMany, InsertOne, ReplaceOne, UpdateMany, UpdateOne

from chassis.database import Row, collection_of, rows_of, write
from contracts.terms import Level
from services.enrolment.applications.domain import Offer


class Applications(me.Document):
    """`history`: state, instant and cause of each step; `revision` grows with each; `department`: the learner's now."""

    meta = {
        "collection": "applications",
        "auto_create_index": False,
        "strict": False,
        "indexes": ["learner_id", ("state", "_id"), ("scheme", "level", "_id"), "history.cause"],
    }
    id = me.StringField(primary_key=True)
    learner_id = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    state = me.StringField()
    revision = me.IntField()
    department = me.StringField()
    history = me.ListField(me.DictField())


class Offers(me.Document):
    """A certificate scheme as assessment published it last."""

    meta = {"collection": "schemes", "auto_create_index": False, "strict": False}
    scheme = me.StringField(primary_key=True)
    name = me.StringField()
    aliases = me.ListField(me.StringField())
    levels = me.ListField(me.IntField())


class MergeRequests(me.Document):
    """Two learners whom one member of staff says to be one; another carries it out. By survivor and merged."""

    meta = {
        "collection": "merge_requests",
        "auto_create_index": False,
        "strict": False,
        "indexes": [("is_open", "_id")],
    }
    id = me.StringField(primary_key=True)
    survivor_id = me.StringField()
    merged_id = me.StringField()
    asked_by = me.StringField()
    asked_at = me.DateTimeField()
    confirmed_by = me.StringField()
    confirmed_at = me.DateTimeField()
    is_open = me.BooleanField()


def merge_request(survivor_id: str, merged_id: str) -> Row | None:
    """What was asked about two learners, if anything was."""
    return next(iter(rows_of(MergeRequests, {"_id": f"{survivor_id}:{merged_id}"})), None)


def keep_merge_request(row: Row) -> None:
    """Keep a request as it stands now."""
    write(MergeRequests, [ReplaceOne({"_id": row["_id"]}, row, upsert=True)])


def open_merge_requests(where: Mapping[str, Any], limit: int) -> list[Row]:
    """Requests that wait for a second person, by id."""
    return rows_of(MergeRequests, {**where, "is_open": True}, sort=[("_id", 1)], limit=limit)


def rows_by_id(ids: Iterable[str]) -> dict[str, Row]:
    """Applications as they are kept, by id."""
    return {row["_id"]: row for row in rows_of(Applications, {"_id": {"$in": list(ids)}})}


def rows_of_learners(learner_ids: Iterable[str]) -> list[Row]:
    """All applications of learners."""
    return rows_of(Applications, {"learner_id": {"$in": list(learner_ids)}}, sort=[("_id", 1)])


def page(where: Mapping[str, Any], limit: int) -> list[Row]:
    """Applications by id."""
    return rows_of(Applications, where, sort=[("_id", 1)], limit=limit)


def caused_by(cause: str) -> list[Row]:
    """Applications of whose steps one has this cause."""
    return rows_of(Applications, {"history.cause": cause}, sort=[("_id", 1)], limit=100)


def add(rows: Sequence[Row]) -> None:
    """Keep new applications."""
    write(Applications, [InsertOne(row) for row in rows])


def move_on(rows: Iterable[Row]) -> None:
    """Write where applications stand now, and how they came there."""
    write(
        Applications,
        [
            UpdateOne(
                {"_id": row["_id"]},
                {"$set": {"state": row["state"], "revision": row["revision"], "history": row["history"]}},
            )
            for row in rows
        ],
    )


def put_into_departments(departments: Mapping[str, str]) -> None:
    """Note the department of learners, by learner, on all their applications."""
    write(
        Applications,
        [
            UpdateMany(
                {"learner_id": learner_id, "department": {"$ne": department}}, {"$set": {"department": department}}
            )
            for learner_id, department in departments.items()
        ],
    )


def put_in_place(rows: Sequence[Row], of_learners: Sequence[str]) -> None:
    """Put these applications in place of all that the learners have."""
    write(Applications, [DeleteMany({"learner_id": {"$in": list(of_learners)}})])
    add(rows)


def count_by_state() -> dict[str, int]:
    """How many applications stand in each state."""
    rows = collection_of(Applications).aggregate([{"$group": {"_id": "$state", "count": {"$sum": 1}}}])
    return {row["_id"]: row["count"] for row in rows}


def keep_schemes(offers: Iterable[Offer]) -> None:
    """Keep schemes as they are offered now; of one scheme the last counts."""
    rows = {
        offer.scheme: {
            "_id": offer.scheme,
            "name": offer.name,
            "aliases": list(offer.aliases),
            "levels": [int(level) for level in offer.levels],
        }
        for offer in offers
    }
    write(Offers, [ReplaceOne({"_id": scheme}, row, upsert=True) for scheme, row in rows.items()])


def offers() -> list[Offer]:
    """Every scheme that can be applied for."""
    return [
        Offer(row["_id"], row["name"], tuple(row["aliases"]), tuple(Level(level) for level in row["levels"]))
        for row in rows_of(Offers, {}, sort=[("_id", 1)])
    ]

"""How certificates are kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

import mongoengine as me
from pymongo import InsertOne, UpdateMany, UpdateOne

from chassis import clock
from chassis.database import Row, collection_of, rows_of, write
from contracts.terms import Level
from services.assessment.certificates.domain import Certificate, State


class Certificates(me.Document):
    """`id` is `<teo>:<number>`; `submitted_by`: the cause that put it on record; `reason`: why it was revoked."""

    meta = {
        "collection": "certificates",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["learner_id"]}, {"fields": ["result_id"]}, {"fields": ["submitted_by"]}],
    }
    id = me.StringField(primary_key=True)
    teo = me.StringField()
    number = me.StringField()
    learner_id = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    result_id = me.StringField()
    issued_on = me.StringField()
    state = me.StringField()
    submitted_by = me.StringField()
    recorded_at = me.DateTimeField()
    reason = me.StringField()


def read_certificates(where: Mapping[str, Any], limit: int = 0) -> list[Certificate]:
    """Certificates by id."""
    return [_certificate_of(row) for row in rows_of(Certificates, where, sort=[("_id", 1)], limit=limit)]


def certificates_by_id(ids: Collection[str]) -> list[Certificate]:
    """The certificates with these ids."""
    return read_certificates({"_id": {"$in": list(ids)}})


def certificates_like(ids: Collection[str], result_ids: Collection[str]) -> list[Certificate]:
    """The certificates with these ids, and those of these results."""
    return read_certificates({"$or": [{"_id": {"$in": list(ids)}}, {"result_id": {"$in": list(result_ids)}}]})


def add_certificates(issued: Sequence[Certificate]) -> None:
    """Keep certificates."""
    recorded_at = clock.now()
    write(Certificates, [InsertOne({"_id": one.id, **_row_of(one), "recorded_at": recorded_at}) for one in issued])


def set_revoked(certificate: Certificate, reason: str) -> None:
    """Mark a certificate revoked."""
    change = {"$set": {"state": str(certificate.state), "reason": reason}}
    write(Certificates, [UpdateOne({"_id": certificate.id}, change)])


def move_certificates(moves: Sequence[tuple[str, str]]) -> None:
    """Give the certificates of merged learners to their survivors: (merged, survivor)."""
    changes = [UpdateMany({"learner_id": old}, {"$set": {"learner_id": new}}) for old, new in moves]
    write(Certificates, changes, ordered=True)


def count_valid() -> int:
    """How many certificates are on record and not revoked."""
    total = collection_of(Certificates).estimated_document_count()
    return total - collection_of(Certificates).count_documents({"state": "revoked"})


def rows_by_cause(cause: str) -> list[Row]:
    """Certificates put on record by one cause, as kept."""
    return rows_of(Certificates, {"submitted_by": cause})


def _row_of(one: Certificate) -> Row:
    return {**vars(one), "level": int(one.level), "issued_on": one.issued_on.isoformat(), "state": str(one.state)}


def _certificate_of(row: Row) -> Certificate:
    return Certificate(
        teo=row["teo"],
        number=row["number"],
        learner_id=row["learner_id"],
        scheme=row["scheme"],
        level=Level(row["level"]),
        result_id=row["result_id"],
        issued_on=date.fromisoformat(row["issued_on"]),
        state=State(row["state"]),
        submitted_by=row["submitted_by"],
    )

"""How learners, documents, keys, student records and disclosures are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import mongoengine as me
from pymongo import InsertOne, ReplaceOne, UpdateMany, UpdateOne

from chassis.database import Row, collection_of, rows_of, write
from contracts.terms import LearnerKind, StudyStatus
from services.enrolment.learners.domain import Person, StudentRecord
from services.enrolment.learners.keyring import Keyring, opened_particulars


class Learners(me.Document):
    """`name`, `phone`, `email`: sealed under the learner's own key; `merged_into`: whose account this one is now."""

    meta = {
        "collection": "learners",
        "auto_create_index": False,
        "strict": False,
        "indexes": [("name_index", "_id"), {"fields": ["merged_into"], "sparse": True}],
    }
    id = me.StringField(primary_key=True)
    kind = me.StringField()
    name = me.StringField()
    phone = me.StringField()
    email = me.StringField()
    name_index = me.StringField()
    registered_at = me.DateTimeField()
    merged_into = me.StringField()


class Documents(me.Document):
    """An identity document by its blind index, which is unique; `number`: sealed under the learner's own key."""

    meta = {"collection": "documents", "auto_create_index": False, "strict": False, "indexes": ["learner_id"]}
    blind = me.StringField(primary_key=True)
    learner_id = me.StringField()
    type = me.StringField()
    number = me.StringField()


class Keys(me.Document):
    """A learner's own key, wrapped by the master key."""

    meta = {"collection": "keys", "auto_create_index": False, "strict": False}
    learner_id = me.StringField(primary_key=True)
    wrapped = me.StringField()


class StudentRecords(me.Document):
    """学籍 by `<college>:<student number>`, which is unique; dates are ISO texts."""

    meta = {
        "collection": "student_records",
        "auto_create_index": False,
        "strict": False,
        "indexes": ["learner_id", "student_number", "department"],
    }
    key = me.StringField(primary_key=True)
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


class Disclosures(me.Document):
    """Who asked for personal values or looked people up, when, what for, about whom. Only ever added to."""

    meta = {"collection": "disclosures", "auto_create_index": False, "strict": False, "indexes": ["learner_ids", "at"]}
    at = me.DateTimeField()
    what = me.StringField()
    subject = me.StringField()
    client_id = me.StringField()
    purpose = me.StringField()
    count = me.IntField()
    learner_ids = me.ListField(me.StringField())


def record_of(row: Row) -> StudentRecord:
    """A student record out of its row."""
    return StudentRecord(
        college=row["college"],
        student_number=row["student_number"],
        programme=row["programme"],
        entry_year=row["entry_year"],
        department=row["department"],
        class_name=row["class_name"],
        status=StudyStatus(row["status"]),
        since=date.fromisoformat(row["since"]),
        until=date.fromisoformat(row["until"]) if row["until"] else None,
    )


def record_row(learner_id: str, record: StudentRecord) -> Row:
    """A student record's row."""
    return {
        "_id": record.key,
        "learner_id": learner_id,
        "college": record.college,
        "student_number": record.student_number,
        "programme": record.programme,
        "entry_year": record.entry_year,
        "department": record.department,
        "class_name": record.class_name,
        "status": record.status.value,
        "since": record.since.isoformat(),
        "until": record.until.isoformat() if record.until else None,
    }


def learners_by_blind(blinds: Iterable[str]) -> dict[str, str]:
    """Whose the documents behind blind indexes are."""
    found = rows_of(Documents, {"_id": {"$in": list(blinds)}}, {"learner_id": 1})
    return {row["_id"]: row["learner_id"] for row in found}


def documents_of(learner_id: str) -> list[Row]:
    """A learner's identity documents."""
    return rows_of(Documents, {"learner_id": learner_id}, sort=[("_id", 1)])


def learner_rows(learner_ids: Iterable[str]) -> dict[str, Row]:
    """Learners as they are kept, by id."""
    return {row["_id"]: row for row in rows_of(Learners, {"_id": {"$in": list(learner_ids)}})}


def wrapped_keys(learner_ids: Iterable[str]) -> dict[str, str]:
    """Learners' keys as they are kept, by learner."""
    return {row["_id"]: row["wrapped"] for row in rows_of(Keys, {"_id": {"$in": list(learner_ids)}})}


def records_of(learner_ids: Iterable[str]) -> dict[str, dict[str, StudentRecord]]:
    """Student records by learner, then by key."""
    found: dict[str, dict[str, StudentRecord]] = {}
    for row in rows_of(StudentRecords, {"learner_id": {"$in": list(learner_ids)}}, sort=[("_id", 1)]):
        found.setdefault(row["learner_id"], {})[row["_id"]] = record_of(row)
    return found


def record_owners(keys: Iterable[str]) -> dict[str, str]:
    """Whose the student records with these keys are."""
    found = rows_of(StudentRecords, {"_id": {"$in": list(keys)}}, {"learner_id": 1})
    return {row["_id"]: row["learner_id"] for row in found}


def persons(learner_ids: Iterable[str], keyring: Keyring) -> dict[str, Person]:
    """Learners as rules see them, particulars opened, by id."""
    rows = learner_rows(learner_ids)
    keys, records = wrapped_keys(rows), records_of(rows)
    return {
        learner_id: Person(
            learner_id=learner_id,
            kind=LearnerKind(row["kind"]),
            particulars=opened_particulars(keyring.unwrap(keys[learner_id]), learner_id, row),
            records=records.get(learner_id, {}),
        )
        for learner_id, row in rows.items()
    }


def add_learners(learners: Sequence[Row], documents: Sequence[Row], keys: Sequence[Row]) -> None:
    """Keep new learners with their documents and keys."""
    write(Learners, [InsertOne(row) for row in learners])
    write(Documents, [InsertOne(row) for row in documents])
    write(Keys, [InsertOne(row) for row in keys])


def change_learners(rows: Sequence[Row]) -> None:
    """Set, of each row, what it holds besides its `_id`."""
    write(Learners, [UpdateOne({"_id": row["_id"]}, {"$set": row}) for row in rows])


def keep_records(rows: Sequence[Row]) -> None:
    """Keep student records as they are now."""
    write(StudentRecords, [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows])


def move_learner(merged_id: str, survivor_id: str, numbers: Mapping[str, str]) -> None:
    """Give one learner's documents and records to another.

    `numbers`: the documents' numbers sealed under the other's key, by blind index.
    """
    moved = {"$set": {"learner_id": survivor_id}}
    write(Documents, [UpdateMany({"learner_id": merged_id}, moved)])
    write(Documents, [UpdateOne({"_id": blind}, {"$set": {"number": number}}) for blind, number in numbers.items()])
    write(StudentRecords, [UpdateMany({"learner_id": merged_id}, moved)])
    merged = {"$or": [{"_id": merged_id}, {"merged_into": merged_id}]}
    write(Learners, [UpdateMany(merged, {"$set": {"merged_into": survivor_id}})])


def add_disclosure(row: Row) -> None:
    """Add a disclosure to those on record."""
    write(Disclosures, [InsertOne(row)])


def learner_page(where: dict[str, Any], after: str, limit: int) -> list[Row]:
    """Learners by id, from after one on."""
    return rows_of(Learners, {"$and": [where, {"_id": {"$gt": after}}]}, sort=[("_id", 1)], limit=limit)


def holders_of_number(student_number: str) -> list[str]:
    """The learners who have a student number, at whatever college."""
    found = rows_of(StudentRecords, {"student_number": student_number}, {"learner_id": 1}, limit=100)
    return sorted({row["learner_id"] for row in found})


def ever_in(departments: Collection[str]) -> list[str]:
    """The learners who have a record in one of these departments, an old one too."""
    found = rows_of(StudentRecords, {"department": {"$in": sorted(departments)}}, {"learner_id": 1})
    return sorted({row["learner_id"] for row in found})


def count_learners() -> int:
    """How many people are known; who was merged into another counts no more."""
    collection = collection_of(Learners)
    return collection.estimated_document_count() - collection.count_documents({"merged_into": {"$exists": True}})


def count_records() -> int:
    """How many student records there are."""
    return collection_of(StudentRecords).estimated_document_count()

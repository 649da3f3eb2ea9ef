"""What is known about learners, and who is behind a document."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chassis.database import Row
from chassis.errors import NOT_FOUND, Refusal
from contracts.terms import LearnerKind, mask
from services.enrolment.learners import models
from services.enrolment.learners.domain import Document, Person, StudentRecord, department_of, document_of
from services.enrolment.learners.keyring import Keyring, opened_number, opened_particulars


@dataclass(frozen=True)
class Census:
    """What enrolment knows about the people of some rows.

    `blinds`: the blind index of each document; `owners`: who has a student record, by the record's key.
    """

    blinds: Mapping[Document, str] = field(default_factory=dict)
    persons: Mapping[Document, Person] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)


def census_of(documents: Iterable[Document], record_keys: Iterable[str], keyring: Keyring) -> Census:
    """Read in a handful of queries who stands behind documents and student numbers."""
    blinds = {document: keyring.blind(document) for document in documents}
    owners = models.learners_by_blind(blinds.values())
    people = models.persons(set(owners.values()), keyring)
    return Census(
        blinds=blinds,
        persons={document: people[owners[blind]] for document, blind in blinds.items() if blind in owners},
        owners=models.record_owners(set(record_keys)),
    )


def match(pairs: Sequence[tuple[str, str]], keyring: Keyring) -> list[str | None]:
    """The learner behind each (document type, number), None where nobody is; a number that cannot be is nobody's."""
    blinds = [_blind_of(pair, keyring) for pair in pairs]
    owners = models.learners_by_blind({blind for blind in blinds if blind})
    return [owners.get(blind) if blind else None for blind in blinds]


def _blind_of(pair: tuple[str, str], keyring: Keyring) -> str | None:
    try:
        return keyring.blind(document_of(*pair))
    except Refusal:
        return None


def learner(learner_id: str) -> Row:
    """One learner's account; personal fields stay out."""
    row = models.learner_rows([learner_id]).get(learner_id)
    if row is None:
        raise NOT_FOUND(what="learner", id=learner_id)
    return learner_view(row)


def learner_view(row: Row) -> Row:
    """A learner's account as it is shown."""
    return {
        "learner_id": row["_id"],
        "kind": row["kind"],
        "registered_at": row["registered_at"],
        "merged_into": row.get("merged_into"),
    }


def learners(where: dict[str, Any], after: str, limit: int) -> list[Row]:
    """Learners by id, those that fit."""
    return [learner_view(row) for row in models.learner_page(where, after, limit)]


def with_number(student_number: str) -> dict[str, Any]:
    """The filter for those with a student number, at whatever college."""
    return {"_id": {"$in": models.holders_of_number(student_number)}}


def with_name(name: str, keyring: Keyring) -> dict[str, Any]:
    """The filter for those with a whole name."""
    return {"name_index": keyring.blind_name(name)}


def within(departments: Collection[str]) -> dict[str, Any]:
    """The filter for those whom one of these departments decides about."""
    records = models.records_of(models.ever_in(departments))
    return {"_id": {"$in": sorted(one for one in records if department_of(records[one]) in departments)}}


def records(learner_id: str) -> list[StudentRecord]:
    """A learner's student records."""
    learner(learner_id)
    return list(models.records_of([learner_id]).get(learner_id, {}).values())


def particulars(learner_id: str, keyring: Keyring) -> Row:
    """A learner's name and contacts opened, document numbers masked. Whoever asks is noted first."""
    row = models.learner_rows([learner_id])[learner_id]
    key = keyring.unwrap(models.wrapped_keys([learner_id])[learner_id])
    opened = opened_particulars(key, learner_id, row)
    return {
        "learner_id": learner_id,
        "name": opened.name,
        "phone": opened.phone,
        "email": opened.email,
        "documents": [
            {"document_type": one["type"], "masked_number": mask(opened_number(key, learner_id, one["number"]))}
            for one in models.documents_of(learner_id)
        ],
    }


def keys(learner_ids: Sequence[str], keyring: Keyring) -> dict[str, bytes]:
    """Learners' own keys; who is unknown is left out. Whoever asks is noted first."""
    return {learner_id: keyring.unwrap(wrapped) for learner_id, wrapped in models.wrapped_keys(learner_ids).items()}


def department(learner_id: str) -> str:
    """The department that decides about a learner; empty where there is none."""
    records = models.records_of([learner_id]).get(learner_id, {})
    return department_of(records)


def survivors_of(learner_ids: Iterable[str]) -> dict[str, str]:
    """Into whom each of these was merged, for those that were."""
    rows = models.learner_rows(set(learner_ids))
    return {learner_id: row["merged_into"] for learner_id, row in rows.items() if row.get("merged_into")}


def person_of(learner_id: str, keyring: Keyring) -> Person:
    """A learner as rules see them."""
    return models.persons([learner_id], keyring)[learner_id]


def kinds_of(learner_ids: Iterable[str]) -> dict[str, LearnerKind]:
    """Whether each of these studies or not."""
    return {learner_id: LearnerKind(row["kind"]) for learner_id, row in models.learner_rows(set(learner_ids)).items()}


def counts() -> dict[str, int]:
    """The stages of the flow that learners show."""
    return {"learners": models.count_learners(), "student_records": models.count_records()}

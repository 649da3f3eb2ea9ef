"""Register people, change what is known of them, make one of two, and note who asked for personal values."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chassis import clock, seal
from chassis.bus import outbox
from chassis.bus.outbox import append
from chassis.database import Row, transactional
from chassis.errors import NOT_FOUND
from chassis.strands import merge_key, name_keys
from contracts.enrolment import LearnerChanged, LearnerRegistered, LearnersMerged, StudentRecordChanged
from services.enrolment.learners import models
from services.enrolment.learners.domain import (
    Document,
    Person,
    Registration,
    StudentRecord,
    changed_records,
    check_merge,
    is_same_self,
    merged,
    registered,
)
from services.enrolment.learners.keyring import Keyring, opened_number, sealed_number, sealed_particulars


@dataclass
class _Batch:
    """People as one transaction leaves them, their wrapped keys, and the rows it writes at its end; all by learner."""

    keyring: Keyring
    now: dict[str, Person]
    keys: dict[str, str]
    learners: list[Row] = field(default_factory=list)
    documents: list[Row] = field(default_factory=list)
    wrapped: list[Row] = field(default_factory=list)
    changed: dict[str, Row] = field(default_factory=dict)
    records: dict[str, Row] = field(default_factory=dict)


@transactional
def register_people(
    said: Sequence[tuple[Registration, str]], known: Mapping[Document, Person], keyring: Keyring
) -> list[Person]:
    """Register people or change what is known of them, and announce what changed; each one as they are then, in order.

    `said`: registrations with their cause. `known`: the people among them, read in this transaction.
    """
    documents = dict.fromkeys(registration.document for registration, _ in said)
    forgotten = _forgotten_learners(said, known)
    ids = {one: known[one].learner_id if one in known else forgotten.get(one, uuid.uuid4().hex) for one in documents}
    blinds = {ids[document]: keyring.blind(document) for document in documents if document not in known}
    name_keys([f"document:{blind}" for blind in blinds.values()] + [f"learner:{one}" for one in ids.values()])
    people = {person.learner_id: person for document, person in known.items() if document in ids}
    batch = _Batch(keyring, people, models.wrapped_keys(people))
    for registration, cause in said:
        learner_id = ids[registration.document]
        _register(batch, learner_id, registration, blinds.get(learner_id, ""), cause)
    models.add_learners(batch.learners, batch.documents, batch.wrapped)
    models.change_learners(list(batch.changed.values()))
    models.keep_records(list(batch.records.values()))
    return [batch.now[ids[registration.document]] for registration, _ in said]


def _forgotten_learners(said: Iterable[tuple[Registration, str]], known: Collection[Document]) -> dict[Document, str]:
    """The learners that these students were before the database was set back, by their student numbers (ADR 9)."""
    students = {
        (one.study.college, one.study.student_number): one.document
        for one, _ in said
        if one.study and one.document not in known
    }
    told = outbox.forgotten_of(StudentRecordChanged) if students else ()
    found = {students.get((one.college, one.student_number)): one.learner_id for one in told}
    return {document: learner_id for document, learner_id in found.items() if document}


def _register(batch: _Batch, learner_id: str, registration: Registration, blind: str, cause: str) -> None:
    before = batch.now.get(learner_id)
    after = replace(registered(registration, before, clock.today()), learner_id=learner_id)
    if before is None:
        _add(batch, after, registration.document, blind, cause)
    elif not is_same_self(before, after):
        _change(batch, after, cause)
    for record in changed_records(before, after):
        batch.records[record.key] = models.record_row(learner_id, record)
        append(record_changed(learner_id, record), cause)
    batch.now[learner_id] = after


def _add(batch: _Batch, person: Person, document: Document, blind: str, cause: str) -> None:
    """A person nobody knew gets a key of their own and is announced."""
    learner_id, key = person.learner_id, seal.new_key()
    batch.keys[learner_id] = batch.keyring.wrap(key)
    fields = sealed_particulars(key, learner_id, person.particulars)
    index = batch.keyring.blind_name(person.particulars.name)
    batch.learners.append(
        {"_id": learner_id, "kind": person.kind.value, **fields, "name_index": index, "registered_at": clock.now()}
    )
    number = sealed_number(key, learner_id, document.number)
    batch.documents.append({"_id": blind, "learner_id": learner_id, "type": document.type.value, "number": number})
    batch.wrapped.append({"_id": learner_id, "wrapped": batch.keys[learner_id]})
    name, phone, email = fields["name"] or "", fields["phone"], fields["email"]
    append(LearnerRegistered(learner_id=learner_id, kind=person.kind, name=name, phone=phone, email=email), cause)


def _change(batch: _Batch, person: Person, cause: str) -> None:
    """Seal a person's particulars anew and announce them whole."""
    learner_id = person.learner_id
    key = batch.keyring.unwrap(batch.keys[learner_id])
    fields = sealed_particulars(key, learner_id, person.particulars)
    index = batch.keyring.blind_name(person.particulars.name)
    batch.changed[learner_id] = {"_id": learner_id, "kind": person.kind.value, **fields, "name_index": index}
    name, phone, email = fields["name"] or "", fields["phone"], fields["email"]
    append(LearnerChanged(learner_id=learner_id, kind=person.kind, name=name, phone=phone, email=email), cause)


def record_changed(learner_id: str, record: StudentRecord) -> StudentRecordChanged:
    """The announcement of a student record as it is now."""
    return StudentRecordChanged(
        learner_id=learner_id,
        student_number=record.student_number,
        college=record.college,
        programme=record.programme,
        entry_year=record.entry_year,
        department=record.department,
        class_name=record.class_name,
        status=record.status,
        since=record.since,
        until=record.until,
    )


@transactional
def may_merge(survivor_id: str, merged_id: str) -> bool:
    """Whether a merge is still to be done; Refusal for one that can't be, and for learners nobody knows."""
    name_keys([f"learner:{survivor_id}", f"learner:{merged_id}"])
    rows = models.learner_rows([survivor_id, merged_id])
    for learner_id in (survivor_id, merged_id):
        if learner_id not in rows:
            raise NOT_FOUND(what="learner", id=learner_id)
    now = {learner_id: row.get("merged_into") for learner_id, row in rows.items()}
    return check_merge(survivor_id, now[survivor_id], merged_id, now[merged_id])


@transactional
def merge_learners(survivor_id: str, merged_id: str, keyring: Keyring) -> bool:
    """Make two learners one: documents, records and missing particulars go to the survivor; whether anything was done.

    The merged learner's key stays, since what was announced under it stays sealed with it.
    """
    if not may_merge(survivor_id, merged_id):
        return False
    cause = f"merge:{survivor_id}:{merged_id}"
    append(LearnersMerged(survivor_id=survivor_id, merged_id=merged_id), cause)
    merge_key(f"learner:{merged_id}", f"learner:{survivor_id}")
    _move(survivor_id, merged_id, keyring, cause)
    return True


def _move(survivor_id: str, merged_id: str, keyring: Keyring, cause: str) -> None:
    people = models.persons([survivor_id, merged_id], keyring)
    keys = models.wrapped_keys(people)
    theirs, ours = keyring.unwrap(keys[merged_id]), keyring.unwrap(keys[survivor_id])
    numbers = {
        row["_id"]: sealed_number(ours, survivor_id, opened_number(theirs, merged_id, row["number"]))
        for row in models.documents_of(merged_id)
    }
    after = merged(people[survivor_id], people[merged_id])
    models.move_learner(merged_id, survivor_id, numbers)
    if not is_same_self(people[survivor_id], after):
        batch = _Batch(keyring, {}, keys)
        _change(batch, after, cause)
        models.change_learners(list(batch.changed.values()))


@transactional
def disclose(what: str, who: tuple[str, str], purpose: str, learner_ids: Iterable[str], count: int) -> None:
    """Note who learns something personal, before they do. `who`: subject and client."""
    models.add_disclosure(
        {
            "at": clock.now(),
            "what": what,
            "subject": who[0],
            "client_id": who[1],
            "purpose": purpose,
            "count": count,
            "learner_ids": sorted(set(learner_ids)),
        }
    )

"""Take applications, approve and withdraw them, and follow what others say about them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from chassis import clock
from chassis.bus.outbox import append
from chassis.database import Row, transactional
from chassis.errors import NOT_FOUND, Sifted, sift
from chassis.strands import name_keys, survivor_of
from contracts.enrolment import EnrolmentApproved, EnrolmentWithdrawn
from contracts.terms import Level
from services.enrolment.applications import models
from services.enrolment.applications.domain import (
    OTHER_DEPARTMENT,
    MergeState,
    Offer,
    State,
    Wish,
    application_id,
    approved,
    become_candidate,
    furthest,
    learner_in,
    withdrawn,
)
from services.enrolment.learners import queries as learners
from services.enrolment.learners.commands import may_merge, merge_learners, register_people
from services.enrolment.learners.domain import Person, Registration, department_of
from services.enrolment.learners.keyring import Keyring

Rule = Callable[[State], State]


@dataclass(frozen=True, slots=True)
class Entry:
    """A roster row as it is understood: who, known as whom before (None: nobody), and what they apply for."""

    registration: Registration
    known_as: Person | None
    wish: Wish | None


@dataclass(frozen=True, slots=True)
class Asked:
    """One item of a request to decide about applications, by its position."""

    index: int
    application: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A learner whom assessment registered in a plan, and the event that said so."""

    learner_id: str
    wish: Wish
    cause: str


@transactional
def take_roster(entries: Sequence[tuple[Entry, str]], keyring: Keyring) -> None:
    """Register the people of roster rows, each with its cause, and keep what they apply for and had not before."""
    known = {entry.registration.document: entry.known_as for entry, _ in entries if entry.known_as}
    people = register_people([(entry.registration, cause) for entry, cause in entries], known, keyring)
    wanted: dict[str, Row] = {}
    for (entry, cause), person in zip(entries, people, strict=True):
        if entry.wish:
            row = _application(person, entry.wish, cause)
            wanted.setdefault(row["_id"], row)
    existing = models.rows_by_id(wanted)
    models.add([row for one, row in wanted.items() if one not in existing])
    before = {person.learner_id: department_of(person.records) for person in known.values()}
    now = {person.learner_id: department_of(person.records) for person in people}
    models.put_into_departments({one: now[one] for one, department in before.items() if now[one] != department})


def _application(person: Person, wish: Wish, cause: str) -> Row:
    return {
        "_id": application_id(person.learner_id, wish),
        "learner_id": person.learner_id,
        "scheme": wish.scheme,
        "level": int(wish.level),
        "state": State.APPLIED.value,
        "revision": 1,
        "department": department_of(person.records),
        "history": [{"state": State.APPLIED.value, "at": clock.now(), "cause": cause}],
    }


@transactional
def approve(asked: Sequence[Asked], departments: Collection[str] | None = None) -> Sifted[Asked, bool]:
    """Approve applications, each judged alone; the value says whether anything changed.

    `departments`: those the caller decides for, None for all.
    """
    rows = _applications(asked)
    judged = sift(lambda one: _decide(rows, one, approved, departments), asked)
    changed = {one.application: rows[one.application] for one, is_new in judged.accepted if is_new}
    kinds = learners.kinds_of(row["learner_id"] for row in changed.values())
    for row in _moved(changed.values(), "approval"):
        kind = kinds[row["learner_id"]]
        learner_id, scheme, level = row["learner_id"], row["scheme"], Level(row["level"])
        said = EnrolmentApproved(
            learner_id=learner_id, application_id=row["_id"], scheme=scheme, level=level, kind=kind
        )
        append(said, row["history"][-1]["cause"])
    return judged


@transactional
def withdraw(asked: Sequence[Asked], departments: Collection[str] | None = None) -> Sifted[Asked, bool]:
    """Withdraw applications with a reason, each judged alone; a withdrawn approval is announced."""
    rows = _applications(asked)
    judged = sift(lambda one: _decide(rows, one, withdrawn, departments), asked)
    changed = {one.application: rows[one.application] for one, is_new in judged.accepted if is_new}
    was_approved = {row["_id"] for row in changed.values() if row["history"][-2]["state"] == State.APPROVED}
    for row in _moved(changed.values(), "withdrawal"):
        if row["_id"] in was_approved:
            learner_id, scheme, level = row["learner_id"], row["scheme"], Level(row["level"])
            said = EnrolmentWithdrawn(learner_id=learner_id, application_id=row["_id"], scheme=scheme, level=level)
            append(said, row["history"][-1]["cause"])
    return judged


def _applications(asked: Sequence[Asked]) -> dict[str, Row]:
    """The applications asked for, their learners' keys named; those of merged learners under their old ids as well."""
    ids = {one.application for one in asked}
    survivors = learners.survivors_of({learner_in(one) for one in ids})
    now = {one: _with_survivor(one, survivors) for one in ids}
    name_keys(sorted({f"learner:{learner_in(one)}" for one in now.values()}))
    rows = models.rows_by_id(now.values())
    return {one: rows[current] for one, current in now.items() if current in rows}


def _with_survivor(application: str, survivors: dict[str, str]) -> str:
    learner_id = learner_in(application)
    return survivors.get(learner_id, learner_id) + application.removeprefix(learner_id)


def _decide(rows: dict[str, Row], asked: Asked, rule: Rule, departments: Collection[str] | None) -> bool:
    """Apply a rule to one application's row; whether it changed. Its next step waits for a cause."""
    row = rows.get(asked.application)
    if row is None:
        raise NOT_FOUND(what="application", id=asked.application)
    if departments is not None and row["department"] not in departments:
        raise OTHER_DEPARTMENT()
    return _step(row, rule, asked.reason)


def _step(row: Row, rule: Rule, reason: str = "", cause: str = "") -> bool:
    before = State(row["state"])
    after = rule(before)
    if after is before:
        return False
    row["state"], row["revision"] = after.value, row["revision"] + 1
    row["history"] = [*row["history"], {"state": after.value, "at": clock.now(), "cause": cause, "reason": reason}]
    return True


def _moved(rows: Iterable[Row], verb: str) -> list[Row]:
    """Rows that were decided about, each step named by its verb, application and revision, and kept."""
    named = list({row["_id"]: row for row in rows}.values())
    for row in named:
        row["history"][-1]["cause"] = f"{verb}:{row['_id']}:r{row['revision']}"
    models.move_on(named)
    return named


@transactional
def register_candidates(candidates: Sequence[Candidate]) -> None:
    """Note who is a candidate now; who was merged into another acts as that one.

    Whoever has no application here applied nowhere, so there is nothing to note.
    """
    name_keys([f"learner:{one.learner_id}" for one in candidates])
    ids = {one: application_id(_survivor(one.learner_id), one.wish) for one in candidates}
    rows = models.rows_by_id(ids.values())
    changed: dict[str, Row] = {}
    for one in candidates:
        row = rows.get(ids[one])
        if row and _step(row, become_candidate, cause=one.cause):
            changed[row["_id"]] = row
    models.move_on(changed.values())


def _survivor(learner_id: str) -> str:
    return survivor_of(f"learner:{learner_id}").removeprefix("learner:")


@transactional
def ask_merge(survivor_id: str, merged_id: str, by: str, keyring: Keyring) -> MergeState:
    """Say that two learners are one person; when a second member of staff says so too, they are made one.

    Refusal for a merge that can't be.
    """
    if not may_merge(survivor_id, merged_id):
        return MergeState.UNCHANGED
    known = models.merge_request(survivor_id, merged_id)
    if known is None or known["asked_by"] == by:
        models.keep_merge_request(known or _merge_request(survivor_id, merged_id, by))
        return MergeState.ASKED
    models.keep_merge_request(known | {"confirmed_by": by, "confirmed_at": clock.now(), "is_open": False})
    merge(survivor_id, merged_id, keyring)
    return MergeState.ACCEPTED


def _merge_request(survivor_id: str, merged_id: str, by: str) -> Row:
    asked = {"survivor_id": survivor_id, "merged_id": merged_id, "asked_by": by, "asked_at": clock.now()}
    return {"_id": f"{survivor_id}:{merged_id}", **asked, "is_open": True}


@transactional
def merge(survivor_id: str, merged_id: str, keyring: Keyring) -> bool:
    """Make two learners one, applications included; whether anything was done."""
    if not merge_learners(survivor_id, merged_id, keyring):
        return False
    kept: dict[str, Row] = {}
    for row in models.rows_of_learners([survivor_id, merged_id]):
        own = _under(survivor_id, row)
        kept[own["_id"]] = _joined(kept[own["_id"]], own) if own["_id"] in kept else own
    person = learners.person_of(survivor_id, keyring)
    rows = [row | {"department": department_of(person.records)} for row in kept.values()]
    models.put_in_place(rows, [survivor_id, merged_id])
    return True


def _under(learner_id: str, row: Row) -> Row:
    wish = Wish(row["scheme"], Level(row["level"]))
    return row | {"_id": application_id(learner_id, wish), "learner_id": learner_id}


def _joined(one: Row, other: Row) -> Row:
    """Two applications for the same thing: the one that got further stays, with a revision above both."""
    ahead = one if furthest(State(one["state"]), State(other["state"])) is State(one["state"]) else other
    return ahead | {"revision": max(one["revision"], other["revision"]) + 1}


@transactional
def keep_schemes(offers: Sequence[Offer]) -> None:
    """Keep schemes as they are offered now."""
    models.keep_schemes(offers)

"""Learners over HTTP: their accounts and records, and, noted each time, who they are."""

from __future__ import annotations

from typing import Any

from chassis.database import Row
from chassis.seal import key_text
from chassis.web.access import allow, caller, owned
from chassis.web.blueprint import Blueprint
from chassis.web.paging import page, paged
from contracts.terms import Role, name_of
from services.enrolment.learners import queries
from services.enrolment.learners.commands import disclose
from services.enrolment.learners.domain import StudentRecord
from services.enrolment.learners.keyring import carried
from services.enrolment.learners.schemas import (
    DocumentSchema,
    KeysSchema,
    KeysWantedSchema,
    LearnerFilters,
    LearnerSchema,
    MatchArgs,
    MatchedSchema,
    ParticularsSchema,
    PurposeArgs,
    StudentRecordSchema,
)

blp = Blueprint("learners", __name__, description="People, their student records, their keys.")

STAFF = (Role.REGISTRY, Role.DEPARTMENT, Role.EXAM_OFFICE, Role.TRAINER, Role.OPERATOR, Role.AUDITOR)
READERS = (*STAFF, Role.SERVICE, Role.LEARNER)
OPENERS = (Role.REGISTRY, Role.DEPARTMENT, Role.EXAM_OFFICE, Role.AUDITOR, Role.SERVICE, Role.LEARNER)


def who() -> tuple[str, str]:
    """Who is asking, for the audit."""
    return caller().subject, caller().client_id


def owner(learner_id: str) -> dict[str, str | None]:
    """Whose a learner is: their own, and their department's."""
    return {"learner": learner_id, "department": queries.department(learner_id) or None}


@blp.route("/learners", methods=["GET"])
@allow(Role.REGISTRY, Role.DEPARTMENT, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR, Role.SERVICE)
@paged(LearnerSchema, LearnerFilters)
def list_learners(query: dict[str, Any]) -> dict[str, Any]:
    """List learners, all or those with a student number or a whole name; a department sees its own."""
    wanted = []
    if query["student_number"]:
        wanted.append(queries.with_number(query["student_number"]))
    if name := name_of(query["name"]):
        disclose("find", who(), "search by name", [], 1)
        wanted.append(queries.with_name(name, carried()))
    if (departments := owned("department")) is not None:
        wanted.append(queries.within(departments))
    after = str(query["cursor"][0]) if query["cursor"] else ""
    rows = queries.learners({"$and": wanted} if wanted else {}, after, query["limit"] + 1)
    return page(rows, query["limit"], lambda row: [row["learner_id"]])


@blp.route("/learners/<learner_id>", methods=["GET"])
@allow(*READERS, owning=owner)
@blp.response(200, LearnerSchema)
def get_learner(learner_id: str) -> Row:
    """Show a learner's account; no personal fields."""
    return queries.learner(learner_id)


@blp.route("/learners/<learner_id>/records", methods=["GET"])
@allow(*READERS, owning=owner)
@blp.response(200, StudentRecordSchema(many=True))
def get_records(learner_id: str) -> list[StudentRecord]:
    """Show a learner's student records 学籍."""
    return queries.records(learner_id)


@blp.route("/learners/<learner_id>/particulars", methods=["GET"])
@allow(*OPENERS, owning=owner)
@blp.arguments(PurposeArgs, location="query")
@blp.response(200, ParticularsSchema)
def get_particulars(query: dict[str, Any], learner_id: str) -> Row:
    """Open a learner's name and contacts, document numbers masked; noted with its purpose."""
    queries.learner(learner_id)
    disclose("particulars", who(), query["purpose"], [learner_id], 1)
    return queries.particulars(learner_id, carried())


@blp.route("/match", methods=["POST"])
@allow(Role.SERVICE)
@blp.arguments(DocumentSchema(many=True))
@blp.arguments(MatchArgs, location="query")
@blp.response(200, MatchedSchema(many=True))
def match(documents: list[dict[str, str]], query: dict[str, str]) -> list[Row]:
    """Find the learner behind each identity document, null where nobody is; noted with its purpose and number."""
    pairs = [(one["document_type"], one["document_number"]) for one in documents]
    found = queries.match(pairs, carried())
    disclose("match", who(), query["purpose"], [one for one in found if one], len(pairs))
    return [{"learner_id": one} for one in found]


@blp.route("/keys", methods=["POST"])
@allow(Role.SERVICE)
@blp.arguments(KeysWantedSchema)
@blp.response(200, KeysSchema)
def keys(wanted: dict[str, Any]) -> Row:
    """Give out learners' own keys, to open sealed fields for a page, a sheet or a message; noted by learner."""
    learner_ids = list(dict.fromkeys(wanted["learner_ids"]))
    disclose("keys", who(), wanted["purpose"], learner_ids, len(learner_ids))
    opened = queries.keys(learner_ids, carried())
    return {"keys": {learner_id: key_text(key) for learner_id, key in opened.items()}}

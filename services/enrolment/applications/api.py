"""Applications over HTTP: listed, approved, withdrawn; learners made one; the flow at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.errors import Sifted
from chassis.web.access import allow, caller, owned
from chassis.web.blueprint import Blueprint
from chassis.web.paging import after, page, paged
from chassis.web.schemas import FlowSchema, JudgedSchema, accepted, refused
from contracts.terms import Role
from services.enrolment.applications import commands, queries
from services.enrolment.applications.commands import Asked
from services.enrolment.applications.schemas import (
    ApplicationFilters,
    ApplicationSchema,
    ApprovalSchema,
    MergedSchema,
    MergeRequestSchema,
    MergeSchema,
    WithdrawalSchema,
)
from services.enrolment.learners import queries as learners
from services.enrolment.learners.keyring import carried

blp = Blueprint("applications", __name__, description="Who wants which certificate at which level.")

Judged = Mapping[str, Any]
STAFF = (Role.REGISTRY, Role.DEPARTMENT, Role.TRAINER, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)


@blp.route("/applications", methods=["GET"])
@allow(*STAFF, Role.SERVICE)
@paged(ApplicationSchema, ApplicationFilters)
def list_applications(query: dict[str, Any]) -> dict[str, Any]:
    """List applications by id; who is limited to a department sees its own."""
    where = {name: query[name] for name in ("state", "scheme", "level") if query[name] is not None}
    departments = owned("department")
    if departments is not None:
        where["department"] = {"$in": sorted(departments)}
    rows = queries.applications(where | after(query["cursor"], "_id"), query["limit"] + 1)
    return page(rows, query["limit"], lambda row: [row["application_id"]])


@blp.route("/applications/approvals", methods=["POST"])
@allow(Role.REGISTRY, Role.DEPARTMENT)
@blp.arguments(ApprovalSchema(many=True))
@blp.response(200, JudgedSchema(many=True))
def approve(body: list[dict[str, str]]) -> list[Judged]:
    """Approve applications, each judged alone; a repeat is `unchanged`."""
    asked = [Asked(index, one["application_id"]) for index, one in enumerate(body)]
    return _answers(commands.approve(asked, owned("department")))


@blp.route("/applications/withdrawals", methods=["POST"])
@allow(Role.REGISTRY, Role.DEPARTMENT)
@blp.arguments(WithdrawalSchema(many=True))
@blp.response(200, JudgedSchema(many=True))
def withdraw(body: list[dict[str, str]]) -> list[Judged]:
    """Withdraw applications with a reason, each judged alone; a repeat is `unchanged`."""
    asked = [Asked(index, one["application_id"], one["reason"]) for index, one in enumerate(body)]
    return _answers(commands.withdraw(asked, owned("department")))


@blp.route("/merges", methods=["POST"])
@allow(Role.REGISTRY, by_person=True, whole_college=True)
@blp.arguments(MergeSchema)
@blp.response(200, MergedSchema)
def merge(body: dict[str, str]) -> dict[str, str]:
    """Say that two learners are one; when a second member of staff says so too, documents, records and applications go
    to the survivor. A repeat by the same person is `asked`, one of what was done is `unchanged`."""
    status = commands.ask_merge(body["survivor_id"], body["merged_id"], caller().subject, carried())
    return body | {"status": status}


@blp.route("/merges", methods=["GET"])
@allow(Role.REGISTRY, Role.AUDITOR, whole_college=True)
@paged(MergeRequestSchema)
def list_merges(args: dict[str, Any]) -> dict[str, Any]:
    """Merges that one member of staff asked for and that wait for another."""
    rows = queries.open_merges(after(args["cursor"], "_id"), args["limit"] + 1)
    return page(rows, args["limit"], lambda row: [row["_id"]])


@blp.route("/flow", methods=["GET"])
@allow(*STAFF)
@blp.response(200, FlowSchema)
def flow() -> dict[str, Sequence[Mapping[str, Any]]]:
    """Count who stands at each of enrolment's stages."""
    counts = learners.counts() | queries.counts()
    return {"stages": [{"stage": stage, "count": count} for stage, count in counts.items()]}


def _answers(judged: Sifted[Asked, bool]) -> list[Judged]:
    answers = [accepted(one.index, one.application, changed) for one, changed in judged.accepted]
    answers += [refused(one.index, refusal, one.application) for one, refusal in judged.refused]
    return sorted(answers, key=lambda answer: int(answer["index"]))

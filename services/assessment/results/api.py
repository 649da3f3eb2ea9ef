"""Results over HTTP: submitted, read, closed, corrected, annulled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chassis.errors import Refusal
from chassis.web.access import allow, check_scope, owned
from chassis.web.blueprint import Blueprint
from chassis.web.bundles import BundleArgs
from chassis.web.once import once
from chassis.web.paging import page, paged
from chassis.web.schemas import JudgedSchema, accepted, refused
from contracts.terms import Role
from services.assessment.plans import queries as plans
from services.assessment.plans.domain import plan_id_of
from services.assessment.results import audit, commands, queries
from services.assessment.results.domain import Marks, Result, Sitting, Weighed
from services.assessment.results.schemas import (
    AnnulmentSchema,
    AuditedLearnerSchema,
    CorrectionSchema,
    DueSchema,
    OfLearnerArgs,
    ResultSchema,
    SittingSchema,
    WarningsSchema,
    WholeResultSchema,
    shape,
)

blp = Blueprint("results", __name__, description="Results: recorded, judged, publicised, final.")
STAFF = (Role.REGISTRY, Role.DEPARTMENT, Role.TRAINER, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)


def owner(teo: str, plan: str) -> Mapping[str, str | None]:
    """Whose a plan is."""
    return {"teo": teo, "plan": plan_id_of(teo, plan)}


@blp.route("/teos/<teo>/plans/<plan>/results", methods=["POST"])
@allow(Role.TEO, Role.EXAM_OFFICE, owning=owner)
@blp.arguments(SittingSchema(many=True))
@blp.response(200, JudgedSchema(many=True))
def submit_results(sittings: list[dict[str, Any]], teo: str, plan: str) -> list[Mapping[str, Any]]:
    """Record results; each item gets its own verdict or refusal, and a repeat changes nothing."""
    plan_id = plans.plan_of(plan_id_of(teo, plan)).id
    submitted = [Sitting(plan_id=plan_id, **sitting) for sitting in sittings]
    judged = commands.record_results(submitted)
    return [_judged(index, sitting.result_id, judged[index]) for index, sitting in enumerate(submitted)]


def _judged(index: int, result_id: str, one: Weighed | Refusal) -> Mapping[str, Any]:
    if isinstance(one, Refusal):
        return refused(index, one, result_id)
    return accepted(index, result_id, changed=bool(one.steps))


@blp.route("/teos/<teo>/plans/<plan>/results", methods=["GET"])
@allow(*STAFF, Role.TEO, Role.SERVICE, owning=owner)
@paged(ResultSchema)
def list_results(query: dict[str, Any], teo: str, plan: str) -> dict[str, Any]:
    """List a plan's results in the order of their ids."""
    plan_id = plans.plan_of(plan_id_of(teo, plan)).id
    rows = [shape(one) for one in queries.results_page(plan_id, query["cursor"], query["limit"])]
    return page(rows, query["limit"], lambda row: [row["result_id"]])


@blp.route("/teos/<teo>/plans/<plan>/publicity/close", methods=["POST"])
@allow(Role.OPERATOR, Role.EXAM_OFFICE, owning=owner)
@blp.response(202, DueSchema)
def close_publicity(teo: str, plan: str) -> dict[str, int]:
    """Have a plan's open results made final now, whatever their due dates; a job does it, 500 at a time."""
    return {"due": commands.close_publicity(plan_id_of(teo, plan))}


@blp.route("/results", methods=["GET"])
@allow(*STAFF, Role.LEARNER, Role.SERVICE)
@paged(ResultSchema, OfLearnerArgs)
def results_of_learner(query: dict[str, Any]) -> dict[str, Any]:
    """List a learner's results in the order of their ids."""
    check_scope({"learner": query["learner_id"]})
    found = queries.results_of_learner(query["learner_id"], query["cursor"], query["limit"])
    return page([shape(one) for one in found], query["limit"], lambda row: [row["result_id"]])


@blp.route("/results/<result_id>", methods=["GET"])
@allow(*STAFF, Role.TEO, Role.LEARNER, Role.SERVICE)
@blp.response(200, WholeResultSchema)
def get_result(result_id: str) -> dict[str, Any]:
    """One result with what was changed of it."""
    result, changes = _check_scope(result_id)
    return shape(result) | {"changes": changes}


def _check_scope(result_id: str) -> tuple[Result, list[dict[str, Any]]]:
    """The result and its changes, for a caller who may touch it: whose it is stands in the result."""
    result, changes = queries.result_of(result_id)
    check_scope({"teo": result.teo, "plan": result.plan_id, "learner": result.learner_id})
    return result, changes


@blp.route("/results/<result_id>/corrections", methods=["POST"])
@allow(Role.EXAM_OFFICE)
@once
@blp.arguments(CorrectionSchema)
@blp.response(200, ResultSchema)
def correct_result(given: dict[str, Any], result_id: str) -> dict[str, Any]:
    """Give a result other marks, with a reason; final ones too."""
    _check_scope(result_id)
    marks = Marks(given["theory"], given["practical"], given["remark"])
    return shape(commands.correct_result(result_id, marks, given["reason"]))


@blp.route("/results/<result_id>/annulments", methods=["POST"])
@allow(Role.EXAM_OFFICE)
@once
@blp.arguments(AnnulmentSchema)
@blp.response(200, ResultSchema)
def annul_result(given: dict[str, str], result_id: str) -> dict[str, Any]:
    """Take a result back, with a reason."""
    _check_scope(result_id)
    return shape(commands.annul_result(result_id, given["reason"]))


@blp.route("/warnings", methods=["GET"])
@allow(Role.OPERATOR, Role.EXAM_OFFICE, Role.AUDITOR)
@blp.response(200, WarningsSchema)
def warnings() -> dict[str, Any]:
    """Plans in publicity without a due date, since no calendar reaches it."""
    teos = owned("teo")
    open_ones = [one for one in queries.warnings() if teos is None or one["teo"] in teos]
    return {"warnings": [{"code": "publicity_without_due_date", **one} for one in open_ones]}


@blp.route("/audit", methods=["GET"])
@allow(Role.AUDITOR, Role.OPERATOR)
@paged(AuditedLearnerSchema, BundleArgs)
def read_audit(query: dict[str, Any]) -> dict[str, Any]:
    """Every learner's results and what was announced of them, by learner; `owner` is a learner's id."""
    return audit.audited(query)

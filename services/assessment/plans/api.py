"""Plans over HTTP: set up, read, and who is registered in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chassis.web.access import allow, owned
from chassis.web.blueprint import Blueprint
from chassis.web.paging import page, paged
from contracts.terms import Role
from services.assessment.catalogue import queries as catalogue
from services.assessment.plans import commands, queries
from services.assessment.plans.domain import Plan, check_code, plan_id_of
from services.assessment.plans.schemas import CandidateSchema, PlanFilters, PlanSchema, plan_of

blp = Blueprint("plans", __name__, description="Assessment plans and their candidates.")
STAFF = (Role.REGISTRY, Role.DEPARTMENT, Role.TRAINER, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)


def owner(teo: str, plan: str) -> Mapping[str, str | None]:
    """Whose a plan is."""
    return {"teo": teo, "plan": plan_id_of(teo, plan)}


@blp.route("/teos/<teo>/plans/<plan>", methods=["PUT"])
@allow(Role.OPERATOR, Role.EXAM_OFFICE, owning=owner)
@blp.arguments(PlanSchema)
@blp.response(200, PlanSchema)
def put_plan(given: dict[str, Any], teo: str, plan: str) -> Plan:
    """Keep an assessment plan; what its candidates were registered for stays."""
    scheme = catalogue.scheme_of(given["scheme"])
    return commands.put_plan(plan_of(teo, check_code(plan), given, scheme.publicity_days))


@blp.route("/teos/<teo>/plans/<plan>", methods=["GET"])
@allow(*STAFF, Role.TEO, Role.SERVICE, owning=owner)
@blp.response(200, PlanSchema)
def get_plan(teo: str, plan: str) -> Plan:
    """One assessment plan."""
    return queries.plan_of(plan_id_of(teo, plan))


@blp.route("/plans", methods=["GET"])
@allow(*STAFF, Role.TEO, Role.SERVICE)
@paged(PlanSchema, PlanFilters)
def list_plans(query: dict[str, Any]) -> dict[str, Any]:
    """List plans by TEO and code; who is limited to an organisation sees its own."""
    where: dict[str, Any] = {name: query[name] for name in ("scheme", "level") if name in query}
    teos = owned("teo")
    if teos is not None:
        where["teo"] = {"$in": sorted(teos)}
    return page(queries.plans_page(where, query["cursor"], query["limit"]), query["limit"], lambda one: [one.id])


@blp.route("/teos/<teo>/plans/<plan>/candidates", methods=["GET"])
@allow(*STAFF, Role.TEO, Role.SERVICE, owning=owner)
@paged(CandidateSchema)
def list_candidates(query: dict[str, Any], teo: str, plan: str) -> dict[str, Any]:
    """List a plan's candidates by admission number."""
    plan_id = queries.plan_of(plan_id_of(teo, plan)).id
    return page(queries.candidates_page(plan_id, query["cursor"], query["limit"]), query["limit"], lambda one: [one.id])

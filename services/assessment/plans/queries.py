"""What is known of plans, candidates, and who may be one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from chassis.errors import NOT_FOUND
from chassis.web.health import Step
from chassis.web.paging import Key, after
from services.assessment.catalogue import queries as catalogue
from services.assessment.plans import models
from services.assessment.plans.domain import (
    Candidate,
    Plan,
    PlanBook,
    Registration,
    Roll,
    candidate_id_of,
    entitlement_id_of,
)


def plans_of(ids: Collection[str]) -> dict[str, Plan]:
    """Plans by id."""
    return {plan.id: plan for plan in models.plans_by_id(ids)}


def plan_of(plan_id: str) -> Plan:
    """One plan; NOT_FOUND."""
    for plan in models.plans_by_id([plan_id]):
        return plan
    raise NOT_FOUND(what="plan", id=plan_id)


def plans_page(where: dict[str, Any], cursor: Key | None, limit: int) -> list[Plan]:
    """A page of plans, in the order of their ids, and one more."""
    return models.read_plans(where | after(cursor, "_id"), limit + 1)


def candidates_page(plan_id: str, cursor: Key | None, limit: int) -> list[Candidate]:
    """A page of a plan's candidates, in the order of their ids, and one more."""
    return models.read_candidates({"plan_id": plan_id} | after(cursor, "_id"), limit + 1)


def candidates_of(ids: Collection[str]) -> dict[str, Candidate]:
    """Candidates by id."""
    return {one.id: one for one in models.candidates_by_id(ids)}


def candidates_numbered(numbers: Collection[str]) -> list[Candidate]:
    """The candidates of any plan with these admission numbers."""
    return models.read_candidates({"admission_number": {"$in": list(numbers)}})


def book_of(codes: Collection[str]) -> PlanBook:
    """The plans with these codes, and the organisations, as sheets name them."""
    return PlanBook(models.plans_by_code(codes), catalogue.teos())


def roll_of(plans: Sequence[Plan], wanted: Sequence[Registration]) -> Roll:
    """What is known of those who are to be registered in these plans."""
    found = {plan.id: plan for plan in plans}
    pairs = {(one.plan_id, one.learner_id) for one in wanted if one.learner_id}
    candidates = models.candidates_like(pairs, {candidate_id_of(one.plan_id, one.admission_number) for one in wanted})
    entitled = models.read_entitlements(
        {entitlement_id_of(who, found[plan_id].scheme, found[plan_id].level) for plan_id, who in pairs}
    )
    return Roll(
        plans=found,
        schemes=catalogue.schemes({plan.scheme for plan in plans}),
        entitlements={one.id: one for one in entitled},
        candidates={one.id: one for one in candidates},
        seats=models.count_seats(found),
    )


def stages() -> dict[str, int]:
    """How many are entitled, and how many are registered."""
    wanting = [scheme.code for scheme in catalogue.schemes().values() if scheme.needs_training]
    return {"entitled": models.count_entitled(wanting), "candidates": models.count_candidates()}


def steps_by_cause(cause: str) -> list[Step]:
    """The candidates one cause registered, as steps of a life."""
    return [
        {
            "at": row["registered_at"],
            "service": "assessment",
            "what": "candidate",
            "id": row["_id"],
            "cause": cause,
            "learner_id": row["learner_id"],
            "detail": {"withdrawn": row["withdrawn"], "scheme": row["scheme"], "level": row["level"]},
        }
        for row in models.rows_by_cause(cause)
    ]

"""Set up plans, register candidates, and keep who may be one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.bus import outbox
from chassis.database import transactional
from chassis.errors import NOT_FOUND
from chassis.strands import name_keys
from contracts.assessment import CandidateRegistered
from services.assessment.catalogue import queries as catalogue
from services.assessment.plans import models
from services.assessment.plans.domain import Candidate, Entitlement, Plan, check_change, check_plan, merged


@transactional
def put_plan(plan: Plan) -> Plan:
    """Keep a plan as given; what its candidates were registered for stays."""
    name_keys([f"plan:{plan.id}", f"scheme:{plan.scheme}"])
    scheme = catalogue.schemes([plan.scheme]).get(plan.scheme)
    if scheme is None:
        raise NOT_FOUND(what="scheme", id=plan.scheme)
    check_plan(plan, scheme)
    before = next(iter(models.plans_by_id([plan.id])), None)
    if before is not None:
        check_change(plan, before, models.count_seats([plan.id])[plan.id])
    if plan != before:
        models.save_plan(plan)
    return plan


@transactional
def register(registered: Sequence[tuple[Candidate, Plan, Mapping[str, Any]]]) -> None:
    """Keep candidates whom the rules accepted in this transaction, and announce each: (candidate, plan, row's rest)."""
    name_keys(f"plan:{plan.id}" for _, plan, _ in registered)
    name_keys(f"learner:{candidate.learner_id}" for candidate, _, _ in registered)
    models.save_candidates(registered)
    for candidate, plan, more in registered:
        outbox.append(_announcement(candidate, plan), more["cause"])


def _announcement(candidate: Candidate, plan: Plan) -> CandidateRegistered:
    return CandidateRegistered(
        learner_id=candidate.learner_id,
        teo=plan.teo,
        plan=plan.code,
        scheme=plan.scheme,
        level=plan.level,
        admission_number=candidate.admission_number,
        session_date=plan.session_date,
        site=plan.site,
    )


@transactional
def approve(entitlements: Sequence[Entitlement]) -> None:
    """These learners may be assessed."""
    models.set_entitlements(entitlements, approved=True)


@transactional
def withdraw(entitlements: Sequence[Entitlement]) -> None:
    """These approvals are taken back, and with them the candidates' places; results they have stay."""
    models.set_entitlements(entitlements, approved=False)
    models.withdraw_candidates(entitlements)


@transactional
def complete_training(entitlements: Sequence[Entitlement]) -> None:
    """These learners are trained."""
    models.set_entitlements(entitlements, trained=True)


@transactional
def move_learners(moves: Sequence[tuple[str, str]]) -> None:
    """Give what merged learners had to their survivors: (merged, survivor)."""
    models.move_candidates(moves)
    for old, new in moves:
        own = models.entitlements_of_learners([old, new])
        models.replace_entitlements([old, new], merged(own, new))

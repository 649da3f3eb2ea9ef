"""Reading policy documents and conversion rules with their history."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from chassis.errors import NOT_FOUND
from services.creditbank.conversion import models
from services.creditbank.conversion.applications import Application, State
from services.creditbank.conversion.domain import ConversionRule, Policy
from services.creditbank.ledger.queries import survivors_of

LEARNER = "learner:"


def shown(one: Policy | ConversionRule) -> dict[str, Any]:
    """A version as it is shown."""
    return asdict(one)


def policy_of(code: str) -> list[dict[str, Any]]:
    """A policy document's versions, the latest first; Refusal when there is none."""
    found = models.policies_of(code)
    if not found:
        raise NOT_FOUND(what="policy document", id=code)
    return [shown(one) for one in reversed(found)]


def policies_after(after: str, limit: int) -> list[dict[str, Any]]:
    """Versions of policy documents, by code and version."""
    return [shown(one) for one in models.policies_after(after, limit)]


def rule_of(code: str) -> list[dict[str, Any]]:
    """A rule's versions, the latest first; Refusal when there is none."""
    found = models.rules_of(code)
    if not found:
        raise NOT_FOUND(what="conversion rule", id=code)
    return [shown(one) for one in reversed(found)]


def rules_after(where: Mapping[str, Any], after: str, limit: int) -> list[dict[str, Any]]:
    """Versions of rules, by code and version."""
    return [shown(one) for one in models.rules_after(where, after, limit)]


def application_of(application_id: str) -> dict[str, Any]:
    """An application; Refusal when there is none."""
    found = models.application(application_id)
    if found is None:
        raise NOT_FOUND(what="application", id=application_id)
    return shown_application(found)


def applications_of(learner_id: str) -> list[Application]:
    """Every application of a learner with what was done about it, oldest first."""
    return models.applications_of([learner_id])


def owner_of(application_id: str) -> dict[str, str]:
    """Whose an application is, by kind, for who may see it; nobody's when there is none."""
    found = models.application(application_id)
    return {"learner": found.learner_id, "department": found.department, "teo": found.teo} if found else {}


def applications_after(where: Mapping[str, Any], after: str, limit: int) -> list[dict[str, Any]]:
    """Applications, by id."""
    return [shown_application(one) for one in models.applications_after(where, after, limit)]


def next_due(keys: Collection[str]) -> dict[str, date]:
    """By key of a learner, the next day on which an application of theirs is due, or an offer to them ends."""
    persons = survivors_of([key.removeprefix(LEARNER) for key in keys if key.startswith(LEARNER)])
    found: dict[str, date] = {}
    for learner_id, day in models.days_due(set(persons.values())):
        found[learner_id] = min(found.get(learner_id, day), day)
    return {LEARNER + one: found[person] for one, person in persons.items() if person in found}


def shown_application(one: Application) -> dict[str, Any]:
    """An application as it is shown. What was decided and can still be undone is not said to be decided."""
    said = asdict(one) | {"target": asdict(one.target), "application": one.id}
    names = ("acts", "id", "release_at", "is_reminded", "held", "spent")
    shown_ = {name: value for name, value in said.items() if name not in names}
    return shown_ | {"held_points": one.held, "spent_points": one.spent}


def as_learner_sees(one: Mapping[str, Any]) -> dict[str, Any]:
    """An application as its learner sees it: until a decision is told, it looks like a review."""
    if one["is_released"] or one["state"] not in {State.GRANTED, State.REFUSED}:
        return dict(one)
    return {**one, "state": State.REVIEW, "because": None, "reviewers": [], "spent_points": 0} | {
        "held_points": one["held_points"] + one["spent_points"]
    }


def as_learner_asks(where: Mapping[str, Any]) -> dict[str, Any]:
    """A question about states as its learner may ask it: until a decision is told, it is found under review."""
    untold = {"state": {"$in": [State.GRANTED, State.REFUSED]}, "is_released": False}
    match where.get("state"):
        case State.REVIEW:
            return {name: value for name, value in where.items() if name != "state"} | {
                "$or": [{"state": State.REVIEW}, untold]
            }
        case State.GRANTED | State.REFUSED:
            return {**where, "is_released": True}
    return dict(where)

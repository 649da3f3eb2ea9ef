"""Which applications there are, what became of them, and what can be applied for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chassis.database import Row
from chassis.web.health import Step
from services.enrolment.applications import models
from services.enrolment.applications.domain import Offer, State, by_word


def applications(where: Mapping[str, Any], limit: int) -> list[Row]:
    """Applications by id, those that fit; `where`: state, scheme, level, departments, and where to go on."""
    return [application_view(row) for row in models.page(where, limit)]


def application_view(row: Row) -> Row:
    """An application as it is shown."""
    return {
        "application_id": row["_id"],
        "learner_id": row["learner_id"],
        "scheme": row["scheme"],
        "level": row["level"],
        "state": row["state"],
        "department": row["department"],
        "applied_at": row["history"][0]["at"],
        "changed_at": row["history"][-1]["at"],
    }


def open_merges(where: Mapping[str, Any], limit: int) -> list[Row]:
    """Merges that wait for a second person, by survivor and merged."""
    return models.open_merge_requests(where, limit)


def states_of(learner_ids: Iterable[str]) -> dict[str, State]:
    """The states of all applications of learners, by application."""
    return {row["_id"]: State(row["state"]) for row in models.rows_of_learners(learner_ids)}


def offers_by_word() -> Mapping[str, Offer]:
    """What can be applied for, by every word for it."""
    return by_word(models.offers())


def counts() -> dict[str, int]:
    """The stages of the flow that applications show; who is a candidate has been approved."""
    states = models.count_by_state()
    return {
        "applications": sum(states.values()),
        "approved": states.get(State.APPROVED, 0) + states.get(State.REGISTERED, 0),
    }


def steps(cause: str) -> list[Step]:
    """What a cause did to applications, as steps of a life."""
    return [
        Step(
            at=step["at"],
            service="enrolment",
            what=f"Application{step['state'].capitalize()}",
            id=row["_id"],
            cause=cause,
            learner_id=row["learner_id"],
            detail={"scheme": row["scheme"], "level": row["level"]},
        )
        for row in models.caused_by(cause)
        for step in row["history"]
        if step["cause"] == cause
    ]

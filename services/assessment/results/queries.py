"""What is known of results."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from chassis.errors import NOT_FOUND
from chassis.web.health import Step
from chassis.web.paging import Key, after
from contracts.terms import Level
from services.assessment.results import models
from services.assessment.results.domain import Result, State


def results_page(plan_id: str, cursor: Key | None, limit: int) -> list[Result]:
    """A page of a plan's results, in the order of their ids, and one more."""
    beyond = after(cursor, "_id")
    return models.read_results({"$and": [models.of_plan(plan_id), beyond]}, limit + 1)


def result_of(result_id: str) -> tuple[Result, list[dict[str, Any]]]:
    """One result and its changes; NOT_FOUND."""
    for one in models.results_by_id([result_id]):
        return one, models.changes_of(result_id)
    raise NOT_FOUND(what="result", id=result_id)


def results_of_learner(learner_id: str, cursor: Key | None, limit: int) -> list[Result]:
    """A page of a learner's results, in the order of their ids, and one more."""
    return models.read_results({"learner_id": learner_id} | after(cursor, "_id"), limit + 1)


def final_passes(learner_ids: Collection[str], schemes: Collection[str]) -> dict[tuple[str, str, Level], Result]:
    """The final pass of these learners by (learner, scheme, level); of several the latest."""
    found = [one for one in models.results_of_learners(learner_ids, schemes) if one.state == State.FINAL]
    return {one.subject: one for one in sorted(found, key=lambda one: one.sat) if one.verdict == "passed"}


def final_passes_by_id(ids: Collection[str]) -> list[Result]:
    """Of the results with these ids, those that are final passes."""
    return [one for one in models.results_by_id(ids) if one.state == State.FINAL and one.verdict == "passed"]


def warnings() -> list[dict[str, Any]]:
    """Plans whose open results have no due date, since no calendar reaches it: they close by command alone."""
    return models.count_undated()


def stages() -> dict[str, int]:
    """How many results there are: in publicity now, final, and the verdicts of the final ones."""
    counted = models.count_by_state()
    by_state = {state: sum(n for (one, _), n in counted.items() if one == state) for state in State}
    return {
        "results": sum(by_state.values()),
        "publicised": by_state[State.PUBLICISED],
        "final": by_state[State.FINAL],
        "passed": counted[State.FINAL, "passed"],
        "failed": counted[State.FINAL, "failed"],
        "absent": counted[State.FINAL, "absent"],
        "malpractice": counted[State.FINAL, "malpractice"],
    }


def steps_by_cause(cause: str) -> list[Step]:
    """The results whose values one cause gave, as steps of a life."""
    return [
        {
            "at": recorded_at,
            "service": "assessment",
            "what": "result",
            "id": one.id,
            "cause": cause,
            "learner_id": one.learner_id,
            "detail": _detail(one),
        }
        for one, recorded_at in models.results_submitted_by(cause)
    ]


def _detail(one: Result) -> dict[str, Any]:
    return {
        "theory": one.marks.theory,
        "practical": one.marks.practical,
        "verdict": str(one.verdict),
        "state": str(one.state),
        "revision": one.revision,
        "due_on": one.due_on.isoformat() if one.due_on else None,
    }

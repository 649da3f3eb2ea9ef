"""Plans over HTTP: a learner's best exemptions, and who can be rescued from missing graduation."""

from __future__ import annotations

from typing import Any

from chassis.web.access import allow, owned
from chassis.web.blueprint import Blueprint
from chassis.web.paging import cursor_of, paged, place_after
from chassis.web.problems import language
from contracts.terms import Level, Role
from services.creditbank.planning import queries
from services.creditbank.planning.queries import Cohort, Spending
from services.creditbank.planning.schemas import PlanArgs, PlanSchema, RescueArgs, RescueSchema

READERS = (Role.LEARNER, Role.DEPARTMENT, Role.REGISTRY, Role.OPERATOR, Role.AUDITOR)

blp = Blueprint("planning", __name__, description="The best exemptions under every rule, and what spending forecloses.")


def plan_owner(learner_id: str, **_: str) -> dict[str, str | None]:
    """A plan belongs to its learner, and to each department where they have a student record."""
    mine = queries.departments_of(learner_id) & (owned("department") or set())
    return {"learner": learner_id, "department": next(iter(mine), None)}


@blp.route("/accounts/<learner_id>/plan")
@allow(*READERS, owning=plan_owner)
@blp.arguments(PlanArgs, location="query")
@blp.response(200, PlanSchema)
def get_plan(asked: dict[str, Any], learner_id: str) -> dict[str, Any]:
    """The best set of exemptions, with reasons; what spending now forecloses; what one more certificate would add."""
    spending = Spending(*asked["spend"].split(":", 2)) if asked["spend"] else None
    more = (asked["with_scheme"], Level(asked["with_level"])) if asked["with_scheme"] else None
    said: dict[str, Any] = _spoken(queries.plan_of(learner_id, spending, more))
    return said


@blp.route("/graduation-rescues")
@allow(Role.REGISTRY, Role.DEPARTMENT, Role.OPERATOR)
@paged(RescueSchema, RescueArgs)
def list_rescues(args: dict[str, Any]) -> dict[str, Any]:
    """Who would miss graduation, seen from a term two terms ahead, and which unspent credits would save them."""
    departments = owned("department")
    limits = None if departments is None else frozenset(departments)
    cohort = Cohort(args["programme"], args["entry_year"], args["term"], limits)
    found, last = queries.rescues_after(cohort, place_after(args["cursor"]), args["limit"])
    return {"items": _spoken(found), "next": cursor_of([last]) if last else None}


def _spoken(said: Any) -> Any:
    """The same with `text` beside each pair of sentences: the one in the reader's language."""
    match said:
        case {"zh": _, "en": _}:
            return {name: _spoken(value) for name, value in said.items()} | {"text": said[language()]}
        case dict():
            return {name: _spoken(value) for name, value in said.items()}
        case list():
            return [_spoken(value) for value in said]
    return said

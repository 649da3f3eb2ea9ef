"""What staff see first: how many stand at each stage, live, what needs attention; and learners by student number."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, g, render_template, request

from chassis.errors import Transient
from chassis.web.client import Answered, Client
from contracts.terms import Role
from portal.pages.asking import GLANCE_SECONDS, address, ask, every_or_none, together
from portal.pages.frame import STAFF, Page, signed_in
from portal.pages.letters import MOST_COUNTED, READERS, waiting_count

pages = Blueprint("staff", __name__)
SERVICES = ("enrolment", "training", "assessment", "creditbank", "notify")
LEARNERS_SHOWN = 20

Flow = dict[str, list[dict[str, Any]] | None]


@pages.route("/overview")
@signed_in(*STAFF)
def overview() -> Page:
    """The flow at a glance."""
    return render_template("overview.html", **at_a_glance())


@pages.route("/overview/live")
@signed_in(*STAFF)
def overview_live() -> Page:
    """The part of the page that refreshes itself."""
    return render_template("overview_live.html", **at_a_glance())


def at_a_glance() -> dict[str, Any]:
    """The stages of every service with their counts, None of one that does not answer, and what needs attention."""
    may_see_letters = bool(set(READERS) & set(g.person.roles))
    found = together(SERVICES, lambda client: (stages(client), waiting_count(client) if may_see_letters else 0))
    flow: Flow = {name: one[0] if one else None for name, one in found.items()}
    return {
        "flow": flow,
        "warnings": warnings() if flow["assessment"] is not None else [],
        "letters": {name: counted(one[1]) for name, one in found.items() if one and one[1]},
        "at": datetime.now(UTC),
    }


def stages(client: Client) -> list[dict[str, Any]]:
    """The stages of a service with their counts."""
    return list(client.get("/flow")["stages"])


def counted(letters: int) -> str:
    """How many dead letters, in a word; there may be more than are counted."""
    return f"{MOST_COUNTED}+" if letters > MOST_COUNTED else str(letters)


def warnings() -> list[dict[str, Any]]:
    """What waits for an operator, for those who may know."""
    if not {Role.OPERATOR, Role.EXAM_OFFICE, Role.AUDITOR} & set(g.person.roles):
        return []
    try:
        found: list[dict[str, Any]] = ask("assessment", GLANCE_SECONDS).get("/warnings")["warnings"]
    except (Transient, Answered):
        return []
    return found


@pages.route("/learners")
@signed_in(Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
def learners() -> Page:
    """Find a learner by student number; shown by their record, never by name."""
    number = request.args.get("student_number", "").strip()
    found = [with_records(one) for one in found_by(number)] if number else []
    return render_template("learners.html", number=number, found=found, programmes=programme_names() if found else {})


def found_by(number: str) -> list[dict[str, Any]]:
    """The learners with a student number."""
    query = {"student_number": number, "limit": LEARNERS_SHOWN}
    found: list[dict[str, Any]] = ask("enrolment").get("/learners", **query)["items"]
    return found


def with_records(learner: dict[str, Any]) -> dict[str, Any]:
    """A learner with their student records."""
    return learner | {"records": ask("enrolment").get(address("learners", learner["learner_id"], "records"))}


def programme_names() -> dict[str, str]:
    """The programmes' names by code."""
    return {one["code"]: one["name"] for one in every_or_none("enrolment", "/programmes") or []}

"""What staff see first: how many stand at each stage, live, and what needs attention."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template, request

from chassis.errors import Transient
from chassis.web.client import Answered
from contracts.terms import Role
from portal.pages.frame import STAFF, Page, ask, signed_in

pages = Blueprint("staff", __name__)
SERVICES = ("enrolment", "training", "assessment", "creditbank", "notify")


@pages.route("/overview")
@signed_in(*STAFF)
def overview() -> Page:
    """The flow at a glance."""
    return render_template("overview.html", flow=flow(), warnings=warnings())


@pages.route("/overview/live")
@signed_in(*STAFF)
def overview_live() -> Page:
    """The part of the page that refreshes itself."""
    return render_template("overview_live.html", flow=flow(), warnings=warnings())


def flow() -> list[tuple[str, list[dict[str, Any]] | None]]:
    """By service: its stages with their counts, or None when it does not answer."""
    return [(name, stages_of(name)) for name in SERVICES]


def stages_of(service: str) -> list[dict[str, Any]] | None:
    """A service's stages; None when it does not answer: the others are shown all the same."""
    try:
        stages: list[dict[str, Any]] = ask(service).get("/flow")["stages"]
    except Transient:
        return None
    return stages


def warnings() -> list[dict[str, Any]]:
    """What waits for an operator, for those who may know."""
    if not {Role.OPERATOR, Role.EXAM_OFFICE, Role.AUDITOR} & set(g.person.roles):
        return []
    try:
        found: list[dict[str, Any]] = ask("assessment").get("/warnings")["warnings"]
    except (Transient, Answered):
        return []
    return found


@pages.route("/learners")
@signed_in(Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
def learners() -> Page:
    """Find a learner by student number."""
    number = request.args.get("student_number", "").strip()
    found = ask("enrolment").get("/learners", student_number=number)["items"] if number else []
    return render_template("learners.html", number=number, found=found)

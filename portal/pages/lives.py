"""The life of a result: what a cause led to in every service, and what that led to, until nothing more came."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from flask import Blueprint, render_template, request

from chassis.errors import Transient
from chassis.web.client import Answered, Client
from contracts.terms import Role
from portal.pages.frame import Page, ask, found_or_none, points, say, scheme_names, signed_in

pages = Blueprint("lives", __name__)
READERS = (Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
SERVICES = ("enrolment", "training", "assessment", "creditbank", "notify")
MOST_CAUSES = 100

Step = dict[str, Any]


@pages.route("/lives/results/<path:result_id>")
@signed_in(*READERS)
def of_result(result_id: str) -> Page:
    """Follow a result from the row it was submitted in to the notices it led to."""
    result = ask("assessment").get(f"/results/{result_id}")
    causes = {result["submitted_by"], *(change["submitted_by"] for change in result["changes"])}
    causes |= certificate_causes(result)
    return life_page(causes, result)


@pages.route("/lives")
@signed_in(*READERS)
def of_cause() -> Page:
    """Follow any cause."""
    return life_page({request.args.get("cause", "")} - {""}, None)


def certificate_causes(result: Step) -> set[str]:
    """The rows in which this result's certificate was reported."""
    found = found_or_none(lambda: ask("assessment").get("/certificates", learner_id=result["learner_id"]))
    items = found["items"] if found else []
    return {one["submitted_by"] for one in items if one["result_id"] == result["result_id"]}


def life_page(causes: set[str], result: Step | None) -> str:
    """The page of a life, its steps in the order of time."""
    clients = {name: ask(name) for name in SERVICES}
    steps, silent = follow(causes, clients)
    start = datetime.fromisoformat(steps[0]["at"]) if steps else None
    for step in steps:
        step["summary"] = summary(step)
        step["elapsed"] = (datetime.fromisoformat(step["at"]) - start).total_seconds() if start else 0
    return render_template("life.html", steps=steps, silent=silent, result=result, schemes=scheme_names())


def summary(step: Step) -> str:
    """What a step did, in a few words: the row, the verdict, the points."""
    detail = step.get("detail") or {}
    if "provisional_points" in detail and "available_points" in detail:
        return say("sum_points", points(detail["provisional_points"]), points(detail["available_points"]))
    if "row" in detail and "import" in detail:
        return say("sum_row", detail.get("kind", ""), detail["import"], detail["row"])
    return say(f"verdict_{detail['verdict']}") if "verdict" in detail else ""


def follow(causes: Iterable[str], clients: dict[str, Client]) -> tuple[list[Step], list[str]]:
    """Every step reachable from the causes, by time, and the services that did not answer."""
    seen: set[str] = set()
    steps: dict[tuple[str, str, str], Step] = {}
    silent: set[str] = set()
    ahead = set(causes)
    with ThreadPoolExecutor(len(SERVICES)) as pool:
        while ahead and len(seen) < MOST_CAUSES:
            seen |= ahead
            asked = [(name, cause) for cause in sorted(ahead) for name in SERVICES]
            found = list(pool.map(lambda pair: caused(clients[pair[0]], pair[1]), asked))
            silent |= {name for (name, _), some in zip(asked, found, strict=True) if some is None}
            fresh = [step for some in found for step in some or []]
            steps |= {(step["service"], step["what"], step["id"]): step for step in fresh}
            ahead = {step["id"] for step in fresh} - seen
    return sorted(steps.values(), key=lambda step: (step["at"], step["what"])), sorted(silent)


def caused(client: Client, cause: str) -> list[Step] | None:
    """What a service did because of a cause; None when it does not answer."""
    try:
        steps: list[Step] = client.get(f"/lives/{cause}")["steps"]
    except Transient:
        return None
    except Answered:
        return []
    return steps

"""The life of a result: what a cause led to in every service, and what that led to, until nothing more came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from flask import Blueprint, render_template, request

from chassis.errors import Transient
from chassis.web.client import Answered, Client
from contracts.terms import Role
from portal.pages.asking import GLANCE_SECONDS, address, ask, found_or_none, scheme_names
from portal.pages.frame import Page, signed_in
from portal.pages.steps import Step, told

pages = Blueprint("lives", __name__)
READERS = (Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
SERVICES = ("enrolment", "training", "assessment", "creditbank", "notify")
MOST_CAUSES = 100


class Life(NamedTuple):
    """Steps by time, the services that did not answer, and whether there was more than is shown."""

    steps: list[Step]
    silent: list[str]
    is_cut: bool


@pages.route("/lives/results/<path:result_id>")
@signed_in(*READERS)
def of_result(result_id: str) -> Page:
    """Follow a result from the row it was submitted in to the notices it led to."""
    result = ask("assessment").get(address("results", result_id))
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
    schemes = scheme_names()
    life = follow(causes, {name: ask(name, GLANCE_SECONDS) for name in SERVICES})
    waves = told(life.steps, schemes)
    return render_template(
        "life.html", waves=waves, silent=life.silent, is_cut=life.is_cut, result=result, schemes=schemes
    )


def follow(causes: Iterable[str], clients: Mapping[str, Client]) -> Life:
    """Every step reachable from the causes."""
    seen: set[str] = set()
    steps: dict[tuple[str, str, str], Step] = {}
    silent: set[str] = set()
    ahead = set(causes)
    with ThreadPoolExecutor(len(clients)) as pool:
        while ahead and len(seen) < MOST_CAUSES:
            now = sorted(ahead)[: MOST_CAUSES - len(seen)]
            asked = [(name, cause) for cause in now for name in clients if name not in silent]
            found = list(pool.map(lambda pair: caused(clients[pair[0]], pair[1]), asked))
            silent |= {name for (name, _), some in zip(asked, found, strict=True) if some is None}
            fresh = [step for some in found for step in some or []]
            steps |= {(step["service"], step["what"], step["id"]): step for step in fresh}
            seen |= set(now)
            ahead = (ahead | {step["id"] for step in fresh}) - seen
    by_time = sorted(steps.values(), key=lambda step: (step["at"], step["what"]))
    return Life(by_time, sorted(silent), bool(ahead))


def caused(client: Client, cause: str) -> list[Step] | None:
    """What a service did because of a cause; None when it does not answer."""
    try:
        steps: list[Step] = client.get(address("lives", cause))["steps"]
    except Transient:
        return None
    except Answered:
        return []
    return steps

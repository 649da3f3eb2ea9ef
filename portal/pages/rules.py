"""Conversion rules with their versions: what each says, who approved it, and its way to publication."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for

from chassis.web.client import Answered
from contracts.terms import Role
from portal.pages.asking import NOT_FOUND, address, ask, every_or_none, scheme_names
from portal.pages.conversions import BANK, Found, curricula_of
from portal.pages.frame import Page, signed_in
from portal.pages.options import names_of
from portal.pages.simulations import latest

pages = Blueprint("rules", __name__)
READERS = (Role.REGISTRY, Role.OPERATOR, Role.AUDITOR)
DECIDERS = (Role.REGISTRY, Role.OPERATOR)
STATES = ("draft", "approved", "published", "retired")
FILTERS = ("state", "programme", "entry_year", "scheme")
SHOWN = 50
FORBIDDEN = 403
# What is done to a version in which state, and how the bank is asked for it.
DEEDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "approve": ("draft", lambda path: ask(BANK).put(f"{path}/approval{looked_at()}", None)),
    "publish": ("approved", lambda path: ask(BANK).put(f"{path}/publication", None)),
    "retire": ("published", lambda path: ask(BANK).delete(f"{path}/publication")),
}


@pages.route("/rules")
@signed_in(*READERS)
def shelf() -> Page:
    """Versions of conversion rules, filtered, page by page."""
    chosen = {name: value for name in FILTERS if (value := request.args.get(name, "").strip())}
    page = ask(BANK).get("/conversion-rules", cursor=request.args.get("cursor"), limit=SHOWN, **chosen)
    return render_template(
        "rules.html",
        page=page,
        listed=with_targets(page["items"]),
        chosen=chosen,
        states=STATES,
        programmes=every_or_none("enrolment", "/programmes") or [],
        schemes=scheme_names(),
        may_draft=may_decide(),
    )


@pages.route("/rules/<code>")
@signed_in(*READERS)
def rule(code: str) -> Page:
    """A rule in every version, the latest first."""
    return rule_page(code)


@pages.route("/rules/<code>/versions/<int:version>/<deed>", methods=["POST"])
@signed_in(*DECIDERS)
def take_on(code: str, version: int, deed: str) -> Page:
    """Approve, publish or retire a version; what the bank refuses is said on the page of the rule."""
    if deed not in DEEDS:
        raise Answered(NOT_FOUND, {"detail": ""})
    try:
        DEEDS[deed][1](address("conversion-rules", code, "versions", str(version)))
    except Answered as refusal:
        if refusal.status in {FORBIDDEN, NOT_FOUND}:
            raise
        return rule_page(code, refusal.detail), refusal.status
    return redirect(url_for("rules.rule", code=code, done=deed, version=version))


def rule_page(code: str, refusal: str = "") -> str:
    """The page of one rule."""
    versions = with_targets(ask(BANK).get(address("conversion-rules", code)))
    done = request.args.get("done", "")
    return render_template(
        "rule.html",
        code=code,
        versions=[(one, deeds_for(one, simulation), simulation) for one, simulation in simulated("rule", versions)],
        refusal=refusal,
        may_draft=may_decide(),
        done=done if done in {*DEEDS, "draft"} else "",
        version=request.args.get("version", 0, type=int),
        schemes=scheme_names(),
    )


def simulated(subject: str, versions: Iterable[Found]) -> Iterator[tuple[Found, Found | None]]:
    """Versions, the drafts among them with their latest simulation."""
    for one in versions:
        yield one, latest(subject, one["code"], one["version"]) if one["state"] == "draft" else None


def looked_at() -> str:
    """The simulation that the form says was looked at, as the bank takes it."""
    number = request.form.get("simulation", type=int)
    return f"?simulation={number}" if number else ""


def deeds_for(one: Found, simulation: Found | None) -> list[str]:
    """What the person signed in may do to a version, as far as the page knows: a draft is approved once it was
    simulated, and who approved it can't approve again."""
    if not may_decide():
        return []
    may_approve = is_finished(simulation) and g.person.name not in one["approved_by"]
    fitting = [name for name, (state, _) in DEEDS.items() if state == one["state"]]
    return [name for name in fitting if name != "approve" or may_approve]


def is_finished(simulation: Found | None) -> bool:
    """Whether a simulation is through and was not overtaken."""
    return simulation is not None and simulation["state"] == "finished"


def may_decide() -> bool:
    """Whether the person signed in drafts rules and decides about them."""
    return bool(set(DECIDERS) & set(g.person.roles))


def with_targets(rules: list[Found]) -> list[Found]:
    """Rules with what their targets are called."""
    curricula = curricula_of((one["programme"], one["entry_year"]) for one in rules)
    taught = [curricula.get((one["programme"], one["entry_year"]), {}) for one in rules]
    return [
        one | {"named": [(each, names_of(each, curriculum)) for each in one["targets"]]}
        for one, curriculum in zip(rules, taught, strict=True)
    ]

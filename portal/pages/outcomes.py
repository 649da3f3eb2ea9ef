"""Outcomes of every kind but X certificates, as staff see them: what is credited, and what waits and for what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for

from chassis.web.client import Answered
from contracts.terms import KIND_WORDS, OutcomeKind, Role
from portal.pages.asking import address, ask, every_or_none
from portal.pages.conversions import BANK, Found
from portal.pages.forms import ANYWHERE, at_fields, attempt
from portal.pages.frame import Page, signed_in
from portal.pages.lives import READERS as LIFE_READERS
from portal.pages.proposing import title_of
from portal.pages.rules import DECIDERS
from portal.pages.speech import language

pages = Blueprint("outcomes", __name__)
READERS = (Role.REGISTRY, Role.EXAM_OFFICE, Role.TEO, Role.OPERATOR, Role.AUDITOR)
KINDS = tuple(one.value for one in OutcomeKind if one is not OutcomeKind.CERTIFICATE)
STATES = ("provisional", "final", "withdrawn")
FILTERS = ("kind", "scheme", "state", "awaits_rule", "learner_id")
SOURCE_FIELDS = {"kind", "code", "title", "teo"}
PLACES = {"scheme_malformed": "code"}
SHOWN = 50
MOST_PAGES = 10  # of those that wait, some pages may be empty of what is asked for
RULE, ACCOUNT = "rule:", "account:"  # what the names of what is waited for begin with


@pages.route("/outcomes")
@signed_in(*READERS)
def shelf() -> Page:
    """Outcomes, filtered, page by page; what waits says for what."""
    chosen = filters()
    found = sources()
    names = {one["scheme"]: one["title"] for one in found}
    page = page_of(chosen)
    return render_template(
        "outcomes.html",
        listed=[(one, waits_for(one["waiting_for"], names)) for one in page["items"]],
        next=page["next"],
        chosen=chosen,
        kinds=[(kind, title_of_kind(kind)) for kind in KINDS],
        sources=found,
        states=STATES,
        names=names,
        title_of_kind=title_of_kind,
        may_open=bool(set(LIFE_READERS) & set(g.person.roles)),
        may_draft=may_draft(),
        may_upload=bool({Role.REGISTRY, Role.TEO} & set(g.person.roles)),
    )


def filters() -> dict[str, str]:
    """Which outcomes are asked for."""
    given = {name: request.args.get(name, "").strip() for name in FILTERS}
    return {name: value for name, value in given.items() if value}


def page_of(chosen: Mapping[str, str]) -> Found:
    """A page of outcomes; pages that have nothing of what is asked for are passed over, up to a limit."""
    page: Found = {"items": [], "next": request.args.get("cursor")}
    for _ in range(MOST_PAGES):
        page = ask(BANK).get("/outcomes", cursor=page["next"], limit=SHOWN, **chosen)
        if page["items"] or not page["next"]:
            break
    return page


def sources() -> list[Found]:
    """What outcomes come from, by kind; none while the bank does not answer."""
    found = every_or_none(BANK, "/outcome-sources") or []
    return sorted(found, key=lambda one: (KINDS.index(one["kind"]), one["title"]))


def waits_for(fact: str | None, names: Mapping[str, str]) -> Found | None:
    """What an outcome waits for: a rule at a place, its learner's account, or something the page has no word for."""
    if not fact:
        return None
    if fact.startswith(RULE):
        place = fact.removeprefix(RULE)
        return {"what": "rule", "place": place, "title": title_of(place, names)}
    return {"what": "account" if fact.startswith(ACCOUNT) else "other", "place": "", "title": fact}


def title_of_kind(kind: str) -> str:
    """What a kind of outcome is called."""
    return KIND_WORDS[OutcomeKind(kind)][0 if language() == "zh" else 1]


def may_draft() -> bool:
    """Whether the person signed in proposes rules and names sources."""
    return bool(set(DECIDERS) & set(g.person.roles))


# --- what they come from ------------------------------------------------------------------------------------------
@pages.route("/outcome-sources")
@signed_in(*READERS)
def source_shelf() -> Page:
    """The sources with what they are called, and a form to name one."""
    return source_page({})


@pages.route("/outcome-sources", methods=["POST"])
@signed_in(*DECIDERS)
def name_source() -> Page:
    """Enter what a source is called, and the organisation that may submit its outcomes."""
    form = {name: request.form.get(name, "").strip() for name in SOURCE_FIELDS}
    body = {"title": form["title"], "teo": form["teo"]}
    path = address("outcome-sources", form["kind"] or "-", form["code"] or "-")
    named = attempt(lambda: ask(BANK).put(path, body))
    if isinstance(named, Answered):
        return source_page(form, at_fields(named, SOURCE_FIELDS, PLACES)), named.status
    return redirect(url_for("outcomes.source_shelf", named=named["title"]))


def source_page(form: Mapping[str, Any], refusals: Mapping[str, str] | None = None) -> str:
    """The page of all sources, with the form as it was filled in."""
    return render_template(
        "outcome_sources.html",
        listed=sources(),
        given=form,
        refusals=refusals or {},
        anywhere=ANYWHERE,
        kinds=[(kind, title_of_kind(kind)) for kind in KINDS],
        title_of_kind=title_of_kind,
        teos=[(one["teo"], one["name"]) for one in every_or_none("assessment", "/teos") or []],
        may_draft=may_draft(),
        named=request.args.get("named", "")[:200],
    )

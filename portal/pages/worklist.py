"""The worklist of those who decide about conversions: filtered, decided one by one or many at once, and undone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from http import HTTPStatus

from flask import Blueprint, g, render_template, request

from chassis import clock
from chassis.web.client import Answered
from contracts.terms import Role
from portal.pages.asking import address, ask, every_or_none, found_or_none, scheme_names
from portal.pages.conversions import BANK, Found, with_names
from portal.pages.delegations import DELEGATORS, held_now
from portal.pages.frame import Page, signed_in, trouble

pages = Blueprint("worklist", __name__)
STEPS = {
    "department": Role.DEPARTMENT,
    "registry": Role.REGISTRY,
    "teo": Role.TEO,
    "bank": Role.OPERATOR,
    "appeal": Role.REGISTRY,
}
DECIDERS = tuple(dict.fromkeys(STEPS.values()))
UNDOERS = {Role.REGISTRY, Role.OPERATOR}  # of decisions at any step
STATES = ("waiting", "review", "granted", "refused", "withdrawn", "fallen")
FILTERS = ("state", "step", "department", "programme", "entry_year", "class_name", "is_case")
SHOWN = 50
DEED_SECONDS = 40.0  # each of a page's applications is judged in a transaction of its own
NO_ANSWER: Found = {"status": "refused", "detail": "", "id": ""}


@pages.route("/conversions")
@signed_in(*DECIDERS, Role.AUDITOR)
def shelf() -> Page:
    """Applications, those first that are to be decided at one's own step, page by page."""
    chosen = filters()
    page = ask(BANK).get("/conversion-applications", cursor=request.args.get("cursor"), limit=SHOWN, **chosen)
    held = held_now()
    listed = sorted(with_names(page["items"]), key=lambda one: (not may_decide(one, held), one["due_on"] or "9999"))
    return render_template(
        "worklist.html",
        listed=[(one, may_decide(one, held), may_undo(one, held)) for one in listed],
        stood_in_for=sorted({one["by"] for one in held}),
        may_delegate=bool({*DELEGATORS} & set(g.person.roles)),
        chosen=chosen,
        next=page["next"],
        states=STATES,
        steps=tuple(STEPS),
        programmes=every_or_none("enrolment", "/programmes") or [],
        **shared(listed),
    )


@pages.route("/conversions/decisions", methods=["POST"])
@signed_in(*DECIDERS)
def decide() -> Page:
    """Approve or refuse what was chosen; each item's verdict stands next to it afterwards."""
    verdict, reason = request.form.get("verdict", ""), request.form.get("reason", "").strip()
    if verdict == "refuse" and not reason:
        return trouble("refusal_reason_missing", 422)
    chosen = picked()
    if not chosen or verdict not in {"approve", "refuse"}:
        return trouble("nothing_chosen", 422)
    body = [{"application": one, "verdict": verdict, "reason": reason} | stead() for one in chosen]
    return told(verdict, chosen, ask(BANK, DEED_SECONDS).post("/conversion-decisions", body))


@pages.route("/conversions/undos", methods=["POST"])
@signed_in(*DECIDERS)
def undo() -> Page:
    """Take decisions back that nobody was told; another rule version judges from now on if one is named."""
    chosen = picked()
    if not chosen:
        return trouble("nothing_chosen", 422)
    version = request.form.get("rule_version", 0, type=int)
    body = [{"application": one, "rule_version": version} | stead() for one in chosen]
    return told("undo", chosen, ask(BANK, DEED_SECONDS).post("/conversion-undos", body))


def told(deed: str, chosen: Sequence[str], words: Sequence[Found]) -> str:
    """The page that says what came of each, as each stands now."""
    verdicts = {chosen[int(one["index"])]: one for one in words}
    listed = with_names(one for one in map(application, chosen) if one)
    unknown = [one for one in chosen if one not in {each["application"] for each in listed}]
    held = held_now()
    counts = {name: sum(one["status"] == name for one in words) for name in ("accepted", "unchanged", "refused")}
    return render_template(
        "worklist_told.html",
        deed=deed,
        on_behalf_of=on_behalf_of(),
        listed=[(one, verdicts.get(one["application"], NO_ANSWER), may_undo(one, held)) for one in listed],
        unknown=[(one, verdicts.get(one, NO_ANSWER)) for one in unknown],
        counts=counts,
        **shared(listed),
    )


def application(name: str) -> Found | None:
    """An application as it stands now; None where there is none of this name, or none that concerns this person."""
    try:
        found: Found | None = found_or_none(lambda: ask(BANK).get(address("conversion-applications", name)))
    except Answered as problem:
        if problem.status != HTTPStatus.FORBIDDEN:
            raise
        return None
    return found


def shared(listed: Sequence[Found]) -> Found:
    """What both pages show of applications."""
    return {
        "schemes": scheme_names() if listed else {},
        "knows_until": any(one["undo_until"] for one in listed),
        "may_see_why": bool(set(g.person.roles) - {Role.TEO}) and not g.person.owns,
        "may_see_exports": bool({Role.REGISTRY, Role.OPERATOR, Role.AUDITOR} & set(g.person.roles)),
        "may_decide_appeals": STEPS["appeal"] in g.person.roles,
        "is_registry": bool(UNDOERS & set(g.person.roles)),
        "today": clock.today().isoformat(),
    }


def filters() -> Found:
    """What is asked for: as chosen; at first what is under review at one's own step."""
    if not any(name in request.args for name in FILTERS):
        own = [step for step, role in STEPS.items() if role in g.person.roles and step != "appeal"]
        return {"state": "review", "step": own[0]} if len(own) == 1 else {"state": "review"}
    given = {name: request.args.get(name, "").strip() for name in FILTERS}
    return {name: value for name, value in given.items() if value}


def picked() -> list[str]:
    """The applications that were chosen, at most a page, each once."""
    return list(dict.fromkeys(request.form.getlist("application")))[:SHOWN]


def on_behalf_of() -> str:
    """In whose stead this is done; empty: in one's own right."""
    return request.form.get("on_behalf_of", "").strip()


def stead() -> dict[str, str]:
    """The same as an item's field."""
    return {"on_behalf_of": on_behalf_of()} if on_behalf_of() else {}


def may_decide(one: Found, held: Sequence[Found]) -> bool:
    """Whether it is this person's turn, or that of whoever delegated it, as far as the page knows; the bank judges."""
    role = STEPS.get(one["step"] or "")
    return one["state"] == "review" and (role in g.person.roles or in_stead(one, held, {role}))


def in_stead(one: Found, held: Sequence[Found], roles: Collection[str | None]) -> bool:
    """Whether somebody delegated this application's decision in one of these roles."""
    about = [given for given in held if given["departments"] is None or one["department"] in given["departments"]]
    return any(given["role"] in roles for given in about)


def may_undo(one: Found, held: Sequence[Found]) -> bool:
    """Whether this person may take its decision back still, as far as the page knows; the bank judges."""
    own = STEPS.get(one["step"] or "")
    is_own = bool({*UNDOERS, own} & set(g.person.roles))
    return bool(one["undo_until"]) and (is_own or in_stead(one, held, {own, Role.REGISTRY}))

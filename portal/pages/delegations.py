"""Letting another decide in one's stead: given, listed and taken back by staff who decide about conversions."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, g, redirect, render_template, request, url_for

from chassis.web.client import Answered
from contracts.terms import Role
from portal.identity.people.queries import find_user
from portal.pages.asking import address, ask, every_or_none
from portal.pages.conversions import BANK, Found
from portal.pages.frame import Page, signed_in, trouble

pages = Blueprint("delegations", __name__)
DELEGATORS = (Role.DEPARTMENT, Role.REGISTRY)
PATH = "/conversion-delegations"
SHOWN = 50


@pages.route("/delegations")
@signed_in(*DELEGATORS, Role.OPERATOR, Role.AUDITOR)
def shelf() -> Page:
    """What one gave and has, and to the operator and the auditor everybody's."""
    page = ask(BANK).get(PATH, cursor=request.args.get("cursor"), limit=SHOWN)
    listed = sorted(page["items"], key=lambda one: (not one["holds_today"], one["made_at"]))
    own = [one for one in DELEGATORS if one in g.person.roles]
    departments = sorted(g.person.owns.get("department", ()))
    return render_template(
        "delegations.html",
        listed=[(one, may_revoke(one)) for one in listed],
        next=page["next"],
        roles=own,
        departments=departments,
    )


@pages.route("/delegations", methods=["POST"])
@signed_in(*DELEGATORS)
def give() -> Page:
    """Let somebody of the staff decide in one's stead, from a first to a last day."""
    to = request.form.get("to", "").strip()
    if not is_staff(to):
        return trouble("delegate_unknown", 422)
    body = {name: request.form.get(name, "").strip() for name in ("role", "first", "until", "note")}
    departments = request.form.getlist("department") or None
    return done(lambda: ask(BANK).post(PATH, body | {"to": to, "departments": departments}))


@pages.route("/delegations/<delegation>/revocation", methods=["POST"])
@signed_in(*DELEGATORS, Role.OPERATOR)
def revoke(delegation: str) -> Page:
    """Take a delegation back; what was decided by it stays."""
    return done(lambda: ask(BANK).put(address("conversion-delegations", delegation, "revocation"), None))


def done(deed: Callable[[], object]) -> Page:
    """Do it and show the list; what the bank refuses is said."""
    try:
        deed()
    except Answered as refusal:
        return trouble("not_done", refusal.status, refusal.detail)
    return redirect(url_for("delegations.shelf"))


def is_staff(name: str) -> bool:
    """Whether somebody of this name may sign in and decides about conversions."""
    user = find_user(name)
    return user is not None and not user.disabled and bool({*DELEGATORS} & {*user.roles})


def may_revoke(one: Found) -> bool:
    """Whether this person may take it back, as far as the page knows; the bank judges."""
    is_theirs = g.person.name in {one["by"], one["to"]}
    has_authority = not g.person.owns and bool({Role.REGISTRY, Role.OPERATOR} & {*g.person.roles})
    return not one["revoked_at"] and (is_theirs or has_authority)


def held_now() -> list[Found]:
    """What was delegated to the person signed in and holds today; nothing while the bank does not say."""
    if not {*DELEGATORS} & {*g.person.roles}:
        return []
    found = every_or_none(BANK, PATH) or []
    return [one for one in found if one["holds_today"] and one["to"] == g.person.name]

"""What a learner's credits buy at best and why, what that forecloses, and what one more certificate would add."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, g, render_template, request, url_for

from chassis.web.client import Answered
from contracts.terms import Role
from portal.pages.asking import NOT_FOUND, address, ask, every_or_none, found_or_none, source_names
from portal.pages.conversions import BANK, Found
from portal.pages.frame import Page, signed_in
from portal.pages.learner import own_id

pages = Blueprint("planning", __name__)
READERS = (Role.DEPARTMENT, Role.REGISTRY, Role.OPERATOR, Role.AUDITOR)
UNHEARD_OF = {NOT_FOUND, 422}  # what the bank says to a certificate that it knows no rule for, or that is none
REVOKED = "revoked"


@pages.route("/account/plan")
@signed_in(Role.LEARNER)
def own() -> Page:
    """The learner's own plan, from which to apply."""
    return plan_page(own_id(), is_own=True)


@pages.route("/learners/<learner_id>/plan")
@signed_in(*READERS)
def of_learner(learner_id: str) -> Page:
    """A learner's plan, for those who counsel them."""
    return plan_page(learner_id, is_own=False)


def plan_page(learner_id: str, is_own: bool) -> str:
    """The plan, what stands in its way, and the price tag of a certificate that was asked about."""
    wanted = certificate_asked()
    found, refusal = plan_of(learner_id, wanted)
    schemes = every_or_none("assessment", "/schemes") or []
    return render_template(
        "plan.html",
        found=found,
        choices=[(one, may_file(one, found)) for one in found["choices"]] if found else [],
        left_out=left_out_of(found) if found else [],
        price=priced(found) if found and found["price"] else None,
        refusal=refusal,
        hindrances=hindrances_of(learner_id) if found else [],
        certificates=certificates(schemes, found) if found else [],
        asked=f"{wanted['with_scheme']}:{wanted['with_level']}" if wanted else "",
        schemes={one["scheme"]: one["name"] for one in schemes} | source_names(),
        learner_id=learner_id,
        is_own=is_own,
        crumb=crumb(learner_id, is_own),
    )


def plan_of(learner_id: str, wanted: Found) -> tuple[Found | None, str]:
    """The plan, None without an account; and what the bank says to a certificate that it can put no price on."""
    path = address("accounts", learner_id, "plan")
    try:
        return found_or_none(lambda: ask(BANK).get(path)) if not wanted else ask(BANK).get(path, **wanted), ""
    except Answered as refusal:
        if not wanted or refusal.status not in UNHEARD_OF:
            raise
        return found_or_none(lambda: ask(BANK).get(path)), refusal.detail


def certificate_asked() -> Found:
    """The certificate whose price tag is asked for, in the bank's words; nothing where none is."""
    scheme, _, level = request.args.get("certificate", "").partition(":")
    return {"with_scheme": scheme, "with_level": level} if scheme and level else {}


def certificates(schemes: list[Found], found: Found) -> list[tuple[str, list[tuple[str, str, int]]]]:
    """What may be asked about, in two groups: certificates that rules of the programme know, and others."""
    known = {one["scheme"] for one in (*found["choices"], *found["left_out"])}
    every = [(one["scheme"], one["name"], level) for one in schemes for level in sorted(one["levels"])]
    groups = {"price_known": [one for one in every if one[0] in known]}
    groups |= {"price_others": [one for one in every if one[0] not in known]}
    return [(name, some) for name, some in groups.items() if some]


def may_file(one: Found, found: Found) -> bool:
    """Whether a choice can be filed on the day of the plan."""
    return bool(one["when"] != "in_window" and one["file_on"] <= found["on"])


def left_out_of(found: Found) -> list[Found]:
    """What is not chosen, what gave way to choices first; without what the account's own hindrance says of all."""
    code = found["because"]["code"] if found["because"] else ""
    some = [one for one in found["left_out"] if one["code"] != code]
    return sorted(some, key=lambda one: not one["excluded_by"])


def priced(found: Found) -> Found:
    """The price tag, with what gives way named as the plan names it."""
    names = {place_of(one): one["name"] for one in (*found["choices"], *found["left_out"])}
    price: Found = found["price"]
    return price | {"dropped": [names.get(place_of(one), one["module"] or one["course"]) for one in price["dropped"]]}


def place_of(one: Mapping[str, Any]) -> tuple[str, str, str]:
    """By what an exemption is known."""
    return one["rule"], one["course"], one["module"]


def hindrances_of(learner_id: str) -> list[tuple[str, str]]:
    """What keeps points of single certificates from being spent: (word, certificate)."""
    account = found_or_none(lambda: ask(BANK).get(address("accounts", learner_id))) or {"holdings": []}
    kept = [one for one in account["holdings"] if one["unnumbered"]]
    return [("plan_revoked" if one["certificate"] == REVOKED else "plan_unnumbered", one["scheme"]) for one in kept]


def crumb(learner_id: str, is_own: bool) -> tuple[str, str]:
    """Where the page hangs: the account, or for a department, which may not see it, the graduation list."""
    if is_own:
        return "account", url_for("learner.account")
    if set(g.person.roles) - {Role.DEPARTMENT}:
        return "account", url_for("learner.account_of", learner_id=learner_id)
    return "rescues", url_for("rescues.shelf")

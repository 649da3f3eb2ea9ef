"""A learner applies for a conversion in three taps, takes an application back, accepts an offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from chassis.web.client import Answered
from contracts.terms import Role
from portal.pages.asking import NOT_FOUND, address, ask, scheme_names
from portal.pages.conversions import BANK, applications_of, options_for
from portal.pages.frame import Page, signed_in
from portal.pages.learner import account_page, own_id

pages = Blueprint("applying", __name__)
WISH = ("rule", "course", "module")
FORBIDDEN = 403


@pages.route("/account/apply")
@signed_in(Role.LEARNER)
def chosen() -> Page:
    """One of the options, to be confirmed."""
    return confirm_page(request.args)


@pages.route("/account/apply", methods=["POST"])
@signed_in(Role.LEARNER)
def apply() -> Page:
    """File the application; sent twice, it is one, and a refusal is said where it was asked."""
    wish = {name: request.form.get(name, "") for name in WISH}
    path = address("accounts", own_id(), "conversion-applications")
    return back("filed", lambda: ask(BANK).post(path, wish), lambda refusal: confirm_page(wish, refusal))


@pages.route("/account/applications/<application>/withdrawal", methods=["POST"])
@signed_in(Role.LEARNER)
def withdraw(application: str) -> Page:
    """Take an application back; its points are available again."""
    path = address("conversion-applications", application, "withdrawal")
    return back("withdrawn", lambda: ask(BANK).put(path, None), own_page)


@pages.route("/account/applications/<application>/offer", methods=["POST"])
@signed_in(Role.LEARNER)
def accept(application: str) -> Page:
    """Take the offer that came with a refusal."""
    path = address("conversion-applications", application, "offer")
    return back("accepted", lambda: ask(BANK).post(path), own_page)


@pages.route("/account/applications/<application>/appeal", methods=["POST"])
@signed_in(Role.LEARNER)
def appeal(application: str) -> Page:
    """Appeal against a refusal, with a reason; sent twice, it is one."""
    path = address("conversion-applications", application, "appeal")
    wish = {"reason": request.form.get("reason", "").strip()}
    return back("appealed", lambda: ask(BANK).put(path, wish), own_page)


def back(done: str, deed: Callable[[], Any], page: Callable[[str], str]) -> Page:
    """Do it and go to the account, where it is said; what the bank refuses is said on the page it was asked from."""
    try:
        application = deed()["application"]
    except Answered as refusal:
        if refusal.status in {FORBIDDEN, NOT_FOUND}:
            raise
        return page(refusal.detail), refusal.status
    return redirect(url_for("learner.account", done=done, _anchor=f"application-{application}"))


def own_page(refusal: str) -> str:
    """The learner's own account, with what the bank said."""
    return account_page(own_id(), is_own=True, refusal=refusal)


def confirm_page(wish: Mapping[str, str], refusal: str = "") -> str:
    """What confirming means, of an option that is there; a 404 page otherwise."""
    account = ask(BANK).get(address("accounts", own_id()))
    found = options_for(own_id(), account, applications_of(own_id()))
    wanted = tuple(wish.get(name, "") for name in WISH)
    one = next((each for each in found["options"] or () if each.wish == wanted), None)
    if one is None:
        raise Answered(NOT_FOUND, {"detail": ""})
    policy = found["policies"].get(one.policy, {})
    return render_template("apply.html", one=one, policy=policy, refusal=refusal, schemes=scheme_names())

"""Signing in and out, and choosing a language."""

from __future__ import annotations

from flask import Blueprint, current_app, g, redirect, render_template, request, url_for

from chassis.errors import Refusal
from contracts.terms import Role
from portal.identity import sessions
from portal.pages.frame import LANGUAGE_COOKIE, LANGUAGE_SECONDS, Page, language, open_page, say

pages = Blueprint("signing", __name__)
DEMO_NAMES = ("learner", "registry", "exam-office", "trainer", "teo", "operator", "auditor")


@pages.route("/")
@open_page
def home() -> Page:
    """The first page of whoever comes."""
    person = sessions.current_user()
    if person is None:
        return redirect(url_for("signing.sign_in"))
    if Role.LEARNER in person.roles:
        return redirect(url_for("learner.account"))
    return redirect(url_for("sheets.shelf" if Role.TEO in person.roles else "staff.overview"))


@pages.route("/sign-in", methods=["GET"])
@open_page
def sign_in() -> Page:
    """The form to sign in with."""
    return form(then=request.args.get("then", ""))


@pages.route("/sign-in", methods=["POST"])
@open_page
def enter() -> Page:
    """Check name and password and open a session."""
    then = request.form.get("then", "")
    try:
        sessions.check_same_origin()
        sessions.sign_in(request.form.get("name", ""), request.form.get("password", ""))
    except Refusal as refusal:
        return form(then, refusal.sentence(language())), refusal.ground.status
    return redirect(sessions.safe_next(then))


@pages.route("/sign-out", methods=["POST"])
@open_page
def leave() -> Page:
    """End the session."""
    if g.person is not None:
        sessions.check_csrf()
        sessions.sign_out()
    return redirect(url_for("signing.sign_in"))


@pages.route("/language/<chosen>")
@open_page
def choose_language(chosen: str) -> Page:
    """Keep the reader's language and go back."""
    back = request.args.get("then", "")
    response = redirect(sessions.safe_next(back))
    if chosen in ("zh", "en"):
        response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=LANGUAGE_SECONDS, samesite="Lax", httponly=True)
    return response


def form(then: str, problem: str = "") -> str:
    """The page with the form."""
    demo = DEMO_NAMES if current_app.extensions["portal.is_demo"] else ()
    return render_template("sign_in.html", then=then, problem=problem, demo=demo, title=say("sign_in"))

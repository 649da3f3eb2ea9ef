"""Signing in and out, and choosing a language."""

from __future__ import annotations

from flask import Blueprint, current_app, g, jsonify, redirect, render_template, request, url_for

from chassis.errors import Refusal
from contracts.terms import Role
from portal.identity import sessions
from portal.identity.demo import PASSWORD
from portal.identity.people.domain import HUMAN_ROLES
from portal.identity.people.queries import find_user
from portal.identity.tokens.domain import LIFETIME_SECONDS
from portal.pages.frame import Page, open_page, signed_in, way_back
from portal.pages.speech import LANGUAGE_COOKIE, language, say

pages = Blueprint("signing", __name__)
LANGUAGE_SECONDS = 365 * 24 * 3600
DEMO_NAMES = ("learner", "registry", "exam-office", "trainer", "teo", "department", "operator", "auditor")
LOST = {"page": "session_over", "form": "session_over_unsent"}


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
    """The form to sign in with; whoever is signed in already goes on."""
    then = request.args.get("then", "")
    if g.person is not None:
        return redirect(way_back(then))
    lost = LOST.get(request.args.get("over", ""))
    return form(then, notice=say(lost) if lost else "")


@pages.route("/sign-in", methods=["POST"])
@open_page
def enter() -> Page:
    """Check name and password and open a session."""
    then = request.form.get("then", "")
    try:
        sessions.check_same_origin()
        sessions.sign_in(request.form.get("name", ""), request.form.get("password", ""))
    except Refusal as refusal:
        return form(then, problem=refusal.sentence(language())), refusal.ground.status
    return redirect(way_back(then))


@pages.route("/sign-out", methods=["POST"])
@open_page
def leave() -> Page:
    """End the session."""
    if g.person is not None:
        sessions.check_csrf()
        sessions.sign_out()
    return redirect(url_for("signing.sign_in"))


@pages.route("/token", methods=["GET"])
@signed_in(*HUMAN_ROLES)
def token_form() -> Page:
    """What the form that asks for a token carries, for whoever sends it without a page."""
    return unkept({"csrf_token": sessions.csrf_token()})


@pages.route("/token", methods=["POST"])
@signed_in(*HUMAN_ROLES)
def token() -> Page:
    """A token of one's own, for one service, as /oauth/token gives machines theirs: what has no page is decided so."""
    given = sessions.give_token(request.form.get("audience", ""))
    return unkept({"access_token": given, "token_type": "Bearer", "expires_in": LIFETIME_SECONDS})


def unkept(said: dict[str, str | int]) -> Page:
    """An answer that nobody on the way keeps."""
    answer = jsonify(said)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@pages.route("/language/<chosen>")
@open_page
def choose_language(chosen: str) -> Page:
    """Keep the reader's language and go back."""
    response = redirect(way_back(request.args.get("then", "")))
    if chosen in ("zh", "en"):
        response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=LANGUAGE_SECONDS, samesite="Lax", httponly=True)
    return response


def form(then: str, problem: str = "", notice: str = "") -> str:
    """The page with the form; with DEMO=1 also who there is to sign in as."""
    is_demo = current_app.extensions["portal.is_demo"]
    demo = [name for name in DEMO_NAMES if find_user(name)] if is_demo else []
    return render_template(
        "sign_in.html",
        then=then,
        problem=problem,
        notice=notice,
        demo=demo,
        demo_password=PASSWORD,
        name=request.form.get("name", ""),
        title=say("sign_in"),
    )

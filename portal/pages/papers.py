"""Credentials: a learner asks for the own and shows them, an employer verifies one by its code without signing in."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for

from chassis.web.client import Client
from chassis.web.limits import note_guess, refuse_guesser
from contracts.terms import Role
from portal.identity.tokens.domain import PORTAL, Grant
from portal.identity.tokens.mint import Mint
from portal.pages.asking import ANSWER_SECONDS, address, ask, every, every_or_none, found_or_none, scheme_names
from portal.pages.frame import Page, answered, open_page, signed_in
from portal.pages.learner import own_id
from portal.pages.speech import language

pages = Blueprint("papers", __name__)
GUESSES = "30 per minute"  # codes that nobody has, by one visitor
BANK = "creditbank"


@pages.route("/credentials")
@signed_in(Role.LEARNER)
def credentials() -> Page:
    """The learner's credentials, and the final passes for which there is none."""
    found = every(BANK, address("accounts", own_id(), "credentials"))
    vouched = {one["result_id"] for one in found if not one["revoked_at"]}
    results = every_or_none("assessment", "/results", learner_id=own_id())
    passes = [one for one in results or [] if (one["state"], one["verdict"]) == ("final", "passed")]
    return render_template(
        "credentials.html",
        credentials=sorted(found, key=lambda one: str(one["issued_at"]), reverse=True),
        open=[one for one in passes if one["result_id"] not in vouched],
        silent=results is None,
        schemes=scheme_names(),
    )


@pages.route("/credentials", methods=["POST"])
@signed_in(Role.LEARNER)
def ask_for() -> Page:
    """Ask for a credential of a pass."""
    wanted = {"result_id": request.form.get("result_id", "")}
    ask(BANK).post(address("accounts", own_id(), "credentials"), wanted)
    return redirect(url_for("papers.credentials"))


@pages.route("/credentials/<credential>/square.svg")
@signed_in(Role.LEARNER)
def square(credential: str) -> Page:
    """The QR code of one of the learner's credentials."""
    path = address("accounts", own_id(), "credentials", credential, "square.svg")
    drawn = found_or_none(lambda: ask(BANK).download(path))
    return Response(drawn or b"", 200 if drawn else 404, content_type="image/svg+xml")


@pages.route("/account/statement.pdf")
@signed_in(Role.LEARNER)
def statement() -> Page:
    """The statement of the learner's own account, on paper."""
    path = address("accounts", own_id(), "statement.pdf")
    drawn = found_or_none(lambda: ask(BANK).download(path))
    return Response(drawn or b"", 200 if drawn else 404, content_type="application/pdf")


@pages.route("/verify")
@open_page
def verify() -> Page:
    """Where an employer enters a code."""
    if code := code_in(request.args.get("code", "")):
        return redirect(url_for("papers.verified", code=code))
    return render_template("verify.html", found=None)


def code_in(text: str) -> str:
    """The code that somebody typed, or pasted with the whole address that a QR code holds."""
    return text.strip().partition("#")[0].rstrip("/").rpartition("/")[2].strip()


@pages.route("/verify/<code>")
@open_page
def verified(code: str) -> Page:
    """What is known of the credential with this code; who guesses codes is stopped."""
    return answered(lambda: verified_page(code))


def verified_page(code: str) -> str:
    """The page, asked of the credit bank as the portal; this visitor's guesses are counted here."""
    refuse_guesser(GUESSES)
    with as_portal() as bank:
        found: dict[str, Any] = bank.get(address("verifications", code))
    if found["standing"] == "unknown":
        note_guess(GUESSES)
    return render_template("verify.html", found=found, code=code)


def as_portal() -> Client:
    """The credit bank, asked in the portal's own name."""
    mint: Mint = current_app.extensions["portal.mint"]
    token = mint.issue(Grant(PORTAL, PORTAL, (Role.SERVICE,), {}), BANK)
    place = current_app.extensions["portal.settings"].service_urls[BANK]
    return Client(place, token=lambda: token, language=language(), answer_seconds=ANSWER_SECONDS)

"""What a learner sees: the account with its reasons, certificates, the mailbox. Staff see a learner's account too."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for

from contracts.terms import Role
from portal.pages.frame import Page, ask, every, found_or_none, language, scheme_names, signed_in

pages = Blueprint("learner", __name__)
ENTRIES_SHOWN = 50


def own_id() -> str:
    """The learner that the person signed in is."""
    return str(next(iter(g.person.owns.get("learner", [])), ""))


@pages.route("/account")
@signed_in(Role.LEARNER)
def account() -> Page:
    """The learner's own account."""
    return account_page(own_id())


@pages.route("/learners/<learner_id>/account")
@signed_in(Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
def account_of(learner_id: str) -> Page:
    """A learner's account, as staff see it."""
    return account_page(learner_id)


def account_page(learner_id: str) -> str:
    """Balance, holdings, certificates, entries with their reasons."""
    bank = ask("creditbank")
    found = found_or_none(lambda: bank.get(f"/accounts/{learner_id}"))
    entries: dict[str, Any] = {"items": [], "next": None}
    if found:
        cursor = request.args.get("cursor")
        entries = bank.get(f"/accounts/{learner_id}/entries", cursor=cursor, limit=ENTRIES_SHOWN)
    certificates = every("assessment", "/certificates", learner_id=learner_id)
    return render_template(
        "account.html",
        account=found,
        entries=entries,
        certificates=certificates,
        schemes=scheme_names(),
        learner_id=learner_id,
        is_own=learner_id == own_id(),
    )


@pages.route("/mailbox")
@signed_in(Role.LEARNER)
def mailbox() -> Page:
    """The learner's notices, newest first."""
    query = {"cursor": request.args.get("cursor"), "language": language(), "limit": ENTRIES_SHOWN}
    return render_template("mailbox.html", page=ask("notify").get(f"/mailboxes/{own_id()}/notices", **query))


@pages.route("/mailbox/<notice_id>/read", methods=["POST"])
@signed_in(Role.LEARNER)
def read_notice(notice_id: str) -> Page:
    """Note that a notice was read."""
    ask("notify").post(f"/mailboxes/{own_id()}/notices/{notice_id}/read", language=language())
    return redirect(url_for("learner.mailbox"))

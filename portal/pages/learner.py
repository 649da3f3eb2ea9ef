"""What a learner sees: the account with its reasons, certificates, the mailbox. Staff see a learner's account too."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for

from contracts.terms import Role
from portal.pages.asking import address, ask, every_or_none, found_or_none, scheme_names, source_names
from portal.pages.conversions import applications_of, options_for
from portal.pages.frame import Page, signed_in
from portal.pages.speech import language

pages = Blueprint("learner", __name__)
ENTRIES_SHOWN = 50
DONE = ("filed", "withdrawn", "accepted", "appealed")  # with an application
PLAN_READERS = {Role.LEARNER, Role.DEPARTMENT, Role.REGISTRY, Role.OPERATOR, Role.AUDITOR}
APPLICATION_READERS = (Role.LEARNER, Role.REGISTRY, Role.OPERATOR, Role.AUDITOR)


def own_id() -> str:
    """The learner that the person signed in is."""
    return str(next(iter(g.person.owns.get("learner", [])), ""))


@pages.route("/account")
@signed_in(Role.LEARNER)
def account() -> Page:
    """The learner's own account."""
    done = request.args.get("done", "")
    return account_page(own_id(), is_own=True, done=done if done in DONE else "")


@pages.route("/learners/<learner_id>/account")
@signed_in(Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
def account_of(learner_id: str) -> Page:
    """A learner's account, as staff see it, with the results that led to it."""
    ask("enrolment").get(address("learners", learner_id))
    return account_page(learner_id, results=every_or_none("assessment", "/results", learner_id=learner_id) or [])


def account_page(learner_id: str, is_own: bool = False, **more: Any) -> str:
    """Balance, what it can buy, applications, certificates (None while nobody can say), entries with their reasons."""
    found = found_or_none(lambda: ask("creditbank").get(address("accounts", learner_id)))
    may_see = found and set(APPLICATION_READERS) & set(g.person.roles)
    applications = applications_of(learner_id) if may_see else []
    if is_own and found:
        more |= options_for(learner_id, found, applications)
    return render_template(
        "account.html",
        account=found,
        entries=entries_of(learner_id) if found else None,
        training_excuses=every_or_none("training", address("learners", learner_id, "training-excuses")),
        certificates=every_or_none("assessment", "/certificates", learner_id=learner_id),
        schemes=scheme_names() | source_names(),
        learner_id=learner_id,
        is_own=is_own,
        may_plan=bool(PLAN_READERS & set(g.person.roles)),
        applications=applications,
        **more,
    )


def entries_of(learner_id: str) -> dict[str, Any]:
    """A page of the account's entries, newest first."""
    query = {"cursor": request.args.get("cursor"), "limit": ENTRIES_SHOWN}
    found: dict[str, Any] = ask("creditbank").get(address("accounts", learner_id, "entries"), **query)
    return found


@pages.route("/mailbox")
@signed_in(Role.LEARNER)
def mailbox() -> Page:
    """The learner's notices, newest first."""
    query = {"cursor": request.args.get("cursor"), "language": language(), "limit": ENTRIES_SHOWN}
    notices = ask("notify").get(address("mailboxes", own_id(), "notices"), **query)
    return render_template("mailbox.html", page=notices)


@pages.route("/mailbox/<notice_id>/read", methods=["POST"])
@signed_in(Role.LEARNER)
def read_notice(notice_id: str) -> Page:
    """Note that a notice was read, and stay where it stands."""
    ask("notify").post(address("mailboxes", own_id(), "notices", notice_id, "read"), language=language())
    cursor = request.form.get("cursor") or None
    return redirect(url_for("learner.mailbox", cursor=cursor, _anchor=f"notice-{notice_id}"))

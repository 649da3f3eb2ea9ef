"""Why? The chain behind an entry, an application or the balance, in sentences and signed."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, g, render_template, request

from contracts.terms import Role
from portal.pages.asking import address, ask
from portal.pages.conversions import BANK
from portal.pages.frame import Page, signed_in
from portal.pages.learner import own_id

pages = Blueprint("why", __name__)
READERS = (Role.REGISTRY, Role.DEPARTMENT, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)


@pages.route("/account/why")
@signed_in(Role.LEARNER)
def own() -> Page:
    """Why something on the learner's own account is as it is."""
    return why_page(own_id(), is_own=True)


@pages.route("/account/why.json")
@signed_in(Role.LEARNER)
def own_proof() -> Page:
    """The same signed, as a file."""
    return proof_of(own_id())


@pages.route("/learners/<learner_id>/why")
@signed_in(*READERS)
def of_learner(learner_id: str) -> Page:
    """Why something on a learner's account is as it is, for staff."""
    return why_page(learner_id, is_own=False)


@pages.route("/learners/<learner_id>/why.json")
@signed_in(*READERS)
def proof_of_learner(learner_id: str) -> Page:
    """The same signed, as a file."""
    return proof_of(learner_id)


def why_page(learner_id: str, is_own: bool) -> str:
    """The chain, in the order in which it leads to what was asked."""
    asked = question()
    return render_template(
        "why.html",
        found=chain_of(learner_id, asked),
        asked=asked,
        learner_id=learner_id,
        is_own=is_own,
        may_see_account=is_own or set(g.person.roles) - {Role.DEPARTMENT},
    )


def proof_of(learner_id: str) -> Response:
    """The chain with its proof, to be kept and verified elsewhere."""
    found = chain_of(learner_id, question())
    answer = Response(json.dumps(found, ensure_ascii=False, indent=1), content_type="application/json")
    answer.headers["Content-Disposition"] = 'attachment; filename="why.json"'
    return answer


def chain_of(learner_id: str, asked: dict[str, Any]) -> dict[str, Any]:
    """What the bank says to a question."""
    found: dict[str, Any] = ask(BANK).get(address("accounts", learner_id, "why"), **asked)
    return found


def question() -> dict[str, Any]:
    """The entry or application that is asked about; of neither, the balance is."""
    if entry := request.args.get("entry", type=int):
        return {"entry": entry}
    application = request.args.get("application", "")
    return {"application": application} if application else {}

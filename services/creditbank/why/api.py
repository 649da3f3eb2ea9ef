"""Why? over HTTP: one request, one chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from chassis.clock import now
from chassis.web.access import allow, caller
from chassis.web.blueprint import Blueprint
from chassis.web.problems import language
from contracts.terms import Role
from services.creditbank.papers.desk import Desk, carried
from services.creditbank.why import queries
from services.creditbank.why.domain import Link
from services.creditbank.why.queries import File
from services.creditbank.why.schemas import QuestionArgs, WhySchema

READERS = (Role.LEARNER, Role.REGISTRY, Role.DEPARTMENT, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)

blp = Blueprint("why", __name__, description="The chain behind a number, in sentences and signed.")


def account_owner(learner_id: str, **_: str) -> dict[str, str]:
    """What stands behind an account's numbers belongs to its learner."""
    return {"learner": learner_id}


@blp.route("/accounts/<learner_id>/why")
@allow(*READERS, owning=account_owner)
@blp.arguments(QuestionArgs, location="query")
@blp.response(200, WhySchema)
def why(asked: dict[str, Any], learner_id: str) -> dict[str, Any]:
    """Why an entry was made, an application ended as it did, or a balance is what it is: from score to credential."""
    desk = carried()
    file = File(learner_id, desk, is_learner=caller().reads_as(Role.LEARNER, "learner", learner_id))
    chain = msgspec.to_builtins(_chain(file, asked))
    for link in chain:
        link["text"] = link[language()]
    is_whole = file.account["entries"] <= queries.MOST
    return {"learner_id": learner_id, "chain": chain, "is_whole": is_whole, "proof": _signed(learner_id, chain, desk)}


def _chain(file: File, asked: dict[str, Any]) -> Sequence[Link]:
    if asked["entry"] is not None:
        return queries.why_entry(file, asked["entry"])
    if asked["application"] is not None:
        return queries.why_application(file, asked["application"])
    return queries.why_balance(file)


def _signed(learner_id: str, chain: list[dict[str, Any]], desk: Desk) -> str:
    said = [{name: value for name, value in link.items() if name != "text"} for link in chain]
    return desk.signer().sign(
        {"iss": desk.addresses.papers_url, "sub": learner_id, "iat": int(now().timestamp()), "chain": said}
    )

"""Freezing accounts, the totals, and the books."""

from __future__ import annotations

from typing import Any

from chassis.web.access import allow, caller
from chassis.web.blueprint import Blueprint
from chassis.web.schemas import FlowSchema
from contracts.terms import Role
from services.creditbank.ledger import commands, queries
from services.creditbank.ledger.schemas import (
    AccountSchema,
    BooksSchema,
    FreezingSchema,
    TotalSchema,
)

STAFF = (Role.REGISTRY, Role.DEPARTMENT, Role.TRAINER, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)

blp = Blueprint("ledger", __name__, description="The ledger: freezes, totals and the books.")


def account_owner(learner_id: str, **_: str) -> dict[str, str]:
    """An account belongs to its learner."""
    return {"learner": learner_id}


@blp.route("/accounts/<learner_id>/freeze", methods=["PUT"])
@allow(Role.REGISTRY, Role.OPERATOR, owning=account_owner)
@blp.arguments(FreezingSchema)
@blp.response(200, AccountSchema)
def put_freeze(wanted: dict[str, Any], learner_id: str) -> dict[str, Any]:
    """Freeze an account or lift it: deposits go on, nothing is spent meanwhile. Again changes nothing."""
    kept = commands.set_frozen(learner_id, by=caller().subject, **wanted)
    return queries.account_of(kept)


@blp.route("/holdings/totals")
@allow(*STAFF)
@blp.response(200, TotalSchema(many=True))
def get_totals() -> list[dict[str, Any]]:
    """Holdings and points by scheme and level."""
    return queries.totals()


@blp.route("/books")
@allow(*STAFF)
@blp.response(200, BooksSchema)
def get_books() -> dict[str, int]:
    """Learners' points by their accounts, the bank's by the journal, and their sum."""
    return queries.books()


@blp.route("/flow")
@allow(*STAFF)
@blp.response(200, FlowSchema)
def get_flow() -> dict[str, Any]:
    """How many stand at each stage."""
    return {"stages": queries.flow()}

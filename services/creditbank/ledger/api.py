"""Accounts with their entries, the totals, and the books."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chassis.web.access import allow, caller
from chassis.web.blueprint import Blueprint
from chassis.web.paging import CURSOR_INVALID, Key, page, paged
from chassis.web.schemas import FlowSchema
from contracts.terms import Role
from services.creditbank.ledger import commands, queries
from services.creditbank.ledger.schemas import (
    AccountSchema,
    BooksSchema,
    EntrySchema,
    FreezingSchema,
    InstantArgs,
    PastAccountSchema,
    TotalSchema,
)

STAFF = (Role.REGISTRY, Role.DEPARTMENT, Role.TRAINER, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
READERS = (Role.LEARNER, Role.REGISTRY, Role.DEPARTMENT, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR, Role.SERVICE)

blp = Blueprint("ledger", __name__, description="Personal learning accounts and what moved on them.")


def account_owner(learner_id: str, **_: str) -> dict[str, str]:
    """An account belongs to its learner."""
    return {"learner": learner_id}


@blp.route("/accounts/<learner_id>")
@allow(*READERS, owning=account_owner)
@blp.response(200, AccountSchema)
def get_account(learner_id: str) -> dict[str, Any]:
    """A learner's account: balances and holdings."""
    return queries.account_of(learner_id)


@blp.route("/accounts/<learner_id>/entries")
@allow(*READERS, owning=account_owner)
@paged(EntrySchema)
def list_entries(args: dict[str, Any], learner_id: str) -> dict[str, Any]:
    """What happened to an account and why, the latest first."""
    entries = queries.entries_of(learner_id, _before(args["cursor"]), args["limit"] + 1)
    return page(entries, args["limit"], key=lambda one: [one["number"]])


def _before(cursor: Key | None) -> int | None:
    match cursor:
        case None:
            return None
        case [int(number)] if 0 < number < 10**6:
            return number
    raise CURSOR_INVALID()


@blp.route("/accounts/<learner_id>/balance")
@allow(*READERS, owning=account_owner)
@blp.arguments(InstantArgs, location="query")
@blp.response(200, PastAccountSchema)
def get_balance(args: dict[str, datetime], learner_id: str) -> dict[str, Any]:
    """Balances and holdings as they were at a past instant, folded from the account's entries."""
    return queries.account_at(learner_id, args["at"])


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

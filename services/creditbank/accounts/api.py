"""Accounts over HTTP: to a learner as they were told, to staff as they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chassis.web.access import allow, caller
from chassis.web.blueprint import Blueprint
from chassis.web.paging import CURSOR_INVALID, Key, page, paged
from contracts.terms import Role
from services.creditbank.accounts import queries
from services.creditbank.ledger.schemas import AccountSchema, EntrySchema, InstantArgs, PastAccountSchema

READERS = (Role.LEARNER, Role.REGISTRY, Role.DEPARTMENT, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR, Role.SERVICE)

blp = Blueprint("accounts", __name__, description="Personal learning accounts, as their readers may know them.")


def account_owner(learner_id: str, **_: str) -> dict[str, str]:
    """An account belongs to its learner."""
    return {"learner": learner_id}


@blp.route("/accounts/<learner_id>")
@allow(*READERS, owning=account_owner)
@blp.response(200, AccountSchema)
def get_account(learner_id: str) -> dict[str, Any]:
    """A learner's account: balances and holdings. What a decision spent that its learner was not told of is held."""
    return queries.account_of(learner_id, _is_learner(learner_id))


@blp.route("/accounts/<learner_id>/entries")
@allow(*READERS, owning=account_owner)
@paged(EntrySchema)
def list_entries(args: dict[str, Any], learner_id: str) -> dict[str, Any]:
    """What happened to an account and why, the latest first."""
    entries = queries.entries_of(learner_id, _before(args["cursor"]), args["limit"] + 1, _is_learner(learner_id))
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
    return queries.account_at(learner_id, args["at"], _is_learner(learner_id))


def _is_learner(learner_id: str) -> bool:
    return caller().reads_as(Role.LEARNER, "learner", learner_id)

"""Reading accounts, each as its reader may know it. The ledger is read first: what it holds then is judged by what is
untold now, so that nothing shows before its telling."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.creditbank.accounts.telling import Shown, account_as_told, entries_as_told
from services.creditbank.conversion.queries import untold_of
from services.creditbank.ledger import queries as ledger


def account_of(learner_id: str, is_learner: bool) -> Shown:
    """An account with its balances and holdings; Refusal when nobody opened one."""
    found = ledger.account_of(learner_id)
    return _told(found) if is_learner else found


def account_at(learner_id: str, at: datetime, is_learner: bool) -> Shown:
    """An account as its entries made it by an instant; Refusal when nobody opened it, or the instant has not come."""
    found = ledger.account_at(learner_id, at)
    return _told(found) if is_learner else found


def entries_of(learner_id: str, before: int | None, limit: int, is_learner: bool) -> list[Shown]:
    """An account's entries, the latest first; Refusal when nobody opened it."""
    found = ledger.entries_of(learner_id, before, limit)
    if not is_learner or not found:
        return found
    owner = owner_of(ledger.account_of(learner_id))
    told = list(entries_as_told(found, untold_of(owner)))
    while len(told) < limit <= len(found):  # entries that are not told make room for older ones
        found = ledger.entries_of(learner_id, found[-1]["number"], limit)
        told += entries_as_told(found, untold_of(owner))
    return told[:limit]


def owner_of(account: Mapping[str, Any]) -> str:
    """Who has now what this account earned."""
    while account["merged_into"]:
        account = ledger.account_of(account["merged_into"])
    return str(account["learner_id"])


def _told(account: Shown) -> Shown:
    untold = untold_of(owner_of(account))
    return account_as_told(account, ledger.entries_because(account["learner_id"], untold), untold)

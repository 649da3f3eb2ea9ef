"""Reading accounts: what they hold, why, and whether the books are even."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from chassis import waiters
from chassis.bus.outbox import caused_by
from chassis.database import Row
from chassis.errors import NOT_FOUND
from chassis.strands import parked_among
from chassis.web.bundles import Shelf
from chassis.web.health import Step
from services.creditbank.ledger import models
from services.creditbank.ledger.domain import (
    ANNOUNCED,
    AT_IN_FUTURE,
    POCKETS,
    Account,
    Entry,
    Holding,
    fold,
    full_address,
    is_unnumbered,
)
from services.creditbank.ledger.judging import folded

LEARNER = "learner:"


def account_of(learner_id: str) -> dict[str, Any]:
    """An account with its balances and holdings; Refusal when nobody opened one."""
    account = models.find_accounts([learner_id]).get(learner_id)
    if account is None:
        raise NOT_FOUND(what="account", id=learner_id)
    return _shown(account, models.schemes_that_need_numbers())


def survivors_of(learner_ids: Collection[str]) -> dict[str, str]:
    """By learner, who each of them is by now."""
    now = {one: one for one in learner_ids}
    while moved := {
        one.learner_id: one.merged_into for one in models.find_accounts(set(now.values())).values() if one.merged_into
    }:
        now = {one: moved.get(person, person) for one, person in now.items()}
    return now


def opened(learner_ids: Collection[str]) -> set[str]:
    """Who of these learners has an account."""
    return models.find_opened(learner_ids)


def holdings_of(learner_id: str) -> dict[str, Holding]:
    """What a learner holds by scheme, in the open transaction if there is one; nothing without an account."""
    account = models.find_accounts([learner_id]).get(learner_id)
    return account.holdings if account else {}


def accounts_of(learner_ids: Collection[str]) -> dict[str, Account]:
    """The accounts of these learners, where there are any, in the open transaction if there is one."""
    return models.find_accounts(learner_ids)


def held_up(learner_ids: Collection[str]) -> set[str]:
    """Of these learners, those of whom news waits or broke: verbs that spend refuse for as long."""
    return {key.removeprefix(LEARNER) for key in parked_among({LEARNER + one for one in learner_ids})}


def accounts_after(after: str, limit: int) -> list[Account]:
    """Accounts in the order of their learners' ids."""
    return models.page_of_accounts(after, limit)


def numbered_schemes() -> set[str]:
    """The schemes that want a certificate's number on record before their points are spent."""
    return models.schemes_that_need_numbers()


def follows_journal(learner_id: str) -> bool:
    """Whether an account says what its entries say, and these follow from each other."""
    account = models.find_accounts([learner_id]).get(learner_id)
    folded_account, fault = folded(learner_id, models.read_chain(learner_id))
    return fault is None and account is not None and models.state_of(account) == models.state_of(folded_account)


def _shown(account: Account, numbered_schemes: set[str]) -> dict[str, Any]:
    return {
        "learner_id": account.learner_id,
        "merged_into": account.merged_into or None,
        "is_frozen": account.is_frozen,
        "balances": account.balance()._asdict(),
        "holdings": [
            _holding(one, one.scheme in numbered_schemes)
            for one in sorted(account.holdings.values(), key=lambda one: one.scheme)
        ],
        "entries": account.entries,
        "head": account.head.hex(),
    }


def _holding(holding: Holding, needs_number: bool) -> dict[str, Any]:
    return {
        "scheme": holding.scheme,
        "level": holding.level or None,
        **{f"{pocket}_points": getattr(holding, pocket) for pocket in POCKETS},
        "certificate": holding.certificate or None,
        "unnumbered": is_unnumbered(holding, needs_number),
    }


def account_at(learner_id: str, at: datetime) -> dict[str, Any]:
    """An account as its entries made it by an instant of the machine's clock; before the first one it is empty.

    A merged account shows what it held itself: until the merge its own, after it nothing, and who has it now.
    Refusal when nobody opened the account, or the instant has not come.
    """
    if at > datetime.now(UTC):
        raise AT_IN_FUTURE(at=at.isoformat())
    now = models.find_accounts([learner_id]).get(learner_id)
    if now is None:
        raise NOT_FOUND(what="account", id=learner_id)
    account = Account(learner_id, merged_into=now.merged_into)
    for entry in models.read_chain_until(learner_id, at):
        fold(account, entry.body, entry.hash)
    account.holdings = {scheme: one for scheme, one in account.holdings.items() if not one.says_nothing()}
    return _shown(account, models.schemes_that_need_numbers()) | {"at": at}


def entries_of(learner_id: str, before: int | None, limit: int) -> list[dict[str, Any]]:
    """An account's entries, the latest first, each with its reason; Refusal when nobody opened the account."""
    if not models.find_accounts([learner_id]):
        raise NOT_FOUND(what="account", id=learner_id)
    return [_entry(row) for row in models.entry_rows(learner_id, before, limit)]


def entries_because(learner_id: str, causes: Collection[str]) -> list[dict[str, Any]]:
    """The entries of an account with these causes, oldest first; each cause is of one entry there."""
    return [_entry(row) for row in models.entries_with(learner_id, causes)] if causes else []


def _entry(row: Row) -> dict[str, Any]:
    entry = models.entry_of(row)
    body, change = entry.body, entry.change()
    return {
        "number": entry.number,
        "at": row["at"],
        "cause": body["cause"],
        "what": body["what"],
        "scheme": body.get("scheme"),
        "level": body.get("level"),
        "result_id": body.get("result_id"),
        "revision": body.get("revision"),
        "rule_version": body.get("rule_version"),
        "reason": body.get("reason"),
        "postings": list(_postings(entry)),
        "provisional_points": change.provisional,
        "available_points": change.available,
        "previous": entry.previous.hex(),
        "hash": entry.hash.hex(),
    }


def _postings(entry: Entry) -> list[dict[str, Any]]:
    learner_id, scheme = entry.learner_id, entry.body.get("scheme", "")
    return [
        {
            "source": full_address(learner_id, scheme, one["from"]),
            "target": full_address(learner_id, scheme, one["to"]),
            "credit_points": one["points"],
        }
        for one in entry.body["postings"]
    ]


def made_available(learner_id: str, after: int, what: str, limit: int) -> tuple[dict[str, int], int]:
    """By outcome, the points that entries of this kind beyond a number made available; and up to which number they
    were looked at."""
    found, last = Counter[str](), after
    for row in models.entry_rows_after(learner_id, after, what, limit):
        entry = models.entry_of(row)
        last = entry.number
        if (points := entry.change().available) > 0:
            found[entry.body["result_id"]] += points
    return dict(found), last


def available_points(learner_id: str) -> int:
    """What may be spent of all holdings together; nothing without an account."""
    account = models.find_accounts([learner_id]).get(learner_id)
    return account.balance().available if account else 0


def totals() -> list[dict[str, Any]]:
    """Holdings and their points by scheme and level: of those that hold anything."""
    return [
        {
            "scheme": row["_id"]["scheme"],
            "level": row["_id"]["level"] or None,
            "holdings": row["holdings"],
            "provisional_points": row["provisional"],
            "available_points": row["available"],
        }
        for row in models.sum_holdings()
    ]


def books() -> dict[str, int]:
    """What learners have by their accounts, what the bank has by the journal, and the sum, which is zero."""
    learners = sum(row[pocket] for row in models.sum_holdings() for pocket in POCKETS)
    bank = -models.sum_journal()
    return {"learners_points": learners, "bank_points": bank, "sum": learners + bank}


def journal_size() -> int:
    """About how many entries there are."""
    return models.count_entries()


def merged_from(learner_ids: Sequence[str]) -> dict[str, list[str]]:
    """The learners whose accounts were handed to each of these."""
    found: dict[str, list[str]] = {}
    for row in models.merged_into(learner_ids):
        found.setdefault(row["merged_into"], []).append(row["_id"])
    return found


def audited_holdings(account: Row) -> list[dict[str, Any]]:
    """What an account holds from each scheme, as an auditor reads it."""
    return [
        {"scheme": one["scheme"], **{f"{pocket}_points": one.get(pocket, 0) for pocket in POCKETS}}
        for one in account["holdings"]
    ]


def audited_entry(row: Row) -> dict[str, Any]:
    """An entry as an auditor reads it: why, and what it moved from where to where."""
    postings = [{"source": one["from"], "target": one["to"], "credit_points": one["points"]} for one in row["postings"]]
    return {
        "number": int(row["_id"].rpartition(":")[2]),
        **{name: row.get(name, "") for name in ("cause", "what", "scheme")},
        "result_id": row.get("result_id"),
        "revision": row.get("revision"),
        "postings": postings,
    }


ACCOUNTS = Shelf(models.audited_accounts, lambda row: str(row["_id"]), rows_each=1)
ENTRIES = Shelf(models.audited_entries, models.learner_of, rows_each=4)


def flow() -> list[dict[str, Any]]:
    """How many stand at each stage of the bank."""
    sums = models.sum_accounts()
    counts = {
        "accounts": sums["accounts"],
        "provisional": sums["provisional"],
        "credited": sums["available"],
        "waiting": waiters.waiting("outcome"),
        "entries": sums["entries"],
        "available_points": sums["available_points"],
    }
    return [{"stage": stage, "count": count} for stage, count in counts.items()]


def life_of(cause: str) -> list[Step]:
    """The entries an event or command caused."""
    learner_ids = {row["key"].removeprefix(LEARNER) for row in caused_by(cause) if row["type"] in ANNOUNCED}
    return [_step(row) for row in models.entries_because(sorted(learner_ids), cause)]


def _step(row: Row) -> Step:
    entry = _entry(row)
    told = ("number", "what", "scheme", "level", "result_id", "rule_version", "provisional_points", "available_points")
    return Step(
        at=row["at"],
        service="creditbank",
        what="Entry",
        id=row["_id"],
        cause=row["cause"],
        learner_id=models.learner_of(row),
        detail={name: entry[name] for name in told},
    )

"""Folding the journal again: is every chain whole, and does every account show what its entries say?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from chassis.database import transactional
from chassis.strands import name_keys
from services.creditbank.ledger import models
from services.creditbank.ledger.domain import Account, Entry, chained, fold

CHUNK_ACCOUNTS = 500
NAMED_FAULTS = 100


@dataclass
class Audit:
    """What was read, how many accounts are wrong, and the first of them by name."""

    accounts: int = 0
    entries: int = 0
    faulty: int = 0
    restored: int = 0
    faults: list[str] = field(default_factory=list)

    def note(self, fault: str) -> None:
        self.faulty += 1
        if len(self.faults) < NAMED_FAULTS:
            self.faults.append(fault)


@dataclass(frozen=True)
class Folded:
    """An account made anew of its entries, and where its chain breaks, if it does."""

    account: Account
    fault: str = ""


def folded(learner_id: str, chain: Iterable[Entry]) -> Folded:
    """Fold a chain: every number, hash before and own hash must follow from the entry before."""
    account = Account(learner_id)
    for entry in chain:
        number = account.entries + 1
        if entry.number != number or entry.previous != account.head:
            return Folded(account, f"{learner_id}: entry {number} is missing, or another stands in its place")
        if entry.hash != chained(account.head, learner_id, number, entry.body):
            return Folded(account, f"{learner_id}: entry {number} was changed: its hash is another")
        fold(account, entry.body, entry.hash)
    return Folded(account)


def verify() -> Audit:
    """Recompute every chain and every balance, streaming; what looks wrong is looked at again in one snapshot."""
    audit = Audit()
    for suspects in _suspects(audit):
        _look_again(audit, suspects)
    return audit


def rebuild() -> Audit:
    """Write every account that differs from its journal as the journal says it; broken chains are left as they are."""
    audit = Audit()
    for suspects in _suspects(audit):
        audit.restored += restore(suspects)
        _look_again(audit, suspects)
    return audit


def _look_again(audit: Audit, learner_ids: list[str]) -> None:
    for fault in filter(None, map(fault_of, learner_ids)):
        audit.note(fault)


@transactional
def fault_of(learner_id: str) -> str:
    """What is wrong with an account in one snapshot; empty when nothing is."""
    again = folded(learner_id, models.read_chain(learner_id))
    if again.fault or _is_shown(again.account):
        return again.fault
    return f"{learner_id}: the account does not show what its {again.account.entries} entries say"


@transactional
def restore(learner_ids: list[str]) -> int:
    """Have accounts show what their entries say; how many did not."""
    name_keys(f"learner:{one}" for one in learner_ids)
    again = [folded(one, models.read_chain(one)) for one in learner_ids]
    wrong = [one.account for one in again if not one.fault and one.account.entries and not _is_shown(one.account)]
    models.restore_accounts(wrong)
    return len(wrong)


def _is_shown(account: Account) -> bool:
    shown = models.find_states([account.learner_id]).get(account.learner_id)
    return shown == models.state_of(account) or (shown is None and not account.entries)


def _suspects(audit: Audit) -> Iterator[list[str]]:
    """Accounts that seem wrong in passing, in chunks: a settlement meanwhile makes one seem so, too."""
    seen = 0
    chains = (folded(learner_id, chain) for learner_id, chain in models.stream_chains())
    while chunk := list(islice(chains, CHUNK_ACCOUNTS)):
        seen += len(chunk)
        audit.entries += sum(one.account.entries for one in chunk)
        shown = models.find_states([one.account.learner_id for one in chunk])
        yield [
            one.account.learner_id
            for one in chunk
            if one.fault or shown.get(one.account.learner_id) != models.state_of(one.account)
        ]
    audit.accounts = seen
    if models.count_showing() > seen:
        yield from _chunks(models.stream_unfounded())


def _chunks(learner_ids: Iterator[str]) -> Iterator[list[str]]:
    while chunk := list(islice(learner_ids, CHUNK_ACCOUNTS)):
        yield chunk

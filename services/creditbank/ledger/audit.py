"""Folding the journal again: is every chain whole, is it what was signed and announced, does every account show it?

A first pass streams and only suspects, fast; what it suspects is judged in one snapshot, since a settlement meanwhile
makes an account look wrong, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

import msgspec

from chassis.bus import announced
from chassis.database import transactional
from chassis.strands import name_keys
from services.creditbank.ledger import models
from services.creditbank.ledger.domain import ANNOUNCED, Account, Body, Entry, digest, fold
from services.creditbank.ledger.judging import (
    UNREADABLE_AS,
    Fault,
    Testimony,
    Wrong,
    contradiction,
    folded,
    is_sealed,
    unlike_journal,
)
from services.creditbank.ledger.merkle import Head
from services.creditbank.ledger.roots import Root, RootBroken, Roots

CHUNK_ACCOUNTS = 2_000
RESTORED_TOGETHER = 200  # accounts in one transaction, which has ten seconds
NAMED_FAULTS = 100
MOST_YOUNG = 200_000  # keys kept in memory; beyond that each account is asked for
MARGIN = timedelta(minutes=10)  # an announcement carries the time of its transaction's beginning, by its own clock
KEY = "learner:"
Tell = Callable[[int], object]
One = TypeVar("One")
_fast = msgspec.json.Encoder(order="sorted").encode


@dataclass
class Audit:
    """What was read, how many accounts are wrong, and the first of them by name."""

    accounts: int = 0
    entries: int = 0
    faulty: int = 0
    restored: int = 0
    root: str = ""
    faults: list[Fault] = field(default_factory=list)
    _wrong: set[str] = field(default_factory=set, repr=False)

    def note_all(self, faults: Iterable[Fault]) -> None:
        """Count each account that is wrong once, and name the first ones."""
        for fault in faults:
            if fault.account not in self._wrong:
                self.faulty += 1
                self.faults += [fault] if len(self.faults) < NAMED_FAULTS else []
            self._wrong.add(fault.account)

    def shown(self) -> dict[str, Any]:
        """The audit as a document; each fault in a sentence as well."""
        names = ("root", "accounts", "entries", "faulty", "restored")
        faults = [asdict(one) | {"says": str(one)} for one in self.faults]
        return {name: getattr(self, name) for name in names} | {"faults": faults}


@dataclass
class Witness:
    """What was signed, read in step with the journal, and since when announcements testify to what came after.

    `young`: the keys on which any were made since, as the pass began; None when they are too many.
    """

    root: Root | None = None
    heads: Iterator[Head] = field(default_factory=lambda: iter(()))
    since: datetime | None = None
    young: frozenset[str] | None = None
    broken: str = ""
    gap: str = ""
    _ahead: dict[str, Head] = field(default_factory=dict)
    _next: Head | None = None

    def of(self, learner_ids: Sequence[str]) -> dict[str, Testimony]:
        """What is known of these accounts, which come in the journal's order."""
        self._read_to(max(learner_ids))
        told = self._told([one for one in learner_ids if self.young is None or KEY + one in self.young])
        return {one: self.testimony(self._ahead.pop(one, None), told.get(one, {})) for one in learner_ids}

    def testimony(self, head: Head | None, told: dict[int, str]) -> Testimony:
        """A head and announcements together."""
        return Testimony(self.root.name if self.root else "", head, told)

    def told(self, learner_id: str) -> dict[int, str]:
        """What was announced of one account."""
        return self._told([learner_id]).get(learner_id, {})

    def _told(self, learner_ids: Sequence[str]) -> dict[str, dict[int, str]]:
        found: dict[str, dict[int, str]] = {}
        if not learner_ids:
            return found
        for row in announced.on_keys((KEY + one for one in learner_ids), ANNOUNCED, self.since):
            said = row["said"]
            if isinstance(number := said.get("entry_number"), int):
                found.setdefault(row["key"][len(KEY) :], {})[number] = str(said.get("entry_hash", ""))
        return found

    def passed_by(self, learner_id: str) -> list[tuple[str, Head | None]]:
        """The signed heads of accounts of which the journal, at this one now, has nothing."""
        gone = [one for one in self._ahead if f"{one}:" < f"{learner_id}:"]
        return [(one, self._ahead.pop(one)) for one in gone]

    def rest(self) -> Iterator[list[tuple[str, Head | None]]]:
        """The signed heads that lie behind the journal's end."""
        yield [(one, head) for one, head in self._ahead.items()]
        while heads := self._chunk():
            yield [(one.learner_id, one) for one in heads]

    def _chunk(self) -> list[Head]:
        ahead = [self._next] if self._next else []
        self._next = None
        return ahead + self._some(CHUNK_ACCOUNTS)

    def _read_to(self, learner_id: str) -> None:
        while self._next is None or self._next.learner_id <= learner_id:
            if self._next:
                self._ahead[self._next.learner_id] = self._next
            self._next = next(iter(self._some(1)), None)
            if self._next is None:
                return

    def _some(self, count: int) -> list[Head]:
        """The next heads; what is wrong with their file is noted and ends them."""
        try:
            return list(islice(self.heads, count))
        except RootBroken as broken:
            self.broken, self.heads = str(broken), iter(())
            return []


def verify(roots: Roots | None = None, tell: Tell = bool) -> Audit:
    """Recompute every chain and every balance, streaming, and hold them against the last root and what was announced.

    `tell` hears now and then how many entries were read.
    """
    audit, witness = Audit(), _witness(roots)
    for suspects in _suspects(audit, witness, tell):
        _judge_again(audit, witness, suspects)
    return _completed(audit, witness)


def rebuild(roots: Roots | None = None, tell: Tell = bool) -> Audit:
    """Write every account that differs from its journal as the journal says it.

    A chain that is broken, or not what was signed and announced, is left as it is: it would make the account wrong.
    """
    audit, witness = Audit(), _witness(roots)
    for suspects in _suspects(audit, witness, tell):
        for some in _chunks(iter(suspects), RESTORED_TOGETHER):
            restored, left = restore(some, witness)
            audit.restored += restored
            audit.note_all(left)
    return _completed(audit, witness)


def _witness(roots: Roots | None) -> Witness:
    try:
        root = roots.latest() if roots else None
    except RootBroken as broken:
        return Witness(broken=str(broken))
    if roots is None or root is None:
        return Witness()
    since = root.began_at - MARGIN
    return Witness(root, roots.heads(root), since, _young(since), gap=roots.gap())


def _young(since: datetime) -> frozenset[str] | None:
    """The keys on which entries were announced since an instant; None when they are too many to be remembered."""
    found: set[str] = set()
    for keys in announced.stream_keys(ANNOUNCED, since):
        found.update(keys)
        if len(found) > MOST_YOUNG:
            return None
    return frozenset(found)


def _completed(audit: Audit, witness: Witness) -> Audit:
    """The audit, with what is wrong with the root, or with the journal as a whole."""
    audit.root = witness.root.name if witness.root else ""
    if witness.root and audit.entries < witness.root.entries:
        how = (
            f"the journal has {audit.entries} entries, its root of {witness.root.name} has {witness.root.entries}: "
            "the database is older than its root, or entries were taken out"
        )
        audit.faulty += 1
        audit.faults.insert(0, Fault("", 0, Wrong.OLDER_THAN_ROOT, how))
    for how in filter(None, (witness.gap, witness.broken)):
        audit.faulty += 1
        audit.faults.insert(0, Fault("", 0, Wrong.ROOT_BROKEN, how))
    return audit


def _judge_again(audit: Audit, witness: Witness, suspects: Iterable[tuple[str, Head | None]]) -> None:
    audit.note_all(fault for one, head in suspects if (fault := fault_of(one, head, witness)))


@transactional
def fault_of(learner_id: str, head: Head | None, witness: Witness) -> Fault | None:
    """What is wrong with an account in one snapshot."""
    return _judged(learner_id, head, witness)[1]


@transactional
def restore(suspects: Sequence[tuple[str, Head | None]], witness: Witness) -> tuple[int, list[Fault]]:
    """Have accounts show what their entries say; how many did not, and what is wrong with the others."""
    name_keys(KEY + one for one, _ in suspects)
    judged = [_judged(learner_id, head, witness) for learner_id, head in suspects]
    faults = [(account, fault) for account, fault in judged if fault]
    wrong = [one for one, fault in faults if fault.wrong is Wrong.UNLIKE_JOURNAL and one.entries]
    models.restore_accounts(wrong)
    restored = {one.learner_id for one in wrong}
    return len(wrong), [fault for account, fault in faults if account.learner_id not in restored]


def _judged(learner_id: str, head: Head | None, witness: Witness) -> tuple[Account, Fault | None]:
    chain = models.read_chain(learner_id)
    account, fault = folded(learner_id, chain)
    if fault:
        return account, fault
    hashes = [one.hash for one in chain]
    if fault := contradiction(learner_id, hashes, witness.testimony(head, witness.told(learner_id))):
        return account, fault
    shown = models.find_states([learner_id]).get(learner_id)
    if shown == models.state_of(account) or (shown is None and not account.entries):
        return account, None
    return account, unlike_journal(account, shown["entries"] if shown else 0)


def _suspects(audit: Audit, witness: Witness, tell: Tell) -> Iterator[list[tuple[str, Head | None]]]:
    """Accounts that seem wrong in passing, in chunks, each with its signed head."""
    last = ""
    for chunk in _chunks(models.stream_chains()):
        last = chunk[-1][0]
        yield [*_seem_wrong(audit, witness, chunk), *witness.passed_by(last)]
        tell(audit.entries)
    if last:
        yield from witness.rest()
    yield from _unfounded(witness)
    if models.count_showing() > audit.accounts:
        for ids in _chunks(models.stream_unfounded()):
            yield [(one, None) for one in ids]


def _seem_wrong(
    audit: Audit, witness: Witness, chunk: Sequence[tuple[str, list[Entry]]]
) -> Iterator[tuple[str, Head | None]]:
    ids = [learner_id for learner_id, _ in chunk]
    known, shown = witness.of(ids), models.find_states(ids)
    for learner_id, chain in chunk:
        account, testimony = refolded(learner_id, chain), known[learner_id]
        if (
            account is None
            or shown.get(learner_id) != models.state_of(account)
            or not testimony.is_kept([one.hash for one in chain])
        ):
            yield learner_id, testimony.head
        audit.entries += len(chain)
    audit.accounts += len(chunk)


def _unfounded(witness: Witness) -> Iterator[list[tuple[str, Head | None]]]:
    """Accounts of which entries were announced, and the journal has none."""
    for keys in announced.stream_keys(ANNOUNCED, witness.since):
        ids = [key[len(KEY) :] for key in keys]
        yield [(one, None) for one in models.without_entries(ids)]


def refolded(learner_id: str, chain: Sequence[Entry]) -> Account | None:
    """Fold a chain as `folded` does, fast, without saying what is wrong with it."""
    account = Account(learner_id)
    try:
        is_whole = all(_follows(account, entry) for entry in chain)
    except UNREADABLE_AS:
        return None
    return account if is_whole else None


def _follows(account: Account, entry: Entry) -> bool:
    """Fold an entry into its account, if it is the next one."""
    number = account.entries + 1
    if entry.number != number or entry.previous != account.head or not _gives_hash(entry, number):
        return False
    fold(account, entry.body, entry.hash)
    return True


def _gives_hash(entry: Entry, number: int) -> bool:
    """By a fast encoder; where that one differs from the canonical form, the form decides."""
    content: tuple[str, int, Body] = (entry.learner_id, number, entry.body)
    return digest(entry.previous, _fast(content)) == entry.hash or is_sealed(entry, number)


def _chunks(items: Iterator[One], size: int = CHUNK_ACCOUNTS) -> Iterator[list[One]]:
    while chunk := list(islice(items, size)):
        yield chunk

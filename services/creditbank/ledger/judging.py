"""What is wrong with one account: by its chain alone, by what was signed and announced of it, by what it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from services.creditbank.ledger.domain import Account, Entry, chained, fold
from services.creditbank.ledger.merkle import Head

UNREADABLE_AS = (KeyError, TypeError, ValueError, AttributeError)  # what folding content raises that is no entry's


class Wrong(StrEnum):
    """Kinds of faults, as tools read them."""

    UNREADABLE = "unreadable"
    ALTERED = "altered"
    MISSING = "missing"
    SWAPPED = "swapped"
    MISPLACED = "misplaced"
    APPENDED = "appended"
    UNLIKE_ROOT = "unlike_root"
    UNLIKE_ANNOUNCED = "unlike_announced"
    UNLIKE_JOURNAL = "unlike_journal"
    ROOT_BROKEN = "root_broken"
    OLDER_THAN_ROOT = "older_than_root"


@dataclass(frozen=True)
class Fault:
    """What is wrong: of which account (empty: of all), at which entry (0: at none)."""

    account: str
    entry: int
    wrong: Wrong
    says: str

    def __str__(self) -> str:
        return f"{self.account}: {self.says}" if self.account else self.says


@dataclass(frozen=True)
class Testimony:
    """What others know of an account: the head that was signed in a root, and hashes by number as announced since
    (empty where only the number was told)."""

    root_name: str = ""
    head: Head | None = None
    announced: Mapping[int, str] = field(default_factory=dict)

    @property
    def signed(self) -> int:
        """Up to which entry the root vouches."""
        return self.head.entries if self.head else 0

    def is_kept(self, hashes: Sequence[bytes]) -> bool:
        """Whether a chain with these hashes is what was signed and announced, no less and no more."""
        if self.head and (len(hashes) < self.signed or hashes[self.signed - 1] != self.head.hash):
            return False
        if not self.announced:
            return len(hashes) == self.signed
        beyond = {number: told for number, told in self.announced.items() if number > self.signed}
        if len(beyond) != len(hashes) - self.signed or any(number > len(hashes) for number in beyond):
            return False
        return all(told in {"", hashes[number - 1].hex()} for number, told in beyond.items())


def folded(learner_id: str, chain: Sequence[Entry]) -> tuple[Account, Fault | None]:
    """Fold a chain: every number, hash before and own hash must follow from the entry before."""
    account = Account(learner_id)
    for place, entry in enumerate(chain):
        if fault := _fault_at(account, entry, chain[place + 1 :]):
            return account, fault
        try:
            fold(account, entry.body, entry.hash)
        except UNREADABLE_AS:
            return account, Fault(learner_id, entry.number, Wrong.UNREADABLE, f"entry {entry.number} can't be read")
    return account, None


def _fault_at(account: Account, entry: Entry, later: Sequence[Entry]) -> Fault | None:
    """What is wrong with the next entry of a chain."""
    whose, number = account.learner_id, account.entries + 1
    if entry.number < number:
        return Fault(whose, number, Wrong.MISPLACED, f"an entry stands where none belongs, at number {entry.number}")
    if entry.number > number:
        lost = f"entry {number} is" if entry.number == number + 1 else f"entries {number} to {entry.number - 1} are"
        return Fault(whose, number, Wrong.MISSING, f"{lost} missing")
    if entry.previous == account.head:
        how = f"entry {number} was altered: its content does not give its hash"
        return None if is_sealed(entry, number) else Fault(whose, number, Wrong.ALTERED, how)
    if twin := next((one for one in later if one.previous == account.head), None):
        return Fault(whose, number, Wrong.SWAPPED, f"entries {number} and {twin.number} were swapped")
    if is_sealed(entry, number):
        how = f"entry {number} does not follow from the one before: either was put in another's place"
        return Fault(whose, number, Wrong.MISPLACED, how)
    return Fault(whose, number, Wrong.ALTERED, f"entry {number} was altered: it follows from nothing and gives no hash")


def is_sealed(entry: Entry, number: int) -> bool:
    """Whether an entry's content, as the one with this number, gives its hash."""
    try:
        return chained(entry.previous, entry.learner_id, number, entry.body) == entry.hash
    except UNREADABLE_AS:
        return False


def contradiction(learner_id: str, hashes: Sequence[bytes], testimony: Testimony) -> Fault | None:
    """Where a whole chain is not what was signed and announced; the first such entry."""
    if fault := _unlike_root(learner_id, hashes, testimony):
        return fault
    told = {number: digest for number, digest in testimony.announced.items() if number > testimony.signed}
    beyond = sorted({*range(testimony.signed + 1, len(hashes) + 1), *told})
    return next(filter(None, (_unlike_told(learner_id, number, hashes, told) for number in beyond)), None)


def _unlike_told(learner_id: str, number: int, hashes: Sequence[bytes], told: Mapping[int, str]) -> Fault | None:
    if number > len(hashes):
        return Fault(learner_id, number, Wrong.MISSING, f"entry {number} is missing; it was announced")
    if number not in told:
        return Fault(learner_id, number, Wrong.APPENDED, f"entry {number} was appended: it was never announced")
    if told[number] not in {"", hashes[number - 1].hex()}:
        how = f"entry {number} is another than was announced: the chain was made anew from there or before"
        return Fault(learner_id, number, Wrong.UNLIKE_ANNOUNCED, how)
    return None


def _unlike_root(learner_id: str, hashes: Sequence[bytes], testimony: Testimony) -> Fault | None:
    head = testimony.head
    if head is None or (len(hashes) >= head.entries and hashes[head.entries - 1] == head.hash):
        return None
    if len(hashes) < head.entries:
        number = len(hashes) + 1
        how = f"entry {number} is missing; the root of {testimony.root_name} has {head.entries}"
        return Fault(learner_id, number, Wrong.MISSING, how)
    how = f"entry {head.entries} is another than in the root of {testimony.root_name}: the chain was made anew"
    return Fault(learner_id, head.entries, Wrong.UNLIKE_ROOT, how)


def unlike_journal(account: Account, shown_entries: int) -> Fault:
    """An account that does not show what its entries say."""
    if shown_entries != account.entries:
        how = f"the account ends with entry {shown_entries}, its journal with entry {account.entries}"
    else:
        how = f"the account does not show what its {account.entries} entries say"
    return Fault(account.learner_id, account.entries, Wrong.UNLIKE_JOURNAL, how)

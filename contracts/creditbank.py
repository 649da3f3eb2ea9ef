"""What the credit bank announces: what happened to an account."""

from __future__ import annotations

from typing import ClassVar

from chassis.bus.event import Announcement
from contracts.terms import Level

# What entries say that move points between an account's own pockets: their news is told by what is decided.
POCKET_MOVES = frozenset({"hold", "spend", "release", "undo", "unspend"})


class OfLearner(Announcement, frozen=True, kw_only=True):
    source: ClassVar[str] = "creditbank"
    learner_id: str

    def keys(self) -> tuple[str, ...]:
        return (f"learner:{self.learner_id}",)


class CreditPosted(OfLearner, frozen=True, kw_only=True):
    """An entry was added to an account. Points are the entry's change, in credit_points (100 are one credit).

    `cause` of the event is the event that was settled, `what` its type or the command's. An entry without postings has
    zero in both pockets. An entry that moves points between pockets for an application says so in `what`: hold, spend,
    release, undo or unspend.
    """

    entry_number: int
    scheme: str
    level: Level
    provisional_points: int
    available_points: int
    provisional_balance: int
    available_balance: int
    what: str = ""


class OfCredential(OfLearner, frozen=True, kw_only=True):
    """`credential` is its place in the status lists; the code it is verified by is its holder's alone."""

    credential: str
    result_id: str
    scheme: str
    level: Level


class CredentialIssued(OfCredential, frozen=True, kw_only=True):
    """A credential vouches for a final pass."""


class CredentialRevoked(OfCredential, frozen=True, kw_only=True):
    """A credential vouches for nothing any more; `what` is the type of the event that took its ground."""

    what: str


class AccountsMerged(OfLearner, frozen=True, kw_only=True):
    """The account of `merged_id` was folded into this learner's."""

    merged_id: str

"""What the credit bank announces: what happened to an account."""

from __future__ import annotations

from typing import ClassVar

from chassis.bus.event import Announcement
from contracts.terms import Level


class OfLearner(Announcement, frozen=True, kw_only=True):
    source: ClassVar[str] = "creditbank"
    learner_id: str

    def keys(self) -> tuple[str, ...]:
        return (f"learner:{self.learner_id}",)


class OfEntry(OfLearner, frozen=True, kw_only=True):
    """`entry_number` and `entry_hash` (hexadecimal) are the entry's place and seal in the account's chain: whoever
    keeps them can testify against a journal written anew."""

    entry_number: int
    entry_hash: str = ""
    what: str = ""


class CreditPosted(OfEntry, frozen=True, kw_only=True):
    """An entry was added to an account. Points are the entry's change, in credit_points (100 are one credit).

    `cause` of the event is the event that was settled, `what` its type or the command's. An entry without postings has
    zero in both pockets.
    """

    scheme: str
    level: Level
    provisional_points: int
    available_points: int
    provisional_balance: int
    available_balance: int


class AccountFrozen(OfEntry, frozen=True, kw_only=True):
    """Nothing is spent from this account until it is unfrozen; deposits go on. `reason` is staff's; empty when the
    freeze came with a merged account, which `what` says."""

    reason: str = ""


class AccountUnfrozen(OfEntry, frozen=True, kw_only=True):
    """The account may be spent from again."""

    reason: str = ""


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

"""What the credit bank announces: what happened to an account."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from chassis.bus.event import Announcement
from contracts.terms import Level

# What entries say that move points between an account's own pockets: their news is told by what is decided.
POCKET_MOVES = frozenset({"hold", "spend", "release", "undo", "unspend"})

# What entries say that credit outcomes which were old when they came: what they add is told in one digest.
SILENT = frozenset({"OldOutcomeSubmitted"})


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
    zero in both pockets. An entry that moves points between pockets for an application says so in `what`: hold, spend,
    release, undo or unspend.
    """

    scheme: str
    level: Level
    provisional_points: int
    available_points: int
    provisional_balance: int
    available_balance: int


class OutcomeCredited(OfEntry, frozen=True, kw_only=True):
    """The same for an outcome that is no X certificate: a licence, a course, a diploma, a training, prior learning.

    `scheme` is its source, `<kind>.<code>`; `level` is the kind's own code, and of licences 1 is the highest. What is
    credited because of one that was old when it came is told in a digest: `what` says so (`SILENT`).
    """

    kind: str
    scheme: str
    level: int
    provisional_points: int
    available_points: int
    provisional_balance: int
    available_balance: int


class OutcomesDigested(OfLearner, frozen=True, kw_only=True):
    """So many outcomes that were old when they came were credited to this account, up to the eve of `day`; told once a
    day at most, in place of a notice each. Points are what they made available together."""

    day: date
    outcomes: int
    available_points: int
    available_balance: int


class OutcomeSourceNamed(Announcement, frozen=True, kw_only=True):
    """What outcomes other than X certificates come from is called this from now on; `scheme` is `<kind>.<code>`."""

    source: ClassVar[str] = "creditbank"
    scheme: str
    name: str

    def keys(self) -> tuple[str, ...]:
        return (f"scheme:{self.scheme}",)


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


class OfApplication(OfLearner, frozen=True, kw_only=True):
    """About an application to be excused from a course, or from one module of it."""

    application_id: str
    scheme: str
    level: Level
    course: str
    credit_points: int
    module: str = ""


class ConversionDecided(OfApplication, frozen=True, kw_only=True):
    """An application ended: `decision` is granted, refused or fallen. Told once the decision can't be undone any more.

    `code` and the two sentences say why, where it was not granted. A refusal may be appealed until the end of
    `appeal_until`; `is_appeal`: it was, and this is what came of it.
    """

    decision: str
    code: str = ""
    reason_en: str = ""
    reason_zh: str = ""
    appeal_until: date | None = None
    is_appeal: bool = False


class AppealFiled(OfApplication, frozen=True, kw_only=True):
    """A learner appealed against a refusal: it is decided by another person, until the end of `due_on`; none while it
    waits for its points, or no calendar reaches that far."""

    due_on: date | None = None


class ConversionOffered(OfApplication, frozen=True, kw_only=True):
    """Instead of a refused application this one would stand; the offer is open until the end of a day."""

    until: date | None = None


class DeadlineNear(OfApplication, frozen=True, kw_only=True):
    """A step of an application is due: after this day it goes on without whoever should have decided."""

    step: str
    due_on: date


class OfExemption(OfApplication, frozen=True, kw_only=True):
    """`term` is like 2020-2021-2; `kind` course 免修, attendance 免听, exam 免考 or replaced 课程替代."""

    student_number: str
    programme: str
    entry_year: int
    term: str
    kind: str


class ExemptionGranted(OfExemption, frozen=True, kw_only=True):
    """A learner is excused from a course or module."""


class ExemptionWithdrawn(OfExemption, frozen=True, kw_only=True):
    """A learner is no longer excused: the credit that was spent on it was taken back."""

    code: str = ""
    reason_en: str = ""
    reason_zh: str = ""


class AccountsMerged(OfLearner, frozen=True, kw_only=True):
    """The account of `merged_id` was folded into this learner's."""

    merged_id: str

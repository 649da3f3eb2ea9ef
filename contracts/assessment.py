"""What assessment announces: schemes, candidates, results in their states, certificates."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from chassis.bus.event import Announcement
from contracts.terms import Level, Verdict


class SchemePublished(Announcement, frozen=True, kw_only=True):
    """A certificate scheme as it is now."""

    source: ClassVar[str] = "assessment"
    scheme: str
    name: str
    aliases: tuple[str, ...]
    teo: str
    levels: tuple[Level, ...]
    needs_certificate_number: bool = False

    def keys(self) -> tuple[str, ...]:
        return (f"scheme:{self.scheme}",)


class OfLearner(Announcement, frozen=True, kw_only=True):
    source: ClassVar[str] = "assessment"
    learner_id: str

    def keys(self) -> tuple[str, ...]:
        return (f"learner:{self.learner_id}",)


class CandidateRegistered(OfLearner, frozen=True, kw_only=True):
    """A learner is registered in an assessment plan with an admission number."""

    teo: str
    plan: str
    scheme: str
    level: Level
    admission_number: str
    session_date: date
    site: str = ""


class OfResult(OfLearner, frozen=True, kw_only=True):
    """A result is (TEO, plan, admission number, attempt); `revision` grows with each change of state or value."""

    result_id: str
    revision: int
    teo: str
    plan: str
    scheme: str
    level: Level
    attempt: int
    session_date: date
    verdict: Verdict


class ResultPublicised(OfResult, frozen=True, kw_only=True):
    """A result may be contested now. `due_on` is the last day of publicity, None while no calendar reaches it."""

    due_on: date | None = None


class ResultFinalised(OfResult, frozen=True, kw_only=True):
    """Publicity is over; the verdict stands."""


class ResultCorrected(OfResult, frozen=True, kw_only=True):
    """A result has other values now. `final` says in which state it was corrected."""

    final: bool


class ResultAnnulled(OfResult, frozen=True, kw_only=True):
    """A result counts no more."""

    reason: str


class CertificateIssued(OfLearner, frozen=True, kw_only=True):
    """A certificate's number is on record."""

    teo: str
    scheme: str
    level: Level
    result_id: str
    certificate_number: str
    issued_on: date


class CertificateRevoked(OfLearner, frozen=True, kw_only=True):
    """A certificate is taken back by its TEO."""

    teo: str
    scheme: str
    level: Level
    certificate_number: str
    reason: str

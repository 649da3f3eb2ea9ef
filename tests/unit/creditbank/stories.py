"""What happens to a bank in its tests: announcements as the consumer delivers them, and what accounts show then."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from chassis.bus.batches import Arrival, take
from chassis.bus.event import Announcement
from chassis.database import database, run_transaction
from contracts.assessment import (
    CertificateIssued,
    CertificateRevoked,
    OfResult,
    ResultAnnulled,
    ResultCorrected,
    ResultFinalised,
    ResultPublicised,
    SchemePublished,
)
from contracts.enrolment import LearnerRegistered, LearnersMerged
from contracts.terms import LearnerKind, Level, Verdict
from services.creditbank.handlers import HANDLERS
from services.creditbank.ledger import queries as ledger
from services.creditbank.ledger.audit import Audit, verify
from services.creditbank.recognition.commands import publish_rule
from tests.support.arrivals import arrival

TEO = "91110108700000000A"
SESSION = date(2020, 11, 21)
PILOT = date(2019, 4, 1)


@dataclass
class Assessment:
    """Numbers what it announces, and delivers it, together or one after the other."""

    numbers: Counter[str] = field(default_factory=Counter)

    def arrivals(self, *bodies: Announcement) -> list[Arrival]:
        made = []
        for body in bodies:
            for key in [*body.keys()]:
                self.numbers[f"{body.source}|{key}"] += 1
                made.append(arrival(body, self.numbers[f"{body.source}|{key}"], key=key))
        return made

    def tell(self, *bodies: Announcement) -> list[Arrival]:
        """Deliver announcements in one batch."""
        told = self.arrivals(*bodies)
        deliver(told)
        return told


def deliver(arrivals: list[Arrival]) -> None:
    run_transaction(lambda: take(arrivals, HANDLERS))


def registered(learner_id: str) -> LearnerRegistered:
    return LearnerRegistered(learner_id=learner_id, kind=LearnerKind.COMMUNITY, name="sealed")


def merged(survivor_id: str, merged_id: str) -> LearnersMerged:
    return LearnersMerged(survivor_id=survivor_id, merged_id=merged_id)


def scheme(code: str = "cloud-ops", needs_number: bool = True) -> SchemePublished:
    return SchemePublished(
        scheme=code, name=code, aliases=(), teo=TEO, levels=tuple(Level), needs_certificate_number=needs_number
    )


def of_result(kind: type[OfResult], learner_id: str, result: str, revision: int, level: int, **more: Any) -> OfResult:
    said = {
        "learner_id": learner_id,
        "result_id": f"{TEO}:plan:{result}:1",
        "revision": revision,
        "teo": TEO,
        "plan": "plan",
        "scheme": "cloud-ops",
        "level": Level(level),
        "attempt": 1,
        "session_date": SESSION,
        "verdict": Verdict.PASSED,
    }
    return kind(**(said | more))


def publicised(learner_id: str, result: str = "0001", level: int = 2, revision: int = 1, **more: Any) -> OfResult:
    return of_result(ResultPublicised, learner_id, result, revision, level, **more)


def finalised(learner_id: str, result: str = "0001", level: int = 2, revision: int = 2, **more: Any) -> OfResult:
    return of_result(ResultFinalised, learner_id, result, revision, level, **more)


def annulled(learner_id: str, result: str = "0001", level: int = 2, revision: int = 3, **more: Any) -> OfResult:
    return of_result(ResultAnnulled, learner_id, result, revision, level, reason="copied", **more)


def corrected(learner_id: str, result: str = "0001", level: int = 2, revision: int = 3, **more: Any) -> OfResult:
    return of_result(ResultCorrected, learner_id, result, revision, level, **({"final": True} | more))


def issued(learner_id: str, result: str = "0001", level: int = 2, number: str = "X-1") -> CertificateIssued:
    return CertificateIssued(
        learner_id=learner_id,
        teo=TEO,
        scheme="cloud-ops",
        level=Level(level),
        result_id=f"{TEO}:plan:{result}:1",
        certificate_number=number,
        issued_on=SESSION,
    )


def revoked(learner_id: str, level: int = 2, number: str = "X-1") -> CertificateRevoked:
    return CertificateRevoked(
        learner_id=learner_id,
        teo=TEO,
        scheme="cloud-ops",
        level=Level(level),
        certificate_number=number,
        reason="in error",
    )


def publish_annex(code: str = "cloud-ops") -> None:
    for level in Level:
        publish_rule(code, level, credit_points=200 * level, sessions_from=PILOT)


def balances(learner_id: str) -> tuple[int, int]:
    """Provisional and available points."""
    shown = ledger.account_of(learner_id)["balances"]
    return shown["provisional"], shown["available"]


def holding(learner_id: str) -> dict[str, Any]:
    (only,) = ledger.account_of(learner_id)["holdings"]
    found: dict[str, Any] = only
    return found


def entries(learner_id: str) -> list[dict[str, Any]]:
    """Oldest first."""
    return ledger.entries_of(learner_id, None, 500)[::-1]


def announced(kind: str = "CreditPosted") -> list[dict[str, Any]]:
    return list(database()["outbox"].find({"type": kind}).sort("time", 1))


def audited() -> Audit:
    """The journal folded again; with the books even and no account wrong."""
    audit = verify()
    assert audit.faults == []
    assert ledger.books()["sum"] == 0
    return audit

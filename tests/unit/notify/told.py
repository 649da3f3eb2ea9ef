"""Events as the other services announce them, for tests of notify."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from chassis import waiters
from chassis.bus.batches import Arrival, take
from chassis.database import Row, rows_of, run_transaction
from chassis.seal import seal
from contracts.assessment import (
    CandidateRegistered,
    CertificateIssued,
    ResultFinalised,
    ResultPublicised,
    SchemePublished,
)
from contracts.creditbank import AccountFrozen, AccountUnfrozen, CreditPosted, OutcomeCredited, OutcomeSourceNamed
from contracts.enrolment import EnrolmentApproved, LearnerRegistered
from contracts.terms import LearnerKind, Level, Verdict
from services.notify.handlers import HANDLERS
from services.notify.notices.commands import WAITER, settle_emails
from services.notify.notices.models import Notices
from tests.support.arrivals import arrival

KEYS = {learner: bytes([n]) * 32 for n, learner in enumerate(("ann", "bo", "cy", "old"), start=1)}
SCHEME, LEVEL = "smart-finance", Level.ELEMENTARY


def scheme(seq: int = 1) -> Arrival:
    return arrival(SchemePublished(scheme=SCHEME, name="智能财税", aliases=(), teo="T", levels=(LEVEL,)), seq)


def sealed(learner: str, **fields: str | None) -> dict[str, str | None]:
    """Fields as enrolment seals them."""
    return {
        name: seal(KEYS[learner], text, f"learner:{learner}:{name}") if text else None for name, text in fields.items()
    }


def registered(learner: str, email: str | None = "", seq: int = 1) -> Arrival:
    address = f"{learner}@example.cn" if email == "" else email
    fields: dict[str, Any] = sealed(learner, name="黄玉梅", phone="13800000000", email=address)
    return arrival(LearnerRegistered(learner_id=learner, kind=LearnerKind.STUDENT, **fields), seq)


def approved(learner: str, seq: int = 2) -> Arrival:
    application = f"{learner}:{SCHEME}:1"
    return arrival(
        EnrolmentApproved(
            learner_id=learner, application_id=application, scheme=SCHEME, level=LEVEL, kind=LearnerKind.STUDENT
        ),
        seq,
    )


def candidate(learner: str, seq: int = 1) -> Arrival:
    return arrival(
        CandidateRegistered(
            learner_id=learner,
            teo="T",
            plan="P1",
            scheme=SCHEME,
            level=LEVEL,
            admission_number=f"A-{learner}",
            session_date=date(2021, 6, 19),
        ),
        seq,
    )


def _result(learner: str, verdict: Verdict, revision: int) -> dict[str, Any]:
    return {
        "learner_id": learner,
        "result_id": f"T:P1:A-{learner}:1",
        "revision": revision,
        "teo": "T",
        "plan": "P1",
        "scheme": SCHEME,
        "level": LEVEL,
        "attempt": 1,
        "session_date": date(2021, 6, 19),
        "verdict": verdict,
    }


def publicised(learner: str, verdict: Verdict = Verdict.PASSED, seq: int = 2) -> Arrival:
    return arrival(ResultPublicised(**_result(learner, verdict, 1), due_on=date(2021, 9, 24)), seq)


def finalised(learner: str, verdict: Verdict = Verdict.PASSED, seq: int = 3) -> Arrival:
    return arrival(ResultFinalised(**_result(learner, verdict, 2)), seq)


def credited(
    because: Arrival, seq: int, provisional: int, available: int = 0, learner: str = "", what: str = ""
) -> Arrival:
    """The credit bank's entry that settled an event; `arrival` puts the cause into the event's own name, so set it."""
    whose = learner or because.envelope.key.removeprefix("learner:")
    body = CreditPosted(
        learner_id=whose,
        entry_number=seq,
        scheme=SCHEME,
        level=LEVEL,
        provisional_points=provisional,
        available_points=available,
        provisional_balance=max(provisional, 0),
        available_balance=available,
        what=what,
    )
    return arrival(body, seq, cause=because.envelope.id)


def outcome_credited(learner: str, seq: int, available: int = 200, what: str = "OutcomeSubmitted") -> Arrival:
    """A licence was credited."""
    body = OutcomeCredited(
        learner_id=learner,
        entry_number=seq,
        kind="licence",
        scheme="licence.electrician",
        level=4,
        provisional_points=0,
        available_points=available,
        provisional_balance=0,
        available_balance=max(available, 0),
        what=what,
    )
    return arrival(body, seq)


def source_named(seq: int = 1) -> Arrival:
    """What that licence is called."""
    return arrival(OutcomeSourceNamed(scheme="licence.electrician", name="电工"), seq)


def certified(learner: str, seq: int = 4) -> Arrival:
    body = CertificateIssued(
        learner_id=learner,
        teo="T",
        scheme=SCHEME,
        level=LEVEL,
        result_id=f"T:P1:A-{learner}:1",
        certificate_number=f"N-{learner}",
        issued_on=date(2021, 10, 12),
    )
    return arrival(body, seq)


def deliver(*arrivals: Arrival) -> None:
    """What the consumer does with a batch."""
    run_transaction(lambda: take(arrivals, HANDLERS))


def handle_again(arrivals: Sequence[Arrival]) -> None:
    """Hand events to their handlers as if nobody remembered them."""
    for one in arrivals:
        if one.event:
            event = one.event
            run_transaction(lambda event=event: HANDLERS[type(event.body)]([event]))


def sweep() -> None:
    waiters.sweep(WAITER, settle_emails)


def notices(**where: Any) -> list[Row]:
    return rows_of(Notices, where, sort=[("_id", 1)])


def stand() -> list[tuple[str, str, str, int | None]]:
    """Every notice as it stands, without instants."""
    return sorted((row["mailbox"], row["event"], row["state"], row.get("points")) for row in notices())


def frozen(learner: str, seq: int, what: str = "AccountFrozen", reason: str = "a complaint is looked into") -> Arrival:
    kind = AccountUnfrozen if what == "AccountUnfrozen" else AccountFrozen
    return arrival(kind(learner_id=learner, entry_number=seq, what=what, reason=reason), seq)

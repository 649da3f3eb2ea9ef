"""What the college and the bank say of a learner, in conversion's words; all of it read afresh for every judgement."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from services.creditbank.conversion import models
from services.creditbank.conversion.applications import Application
from services.creditbank.conversion.domain import ConversionRule, Policy, Target
from services.creditbank.conversion.judging import Case, Claim, Passed, Studies
from services.creditbank.curricula import queries as curricula
from services.creditbank.curricula.domain import Curriculum, StudentRecord
from services.creditbank.ledger.domain import CertificateState
from services.creditbank.recognition.domain import Outcome, OutcomeState, certificate_state
from services.creditbank.recognition.queries import outcomes_of


def curriculum_of(programme: str, entry_year: int) -> Curriculum | None:
    """The curriculum of a programme and entry year; None while none with courses is known."""
    found = curricula.curriculum(programme, entry_year)
    return found if found and found.revision else None


def studies_of(learner_id: str) -> tuple[Studies, ...]:
    """A learner's student records."""
    return studies_in(curricula.records_of(learner_id))


def studies_in(records: Iterable[StudentRecord]) -> tuple[Studies, ...]:
    """Student records, as far as they decide."""
    names = ("programme", "entry_year", "student_number", "department", "class_name", "status")
    return tuple(Studies(**{name: getattr(one, name) for name in names}) for one in records)


def outcomes_from(learner_id: str, scheme: str) -> list[Outcome]:
    """What a learner has from one scheme."""
    return list(outcomes_of([learner_id]).get((learner_id, scheme), {}).values())


def passes_in(outcomes: Iterable[Outcome]) -> tuple[Passed, ...]:
    """The recognised passes among outcomes."""
    return tuple(Passed(one.level, one.state == OutcomeState.FINAL, one.session_date) for one in outcomes if one.counts)


def is_revoked(outcomes: Iterable[Outcome], rule: ConversionRule) -> bool:
    """Whether the certificate that a rule asks for was revoked."""
    about = [one for one in outcomes if one.level in rule.levels or one.state == OutcomeState.REVOCATION]
    return certificate_state(about) == CertificateState.REVOKED


def case_of(
    learner_id: str,
    rule: ConversionRule,
    target: Target,
    policy: Policy,
    filed_on: date,
    own: Iterable[Application] = (),
    apart: str = "",
    is_offered: bool = False,
) -> Case:
    """What an application is judged by as of now. `apart`: itself, which does not stand in its own way."""
    standing = [one for one in own if one.stands and one.id != apart]
    outcomes = outcomes_from(learner_id, rule.scheme)
    return Case(
        rule=rule,
        target=target,
        policy=policy,
        filed_on=filed_on,
        studies=studies_of(learner_id),
        curriculum=curriculum_of(rule.programme, rule.entry_year),
        passed_courses=frozenset(curricula.passed_courses(learner_id)),
        passes=passes_in(outcomes),
        claims=tuple(Claim(one.scheme, one.target) for one in standing),
        elsewhere_points=models.earlier_points(learner_id),
        is_offered=is_offered,
        is_revoked=is_revoked(outcomes, rule),
    )


def last_of(opened_on: date, days: int) -> date | None:
    """The last of so many working days; None where no calendar reaches."""
    return curricula.working_days().last_of(opened_on, days)

"""Trainings as training announces them: kept, and credited as soon as a rule says what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from chassis import clock
from chassis.database import transactional
from chassis.strands import name_keys, survivor_of
from contracts.terms import OutcomeKind, Verdict
from services.creditbank.conversion.applying import review_touched
from services.creditbank.outcomes import models
from services.creditbank.outcomes.commands import name_sources
from services.creditbank.outcomes.digests import note_old
from services.creditbank.outcomes.domain import OLD, Source, Training, scheme_in
from services.creditbank.papers.commands import review_credentials
from services.creditbank.papers.queries import scheme_names
from services.creditbank.recognition.commands import settle
from services.creditbank.recognition.domain import Outcome, OutcomeState
from services.creditbank.recognition.queries import ruled_places

LEARNER = "learner:"
COMPLETED = "TrainingCompleted"
BATCH = 500


@transactional
def keep_trainings(trainings: Sequence[Training]) -> None:
    """Keep trainings until a rule asks for them; one that is known stays as it is."""
    name_keys(LEARNER + one.learner_id for one in trainings)
    models.add_trainings(trainings)


@transactional
def credit_trainings(old_after_days: int) -> bool:
    """Have the next trainings recognised for which there is a rule by now; True when there are more."""
    places = ruled_places(f"{OutcomeKind.TRAINING}.")
    found = models.uncredited_trainings(places, BATCH) if places else []
    name_keys(LEARNER + one.learner_id for one in found)
    _name_sources({one.scheme for one in found})
    touched = settle([_outcome_of(one, old_after_days) for one in found])
    models.mark_credited(found)
    review_touched(touched)
    review_credentials({learner_id for learner_id, _ in touched})
    note_old(touched)
    return len(found) == BATCH


def _outcome_of(one: Training, old_after_days: int) -> Outcome:
    is_old = clock.today() - one.completed_on > timedelta(days=old_after_days)
    return Outcome(
        learner_id=survivor_of(LEARNER + one.learner_id).removeprefix(LEARNER),
        result_id=one.place,
        scheme=source_of(one.scheme),
        level=one.level,
        revision=1,
        state=OutcomeState.FINAL,
        verdict=Verdict.PASSED,
        session_date=one.completed_on,
        cause=one.cause,
        what=OLD if is_old else COMPLETED,
    )


def source_of(scheme: str) -> str:
    """The source of outcomes that the trainings for a scheme are."""
    return scheme_in(OutcomeKind.TRAINING, scheme)


def _name_sources(schemes: set[str]) -> None:
    """Call trainings what their scheme is called, unless somebody has named them."""
    known = models.find_sources({source_of(one) for one in schemes})
    names = scheme_names(schemes)
    name_sources([Source(source_of(one), names[one]) for one in sorted(schemes) if source_of(one) not in known])

"""What assessment does when others announce something: event → verb."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.bus.event import Event
from chassis.bus.handlers import Handlers
from chassis.strands import merge_key, survivor_of
from contracts.enrolment import CalendarPublished, EnrolmentApproved, EnrolmentWithdrawn, LearnersMerged
from contracts.training import TrainingCompleted
from contracts.workdays import Year
from services.assessment.catalogue.commands import keep_calendar
from services.assessment.certificates.commands import move_learners as move_certificates
from services.assessment.plans import commands as plans
from services.assessment.plans.domain import Entitlement
from services.assessment.results.commands import move_learners as move_results

Entitling = EnrolmentApproved | EnrolmentWithdrawn | TrainingCompleted


def on_approvals(events: Sequence[Event[EnrolmentApproved]]) -> None:
    """Learners may be assessed."""
    plans.approve([entitlement_of(event.key, event.body) for event in events])


def on_withdrawals(events: Sequence[Event[EnrolmentWithdrawn]]) -> None:
    """Approvals are taken back."""
    plans.withdraw([entitlement_of(event.key, event.body) for event in events])


def on_completions(events: Sequence[Event[TrainingCompleted]]) -> None:
    """Learners are trained."""
    plans.complete_training([entitlement_of(event.key, event.body) for event in events])


def entitlement_of(key: str, said: Entitling) -> Entitlement:
    """What was said is about: a scheme and level of the person the learner is now."""
    return Entitlement(survivor_of(key).removeprefix("learner:"), said.scheme, said.level)


def on_calendar(events: Sequence[Event[CalendarPublished]]) -> None:
    """The working days of years are as published now; the last word on a year counts."""
    keep_calendar([(event.body.year, year_of(event.body)) for event in events])


def year_of(said: CalendarPublished) -> Year:
    """The year as publicity counts it."""
    return Year(frozenset(said.holidays), frozenset(said.made_up_days))


def on_merges(events: Sequence[Event[LearnersMerged]]) -> None:
    """Two learners are one person: what the merged one had is the survivor's. A second copy finds it done."""
    moves = []
    for event in events:
        merge_key(f"learner:{event.body.merged_id}", f"learner:{event.body.survivor_id}")
        survivor = survivor_of(f"learner:{event.body.survivor_id}").removeprefix("learner:")
        moves.append((event.body.merged_id, survivor))
    plans.move_learners(moves)
    move_results(moves)
    move_certificates(moves)


HANDLERS: Handlers = {
    EnrolmentApproved: on_approvals,
    EnrolmentWithdrawn: on_withdrawals,
    TrainingCompleted: on_completions,
    CalendarPublished: on_calendar,
    LearnersMerged: on_merges,
}

"""What training does when others announce something: event → verb."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.bus.event import Event
from chassis.bus.handlers import Handlers
from chassis.strands import merge_key, survivor_of
from contracts.assessment import SchemePublished
from contracts.enrolment import EnrolmentApproved, EnrolmentWithdrawn, LearnersMerged
from services.training.classes.commands import free_places, give_places, move_places
from services.training.classes.domain import Approval
from services.training.completions.commands import move_completions
from services.training.schemes.commands import keep_schemes
from services.training.schemes.domain import Scheme


def on_approvals(events: Sequence[Event[EnrolmentApproved]]) -> None:
    """An approved learner gets a place, or waits for one."""
    give_places([approval_of(event) for event in events])


def approval_of(event: Event[EnrolmentApproved]) -> Approval:
    """The approval an event tells of, for the person it concerns now."""
    body = event.body
    return Approval(
        application_id=body.application_id,
        learner_id=person_of(event),
        scheme=body.scheme,
        level=body.level,
        cause=event.id,
    )


def on_withdrawals(events: Sequence[Event[EnrolmentWithdrawn]]) -> None:
    """A withdrawn application gives its place back."""
    free_places([(person_of(event), event.body.scheme, event.body.level) for event in events])


def person_of(event: Event[EnrolmentApproved] | Event[EnrolmentWithdrawn]) -> str:
    """The learner whom an event concerns since the last merge."""
    return survivor_of(event.key).removeprefix("learner:")


def on_merges(events: Sequence[Event[LearnersMerged]]) -> None:
    """Two learners are one person: what the merged one had is the survivor's."""
    for event in events:
        merge_key(f"learner:{event.body.merged_id}", f"learner:{event.body.survivor_id}")
        survivor = survivor_of(f"learner:{event.body.survivor_id}").removeprefix("learner:")
        move_places(survivor, event.body.merged_id)
        move_completions(survivor, event.body.merged_id)


def on_schemes(events: Sequence[Event[SchemePublished]]) -> None:
    """The names under which sheets speak of a scheme."""
    bodies = [event.body for event in events]
    keep_schemes([Scheme(body.scheme, body.name, body.aliases, body.levels) for body in bodies])


HANDLERS: Handlers = {
    EnrolmentApproved: on_approvals,
    EnrolmentWithdrawn: on_withdrawals,
    LearnersMerged: on_merges,
    SchemePublished: on_schemes,
}

"""Open classes, give their places out, and take them back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from chassis import waiters
from chassis.database import transactional
from chassis.strands import name_keys
from contracts.terms import Level
from services.training.classes import models
from services.training.classes.domain import (
    Approval,
    Place,
    PlaceState,
    TrainingClass,
    allocate,
    check_class,
    doubled,
    fact,
    without_place,
)

WAITER = "place"


@transactional
def put_class(wanted: TrainingClass) -> TrainingClass:
    """Open a class, or widen, narrow or move it; who waits for its room is woken.

    Refusals: dates_reversed, class_in_use, places_held.
    """
    name_keys([f"class:{wanted.code}"])
    present = models.find_classes([wanted.code]).get(wanted.code)
    check_class(wanted, present)
    kept = replace(wanted, taken=present.taken if present else 0)
    if kept != present:
        models.keep_class(kept)
    if kept.room:
        waiters.wake(fact(kept.scheme, kept.level))
    return kept


@transactional
def give_places(approvals: Sequence[Approval]) -> None:
    """Give each approved learner a place in a class with room, or let them wait for one. Repeats change nothing."""
    known = models.places_of_learners(approval.learner_id for approval in approvals)
    fresh = without_place(approvals, known)
    seated = _seat(fresh)
    models.keep_places(fresh, seated)
    late = [one for one in fresh if one.application_id not in seated]
    waiters.wait_all(WAITER, [(one.application_id, fact(one.scheme, one.level), one.cause) for one in late])


@transactional
def place_waiting(application_ids: Sequence[str]) -> None:
    """Try again those who wait, of these who came first before the others."""
    approvals = models.waiting_approvals(application_ids)
    seated = _seat(approvals)
    models.keep_places([one for one in approvals if one.application_id in seated], seated)
    still = {one.application_id for one in approvals} - seated.keys()
    waiters.done(WAITER, [one for one in application_ids if one not in still])


def _seat(approvals: Sequence[Approval]) -> dict[str, str]:
    """Class codes by application of those who find room, which is counted as taken."""
    classes = models.classes_with_room((one.scheme, one.level) for one in approvals)
    seated = allocate(approvals, classes)
    name_keys(f"class:{code}" for code in set(seated.values()))
    models.take(seated.values())
    return seated


@transactional
def free_places(withdrawn: Sequence[tuple[str, str, Level]]) -> None:
    """Take back places by (learner, scheme, level); who completed the training keeps that.

    An application has another name after a merge, so a place is found by whom and what it is for.
    """
    subjects = set(withdrawn)
    found = models.places_of_learners(learner_id for learner_id, _, _ in subjects)
    mine = (place for place in found if (place.learner_id, place.scheme, place.level) in subjects)
    _free(place for place in mine if place.state is not PlaceState.COMPLETED)


def _free(places: Iterable[Place]) -> None:
    freed = list(places)
    held = [place for place in freed if place.class_code]
    name_keys(f"class:{place.class_code}" for place in held)
    models.take((place.class_code for place in held), sign=-1)
    models.remove_places([place.application_id for place in freed])
    waiters.done(WAITER, [place.application_id for place in freed if not place.class_code])
    waiters.wake_all(sorted({fact(place.scheme, place.level) for place in held}))


@transactional
def move_places(survivor_id: str, merged_id: str) -> None:
    """Two learners were one person: the survivor has the places of both, one for a scheme and level."""
    _free(doubled(models.places_of_learners([survivor_id, merged_id]), survivor_id))
    models.give_to(survivor_id, merged_id)


@transactional
def complete_places(application_ids: Sequence[str]) -> None:
    """Mark the training of these places as completed."""
    models.mark_completed(application_ids)

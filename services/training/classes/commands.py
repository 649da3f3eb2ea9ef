"""Open classes, give their places out, and take them back.

Whoever asks for a place joins the queue of the scheme and level, and only the queue gives places, from the front. All
that changes a queue, its members or its free places, names its key: so nobody passes those who wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace

from chassis import waiters
from chassis.database import transactional
from chassis.strands import name_keys, strand
from contracts.terms import Level
from services.training.classes import models
from services.training.classes.domain import (
    Approval,
    Place,
    PlaceState,
    Queue,
    TrainingClass,
    allocate,
    check_class,
    doubled,
    fact,
    queue_key,
    room_by_queue,
    without_place,
)

WAITER = "place"
MOST_SEATED = 500  # of those who wait, in one transaction


@transactional
def put_class(wanted: TrainingClass) -> TrainingClass:
    """Open a class, or widen, narrow or move it; who waits for its room is woken.

    Refusals: dates_reversed, class_in_use, places_held.
    """
    name_keys([f"class:{wanted.code}"])
    present = models.find_classes([wanted.code]).get(wanted.code)
    check_class(wanted, present)
    name_keys(queue_key(one.queue) for one in (wanted, present) if one)
    kept = replace(wanted, taken=present.taken if present else 0)
    if kept != present:
        models.keep_class(kept)
    if kept.room:
        waiters.wake(fact(kept.queue))
    return kept


@transactional
def give_places(approvals: Sequence[Approval]) -> None:
    """Put approved learners at the end of their queues and give out what places are free. Repeats change nothing."""
    known = models.places_of_learners(approval.learner_id for approval in approvals)
    fresh = _in_line(without_place(approvals, known))
    _serve({one.queue for one in fresh}, fresh)


def _in_line(newcomers: Sequence[Approval]) -> list[Approval]:
    """Newcomers with the next turns of their queues."""
    name_keys(queue_key(one.queue) for one in newcomers)
    return [replace(one, turn=strand(queue_key(one.queue)).take_seq()) for one in newcomers]


@transactional
def place_waiting(application_ids: Sequence[str]) -> None:
    """Give out what places are free to the queues in which these wait, from the front, whoever stands there."""
    waiting = models.waiting_approvals(application_ids)
    waiters.done(WAITER, sorted(set(application_ids) - {one.application_id for one in waiting}))
    _serve({one.queue for one in waiting})


def _serve(queues: Set[Queue], newcomers: Sequence[Approval] = ()) -> None:
    """Give free places to who stands in front of these queues, then to newcomers; the rest of these wait."""
    name_keys(map(queue_key, queues))
    classes = models.classes_with_room(queues)
    front, longer = _in_front(room_by_queue(classes))
    seated = allocate([*front, *(one for one in newcomers if one.queue not in longer)], classes)
    models.take(seated.values())
    models.keep_places([*front, *newcomers], seated)
    late = [one for one in newcomers if one.application_id not in seated]
    waiters.done(WAITER, [one.application_id for one in front])
    waiters.wait_all(WAITER, [(one.application_id, fact(one.queue), one.cause) for one in late])
    waiters.wake_all(sorted(map(fact, longer)))


def _in_front(room: Mapping[Queue, int]) -> tuple[list[Approval], set[Queue]]:
    """Those to whom the free places are owed, at most 500 in all; and the queues in which they may be owed to more."""
    front: list[Approval] = []
    longer = set()
    for queue in sorted(room):
        most = min(room[queue], MOST_SEATED - len(front))
        found = models.first_waiting(queue, most)
        front += found
        if len(found) == most < room[queue]:
            longer.add(queue)
    return front, longer


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
    name_keys(queue_key(place.queue) for place in freed)
    models.take((place.class_code for place in held), sign=-1)
    models.remove_places([place.application_id for place in freed])
    waiters.done(WAITER, [place.application_id for place in freed if not place.class_code])
    waiters.wake_all(sorted({fact(place.queue) for place in held}))


@transactional
def move_places(survivor_id: str, merged_id: str) -> None:
    """Two learners were one person: the survivor has the places of both, one for a scheme and level."""
    _free(doubled(models.places_of_learners([survivor_id, merged_id]), survivor_id))
    models.give_to(survivor_id, merged_id)


@transactional
def complete_places(application_ids: Sequence[str]) -> None:
    """Mark the training of these places as completed."""
    models.mark_completed(application_ids)

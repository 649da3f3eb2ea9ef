"""Record who completed a training, and announce each success once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chassis.bus.outbox import append
from chassis.database import transactional
from chassis.strands import name_keys
from contracts.training import TrainingCompleted
from services.training.classes.commands import complete_places
from services.training.completions import models
from services.training.completions.domain import Completion


@transactional
def record_completions(completions: Sequence[tuple[Completion, str]]) -> None:
    """Record completions, each with its cause; those that passed are announced, if they were not already."""
    name_keys(f"learner:{completion.learner_id}" for completion, _ in completions)
    present = models.find(one.application_id for one, _ in completions)
    announced = {one.application_id for one in present if one.announced}
    models.keep((replace(one, announced=one.passed or _is_in(announced, one)), cause) for one, cause in completions)
    complete_places([one.application_id for one, _ in completions if one.passed])
    for completion, cause in completions:
        if completion.passed and not _is_in(announced, completion):
            append(_announcement(completion), cause)


def _is_in(application_ids: set[str], completion: Completion) -> bool:
    return completion.application_id in application_ids


def _announcement(completion: Completion) -> TrainingCompleted:
    return TrainingCompleted(
        learner_id=completion.learner_id,
        class_code=completion.class_code,
        scheme=completion.scheme,
        level=completion.level,
        class_hours=completion.class_hours,
        completed_on=completion.completed_on,
        excused_hours=completion.excused_hours,
    )


@transactional
def move_completions(survivor_id: str, merged_id: str) -> None:
    """Two learners were one person: the survivor completed what both did."""
    models.give_to(survivor_id, merged_id)

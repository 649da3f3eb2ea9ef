"""Keep what enrolment announces about student records; marks that wait for one are woken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chassis import waiters
from chassis.database import transactional
from chassis.strands import name_keys, survivor_of
from services.training.students import models
from services.training.students.domain import StudentRecord, latest, student_fact


@transactional
def keep_records(records: Sequence[StudentRecord]) -> None:
    """Keep student records as they were told of last, for the learners they concern now."""
    facts = sorted({student_fact(one.student_number) for one in records})
    name_keys([f"learner:{one.learner_id}" for one in records] + facts)
    arriving = [replace(one, learner_id=_now(one.learner_id)) for one in records]
    models.keep(latest(models.found({one.place for one in arriving}), arriving))
    waiters.wake_all(facts)


@transactional
def move_records(survivor_id: str, merged_id: str) -> None:
    """Two learners were one person: the survivor has the records of both."""
    models.give_to(survivor_id, merged_id)


def _now(learner_id: str) -> str:
    return survivor_of(f"learner:{learner_id}").removeprefix("learner:")

"""Keep what enrolment announces about student records; marks that wait for one are woken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from chassis import waiters
from chassis.database import transactional
from chassis.strands import name_keys, survivor_of
from services.training.students import models
from services.training.students.domain import REVIEW, StudentRecord, latest, student_fact


@transactional
def keep_records(records: Sequence[StudentRecord]) -> set[str]:
    """Keep student records as they were told of last, for the learners they concern now; who has other ones since."""
    facts = sorted({student_fact(one.student_number) for one in records})
    name_keys([f"learner:{one.learner_id}" for one in records] + facts)
    arriving = [replace(one, learner_id=_now(one.learner_id)) for one in records]
    known = models.found({one.place for one in arriving})
    news = latest(known, arriving)
    models.keep(news)
    waiters.wake_all(facts)
    return {one.learner_id for one in news} | {known[one.place].learner_id for one in news if one.place in known}


@transactional
def move_records(survivor_id: str, merged_id: str) -> None:
    """Two learners were one person: the survivor has the records of both."""
    models.give_to(survivor_id, merged_id)


@transactional
def have_reviewed(changed: Iterable[tuple[str, str]]) -> None:
    """Have what follows from a learner's places, records and marks judged anew soon: (learner, cause) each."""
    waiters.due_all(REVIEW, list(dict(changed).items()))


def _now(learner_id: str) -> str:
    return survivor_of(f"learner:{learner_id}").removeprefix("learner:")

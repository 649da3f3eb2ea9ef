"""Keep what enrolment and training announce; the same in another order, or twice, leaves the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from chassis.database import transactional
from chassis.strands import name_keys, survivor_of
from services.creditbank.curricula import models
from services.creditbank.curricula.domain import (
    CalendarYear,
    CourseResult,
    Curriculum,
    StudentRecord,
    latest_told,
    newest,
)

Owned = TypeVar("Owned", CourseResult, StudentRecord)


@transactional
def keep_curricula(curricula: Sequence[Curriculum]) -> None:
    """Keep curricula, each in its revision; a revision of courses that is known stays as it is."""
    known = models.found(Curriculum, {one.place for one in curricula})
    arriving = [one for one in curricula if not one.revision or one.place not in known]
    models.keep(Curriculum, latest_told(known, arriving))


@transactional
def keep_course_results(results: Sequence[CourseResult]) -> None:
    """Keep course results, each in its highest revision."""
    arriving = _of_survivors(results)
    known = models.found(CourseResult, {one.place for one in arriving})
    models.keep(CourseResult, newest(known, arriving))


@transactional
def keep_student_records(records: Sequence[StudentRecord]) -> None:
    """Keep student records as they were told of last."""
    arriving = _of_survivors(records)
    known = models.found(StudentRecord, {one.place for one in arriving})
    models.keep(StudentRecord, latest_told(known, arriving))


@transactional
def keep_calendars(calendars: Sequence[CalendarYear]) -> None:
    """Keep the working days of years as they were told of last."""
    known = models.found(CalendarYear, {one.place for one in calendars})
    models.keep(CalendarYear, latest_told(known, calendars))


@transactional
def move_course_results(survivor_id: str, merged_id: str) -> None:
    """Two learners are one person: the survivor passed what both did. Again changes nothing."""
    models.move(CourseResult, _now(survivor_id), merged_id)


@transactional
def move_student_records(survivor_id: str, merged_id: str) -> None:
    """Two learners are one person: the survivor has the student records of both."""
    models.move(StudentRecord, _now(survivor_id), merged_id)


def _of_survivors(told: Sequence[Owned]) -> list[Owned]:
    """The same for the learners they concern now, whose strands are named."""
    name_keys(f"learner:{one.learner_id}" for one in told)
    return [replace(one, learner_id=_now(one.learner_id)) for one in told]


def _now(learner_id: str) -> str:
    """The learner a person is since the last merge."""
    return survivor_of(f"learner:{learner_id}").removeprefix("learner:")

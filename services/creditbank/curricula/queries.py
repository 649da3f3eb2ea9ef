"""What a learner's programme asks for, what they passed already, and which days count."""

from __future__ import annotations

from collections.abc import Collection

from contracts.workdays import WorkingDays, Year
from services.creditbank.curricula import models
from services.creditbank.curricula.domain import CourseResult, Curriculum, StudentRecord


def curriculum(programme: str, entry_year: int, revision: int = 0) -> Curriculum | None:
    """The curriculum of a programme and entry year, in a revision or the last one."""
    return next(iter(models.curricula_of(programme, entry_year, revision)), None)


def course_results(learner_id: str) -> list[CourseResult]:
    """A learner's course results, withdrawn ones among them."""
    return models.results_of(learner_id)


def passed_courses(learner_id: str) -> set[str]:
    """The codes of the courses a learner has passed, in any term."""
    return {one.course for one in models.results_of(learner_id) if one.counts}


def records_of(learner_id: str) -> list[StudentRecord]:
    """A learner's student records; none for who never studied here."""
    return models.records_of(learner_id)


def holders_of(numbers: Collection[str]) -> dict[str, list[str]]:
    """The learners who have each of these student numbers: more than one where colleges number alike."""
    return models.holders_of(numbers)


def working_days() -> WorkingDays:
    """The calendar as far as it is published."""
    return WorkingDays(
        {one.year: Year(frozenset(one.holidays), frozenset(one.made_up_days)) for one in models.calendar()}
    )

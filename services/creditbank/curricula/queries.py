"""What a learner's programme asks for, what they passed already, and which days count."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

from contracts.workdays import WorkingDays, Year
from services.creditbank.curricula import models
from services.creditbank.curricula.domain import CourseResult, Curriculum, StudentRecord

Kept = TypeVar("Kept", CourseResult, StudentRecord)


def curriculum(programme: str, entry_year: int, revision: int = 0) -> Curriculum | None:
    """The curriculum of a programme and entry year, in a revision or the last one."""
    return next(iter(models.curricula_of(programme, entry_year, revision)), None)


def course_results(learner_id: str) -> list[CourseResult]:
    """A learner's course results, withdrawn ones among them."""
    return models.results_of([learner_id])


def passed_courses(learner_id: str) -> set[str]:
    """The codes of the courses a learner has passed, in any term."""
    return {one.course for one in models.results_of([learner_id]) if one.counts}


def records_of(learner_id: str) -> list[StudentRecord]:
    """A learner's student records; none for who never studied here."""
    return models.records_of([learner_id])


def results_by_learner(learner_ids: Collection[str]) -> dict[str, list[CourseResult]]:
    """By learner, every course result, withdrawn ones among them."""
    return _by_learner(models.results_of(learner_ids))


def records_by_learner(learner_ids: Collection[str]) -> dict[str, list[StudentRecord]]:
    """By learner, every student record."""
    return _by_learner(models.records_of(learner_ids))


def records_after(
    programme: str, entry_year: int, departments: Collection[str] | None, after: str, limit: int
) -> list[StudentRecord]:
    """Those who study a programme now, of some departments or all, by `<college>:<number>`, after one of them."""
    return models.records_after(programme, entry_year, departments, after, limit)


def _by_learner(found: Iterable[Kept]) -> dict[str, list[Kept]]:
    sorted_out: dict[str, list[Kept]] = {}
    for one in found:
        sorted_out.setdefault(one.learner_id, []).append(one)
    return sorted_out


def holders_of(numbers: Collection[str]) -> dict[str, list[str]]:
    """The learners who have each of these student numbers: more than one where colleges number alike."""
    return models.holders_of(numbers)


def working_days() -> WorkingDays:
    """The calendar as far as it is published."""
    return WorkingDays(
        {one.year: Year(frozenset(one.holidays), frozenset(one.made_up_days)) for one in models.calendar()}
    )

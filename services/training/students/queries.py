"""Look student records up."""

from __future__ import annotations

from collections.abc import Iterable

from services.training.students import models
from services.training.students.domain import StudentRecord


def records_by_number(numbers: Iterable[str]) -> dict[str, list[StudentRecord]]:
    """The records with these student numbers; several where colleges give the same number."""
    found: dict[str, list[StudentRecord]] = {}
    for one in models.of_numbers(numbers):
        found.setdefault(one.student_number, []).append(one)
    return found


def records_of(learner_ids: Iterable[str]) -> list[StudentRecord]:
    """The records of these learners."""
    return models.of_learners(learner_ids)

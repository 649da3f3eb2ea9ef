"""Look course results and pass marks up."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from chassis.database import Row
from chassis.web.paging import Key, after
from services.training.courses import models
from services.training.courses.domain import CourseResult


def results_page(where: dict[str, Any], cursor: Key | None, limit: int) -> list[CourseResult]:
    """Course results in the order of their ids, and one more. `where`: learner_id, student_number, is_waiting."""
    known = {name: where[name] for name in ("learner_id", "student_number") if where.get(name)}
    waiting = {} if where.get("waiting") is None else {"waits_for": {"$exists": where["waiting"]}}
    return models.read_results({"$and": [known, waiting, after(cursor, "_id")]}, limit + 1)


def results_in(learner_ids: Collection[str], courses: Collection[str]) -> list[CourseResult]:
    """What these learners have in these courses, in the order of the results' ids."""
    return models.read_results({"learner_id": {"$in": sorted(learner_ids)}, "course": {"$in": sorted(courses)}})


def courses_of(programme: str, entry_year: int) -> frozenset[str]:
    """The courses that a programme teaches those of an entry year; none while nobody said so."""
    place = f"{programme}:{entry_year}"
    found = models.curricula([place]).get(place)
    return frozenset(found.courses) if found else frozenset()


def caused_by(cause: str) -> list[Row]:
    """The course results whose values a cause gave."""
    return models.rows_caused_by(cause)


def pass_marks() -> dict[str, int]:
    """The pass marks that were set, by programme."""
    return models.pass_marks()

"""What training announces: who has completed what."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from chassis.bus.event import Announcement
from contracts.terms import Level


class OfLearner(Announcement, frozen=True, kw_only=True):
    source: ClassVar[str] = "training"
    learner_id: str

    def keys(self) -> tuple[str, ...]:
        return (f"learner:{self.learner_id}",)


class TrainingCompleted(OfLearner, frozen=True, kw_only=True):
    """A learner completed the training for a scheme at a level."""

    class_code: str
    scheme: str
    level: Level
    class_hours: int
    completed_on: date


class CourseResultFinalised(OfLearner, frozen=True, kw_only=True):
    """A course of the programme has its final mark, corrected where `revision` is above 1, or withdrawn.

    `term` is like 2020-2021-2; `grade` is the word that was given instead of a mark.
    """

    course: str
    term: str
    mark: int
    passed: bool
    credit_points: int
    result_id: str = ""
    student_number: str = ""
    programme: str = ""
    entry_year: int = 0
    revision: int = 0
    grade: str = ""
    is_withdrawn: bool = False

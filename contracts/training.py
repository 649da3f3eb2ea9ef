"""What training announces: who has completed what, and who is excused from a part of it."""

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
    """A learner completed the training for a scheme at a level.

    `class_hours` are those that were sat; `excused_hours` more were not, because of modules the learner was
    excused from.
    """

    class_code: str
    scheme: str
    level: Level
    class_hours: int
    completed_on: date
    excused_hours: int = 0


class OfExcuse(OfLearner, frozen=True, kw_only=True):
    """About a module of a training, of `class_hours`, and the course that excused from it: its term and result, and the
    rule's version that said so."""

    scheme: str
    level: Level
    module: str
    module_name: str
    class_hours: int
    course: str
    term: str
    result_id: str
    rule: str
    rule_version: int


class TrainingModuleExcused(OfExcuse, frozen=True, kw_only=True):
    """A learner is excused from a module of a training, because of a course that was passed."""


class TrainingExcuseWithdrawn(OfExcuse, frozen=True, kw_only=True):
    """A learner is no longer excused from a module: what excused is gone, and the training was not completed yet."""

    code: str = ""
    reason_en: str = ""
    reason_zh: str = ""


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

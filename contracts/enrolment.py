"""What enrolment announces: who the learners are, where they study, what they may take."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

import msgspec

from chassis.bus.event import Announcement
from contracts.terms import CourseKind, LearnerKind, Level, StudyStatus

# A personal field: ciphertext under the learner's own key. Readers keep it as it is; enrolment has the keys.
Sealed = Annotated[str, msgspec.Meta(extra_json_schema={"x-sealed": True})]


class OfLearner(Announcement, frozen=True, kw_only=True):
    source: ClassVar[str] = "enrolment"
    learner_id: str

    def keys(self) -> tuple[str, ...]:
        return (f"learner:{self.learner_id}",)


class LearnerRegistered(OfLearner, frozen=True, kw_only=True):
    """A person has an account now. Personal fields are sealed under the learner's own key."""

    replaces: ClassVar[tuple[str, ...]] = ("LearnerRegistered", "LearnerChanged")
    kind: LearnerKind
    name: Sealed
    phone: Sealed | None = None
    email: Sealed | None = None


class LearnerChanged(OfLearner, frozen=True, kw_only=True):
    """A learner's particulars as they are now, whole."""

    replaces: ClassVar[tuple[str, ...]] = ("LearnerRegistered", "LearnerChanged")
    kind: LearnerKind
    name: Sealed
    phone: Sealed | None = None
    email: Sealed | None = None


class LearnersMerged(Announcement, frozen=True, kw_only=True):
    """Two learners were one person: what `merged_id` had now belongs to `survivor_id`."""

    source: ClassVar[str] = "enrolment"
    survivor_id: str
    merged_id: str

    def keys(self) -> tuple[str, ...]:
        return (f"learner:{self.survivor_id}", f"learner:{self.merged_id}")


class LearnerErased(OfLearner, frozen=True, kw_only=True):
    """The learner's key is destroyed; what remains elsewhere cannot be opened any more."""


class StudentRecordChanged(OfLearner, frozen=True, kw_only=True):
    """A student record 学籍 as it is now, whole."""

    student_number: str
    college: str
    programme: str
    entry_year: int
    department: str
    class_name: str
    status: StudyStatus
    since: date
    until: date | None = None


class EnrolmentApproved(OfLearner, frozen=True, kw_only=True):
    """The learner may be trained and assessed for a scheme at a level."""

    application_id: str
    scheme: str
    level: Level
    kind: LearnerKind


class EnrolmentWithdrawn(OfLearner, frozen=True, kw_only=True):
    """An approval was taken back."""

    application_id: str
    scheme: str
    level: Level


class FeeSettled(OfLearner, frozen=True, kw_only=True):
    """A fee for a sitting is paid or waived."""

    application_id: str
    scheme: str
    level: Level


class CourseModule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of a course that can be exempt by itself."""

    code: str
    name: str
    credit_points: int


class Course(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A course of a curriculum; `term` counts from the first one of the plan."""

    code: str
    name: str
    credit_points: int
    kind: CourseKind
    term: int
    is_never_exempt: bool = False
    modules: tuple[CourseModule, ...] = ()


class ProgrammePublished(Announcement, frozen=True, kw_only=True):
    """A programme of one entry year as it is now, with its curriculum, whose revision is 0 while there is none."""

    source: ClassVar[str] = "enrolment"
    programme: str
    name: str
    entry_year: int
    credit_points_total: int
    courses: tuple[Course, ...] = ()
    curriculum_revision: int = 0

    def keys(self) -> tuple[str, ...]:
        return (f"programme:{self.programme}",)


class CalendarPublished(Announcement, frozen=True, kw_only=True):
    """The working days of one year: holidays that fall on weekdays, weekend days that are worked 调休."""

    source: ClassVar[str] = "enrolment"
    year: int
    holidays: tuple[date, ...]
    made_up_days: tuple[date, ...]

    def keys(self) -> tuple[str, ...]:
        return ("calendar:working-days",)

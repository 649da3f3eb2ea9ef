"""A curriculum, a course's result and a student record as the bank knows them, and which word of several counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from contracts.terms import CourseKind, StudyStatus


@dataclass(frozen=True, slots=True)
class CourseModule:
    """A part of a course that can be exempt by itself."""

    code: str
    name: str
    credit_points: int


@dataclass(frozen=True, slots=True)
class Course:
    """A course of a curriculum; `term` counts from the first one of the plan."""

    code: str
    name: str
    credit_points: int
    kind: CourseKind
    term: int
    is_never_exempt: bool = False
    modules: tuple[CourseModule, ...] = ()


@dataclass(frozen=True, slots=True)
class Curriculum:
    """A programme of one entry year in one revision, which never changes; revision 0 has no courses yet."""

    programme: str
    name: str
    entry_year: int
    revision: int
    credit_points_total: int
    courses: tuple[Course, ...]
    told_at: datetime
    told_on: str = ""

    @property
    def place(self) -> str:
        return f"{self.programme}:{self.entry_year}:{self.revision}"

    def course(self, code: str) -> Course | None:
        """The course of this code, if it has one."""
        return next((one for one in self.courses if one.code == code), None)


@dataclass(frozen=True, slots=True)
class CourseResult:
    """The final mark of one learner in one course and term, in its latest revision."""

    result_id: str
    learner_id: str
    student_number: str
    programme: str
    entry_year: int
    course: str
    term: str
    mark: int
    grade: str
    passed: bool
    credit_points: int
    revision: int
    is_withdrawn: bool

    @property
    def place(self) -> str:
        return self.result_id

    @property
    def counts(self) -> bool:
        """Whether the course is passed by it."""
        return self.passed and not self.is_withdrawn


@dataclass(frozen=True, slots=True)
class StudentRecord:
    """学籍: what ties a learner to a programme, as it was told of last."""

    learner_id: str
    college: str
    student_number: str
    programme: str
    entry_year: int
    department: str
    class_name: str
    status: StudyStatus
    since: date
    until: date | None
    told_at: datetime
    told_on: str = ""

    @property
    def place(self) -> str:
        return f"{self.college}:{self.student_number}"


@dataclass(frozen=True, slots=True)
class CalendarYear:
    """The working days of a year, as they were told of last."""

    year: int
    holidays: tuple[date, ...]
    made_up_days: tuple[date, ...]
    told_at: datetime
    told_on: str = ""

    @property
    def place(self) -> int:
        return self.year


def programme_now(records: Iterable[StudentRecord]) -> str:
    """The programme that somebody studies, or studied last; empty for who never studied here."""
    latest = max(records, key=lambda one: (one.status == StudyStatus.ENROLLED, one.since, one.place), default=None)
    return latest.programme if latest else ""


Told = TypeVar("Told", StudentRecord, CalendarYear, Curriculum)


def latest_told(known: Mapping[str | int, Told], arriving: Iterable[Told]) -> list[Told]:
    """Of each place what was told of last, where that is news; what arrives late changes nothing.

    What is told on one key arrives in its order, whatever clocks say; times decide between two keys alone.
    """
    news: dict[str | int, Told] = {}
    for one in arriving:
        before = news.get(one.place) or known.get(one.place)
        if before is None or one.told_on == before.told_on or one.told_at >= before.told_at:
            news[one.place] = one
    return list(news.values())


def newest(known: Mapping[str, CourseResult], arriving: Iterable[CourseResult]) -> list[CourseResult]:
    """Of each result the highest revision, where that is news."""
    news: dict[str, CourseResult] = {}
    for one in arriving:
        before = news.get(one.place) or known.get(one.place)
        if before is None or one.revision > before.revision:
            news[one.place] = one
    return list(news.values())

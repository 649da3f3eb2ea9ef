"""Who would miss graduation, seen two terms ahead, and which unspent credits would save them; pure.

One looks from a term, of which the number in the plan of an entry year is told by its school year: for 2019,
2021-2022-1 is the fifth. What is *due* are the courses of the curriculum up to two terms on. A course is *open* while
it is neither passed nor exempt, as a whole or by modules that make up all of it. It is *overdue* when it is open, due,
and was taught in an earlier term, or a result says that it was failed: it does not come again by itself. Open courses
still to be taught are presumed to be passed. A learner *would miss graduation* who has an overdue course that is no
elective, or whose credits fall short of the curriculum's total even so; that is known only where the curriculum as it
is kept here teaches as much as its total.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from chassis.errors import Ground, Refusal
from contracts.terms import CourseKind
from services.creditbank.conversion.domain import Target
from services.creditbank.curricula.domain import Course, CourseResult, Curriculum, StudentRecord
from services.creditbank.planning.planner import Choice, Facts, locked, plan

TERMS_AHEAD = 2
TERMS_A_YEAR = 2
TERM = re.compile(r"([0-9]{4})-([0-9]{4})-([12])")
TERM_MALFORMED = Ground(
    "rescue_term_malformed",
    en="'{term}' is no term of those who entered in {entry_year}. Write one, like {entry_year}-{next_year}-1.",
    zh="“{term}”不是 {entry_year} 级的学期，请填写该年级的学期，如 {entry_year}-{next_year}-1。",
)
COHORT_UNKNOWN = Ground(
    "rescue_cohort_unknown",
    en="No curriculum of programme {programme}, entry year {entry_year}, is known here. Check both, or wait for it.",
    zh="系统中没有专业 {programme} {entry_year} 级的培养方案，请核对专业与年级，或等待方案到达。",
)


@dataclass(frozen=True)
class Overdue:
    """A course that does not come again by itself, and whether it was failed or never passed."""

    course: Course
    is_failed: bool


@dataclass(frozen=True)
class Behind:
    """What a learner is behind with. `short_points`: what lacks of the total, None where that is not known."""

    overdue: tuple[Overdue, ...]
    short_points: int | None

    @property
    def needed(self) -> tuple[Overdue, ...]:
        """The courses without which nobody graduates."""
        return tuple(one for one in self.overdue if one.course.kind != CourseKind.ELECTIVE)

    def is_made_up(self, choices: Sequence[Choice], exempt: Iterable[Target]) -> bool:
        """Whether with these exemptions nothing is missing any more."""
        had = [*exempt, *(one.candidate.case.target for one in choices)]
        points = sum(one.candidate.points for one in choices)
        return all(is_done(one.course, (), had) for one in self.needed) and points >= (self.short_points or 0)


@dataclass(frozen=True)
class Rescue:
    """A learner who would miss graduation, and the best exemptions among what they are behind with; `is_saved`: with
    these nothing is missing any more. `because`: why nothing can be spent from the account now."""

    record: StudentRecord
    behind: Behind
    choices: tuple[Choice, ...]
    is_saved: bool
    because: Refusal | None = None


def term_number(entry_year: int, term: str) -> int:
    """Which term of their plan it is for those of an entry year, from 1; Refusal where it is none of theirs."""
    found = TERM.fullmatch(term)
    number = (int(found[1]) - entry_year) * TERMS_A_YEAR + int(found[3]) if found else 0
    if not found or int(found[2]) != int(found[1]) + 1 or number < 1:
        raise TERM_MALFORMED(term=term, entry_year=entry_year, next_year=entry_year + 1)
    return number


def behind_with(
    curriculum: Curriculum,
    passed: Collection[str],
    results: Sequence[CourseResult],
    exempt: Collection[Target],
    number: int,
) -> Behind | None:
    """What a student of a curriculum is behind with, seen from its term of this number; None for who would graduate."""
    open_courses = [one for one in curriculum.courses if not is_done(one, passed, exempt)]
    late = tuple(_overdue(open_courses, results, number))
    found = Behind(late, _short(curriculum, {one.course.code for one in late}, results, exempt))
    return found if found.needed or found.short_points else None


def rescued(facts: Facts, record: StudentRecord, behind: Behind, exempt: Collection[Target]) -> Rescue:
    """The exemptions that would save a learner: among needed courses, or if that is not enough among all overdue."""
    plans = [plan(facts, {one.course.code for one in late}).choices for late in (behind.needed, behind.overdue)]
    choices = next((one for one in plans if behind.is_made_up(one, exempt)), plans[0] or plans[1])
    return Rescue(record, behind, choices, behind.is_made_up(choices, exempt), locked(facts))


def is_done(course: Course, passed: Collection[str], exempt: Iterable[Target]) -> bool:
    """Whether a course is passed, or exempt as a whole or by modules that make up all of it."""
    modules = {one.module: one.credit_points for one in exempt if one.course == course.code}
    return course.code in passed or "" in modules or sum(modules.values()) >= course.credit_points


def _overdue(open_courses: Iterable[Course], results: Iterable[CourseResult], number: int) -> Iterable[Overdue]:
    failed = {one.course for one in results if not one.is_withdrawn and not one.passed}
    due = (one for one in open_courses if one.term <= number + TERMS_AHEAD)
    return (Overdue(one, one.code in failed) for one in due if one.term < number or one.code in failed)


def _short(
    curriculum: Curriculum, lost: Collection[str], results: Iterable[CourseResult], exempt: Iterable[Target]
) -> int | None:
    """What lacks of the total when all is passed but what is lost: of courses of the curriculum, modules of lost ones
    that are exempt, and courses that were passed besides."""
    taught = {one.code: one.credit_points for one in curriculum.courses}
    if sum(taught.values()) < curriculum.credit_points_total:
        return None
    parts = sum(one.credit_points for one in exempt if one.course in lost)
    besides = {one.course: one.credit_points for one in results if one.counts and one.course not in taught}
    earned = sum(points for code, points in taught.items() if code not in lost) + parts + sum(besides.values())
    return max(curriculum.credit_points_total - earned, 0)

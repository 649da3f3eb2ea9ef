"""Take course marks, have those wait whose student or course is not known yet, and announce what they came to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from chassis import clock, waiters
from chassis.bus.outbox import append, forgotten_on
from chassis.database import transactional
from chassis.errors import NOT_FOUND, Sifted, sift
from chassis.strands import name_keys
from contracts.training import CourseResultFinalised
from services.training.courses import models
from services.training.courses.domain import (
    CourseResult,
    Curriculum,
    Docket,
    Known,
    Mark,
    Weighed,
    curriculum_fact,
    fact_of,
    newest,
    settled,
    withdrawn,
)
from services.training.students.commands import have_reviewed
from services.training.students.domain import student_fact
from services.training.students.queries import records_by_number

MARK = "course_mark"  # what waits: a course result for its student's record or for its course


@transactional
def record_marks(marks: Sequence[tuple[int, Mark]]) -> Sifted[tuple[int, Mark], Weighed]:
    """Record at most 500 marks, by their positions; each is judged by itself, in order."""
    docket = Docket(known_of([mark for _, mark in marks]))
    sifted = sift(lambda numbered: docket.weigh(numbered[1]), marks)
    keep_weighed([(weighed, "") for _, weighed in sifted.accepted])
    return sifted


def known_of(marks: Sequence[Mark]) -> Known:
    """What these marks are weighed against, read with a handful of queries."""
    return _known({one.student_number for one in marks}, models.results_by_id({one.result_id for one in marks}))


def _known(numbers: Iterable[str], results: dict[str, CourseResult]) -> Known:
    records = records_by_number(numbers)
    programmes = {(one.programme, one.entry_year) for found in records.values() for one in found}
    taught = models.curricula({f"{programme}:{year}" for programme, year in programmes})
    return Known(
        results=results,
        records=records,
        courses={(one.programme, one.entry_year): one.courses for one in taught.values()},
        pass_marks=models.pass_marks(),
        now=clock.now(),
    )


@transactional
def keep_weighed(weighed: Sequence[tuple[Weighed, str]]) -> None:
    """Keep what marks did that were weighed in this transaction, each with its cause, and announce it.

    The strand of what a mark waits for is named by who brings it, too: of the two that come at once one sees the other.
    """
    kept = dict[str, CourseResult]()
    for one, cause in weighed:
        kept[one.after.id] = _caused(one, cause, kept.get(one.after.id))
    _keep(list(kept.values()), {one.after.id for one, _ in weighed if one.is_news})


def _caused(weighed: Weighed, cause: str, earlier: CourseResult | None) -> CourseResult:
    """What a mark left, with the cause of its values: of a repeat the one of the mark before."""
    after = weighed.after
    if weighed.is_news:
        return replace(after, cause=cause or f"course-result:{after.id}:{after.given.as_of.isoformat()}")
    return replace(after, cause=earlier.cause) if earlier else after


def _keep(results: Sequence[CourseResult], news: set[str]) -> None:
    facts = {fact_of(one) for one in results if one.waits_for}
    students = {student_fact(one.given.student_number) for one in results}
    name_keys({f"learner:{one.learner_id}" for one in results if one.learner_id} | facts | students)
    results = [_beyond_forgotten(one) if one.id in news else one for one in results]
    models.keep_results(results)
    waiting = [one for one in results if one.waits_for]
    waiters.wait_all(MARK, [(one.id, fact_of(one), one.cause) for one in waiting])
    waiters.done(MARK, [one.id for one in results if not one.waits_for])
    for one in results:
        if one.id in news and one.is_told:
            append(_finalised(one), one.cause)
    have_reviewed((one.learner_id, one.cause) for one in results if one.id in news and one.is_told)


def _beyond_forgotten(one: CourseResult) -> CourseResult:
    """The result in a revision that was not announced for something else before a set-back (ADR 9)."""
    if not one.is_told:
        return one
    known = forgotten_on(f"learner:{one.learner_id}", {CourseResultFinalised.__name__: CourseResultFinalised})
    told = [body for body in known if body.result_id == one.id]
    last = max((body.revision for body in told), default=0)
    return one if one.revision > last or _finalised(one) in told else replace(one, revision=last + 1)


def _finalised(one: CourseResult) -> CourseResultFinalised:
    return CourseResultFinalised(
        learner_id=one.learner_id,
        course=one.given.course,
        term=one.given.term,
        mark=one.given.mark,
        passed=one.passed,
        credit_points=one.credit_points,
        result_id=one.id,
        student_number=one.given.student_number,
        programme=one.programme,
        entry_year=one.entry_year,
        revision=one.revision,
        grade=one.given.grade,
        is_withdrawn=one.is_withdrawn,
    )


@transactional
def settle_waiting(result_ids: Sequence[str]) -> None:
    """Try results again that wait: their student or course may have come."""
    found = {one.id: one for one in models.results_by_id(result_ids).values() if one.waits_for}
    known = _known({one.given.student_number for one in found.values()}, found)
    results = [settled(one, known) for one in found.values()]
    _keep(results, {one.id for one in results if one.is_told})
    waiters.done(MARK, sorted(set(result_ids) - set(found)))


@transactional
def withdraw_results(asked: Sequence[tuple[int, str, str]]) -> Sifted[tuple[int, str, str], bool]:
    """Take course results back, by (position, id, reason); each judged alone, a repeat changes nothing."""
    known = models.results_by_id({result_id for _, result_id, _ in asked})
    sifted = sift(lambda one: _withdraw(one[1], known), asked)
    changed = {one[1] for one, is_changed in sifted.accepted if is_changed}
    _keep([known[result_id] for result_id in sorted(changed)], changed)
    return sifted


def _withdraw(result_id: str, known: dict[str, CourseResult]) -> bool:
    before = known.get(result_id)
    if before is None:
        raise NOT_FOUND(what="course result", id=result_id)
    if before.is_withdrawn:
        return False
    after = withdrawn(before, clock.now())
    known[result_id] = replace(after, cause=f"course-result:{result_id}:withdrawn:{after.given.as_of.isoformat()}")
    return True


@transactional
def set_pass_mark(programme: str, pass_mark: int) -> None:
    """Set the mark that passes in a programme, or in all others; what was judged before stays as it is."""
    if models.pass_marks().get(programme) != pass_mark:
        models.keep_pass_mark(programme, pass_mark)


@transactional
def keep_curricula(curricula: Sequence[Curriculum]) -> None:
    """Keep what programmes teach; marks that wait for a course are woken."""
    facts = sorted({curriculum_fact(one.programme, one.entry_year) for one in curricula})
    name_keys(facts)
    models.keep_curricula(newest(models.curricula({one.place for one in curricula}), curricula))
    waiters.wake_all(facts)


@transactional
def move_results(survivor_id: str, merged_id: str) -> None:
    """Two learners were one person: the survivor sat what both did."""
    models.give_to(survivor_id, merged_id)

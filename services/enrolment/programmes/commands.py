"""Publish a programme and its curricula."""

from __future__ import annotations

from dataclasses import replace

from chassis.bus.outbox import append, forgotten_on
from chassis.database import transactional
from chassis.errors import NOT_FOUND
from chassis.strands import name_keys
from contracts import enrolment as contract
from contracts.enrolment import ProgrammePublished
from services.enrolment.programmes import models
from services.enrolment.programmes.domain import (
    Course,
    Curriculum,
    Programme,
    check_curriculum,
    check_total,
    years_to_announce,
)


@transactional
def publish_programme(programme: Programme) -> None:
    """Keep a programme as it is now, and announce the entry years that are new or changed, with their curricula."""
    name_keys([f"programme:{programme.code}"])
    row = models.rows_by_code([programme.code]).get(programme.code)
    before = models.programme_in(row) if row else None
    if before == programme:
        return
    revision = row["revision"] + 1 if row else 1
    models.keep(programme, revision)
    for year in years_to_announce(before, programme):
        curriculum = models.curriculum_of(programme.code, year)
        check_total(curriculum, programme)
        _publish(programme, curriculum, f"programme:{programme.code}:r{revision}")


@transactional
def publish_curriculum(code: str, entry_year: int, courses: tuple[Course, ...], cause: str = "") -> Curriculum:
    """Keep the courses of an entry year as they are now, whole, and announce them; the same again changes nothing."""
    name_keys([f"programme:{code}"])
    programme = _programme(code)
    before = models.curriculum_of(code, entry_year)
    after = replace(before, courses=courses)
    check_curriculum(after, programme)
    if before == after and before.revision:
        return before
    return _publish(programme, after, cause)


def _programme(code: str) -> Programme:
    row = models.rows_by_code([code]).get(code)
    if row is None:
        raise NOT_FOUND(what="programme", id=code)
    return models.programme_in(row)


def _publish(programme: Programme, curriculum: Curriculum, cause: str) -> Curriculum:
    """Announce an entry year; one with courses gets the next revision, so that a revision never changes."""
    if curriculum.courses or curriculum.revision:
        curriculum = _beyond_forgotten(programme, replace(curriculum, revision=curriculum.revision + 1))
        models.keep_curriculum(curriculum)
    append(_published(programme, curriculum), cause or f"curriculum:{curriculum.place}:r{curriculum.revision}")
    return curriculum


def _beyond_forgotten(programme: Programme, curriculum: Curriculum) -> Curriculum:
    """The curriculum in a revision that was not announced for something else before a set-back (ADR 9)."""
    told = [
        one
        for one in forgotten_on(f"programme:{programme.code}", {"ProgrammePublished": ProgrammePublished})
        if one.entry_year == curriculum.entry_year
    ]
    last = max((one.curriculum_revision for one in told), default=0)
    if curriculum.revision > last or _published(programme, curriculum) in told:
        return curriculum
    return replace(curriculum, revision=last + 1)


def _published(programme: Programme, curriculum: Curriculum) -> ProgrammePublished:
    return ProgrammePublished(
        programme=programme.code,
        name=programme.name,
        entry_year=curriculum.entry_year,
        credit_points_total=programme.credit_points_total,
        courses=tuple(_course(one) for one in curriculum.courses),
        curriculum_revision=curriculum.revision,
    )


def _course(one: Course) -> contract.Course:
    return contract.Course(
        code=one.code,
        name=one.name,
        credit_points=one.credit_points,
        kind=one.kind,
        term=one.term,
        is_never_exempt=one.is_never_exempt,
        modules=tuple(
            contract.CourseModule(code=part.code, name=part.name, credit_points=part.credit_points)
            for part in one.modules
        ),
    )

"""What the credit bank does when others announce something: event → verb."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis.bus.event import Event
from chassis.bus.handlers import Handlers
from contracts.assessment import (
    CertificateIssued,
    CertificateRevoked,
    OfResult,
    ResultAnnulled,
    ResultCorrected,
    ResultFinalised,
    ResultPublicised,
    SchemePublished,
)
from contracts.enrolment import (
    CalendarPublished,
    LearnerRegistered,
    LearnersMerged,
    ProgrammePublished,
    StudentRecordChanged,
)
from contracts.enrolment import Course as PublishedCourse
from contracts.terms import Level
from contracts.training import CourseResultFinalised, TrainingCompleted
from services.creditbank.conversion.applying import move_applications, review_touched
from services.creditbank.conversion.commands import keep_schemes
from services.creditbank.conversion.domain import SchemeLevels
from services.creditbank.curricula.commands import (
    keep_calendars,
    keep_course_results,
    keep_curricula,
    keep_student_records,
    move_course_results,
    move_student_records,
)
from services.creditbank.curricula.domain import (
    CalendarYear,
    Course,
    CourseModule,
    CourseResult,
    Curriculum,
    StudentRecord,
)
from services.creditbank.ledger.commands import note_schemes, open_accounts
from services.creditbank.outcomes.commands import move_submissions
from services.creditbank.outcomes.digests import note_old
from services.creditbank.outcomes.domain import Training
from services.creditbank.outcomes.trainings import keep_trainings
from services.creditbank.papers.commands import move_credentials, name_schemes, review_credentials
from services.creditbank.recognition.commands import mark_certificates, merge_learners, settle, settle_opened
from services.creditbank.recognition.domain import CertificateMark, Outcome, OutcomeState
from services.creditbank.reconciliation.commands import move_rows

STATES = {
    ResultPublicised: OutcomeState.PUBLICISED,
    ResultFinalised: OutcomeState.FINAL,
    ResultAnnulled: OutcomeState.ANNULLED,
}


def on_results(events: Sequence[Event[OfResult]]) -> None:
    """A result is publicised, final, corrected or annulled: the account shows what it is worth now."""
    touched = settle([outcome_of(event) for event in events])
    review_touched(touched)
    review_credentials({learner_id for learner_id, _ in touched})


def outcome_of(event: Event[OfResult]) -> Outcome:
    """The result an event tells of, as the bank sees it."""
    body = event.body
    return Outcome(
        learner_id=body.learner_id,
        result_id=body.result_id,
        scheme=body.scheme,
        level=int(body.level),
        revision=body.revision,
        state=state_of(body),
        verdict=body.verdict,
        session_date=body.session_date,
        cause=event.id,
        what=event.type,
    )


def state_of(body: OfResult) -> OutcomeState:
    """The state a result is in after an event."""
    if isinstance(body, ResultCorrected):
        return OutcomeState.FINAL if body.final else OutcomeState.PUBLICISED
    return STATES[type(body)]


def on_certificates(events: Sequence[Event[CertificateIssued | CertificateRevoked]]) -> None:
    """A certificate's number is on record, or was revoked: what may be spent depends on it."""
    touched = mark_certificates([mark_of(event) for event in events])
    review_touched(touched)
    review_credentials({learner_id for learner_id, _ in touched})


def mark_of(event: Event[CertificateIssued | CertificateRevoked]) -> CertificateMark:
    """The certificate an event tells of."""
    body = event.body
    return CertificateMark(
        learner_id=body.learner_id,
        scheme=body.scheme,
        level=int(body.level),
        certificate_number=body.certificate_number,
        cause=event.id,
        what=event.type,
        teo=body.teo,
        **_more_of(body),
    )


def _more_of(body: CertificateIssued | CertificateRevoked) -> dict[str, Any]:
    if isinstance(body, CertificateIssued):
        return {"result_id": body.result_id, "issued_on": body.issued_on}
    return {"is_revoked": True, "reason": body.reason}


def on_registered(events: Sequence[Event[LearnerRegistered]]) -> None:
    """A learner has an account from now on; what was early is settled on it."""
    touched = settle_opened(open_accounts([event.body.learner_id for event in events]))
    review_touched(touched)
    review_credentials({learner_id for learner_id, _ in touched})
    note_old(touched)


def on_merged(events: Sequence[Event[LearnersMerged]]) -> None:
    """Two learners are one person with one account. The event comes on both keys; its second copy finds it done."""
    for event in events:
        merge_learners(event.body.survivor_id, event.body.merged_id, cause=event.id, what=event.type)
        move_credentials(event.body.merged_id)
        move_course_results(event.body.survivor_id, event.body.merged_id)
        move_student_records(event.body.survivor_id, event.body.merged_id)
        move_applications(event.body.survivor_id, event.body.merged_id)
        move_submissions(event.body.survivor_id, event.body.merged_id)
        move_rows(event.body.survivor_id, event.body.merged_id)


def on_schemes(events: Sequence[Event[SchemePublished]]) -> None:
    """A scheme says whether its points wait for the certificate's number, what it is called, and its levels."""
    note_schemes({event.body.scheme: event.body.needs_certificate_number for event in events})
    bodies = [event.body for event in events]
    keep_schemes(
        [SchemeLevels(one.scheme, one.name, tuple(map(Level, one.levels)), one.teo, one.aliases) for one in bodies]
    )
    name_schemes({event.body.scheme: (event.body.name, event.body.teo) for event in events})


def on_programmes(events: Sequence[Event[ProgrammePublished]]) -> None:
    """A programme's entry year has this curriculum from now on; what was decided by an earlier one can be looked up."""
    keep_curricula([curriculum_of(event) for event in events])


def curriculum_of(event: Event[ProgrammePublished]) -> Curriculum:
    """The curriculum an event tells of."""
    body = event.body
    return Curriculum(
        programme=body.programme,
        name=body.name,
        entry_year=body.entry_year,
        revision=body.curriculum_revision,
        credit_points_total=body.credit_points_total,
        courses=tuple(course_of(one) for one in body.courses),
        told_at=event.time,
        told_on=event.key,
    )


def course_of(said: PublishedCourse) -> Course:
    """A course as the bank knows it."""
    return Course(
        code=said.code,
        name=said.name,
        credit_points=said.credit_points,
        kind=said.kind,
        term=said.term,
        is_never_exempt=said.is_never_exempt,
        modules=tuple(CourseModule(one.code, one.name, one.credit_points) for one in said.modules),
    )


def on_course_results(events: Sequence[Event[CourseResultFinalised]]) -> None:
    """A course was passed or not, or that was corrected or withdrawn."""
    keep_course_results([course_result_of(event.body) for event in events])


def course_result_of(body: CourseResultFinalised) -> CourseResult:
    """The result an event tells of; one of before results had names is known by learner, course and term."""
    return CourseResult(
        result_id=body.result_id or f"{body.learner_id}:{body.course}:{body.term}",
        learner_id=body.learner_id,
        student_number=body.student_number,
        programme=body.programme,
        entry_year=body.entry_year,
        course=body.course,
        term=body.term,
        mark=body.mark,
        grade=body.grade,
        passed=body.passed,
        credit_points=body.credit_points,
        revision=body.revision,
        is_withdrawn=body.is_withdrawn,
    )


def on_trainings(events: Sequence[Event[TrainingCompleted]]) -> None:
    """A training was completed: it is credited once a rule says what it is worth."""
    keep_trainings([training_of(event) for event in events])


def training_of(event: Event[TrainingCompleted]) -> Training:
    """The training an event tells of."""
    body = event.body
    return Training(
        learner_id=body.learner_id,
        class_code=body.class_code,
        scheme=body.scheme,
        level=int(body.level),
        completed_on=body.completed_on,
        cause=event.id,
    )


def on_student_records(events: Sequence[Event[StudentRecordChanged]]) -> None:
    """Who studies what, since when and until when: conversion and its caps depend on it."""
    keep_student_records([student_record_of(event) for event in events])


def student_record_of(event: Event[StudentRecordChanged]) -> StudentRecord:
    """The student record an event tells of."""
    body = event.body
    return StudentRecord(
        learner_id=body.learner_id,
        college=body.college,
        student_number=body.student_number,
        programme=body.programme,
        entry_year=body.entry_year,
        department=body.department,
        class_name=body.class_name,
        status=body.status,
        since=body.since,
        until=body.until,
        told_at=event.time,
        told_on=event.key,
    )


def on_calendars(events: Sequence[Event[CalendarPublished]]) -> None:
    """Which days of a year deadlines count."""
    keep_calendars([calendar_year_of(event) for event in events])


def calendar_year_of(event: Event[CalendarPublished]) -> CalendarYear:
    """The calendar an event tells of."""
    body = event.body
    return CalendarYear(
        year=body.year,
        holidays=body.holidays,
        made_up_days=body.made_up_days,
        told_at=event.time,
        told_on=event.key,
    )


HANDLERS: Handlers = {
    ResultPublicised: on_results,
    ResultFinalised: on_results,
    ResultCorrected: on_results,
    ResultAnnulled: on_results,
    CertificateIssued: on_certificates,
    CertificateRevoked: on_certificates,
    LearnerRegistered: on_registered,
    LearnersMerged: on_merged,
    SchemePublished: on_schemes,
    ProgrammePublished: on_programmes,
    CourseResultFinalised: on_course_results,
    TrainingCompleted: on_trainings,
    StudentRecordChanged: on_student_records,
    CalendarPublished: on_calendars,
}

"""What training does when others announce something: event → verb."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis.bus.event import Event
from chassis.bus.handlers import Handlers
from chassis.strands import merge_key, survivor_of
from contracts.assessment import SchemePublished
from contracts.creditbank import ExemptionGranted, ExemptionWithdrawn
from contracts.enrolment import (
    EnrolmentApproved,
    EnrolmentWithdrawn,
    LearnersMerged,
    ProgrammePublished,
    StudentRecordChanged,
)
from services.training.classes.commands import free_places, give_places, move_places
from services.training.classes.domain import Approval
from services.training.completions.commands import move_completions
from services.training.courses.commands import keep_curricula, move_results
from services.training.courses.domain import Curriculum
from services.training.modules.domain import Exemption
from services.training.modules.queries import ruled_trainings
from services.training.modules.reviewing import keep_exemptions, move_excuses
from services.training.schemes.commands import keep_schemes
from services.training.schemes.domain import Scheme
from services.training.students.commands import have_reviewed, keep_records, move_records
from services.training.students.domain import StudentRecord


def on_approvals(events: Sequence[Event[EnrolmentApproved]]) -> None:
    """An approved learner gets a place, or waits for one."""
    approvals = [approval_of(event) for event in events]
    give_places(approvals)
    ruled = ruled_trainings({one.queue for one in approvals})
    have_reviewed((one.learner_id, one.cause) for one in approvals if one.queue in ruled)


def approval_of(event: Event[EnrolmentApproved]) -> Approval:
    """The approval an event tells of, for the person it concerns now."""
    body = event.body
    return Approval(
        application_id=body.application_id,
        learner_id=person_of(event),
        scheme=body.scheme,
        level=body.level,
        cause=event.id,
    )


def on_withdrawals(events: Sequence[Event[EnrolmentWithdrawn]]) -> None:
    """A withdrawn application gives its place back."""
    free_places([(person_of(event), event.body.scheme, event.body.level) for event in events])
    have_reviewed((person_of(event), event.id) for event in events)


def person_of(event: Event[Any]) -> str:
    """The learner whom an event concerns since the last merge."""
    return survivor_of(event.key).removeprefix("learner:")


def on_merges(events: Sequence[Event[LearnersMerged]]) -> None:
    """Two learners are one person: what the merged one had is the survivor's."""
    for event in events:
        merge_key(f"learner:{event.body.merged_id}", f"learner:{event.body.survivor_id}")
        survivor = survivor_of(f"learner:{event.body.survivor_id}").removeprefix("learner:")
        move_places(survivor, event.body.merged_id)
        move_completions(survivor, event.body.merged_id)
        move_records(survivor, event.body.merged_id)
        move_results(survivor, event.body.merged_id)
        move_excuses(survivor, event.body.merged_id)
        have_reviewed([(survivor, event.id)])


def on_schemes(events: Sequence[Event[SchemePublished]]) -> None:
    """The names under which sheets speak of a scheme."""
    bodies = [event.body for event in events]
    keep_schemes([Scheme(body.scheme, body.name, body.aliases, body.levels) for body in bodies])


def on_student_records(events: Sequence[Event[StudentRecordChanged]]) -> None:
    """Whose a student number is; marks that came before it count from now on."""
    concerned = keep_records([student_record_of(event) for event in events])
    causes = {person_of(event): event.id for event in events}
    have_reviewed((one, causes.get(one, events[0].id)) for one in sorted(concerned))


def student_record_of(event: Event[StudentRecordChanged]) -> StudentRecord:
    """The student record as marks need it."""
    body = event.body
    return StudentRecord(
        learner_id=body.learner_id,
        college=body.college,
        student_number=body.student_number,
        programme=body.programme,
        entry_year=body.entry_year,
        told_at=event.time,
        told_on=event.key,
    )


def on_programmes(events: Sequence[Event[ProgrammePublished]]) -> None:
    """What a programme teaches, and for how much credit; marks that waited for a course count from now on."""
    keep_curricula([curriculum_of(event) for event in events])


def curriculum_of(event: Event[ProgrammePublished]) -> Curriculum:
    """The courses of an entry year, by code."""
    body = event.body
    courses = {one.code: one.credit_points for one in body.courses}
    return Curriculum(body.programme, body.entry_year, body.curriculum_revision, courses)


def on_exemptions(events: Sequence[Event[ExemptionGranted] | Event[ExemptionWithdrawn]]) -> None:
    """What credit of a certificate has bought excuses from no training: there is no circle."""
    keep_exemptions([exemption_of(event) for event in events])
    have_reviewed((person_of(event), event.id) for event in events)


def exemption_of(event: Event[ExemptionGranted] | Event[ExemptionWithdrawn]) -> Exemption:
    """The exemption an event tells of, for the person it concerns now."""
    body = event.body
    return Exemption(
        application_id=body.application_id,
        learner_id=person_of(event),
        student_number=body.student_number,
        course=body.course,
        kind=body.kind,
        is_over=isinstance(body, ExemptionWithdrawn),
    )


HANDLERS: Handlers = {
    EnrolmentApproved: on_approvals,
    EnrolmentWithdrawn: on_withdrawals,
    LearnersMerged: on_merges,
    SchemePublished: on_schemes,
    StudentRecordChanged: on_student_records,
    ProgrammePublished: on_programmes,
    ExemptionGranted: on_exemptions,
    ExemptionWithdrawn: on_exemptions,
}

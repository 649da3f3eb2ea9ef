"""An event exists because somebody consumes it: who listens to what, and who will."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import pytest

from chassis.bus.event import Announcement
from contracts.assessment import (
    CandidateRegistered,
    CertificateIssued,
    CertificateRevoked,
    ResultAnnulled,
    ResultCorrected,
    ResultFinalised,
    ResultPublicised,
    SchemePublished,
)
from contracts.creditbank import (
    AccountFrozen,
    AccountsMerged,
    AccountUnfrozen,
    AppealFiled,
    ConversionDecided,
    ConversionOffered,
    CredentialIssued,
    CredentialRevoked,
    CreditPosted,
    DeadlineNear,
    ExemptionGranted,
    ExemptionWithdrawn,
    OutcomeCredited,
    OutcomesDigested,
    OutcomeSourceNamed,
)
from contracts.enrolment import (
    CalendarPublished,
    EnrolmentApproved,
    EnrolmentWithdrawn,
    FeeSettled,
    LearnerChanged,
    LearnerErased,
    LearnerRegistered,
    LearnersMerged,
    ProgrammePublished,
    StudentRecordChanged,
)
from contracts.training import (
    CourseResultFinalised,
    TrainingCompleted,
    TrainingExcuseWithdrawn,
    TrainingModuleExcused,
)
from tests.contract.language import announcements

SERVICES = ("enrolment", "training", "assessment", "creditbank", "notify")
Kind = type[Announcement]

# Who consumes an announcement, now or later.
CONSUMERS: Mapping[Kind, str] = {
    LearnerRegistered: "training assessment creditbank notify",
    LearnerChanged: "training assessment creditbank notify",
    LearnersMerged: "training assessment creditbank notify",
    LearnerErased: "training assessment creditbank notify",
    StudentRecordChanged: "training assessment creditbank",
    EnrolmentApproved: "training assessment notify",
    EnrolmentWithdrawn: "training assessment notify",
    FeeSettled: "assessment",
    ProgrammePublished: "training creditbank",
    CalendarPublished: "training assessment creditbank",
    TrainingCompleted: "assessment creditbank",
    CourseResultFinalised: "creditbank",
    TrainingModuleExcused: "notify",
    TrainingExcuseWithdrawn: "notify",
    SchemePublished: "enrolment training creditbank notify",
    CandidateRegistered: "enrolment notify",
    ResultPublicised: "creditbank notify",
    ResultFinalised: "creditbank notify",
    ResultCorrected: "creditbank notify",
    ResultAnnulled: "creditbank notify",
    CertificateIssued: "creditbank notify",
    CertificateRevoked: "creditbank notify",
    CreditPosted: "notify",
    OutcomeCredited: "notify",
    OutcomesDigested: "notify",
    OutcomeSourceNamed: "notify",
    AccountFrozen: "notify",
    AccountUnfrozen: "notify",
    CredentialIssued: "notify",
    CredentialRevoked: "notify",
    AccountsMerged: "notify",
    ConversionDecided: "notify",
    AppealFiled: "notify",
    ConversionOffered: "notify",
    DeadlineNear: "notify",
    ExemptionGranted: "training",
    ExemptionWithdrawn: "training notify",
}

IN_SHEETS = "learners are found through enrolment's match; lists with names and classes of one's own come later"
ERASURE = "erasure comes later: without the key what they keep is unreadable already"
NOTICES = "texts for what is taken back or put right come later"

# Who does not listen yet, and what that waits for.
LATER: Mapping[str, Mapping[Kind, str]] = {
    "training": {
        LearnerRegistered: IN_SHEETS,
        LearnerChanged: IN_SHEETS,
        LearnerErased: ERASURE,
        CalendarPublished: "attendance and timetables come later",
    },
    "assessment": {
        LearnerRegistered: IN_SHEETS,
        LearnerChanged: IN_SHEETS,
        LearnerErased: ERASURE,
        StudentRecordChanged: IN_SHEETS,
        FeeSettled: "fees come later",
    },
    "creditbank": {
        LearnerChanged: "statements with a name on them come later",
        LearnerErased: ERASURE,
    },
    "notify": {
        EnrolmentWithdrawn: NOTICES,
        ResultCorrected: NOTICES,
        ResultAnnulled: NOTICES,
        CertificateRevoked: NOTICES,
        AccountsMerged: NOTICES,
    },
}


def heard_by(service: str) -> set[Kind]:
    return set(importlib.import_module(f"services.{service}.handlers").HANDLERS)


def promised_to(service: str) -> set[Kind]:
    return {kind for kind, services in CONSUMERS.items() if service in services.split()}


def names(kinds: set[Kind]) -> list[str]:
    return sorted(kind.__name__ for kind in kinds)


def test_the_table_speaks_of_every_announcement() -> None:
    assert set(CONSUMERS) == set(announcements().values())
    assert {service for services in CONSUMERS.values() for service in services.split()} <= set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_handles_what_it_is_announced_for(service: str) -> None:
    later = set(LATER.get(service, {}))
    assert names(heard_by(service)) == names(promised_to(service) - later)
    assert names(later - promised_to(service)) == [], "nobody promised these"


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_listens_to_itself(service: str) -> None:
    assert [kind.__name__ for kind in promised_to(service) if kind.source == service] == []


def test_what_nobody_hears_yet_is_known() -> None:
    heard = set().union(*map(heard_by, SERVICES))
    unheard = {FeeSettled, AccountsMerged}
    assert names(set(CONSUMERS) - heard) == names(unheard)

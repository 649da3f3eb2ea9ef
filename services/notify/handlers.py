"""What notify does when others announce something: event → verb."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chassis.bus.event import Announcement, Event
from chassis.bus.handlers import Handlers
from chassis.strands import merge_key, survivor_of
from contracts.assessment import (
    CandidateRegistered,
    CertificateIssued,
    ResultFinalised,
    ResultPublicised,
    SchemePublished,
)
from contracts.creditbank import (
    POCKET_MOVES,
    SILENT,
    AccountFrozen,
    AccountUnfrozen,
    AppealFiled,
    ConversionDecided,
    ConversionOffered,
    CredentialIssued,
    CredentialRevoked,
    CreditPosted,
    DeadlineNear,
    ExemptionWithdrawn,
    OfApplication,
    OutcomeCredited,
    OutcomesDigested,
    OutcomeSourceNamed,
)
from contracts.enrolment import EnrolmentApproved, LearnerChanged, LearnerErased, LearnerRegistered, LearnersMerged
from contracts.training import TrainingExcuseWithdrawn, TrainingModuleExcused
from services.notify.contacts.commands import erase_contacts, keep_contacts, move_contacts
from services.notify.contacts.domain import Contact
from services.notify.notices.commands import (
    add_points,
    contacts_arrived,
    erase_notices,
    move_notices,
    name_schemes,
    queue_notices,
)
from services.notify.notices.domain import News

Told = (
    EnrolmentApproved
    | CandidateRegistered
    | ResultPublicised
    | ResultFinalised
    | CreditPosted
    | OutcomeCredited
    | OutcomesDigested
    | CertificateIssued
    | CredentialIssued
    | CredentialRevoked
    | AccountFrozen
    | AccountUnfrozen
    | ConversionDecided
    | AppealFiled
    | ConversionOffered
    | DeadlineNear
    | ExemptionWithdrawn
    | TrainingModuleExcused
    | TrainingExcuseWithdrawn
)
Entered = CreditPosted | OutcomeCredited | AccountFrozen | AccountUnfrozen


def on_news(events: Sequence[Event[Told]]) -> None:
    """Queue a notice of each thing that happened; points of a pass go into the notice that told of it."""
    news = [event for event in events if not is_of_pockets(event.body) and not is_silent(event.body)]
    queue_notices([news_of(event) for event in news if not is_of_merge(event.body)])
    posted = [(event.cause, event.body) for event in news if isinstance(event.body, CreditPosted)]
    add_points({cause: body.provisional_points for cause, body in posted if body.available_points == 0})


def is_of_merge(body: Told) -> bool:
    """Whether something only went from one account of a person to another, which is no news to them."""
    return isinstance(body, Entered) and body.what == LearnersMerged.__name__


def is_of_pockets(body: Told) -> bool:
    """Whether points only moved for an application, of which the decision tells."""
    return isinstance(body, CreditPosted | OutcomeCredited) and body.what in POCKET_MOVES


def is_silent(body: Told) -> bool:
    """Whether this is told in a digest: credit of an outcome that was old when it came. What is taken back is told."""
    return isinstance(body, OutcomeCredited) and body.what in SILENT and body.available_points > 0


def news_of(event: Event[Told]) -> News:
    """The news in an event, for the person it concerns now."""
    body = event.body
    return News(
        cause=event.id,
        event=event.type,
        recipient=body.learner_id,
        mailbox=person_of(event.key),
        scheme=getattr(body, "scheme", ""),
        level=None if isinstance(body, OutcomeCredited) else getattr(body, "level", None),
        announced_at=event.time,
        facts=FACTS[type(body)](body),
    )


def person_of(key: str) -> str:
    """The learner that the events of this key concern since the last merge."""
    return survivor_of(key).removeprefix("learner:")


def facts_of(body: OfApplication, **more: str) -> dict[str, Any]:
    """What is told of an application."""
    said = {"application_id": body.application_id, "course": body.course, "module": body.module}
    return said | {"credit_points": body.credit_points} | more


def module_of(body: TrainingModuleExcused | TrainingExcuseWithdrawn) -> dict[str, Any]:
    """What is told of a module of a training."""
    said = {"module_name": body.module_name, "class_hours": body.class_hours}
    return said | {"course": body.course, "term": body.term, "rule": body.rule, "rule_version": body.rule_version}


def of_appeal(body: ConversionDecided) -> dict[str, str]:
    """Until when a refusal may be appealed, or that an appeal is what ended."""
    until = {"appeal_until": body.appeal_until.isoformat()} if body.appeal_until else {}
    return until | ({"appeal": "decided"} if body.is_appeal else {})


def reasons_of(body: ConversionDecided | ExemptionWithdrawn | TrainingExcuseWithdrawn) -> dict[str, str]:
    """Why, as far as somebody said so."""
    return {"code": body.code, "reason_en": body.reason_en, "reason_zh": body.reason_zh} if body.code else {}


FACTS: dict[type[Announcement], Callable[[Any], dict[str, Any]]] = {
    EnrolmentApproved: lambda body: {"application_id": body.application_id},
    CandidateRegistered: lambda body: {
        "plan": body.plan,
        "admission_number": body.admission_number,
        "session_date": body.session_date.isoformat(),
        "site": body.site,
    },
    ResultPublicised: lambda body: {
        "result_id": body.result_id,
        "verdict": body.verdict,
        "due_on": body.due_on.isoformat() if body.due_on else "",
    },
    ResultFinalised: lambda body: {"result_id": body.result_id, "verdict": body.verdict},
    CreditPosted: lambda body: {
        "available_points": body.available_points,
        "available_balance": body.available_balance,
    },
    OutcomeCredited: lambda body: {
        "available_points": body.available_points,
        "available_balance": body.available_balance,
        "kind": body.kind,
        "level": body.level,
    },
    OutcomesDigested: lambda body: {
        "outcomes": body.outcomes,
        "available_points": body.available_points,
        "available_balance": body.available_balance,
    },
    CertificateIssued: lambda body: {
        "certificate_number": body.certificate_number,
        "issued_on": body.issued_on.isoformat(),
    },
    CredentialIssued: lambda body: {"credential": body.credential},
    CredentialRevoked: lambda body: {"credential": body.credential},
    AccountFrozen: lambda body: {"reason": body.reason},
    AccountUnfrozen: lambda body: {"reason": body.reason},
    ConversionDecided: lambda body: facts_of(body, decision=body.decision, **reasons_of(body), **of_appeal(body)),
    AppealFiled: lambda body: facts_of(body, due_on=body.due_on.isoformat() if body.due_on else ""),
    ConversionOffered: lambda body: facts_of(body, until=body.until.isoformat() if body.until else ""),
    DeadlineNear: lambda body: facts_of(body, step=body.step, due_on=body.due_on.isoformat()),
    ExemptionWithdrawn: lambda body: facts_of(body, **reasons_of(body)),
    TrainingModuleExcused: module_of,
    TrainingExcuseWithdrawn: lambda body: module_of(body) | reasons_of(body),
}


def on_contacts(events: Sequence[Event[LearnerRegistered | LearnerChanged]]) -> None:
    """Keep how a learner is reached, unopened, and let e-mails that waited for it go on."""
    contacts = [contact_of(event) for event in events]
    keep_contacts(contacts)
    contacts_arrived(sorted({contact.mailbox for contact in contacts}))


def contact_of(event: Event[LearnerRegistered | LearnerChanged]) -> Contact:
    """The contact in an event: sealed for the learner it names, in the mailbox of the person they are now."""
    body = event.body
    return Contact(
        learner_id=body.learner_id,
        mailbox=person_of(event.key),
        name=body.name,
        phone=body.phone or "",
        email=body.email or "",
    )


def on_merges(events: Sequence[Event[LearnersMerged]]) -> None:
    """Two learners are one person: mailbox and contact of the merged one are the survivor's."""
    for event in events:
        merge_key(f"learner:{event.body.merged_id}", f"learner:{event.body.survivor_id}")
        survivor = person_of(f"learner:{event.body.survivor_id}")
        move_contacts(survivor, event.body.merged_id)
        move_notices(survivor, event.body.merged_id)


def on_erasures(events: Sequence[Event[LearnerErased]]) -> None:
    """A learner's key is destroyed: forget the contact and blank the mailbox."""
    for event in events:
        erase_contacts(person_of(event.key))
        erase_notices(person_of(event.key))


def on_schemes(events: Sequence[Event[SchemePublished]]) -> None:
    """What schemes are called in texts."""
    name_schemes({event.body.scheme: event.body.name for event in events})


def on_sources(events: Sequence[Event[OutcomeSourceNamed]]) -> None:
    """What other sources of outcomes are called in texts."""
    name_schemes({event.body.scheme: event.body.name for event in events})


HANDLERS: Handlers = {
    **dict.fromkeys(FACTS, on_news),
    LearnerRegistered: on_contacts,
    LearnerChanged: on_contacts,
    LearnersMerged: on_merges,
    LearnerErased: on_erasures,
    SchemePublished: on_schemes,
    OutcomeSourceNamed: on_sources,
}

"""What is worth a notice, to whom, by which channel, and when it may leave."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from contracts.terms import Level, Verdict
from services.notify.contacts.domain import Contact

NAMES = uuid.UUID("2f6d3c1e-6b0e-5b0a-8f57-1d3c7a902019")
VOIDED = "exemption_voided"  # the code of what the registry voided, in creditbank's words
CREDITED = frozenset({"CreditPosted", "OutcomeCredited"})
POINTS_PATIENCE = timedelta(seconds=60)  # how long the e-mail about a pass waits for its points
FIRST_PAUSE_SECONDS = 5
LONGEST_PAUSE_SECONDS = 300


class Channel(StrEnum):
    MAILBOX = "mailbox"
    EMAIL = "email"


class NoticeState(StrEnum):
    DELIVERED = "delivered"  # lies in the mailbox
    WAITING = "waiting"  # for a contact or a scheme's name, before it is known whether and what to send
    QUEUED = "queued"  # to be sent, or being sent under a claim
    HELD = "held"  # may have left before the database was set back: an operator releases or drops it
    SENT = "sent"
    REFUSED = "refused"  # nobody will take it; `reason` says why


@dataclass(frozen=True)
class News:
    """Something that happened to a learner. `cause` is the event's id, `announced_at` its time; `mailbox` the learner
    they are now; without `scheme` and `level` it is about the account as a whole."""

    cause: str
    event: str
    recipient: str
    mailbox: str
    scheme: str
    level: Level | None
    announced_at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Notice:
    """One piece of news on one channel. `fact` is what a waiting one waits for; `points` come with the credit."""

    id: str
    channel: Channel
    state: NoticeState
    news: News
    due_at: datetime | None = None
    fact: str = ""
    points: int | None = None


@dataclass(frozen=True)
class Known:
    """What decides about notices: contacts by mailbox, names of schemes, points that arrived before their result."""

    contacts: Mapping[str, Contact]
    schemes: Mapping[str, str]
    points: Mapping[str, int]


def is_worth_telling(news: News) -> bool:
    """A final pass is told by its credit, and an entry that makes nothing available is not told."""
    if news.event == "ResultFinalised":
        return bool(news.facts["verdict"] != Verdict.PASSED)
    if news.event in CREDITED:
        return bool(news.facts["available_points"] != 0)
    return True


def notice_id(cause: str, recipient: str, channel: Channel) -> str:
    """The natural key: one notice for a cause, a recipient and a channel, however often it is told."""
    return str(uuid.uuid5(NAMES, f"{cause}\n{recipient}\n{channel}"))


def notices_of(news: News, known: Known, now: datetime) -> list[Notice]:
    """The notices a piece of news leads to: in the mailbox always, by e-mail where there is an address."""
    contact = known.contacts.get(news.mailbox)
    if contact and contact.erased:
        news = replace(news, facts={})
    in_mailbox = Notice(
        id=notice_id(news.cause, news.recipient, Channel.MAILBOX),
        channel=Channel.MAILBOX,
        state=NoticeState.DELIVERED,
        news=news,
        points=points_of(news, known),
    )
    by_email = email_of(news, known, now)
    return [in_mailbox, by_email] if by_email else [in_mailbox]


def email_of(news: News, known: Known, told_at: datetime) -> Notice | None:
    """The e-mail about a piece of news told at this instant; None where the learner has no address."""
    contact = known.contacts.get(news.mailbox)
    if contact and not contact.email:
        return None
    points = points_of(news, known)
    fact = missing_fact(news, known)
    patience = POINTS_PATIENCE if points is None and awaits_points(news) else timedelta(0)
    return Notice(
        id=notice_id(news.cause, news.recipient, Channel.EMAIL),
        channel=Channel.EMAIL,
        state=NoticeState.WAITING if fact else NoticeState.QUEUED,
        news=news,
        due_at=None if fact else told_at + patience,
        fact=fact,
        points=points,
    )


def points_of(news: News, known: Known) -> int | None:
    """The provisional points of a pass, once they are known."""
    return known.points.get(news.cause) if awaits_points(news) else None


def missing_fact(news: News, known: Known) -> str:
    """What has to arrive before an e-mail can be written; empty when all is there."""
    if news.mailbox not in known.contacts:
        return contact_fact(news.mailbox)
    return "" if not news.scheme or news.scheme in known.schemes else scheme_fact(news.scheme)


def contact_fact(learner_id: str) -> str:
    """The arrival of a learner's contact."""
    return f"contact:{learner_id}"


def scheme_fact(scheme: str) -> str:
    """The arrival of a scheme's name."""
    return f"scheme:{scheme}"


def awaits_points(news: News) -> bool:
    """The news of a pass tells the provisional points, which the credit bank announces."""
    return news.event == "ResultPublicised" and news.facts.get("verdict") == Verdict.PASSED


def is_of_result(news: News) -> bool:
    """News that the credit bank answers with an entry of its own."""
    return news.event in {"ResultPublicised", "ResultFinalised"}


def variant_of(event: str, facts: Mapping[str, Any], points: int | None) -> str:
    """Which text a notice has."""
    if not facts:
        return "erased"
    if event in CREDITED:
        return f"{event}.added" if facts["available_points"] > 0 else f"{event}.taken"
    if event == "ResultPublicised" and facts["verdict"] == Verdict.PASSED:
        return "ResultPublicised." + _credited(points)
    if event == "ExemptionWithdrawn" and facts.get("code") == VOIDED:
        return f"{event}.voided"
    outcome = facts.get("verdict") or facts.get("decision")
    return f"{event}.{outcome}{_of_appeal(facts)}" if outcome else event


def _of_appeal(facts: Mapping[str, Any]) -> str:
    """What the text of a decision says of an appeal: that it was about one, or until when there may be one."""
    if facts.get("appeal"):
        return ".of_appeal"
    return ".appealable" if facts.get("appeal_until") else ""


def _credited(points: int | None) -> str:
    if points is None:
        return "being_credited"
    return "passed" if points > 0 else "nothing_to_credit"


def pause_seconds(attempts: int) -> int:
    """How long a notice rests after so many attempts; it is tried for ever."""
    return min(FIRST_PAUSE_SECONDS << min(attempts, 10), LONGEST_PAUSE_SECONDS)


def early_points(points: Mapping[str, int], told: Iterable[str]) -> dict[str, int]:
    """Points whose result nobody has told yet, by the result's event."""
    known = set(told)
    return {cause: value for cause, value in points.items() if cause not in known}

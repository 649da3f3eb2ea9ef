"""Queue notices of what happened, settle what they waited for, and keep mailboxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from chassis import waiters
from chassis.database import Row, transactional
from chassis.errors import NOT_FOUND
from services.notify.contacts.queries import contacts_of
from services.notify.notices import models
from services.notify.notices.domain import (
    Known,
    News,
    NoticeState,
    awaits_points,
    contact_fact,
    early_points,
    email_of,
    is_of_result,
    is_worth_telling,
    notices_of,
    scheme_fact,
)

WAITER = "email"


@transactional
def queue_notices(news: Sequence[News]) -> None:
    """One notice for each piece of news and channel, however often and in whatever order it is told."""
    now = datetime.now(UTC)
    known = _known(news)
    notices = [notice for one in news if is_worth_telling(one) for notice in notices_of(one, known, now)]
    models.add(notices, now)
    models.drop_early_points(sorted(known.points))
    waiting = [notice for notice in notices if notice.state is NoticeState.WAITING]
    waiters.wait_all(WAITER, [(notice.id, notice.fact, notice.news.cause) for notice in waiting])


def _known(news: Sequence[News]) -> Known:
    return Known(
        contacts=contacts_of(one.mailbox for one in news),
        schemes=models.scheme_names(),
        points=models.early_points_of(one.cause for one in news if is_of_result(one)),
    )


@transactional
def add_points(points: Mapping[str, int]) -> None:
    """Tell provisional points, by the event of their result; those of results not told yet are kept for them."""
    now = datetime.now(UTC)
    rows = models.told_of(points)
    models.add_points(points, [row for row in rows if awaits_points(models.news_of(row))], now)
    models.keep_early_points(early_points(points, (row["cause"] for row in rows)), now)


@transactional
def settle_emails(notice_ids: Sequence[str]) -> None:
    """Decide again about e-mails that waited for a contact or a scheme's name: queue, drop, or let them wait on."""
    rows = models.waiting_rows(notice_ids)
    known = _known([models.news_of(row) for row in rows])
    due, without_address, still = {}, [], []
    for row in rows:
        email = email_of(models.news_of(row), _with_points(known, row), row["queued_at"])
        if email is None:
            without_address.append(row["_id"])
        elif email.fact:
            still.append((row["_id"], email.fact, row["cause"]))
        elif email.due_at:
            due[row["_id"]] = email.due_at
    models.queue(due)
    models.remove(without_address)
    waiters.wait_all(WAITER, still)
    waiters.done(WAITER, sorted(set(notice_ids) - {one for one, _, _ in still}))


def _with_points(known: Known, row: Row) -> Known:
    points = {row["cause"]: row["points"]} if row.get("points") is not None else {}
    return Known(known.contacts, known.schemes, {**known.points, **points})


@transactional
def contacts_arrived(learner_ids: Sequence[str]) -> None:
    """Wake the e-mails that wait for these learners' contacts."""
    waiters.wake_all([contact_fact(learner_id) for learner_id in learner_ids])


@transactional
def name_schemes(names: Mapping[str, str]) -> None:
    """Keep what schemes are called, and wake the e-mails that wait for it."""
    models.keep_scheme_names(names)
    waiters.wake_all([scheme_fact(code) for code in names])


@transactional
def move_notices(survivor_id: str, merged_id: str) -> None:
    """Two learners were one person: all notices lie in the survivor's mailbox."""
    models.give_to(survivor_id, merged_id)
    waiters.wake_all([contact_fact(merged_id)])


@transactional
def erase_notices(mailbox: str) -> None:
    """Blank what a mailbox tells; e-mails that have not left are stopped."""
    waiters.done(WAITER, models.emails_of(mailbox))
    models.erase(mailbox)


@transactional
def release_held(notice_ids: Sequence[str], by: str) -> int:
    """Let e-mails leave that may have left before the database was set back; how many."""
    return models.release(notice_ids, by)


@transactional
def drop_held(notice_ids: Sequence[str], by: str) -> int:
    """Let them never leave; how many."""
    return models.drop(notice_ids, by)


def mark_read(mailbox: str, notice_id: str) -> Row:
    """Note that a notice was read; refusal: not_found."""
    row = models.mark_read(mailbox, notice_id)
    if row is None:
        raise NOT_FOUND(what="notice", id=notice_id)
    return row

"""Look notices up, and put what they tell into order for reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from chassis.database import Row
from contracts.terms import Level
from services.notify.contacts.domain import Language
from services.notify.contacts.queries import languages_of
from services.notify.notices import models
from services.notify.notices.domain import Channel, NoticeState, awaits_points
from services.notify.notices.texts import Told, in_mailbox


def told_of(rows: Sequence[Row]) -> list[Told]:
    """What these notices tell, with the names of schemes, and points that arrived on another road, as of now."""
    names = models.scheme_names()
    pending = [row["cause"] for row in rows if row.get("points") is None and awaits_points(models.news_of(row))]
    early = models.early_points_of(pending)
    return [_told(row, names.get(row["scheme"], str(row["scheme"])), early.get(row["cause"])) for row in rows]


def _told(row: Row, scheme_name: str, early: int | None) -> Told:
    level = Level(row["level"]) if row["level"] else None
    return Told(row["event"], scheme_name, level, row["facts"], row.get("points", early))


def mailbox_page(
    mailbox: str, before: tuple[datetime, str] | None, limit: int, language: Language | None
) -> list[dict[str, Any]]:
    """A mailbox, newest first, in this language or else the learner's own."""
    return worded(models.mailbox_rows(mailbox, before, limit), language or languages_of([mailbox])[mailbox])


def worded(rows: Sequence[Row], language: Language) -> list[dict[str, Any]]:
    """Notices as the mailbox shows them."""
    return [_shown(row, *in_mailbox(told, language)) for row, told in zip(rows, told_of(rows), strict=True)]


def _shown(row: Row, title: str, text: str) -> dict[str, Any]:
    return {
        "id": row["_id"],
        "event": row["event"],
        "cause": row["cause"],
        "scheme": row["scheme"],
        "level": row["level"],
        "title": title,
        "text": text,
        "queued_at": row["queued_at"],
        "read_at": row.get("read_at"),
    }


def notice_counts() -> list[dict[str, Any]]:
    """How many notices of each event stand on each channel in each state."""
    rows = models.counts()
    counts = [{**row["_id"], "channel": channel_of(row["_id"]["state"]), "count": row["count"]} for row in rows]
    return sorted(counts, key=lambda one: (one["event"], one["channel"], one["state"]))


def channel_of(state: str) -> Channel:
    """Only what lies in a mailbox is delivered; every other state is an e-mail's."""
    return Channel.MAILBOX if state == NoticeState.DELIVERED else Channel.EMAIL


def stages() -> list[dict[str, Any]]:
    """How many notices lie in mailboxes, how many e-mails are queued and sent, how many wait for a fact."""
    by_state: Counter[str] = Counter()
    for row in models.counts():
        by_state[row["_id"]["state"]] += row["count"]
    named = {
        "notices": NoticeState.DELIVERED,
        "emails_queued": NoticeState.QUEUED,
        "emails_held": NoticeState.HELD,
        "emails_sent": NoticeState.SENT,
        "waiting": NoticeState.WAITING,
    }
    return [{"stage": stage, "count": by_state[state]} for stage, state in named.items()]


def held_page(where: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    """Held e-mails by id."""
    names = ("cause", "event", "mailbox", "scheme", "level", "announced_at")
    return [{"id": row["_id"]} | {name: row[name] for name in names} for row in models.held_rows(where, limit)]


def caused_by(cause: str) -> Iterable[Row]:
    """The notices of one event."""
    return models.rows_caused_by(cause)

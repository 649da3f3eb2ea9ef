"""What an auditor reads of notices: each that tells of a final result or of credit, and why an e-mail has not left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chassis import waiters
from chassis.bus import announced
from chassis.database import Row
from chassis.web.bundles import Shelf, bundles
from services.notify.notices import models
from services.notify.notices.commands import WAITER
from services.notify.notices.domain import Channel, NoticeState

EVENTS = ("ResultFinalised", "CreditPosted", "OutcomeCredited")
SHELVES = {"notices": Shelf(models.audited_rows, lambda row: str(row["mailbox"]), rows_each=6)}


def audited(query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of learners with what they were told; no text, no name, no address."""
    found, following = bundles(SHELVES, query)
    told = {owner: [row for row in shelves["notices"] if row["event"] in EVENTS] for owner, shelves in found}
    emails = _emails(row["cause"] for rows in told.values() for row in rows)
    waiting = [row["_id"] for rows in emails.values() for row in rows if row["state"] == NoticeState.WAITING]
    facts = waiters.facts_of(WAITER, waiting) if waiting else {}
    held_up = announced.held_up(f"learner:{owner}" for owner in told)
    items = [
        {
            "learner_id": owner,
            "held_up": held_up.get(f"learner:{owner}", []),
            "notices": [_shown(row, facts) for row in _with_emails(rows, emails)],
        }
        for owner, rows in told.items()
    ]
    return {"items": items, "next": following}


def _emails(causes: Iterable[str]) -> dict[str, list[Row]]:
    """E-mails by the event they tell of."""
    found: dict[str, list[Row]] = {}
    for row in models.told_of(causes):
        if row["channel"] == Channel.EMAIL:
            found.setdefault(row["cause"], []).append(row)
    return found


def _with_emails(rows: list[Row], emails: Mapping[str, list[Row]]) -> list[Row]:
    causes = dict.fromkeys(row["cause"] for row in rows)
    return [*rows, *(email for cause in causes for email in emails.get(cause, ()))]


def _shown(row: Row, facts: Mapping[str, Row]) -> dict[str, Any]:
    waits = facts.get(row["_id"])
    return {
        "id": row["_id"],
        **{name: row[name] for name in ("cause", "event", "channel", "state", "recipient", "queued_at")},
        "waiting_for": waits["fact"] if waits else None,
        "reason": row.get("reason"),
        "sent_at": row.get("sent_at"),
    }

"""What time brings to notify: e-mails leave, and what waits is tried again, for ever."""

from __future__ import annotations

from chassis import waiters
from chassis.jobs import Job
from services.notify.notices.commands import WAITER, settle_emails
from services.notify.notices.sender import MailServer, Opener, send_due


def settle_waiting() -> bool:
    """Decide about e-mails whose contact or scheme has come; True when there are more."""
    return waiters.sweep(WAITER, settle_emails)


def jobs(opener: Opener, server: MailServer) -> list[Job]:
    """The table of jobs; `opener` opens sealed contacts, `server` takes e-mails."""
    return [
        Job("settle_waiting", settle_waiting, every_seconds=1.0),
        Job("send_due", lambda: send_due(opener, server), every_seconds=0.5),
    ]

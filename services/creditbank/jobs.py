"""What time brings to the credit bank: what waits is tried again, for ever; decisions are told, deadlines kept."""

from __future__ import annotations

from chassis import waiters
from chassis.worker import Job
from services.creditbank.conversion.applying import APPLICATION, retry_waiting
from services.creditbank.conversion.deciding import release_decisions, watch_deadlines
from services.creditbank.recognition.commands import OUTCOME, settle_again


def settle_waiting() -> bool:
    """Settle results whose rule or account has come; True when there are more."""
    return waiters.sweep(OUTCOME, settle_again)


def settle_applications() -> bool:
    """Lead on applications whose result became final; True when there are more."""
    return waiters.sweep(APPLICATION, retry_waiting)


JOBS = [
    Job("settle_waiting", settle_waiting, every_seconds=1.0),
    Job("settle_applications", settle_applications, every_seconds=1.0),
    Job("release_decisions", release_decisions, every_seconds=5.0),
    Job("watch_deadlines", watch_deadlines, every_seconds=60.0),
]

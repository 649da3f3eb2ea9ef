"""What time brings to the credit bank: what waits is tried again, for ever."""

from __future__ import annotations

from chassis import waiters
from chassis.worker import Job
from services.creditbank.recognition.commands import OUTCOME, settle_again


def settle_waiting() -> bool:
    """Settle results whose rule or account has come; True when there are more."""
    return waiters.sweep(OUTCOME, settle_again)


JOBS = [Job("settle_waiting", settle_waiting, every_seconds=1.0)]

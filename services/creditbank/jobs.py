"""What time brings to the credit bank: what waits is tried again, for ever; decisions, deadlines, a root each day."""

from __future__ import annotations

from functools import partial

from chassis import waiters
from chassis.database import transactional
from chassis.errors import Busy
from chassis.sheet.imports import Sheets
from chassis.sheet.jobs import sheet_jobs
from chassis.sheet.saving import table_jobs
from chassis.worker import Job
from services.creditbank.conversion.applying import APPLICATION, retry_waiting, review_touched
from services.creditbank.conversion.deciding import release_decisions, watch_deadlines
from services.creditbank.ledger.export import DailyRoot
from services.creditbank.ledger.roots import Roots
from services.creditbank.outcomes.digests import note_old, tell_digests
from services.creditbank.outcomes.trainings import credit_trainings
from services.creditbank.papers.commands import review_credentials
from services.creditbank.proposals import commands as proposals
from services.creditbank.recognition.commands import OUTCOME, settle_again
from services.creditbank.reconciliation import commands as reconciliation
from services.creditbank.simulations import commands as simulations
from services.creditbank.tables import TABLES


def settle_waiting() -> bool:
    """Settle results whose rule or account has come; True when there are more."""
    return waiters.sweep(OUTCOME, _settle_and_review)


def _settle_and_review(places: list[str]) -> None:
    touched = settle_again(places)
    review_touched(touched)
    review_credentials({learner_id for learner_id, _ in touched})
    note_old(touched)


@transactional
def rerate_some(most: int | None = None) -> bool:
    """Move the next outcomes of a rerate under way, at most so many; True when there are more."""
    moved = proposals.rerate_some(most)
    if moved is None:
        return False
    review_touched(moved.touched)
    review_credentials({learner_id for learner_id, _ in moved.touched})
    return True


class Rerating:
    """The job that rerates: fewer outcomes at a time after a transaction that came to nothing, more as they go well."""

    def __init__(self) -> None:
        self.most = proposals.MOST_OUTCOMES

    def __call__(self) -> bool:
        """Move the next outcomes; True when there are more. Busy: fewer are tried next time."""
        try:
            more = rerate_some(self.most)
        except Busy:
            self.most = max(self.most // 2, 1)
            raise
        self.most = min(self.most * 2, proposals.MOST_OUTCOMES)
        return more


def settle_applications() -> bool:
    """Lead on applications whose result became final; True when there are more."""
    return waiters.sweep(APPLICATION, retry_waiting)


def jobs(roots: Roots, sheets: Sheets, keep_days: int, old_outcome_days: int) -> list[Job]:
    """The table of jobs; `roots` is where the ledger's roots are exported, `keep_days` for how long sheets are kept,
    `old_outcome_days` from which age on outcomes are told in a digest."""
    return [
        Job("settle_waiting", settle_waiting, every_seconds=1.0),
        Job("settle_applications", settle_applications, every_seconds=1.0),
        Job("release_decisions", release_decisions, every_seconds=5.0),
        Job("watch_deadlines", watch_deadlines, every_seconds=60.0),
        Job("simulate_proposals", proposals.simulate_some, every_seconds=1.0),
        Job("simulate_conversions", simulations.simulate_some, every_seconds=1.0),
        Job("rerate_outcomes", Rerating(), every_seconds=1.0),
        Job("credit_trainings", partial(credit_trainings, old_outcome_days), every_seconds=5.0),
        Job("tell_digests", tell_digests, every_seconds=60.0),
        Job("daily_root", DailyRoot(roots), every_seconds=60.0),
        Job("nightly_reconciliation", reconciliation.begin_nightly, every_seconds=60.0),
        Job("reconcile", reconciliation.compare_some, every_seconds=1.0),
        *(Job(name, verb, seconds) for name, verb, seconds in table_jobs(TABLES)),
        *(Job(name, verb, seconds) for name, verb, seconds in sheet_jobs(sheets, keep_days)),
    ]

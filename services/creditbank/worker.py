"""The credit bank's worker: settles results, reads sheets, opens accounts, announces postings, signs the root."""

from __future__ import annotations

from chassis.worker import run
from contracts.language import TYPES
from services.creditbank.handlers import HANDLERS
from services.creditbank.jobs import jobs
from services.creditbank.settings import settings
from services.creditbank.sheets import sheets

if __name__ == "__main__":
    given = settings()
    taken = sheets(given.directory(), given.master(), given.old_outcome_days)
    run(
        "creditbank",
        given,
        HANDLERS,
        jobs(given.roots(), taken, given.keep_imports_days, given.old_outcome_days),
        TYPES,
    )

"""Training's worker: gives approved learners places, reads completion sheets, announces who completed."""

from __future__ import annotations

from chassis.worker import run
from contracts.language import TYPES
from services.training.completions.sheet import sheets
from services.training.handlers import HANDLERS
from services.training.jobs import jobs
from services.training.settings import settings

if __name__ == "__main__":
    given = settings()
    run("training", given, HANDLERS, jobs(sheets(given.directory(), given.master()), given.keep_imports_days), TYPES)

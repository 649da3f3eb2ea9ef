"""Assessment's worker: keeps who may be assessed, reads sheets, ends publicity, announces what results became."""

from __future__ import annotations

from chassis.worker import run
from contracts.language import TYPES
from services.assessment.certificates.sheet import sheets
from services.assessment.handlers import HANDLERS
from services.assessment.jobs import jobs
from services.assessment.settings import settings

if __name__ == "__main__":
    given = settings()
    run("assessment", given, HANDLERS, jobs(sheets(given.directory(), given.master()), given.keep_imports_days), TYPES)

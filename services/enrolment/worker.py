"""Enrolment's worker: reads and commits rosters, follows assessment, announces learners and approvals."""

from __future__ import annotations

from chassis.worker import run
from contracts.language import TYPES
from services.enrolment.applications.roster import sheets
from services.enrolment.handlers import HANDLERS
from services.enrolment.jobs import jobs
from services.enrolment.learners.keyring import Keyring
from services.enrolment.settings import settings

if __name__ == "__main__":
    given = settings()
    keyring = Keyring.of(given.seal_key, given.pepper)
    run("enrolment", given, HANDLERS, jobs(sheets(keyring), given.keep_imports_days), TYPES)

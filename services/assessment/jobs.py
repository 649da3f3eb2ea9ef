"""What time brings to assessment: publicity ends, is dated again, and sheets are read and committed."""

from __future__ import annotations

from chassis.jobs import Job
from chassis.sheet.imports import Sheets
from chassis.sheet.jobs import sheet_jobs
from services.assessment.results.commands import close_due_publicity, date_open_publicity


def jobs(sheets: Sheets, keep_days: int) -> list[Job]:
    """The table of jobs of a worker that takes these sheets and keeps their contents for some days."""
    return [
        Job("close_due_publicity", close_due_publicity, every_seconds=1.0),
        Job("date_open_publicity", date_open_publicity, every_seconds=10.0),
        *(Job(name, verb, seconds) for name, verb, seconds in sheet_jobs(sheets, keep_days)),
    ]

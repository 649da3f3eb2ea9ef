"""What time brings to enrolment: its imports are read and committed."""

from __future__ import annotations

from chassis.sheet.imports import Sheets
from chassis.sheet.jobs import sheet_jobs
from chassis.worker import Job


def jobs(sheets: Sheets, keep_days: int) -> list[Job]:
    """The jobs of a worker that takes these sheets and keeps their contents for some days."""
    return [Job(name, verb, seconds) for name, verb, seconds in sheet_jobs(sheets, keep_days)]

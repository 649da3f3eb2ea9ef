"""What time brings to training: sheets are read and committed, and whatever waits is tried again, for ever."""

from __future__ import annotations

from chassis import waiters
from chassis.jobs import Job
from chassis.sheet.imports import Sheets
from chassis.sheet.jobs import sheet_jobs
from services.training.classes.commands import WAITER, place_waiting
from services.training.courses.commands import MARK, settle_waiting
from services.training.modules.reviewing import review_learners, spread_rules
from services.training.students.domain import REVIEW


def seat_waiting() -> bool:
    """Give room that has come free to those who wait for it; True when there are more."""
    return waiters.sweep(WAITER, place_waiting)


def settle_marks() -> bool:
    """Announce marks whose student or course has come; True when there are more."""
    return waiters.sweep(MARK, settle_waiting)


def review_due() -> bool:
    """Judge anew from which modules learners are excused of whom something has changed; True when there are more."""
    return waiters.sweep(REVIEW, review_learners)


def jobs(sheets: Sheets, keep_days: int) -> list[Job]:
    """The table of jobs of a worker that takes these sheets and keeps their contents for some days."""
    return [
        Job("seat_waiting", seat_waiting, every_seconds=1.0),
        Job("settle_marks", settle_marks, every_seconds=1.0),
        Job("spread_rules", spread_rules, every_seconds=1.0),
        Job("review_due", review_due, every_seconds=1.0),
        *(Job(name, verb, seconds) for name, verb, seconds in sheet_jobs(sheets, keep_days)),
    ]

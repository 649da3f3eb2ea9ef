"""The jobs that read, commit and empty imports: bounded steps, taken up by any worker where they stand."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, TypeVar

from pymongo.errors import ConnectionFailure

from chassis.database import Row as Stored
from chassis.database import collection_of, driver_error, is_conflict
from chassis.errors import Busy, Ground, Refusal, Transient
from chassis.sheet.commit import Committing, commit_some, open_committing
from chassis.sheet.imports import IMPORT_INCOMPLETE, Sheets, as_found, fail, give_up, hold_up
from chassis.sheet.models import Imports
from chassis.sheet.preview import Overtaken, Reading, open_reading, preview_piece
from chassis.sheet.retention import KEEP_DAYS, empty_one
from chassis.sheet.sayings import said
from chassis.watch import JOB_FAILURES, frames_of, log

IMPORT_WAITS = Ground(
    "import_waits",
    en="Another service does not answer at the moment. This import goes on by itself as soon as it does.",
    zh="其他服务暂时没有响应，恢复后本次导入会自动继续。",
)
IMPORT_FAULT = Ground(
    "import_fault",
    en="Something broke on our side. Nothing is lost and it is tried again; if it stays, tell the operator the number.",
    zh="系统内部出错，数据未丢失，稍后会自动重试；如持续出现，请将导入编号告知管理员。",
)
STEP_SECONDS = 1.0  # the worker has other jobs too
EVERY_SECONDS = 0.5
EMPTY_EVERY_SECONDS = 600.0
LONGEST_WAIT_SECONDS = 15.0
LONGEST_FAULT_SECONDS = 60.0
FAULTS_BEFORE_GIVING_UP = 6

Work = TypeVar("Work", Reading, Committing)
Verb = Callable[[], bool]


class Desk(Generic[Work]):
    """Works on the oldest import in one state, a step at a time, and keeps it open between steps."""

    def __init__(
        self,
        sheets: Sheets,
        state: str,
        take: Callable[[Sheets, Mapping[str, Any]], Work],
        step: Callable[[Work], bool],
    ) -> None:
        self._sheets, self._state = sheets, state
        self._take: Callable[[Sheets, Mapping[str, Any]], Work] = take
        self._step: Callable[[Work], bool] = step
        self._work: Work | None = None

    def __call__(self) -> bool:
        """One bounded step; True when there is more to do at once."""
        kinds = [kind.name for kind in self._sheets.kinds]
        due = {"state": self._state, "not_before": {"$lte": datetime.now(UTC)}, "kind": {"$in": kinds}}
        row = collection_of(Imports).find_one(due, sort=[("_id", 1)])
        if row is None:
            self._work = None
            return False
        try:
            self._advance(row)
        except Busy:
            return True  # what is open begins with the same rows again, a commit with fewer
        except Exception as error:  # noqa: BLE001 -- an import's trouble is its own: told, and never in the way of others
            where = self._work.where if self._work else as_found(row)
            self._work = None
            self._troubled(row, where, error)
        return True

    def _advance(self, row: Mapping[str, Any]) -> None:
        if self._work is None or any(row[name] != value for name, value in self._work.where.items()):
            self._work = None
            self._work = self._take(self._sheets, row)
        until = time.monotonic() + STEP_SECONDS
        while self._step(self._work):
            if time.monotonic() > until:
                return
        self._work = None

    def _troubled(self, row: Mapping[str, Any], where: Stored, error: Exception) -> None:
        """Say on the import what is wrong, if it is still where we left it; the worker waits out a database away."""
        if isinstance(error, Overtaken) or is_conflict(error):
            return
        if isinstance(driver_error(error), ConnectionFailure):
            raise error
        if isinstance(error, Transient):
            hold_up(self._sheets, where, IMPORT_WAITS, LONGEST_WAIT_SECONDS)
        elif isinstance(error, Refusal) and (self._state == "reading" or error.ground is IMPORT_INCOMPLETE):
            self._end(row, where, error)
        else:
            self._broken(row, where, error)

    def _end(self, row: Mapping[str, Any], where: Stored, refusal: Refusal) -> None:
        """The import goes no further and says why; that something is missing is for the operator, too."""
        if refusal.ground is IMPORT_INCOMPLETE:
            self._report(row, refusal)
        (give_up if self._state == "reading" else fail)(self._sheets, row, where, said(refusal))

    def _broken(self, row: Mapping[str, Any], where: Stored, error: Exception) -> None:
        """A defect of ours: tried again ever more slowly; reading ends after some tries."""
        self._report(row, error)
        failures = hold_up(self._sheets, where, IMPORT_FAULT, LONGEST_FAULT_SECONDS)
        if self._state == "reading" and failures >= FAULTS_BEFORE_GIVING_UP:
            give_up(self._sheets, row, where, said(IMPORT_FAULT()))

    def _report(self, row: Mapping[str, Any], error: Exception) -> None:
        """Tell the operator, without any value."""
        log.error("an import broke", number=row["_id"], error=type(error).__name__, frames=frames_of(error))
        JOB_FAILURES.labels(f"imports.{self._state}").inc()


def sheet_jobs(sheets: Sheets, keep_days: int = KEEP_DAYS) -> list[tuple[str, Verb, float]]:
    """Name, verb and interval in seconds of the jobs a service's worker runs for its sheets.

    `keep_days`: for how long the contents of an import are kept that ended or that nobody commits.
    """
    return [
        ("imports.preview", Desk(sheets, "reading", open_reading, preview_piece), EVERY_SECONDS),
        ("imports.commit", Desk(sheets, "committing", open_committing, commit_some), EVERY_SECONDS),
        ("imports.empty", partial(empty_one, keep_days), EMPTY_EVERY_SECONDS),
    ]

"""The jobs that read and commit imports: bounded steps, taken up by any worker where they stand."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pymongo.errors import ConnectionFailure

from chassis.database import collection_of, driver_error, is_conflict
from chassis.errors import Busy, Ground, Refusal, Transient
from chassis.sheet.commit import Committing, commit_some, open_committing
from chassis.sheet.imports import Sheets, give_up, hold_up
from chassis.sheet.models import Imports
from chassis.sheet.preview import Overtaken, Reading, open_reading, preview_piece
from chassis.sheet.sayings import said
from chassis.watch import JOB_FAILURES, log

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
        stands: Callable[[Work, Mapping[str, Any]], bool],
    ) -> None:
        self._sheets, self._state = sheets, state
        self._take: Callable[[Sheets, Mapping[str, Any]], Work] = take
        self._step: Callable[[Work], bool] = step
        self._stands: Callable[[Work, Mapping[str, Any]], bool] = stands
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
            return True  # what is open knows to try fewer rows
        except Exception as error:  # noqa: BLE001 -- an import's trouble is its own: told, and never in the way of others
            self._work = None
            self._troubled(row, error)
        return True

    def _advance(self, row: Mapping[str, Any]) -> None:
        if self._work is None or self._work.number != row["_id"] or not self._stands(self._work, row):
            self._work = None
            self._work = self._take(self._sheets, row)
        until = time.monotonic() + STEP_SECONDS
        while self._step(self._work):
            if time.monotonic() > until:
                return
        self._work = None

    def _troubled(self, row: Mapping[str, Any], error: Exception) -> None:
        """Say on the import what is wrong; the database away is for the worker to wait out."""
        if isinstance(error, Overtaken) or is_conflict(error):
            return
        if isinstance(driver_error(error), ConnectionFailure):
            raise error
        if isinstance(error, Refusal) and self._state == "reading":
            give_up(self._sheets, row, said(error))
        elif isinstance(error, Transient):
            hold_up(self._sheets, row["_id"], IMPORT_WAITS, LONGEST_WAIT_SECONDS)
        else:
            self._broken(row, error)

    def _broken(self, row: Mapping[str, Any], error: Exception) -> None:
        """A defect of ours: logged without its values, tried again ever more slowly; reading ends after some tries."""
        frames = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        log.error("an import broke", number=row["_id"], error=type(error).__name__, frames=frames[-12:])
        JOB_FAILURES.labels(f"imports.{self._state}").inc()
        failures = hold_up(self._sheets, row["_id"], IMPORT_FAULT, LONGEST_FAULT_SECONDS)
        if self._state == "reading" and failures >= FAULTS_BEFORE_GIVING_UP:
            give_up(self._sheets, row, said(IMPORT_FAULT()))


def sheet_jobs(sheets: Sheets) -> list[tuple[str, Verb, float]]:
    """Name, verb and interval in seconds of the jobs a service's worker runs for its sheets."""
    reading = Desk(sheets, "reading", open_reading, preview_piece, lambda work, row: bool(work.pieces == row["pieces"]))
    committing = Desk(
        sheets, "committing", open_committing, commit_some, lambda work, row: bool(work.position == row["processed"])
    )
    return [("imports.preview", reading, EVERY_SECONDS), ("imports.commit", committing, EVERY_SECONDS)]

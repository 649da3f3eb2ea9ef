"""Reading reports, runs and discrepancies."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import asdict
from typing import Any

from chassis.errors import NOT_FOUND
from chassis.web.health import Step
from services.creditbank.reconciliation import models
from services.creditbank.reconciliation.models import Report
from services.creditbank.reconciliation.remedies import told
from services.creditbank.reconciliation.runs import Discrepancy, Profile, Run, State

CAUSE = re.compile(r"reconciliation:(\d{1,8}):(?:found-(\d{1,7})|(\d{1,6}))")
MOST_STEPS = 50


def report_of(number: int) -> dict[str, Any]:
    """A report; Refusal when there is none."""
    found = models.find_report(number)
    if found is None:
        raise NOT_FOUND(what="certificate report", id=number)
    return shown_report(found)


def reports_before(before: int | None, teos: Collection[str] | None, limit: int) -> list[dict[str, Any]]:
    """Reports, the newest first; of some organisations if these are named."""
    return [shown_report(one) for one in models.reports_before(_where(before, teos), limit)]


def _where(before: int | None, teos: Collection[str] | None) -> dict[str, Any]:
    where: dict[str, Any] = {"_id": {"$lt": before}} if before is not None else {}
    return where if teos is None else where | {"teo": {"$in": sorted(teos)}}


def shown_report(one: Report) -> dict[str, Any]:
    """A report as it is told."""
    return asdict(one) | {"run": one.run or None}


def run_of(number: int) -> dict[str, Any]:
    """A run and how far it is; Refusal when there is none."""
    return shown_run(models.find_run(number))


def runs_before(before: int | None, teos: Collection[str] | None, limit: int) -> list[dict[str, Any]]:
    """Runs, the newest first; of some organisations' reports if these are named."""
    return [shown_run(one) for one in models.runs_before(_where(before, teos), limit)]


def shown_run(one: Run) -> dict[str, Any]:
    """A run as it is told."""
    names = ("number", "stage", "asked_by", "begun_at", "finished_at", "seen", "night")
    counts = [{"kind": kind, "count": count} for kind, count in sorted(one.counts.items())]
    more = {"report": one.report or None, "teo": one.teo or None, "discrepancies": one.found, "counts": counts}
    return {name: getattr(one, name) for name in names} | more


def owner_of(number: int) -> dict[str, str | None]:
    """Whose a run is: the report's organisation; nobody's when all that stands here was compared."""
    return {"teo": models.find_run(number).teo or None}


def owner_of_report(number: int) -> dict[str, str | None]:
    """Whose a report is."""
    found = models.find_report(number)
    return {"teo": found.teo if found else None}


def discrepancies_after(run: int, filters: dict[str, Any], after: str, limit: int) -> list[dict[str, Any]]:
    """What a run found, in the order it was found; Refusal when there is no such run."""
    models.find_run(run)
    return [shown_discrepancy(one) for one in models.discrepancies_after(run, filters, after, limit)]


def discrepancies_to_save(run: int, filters: dict[str, Any]) -> tuple[int, Iterator[Discrepancy]]:
    """How many these are, and all of them, streamed."""
    models.find_run(run)
    return models.count_discrepancies(run, filters), models.stream_discrepancies(run, filters)


def shown_discrepancy(one: Discrepancy) -> dict[str, Any]:
    """A discrepancy as it is told, in either language, with what mends it."""
    said = asdict(one.finding)
    names = ("id", "run", "state", "approved_at", "approved_by", "ended_by")
    shown = {name: getattr(one, name) or None for name in names}
    empty_as_none = ("row", "level", "certificate_number", "learner_id", "result_id")
    return {**said, **{name: said[name] or None for name in empty_as_none}, **shown, **asdict(told(one.finding))}


def profile_of(teo: str) -> Profile:
    """How a TEO heads its columns."""
    return models.find_profile(teo)


def shown_profile(one: Profile) -> dict[str, Any]:
    """A profile as it is told."""
    columns = [{"column": column, "headers": list(headers)} for column, headers in one.headers.items()]
    return {"columns": columns, "left_out": list(one.left_out)}


def steps_by_cause(cause: str) -> list[Step]:
    """What was approved under one cause, as steps of a life."""
    named = CAUSE.fullmatch(cause)
    if named is None:
        return []
    where = {"serial": int(named[2]), "row": 0} if named[2] else {"row": int(named[3])}
    found = models.discrepancies_after(int(named[1]), where, "", MOST_STEPS)
    return [_step(one, cause) for one in found if one.approved_at and one.state != State.OPEN]


def _step(one: Discrepancy, cause: str) -> Step:
    finding = one.finding
    assert one.approved_at is not None  # noqa: S101 -- who calls has looked
    return Step(
        at=one.approved_at,
        service="creditbank",
        what="Discrepancy",
        id=one.id,
        cause=cause,
        learner_id=finding.learner_id,
        detail={"kind": str(finding.kind), "state": str(one.state), "approved_by": one.approved_by},
    )

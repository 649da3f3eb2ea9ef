"""Reading how far simulations of drafts are, and what they found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from chassis.database import Row
from services.creditbank.simulations import models
from services.creditbank.simulations.domain import Group, Simulation, Tally

TOLD = ("number", "state", "on", "asked_by", "asked_at", "finished_at", "cohorts")
# Totals by name: what they are by, and how a group tells it.
TOTALS: dict[str, tuple[tuple[str, ...], Callable[[Group], tuple[str, ...]]]] = {
    "programmes": (("programme",), lambda one: (one.programme,)),
    "schemes": (("scheme",), lambda one: (one.scheme,)),
    "courses": (("programme", "course"), lambda one: (one.programme, one.course)),
}


def simulation_of(number: int) -> dict[str, Any]:
    """A simulation by its number; Refusal when there is none, or another one replaced it."""
    return shown(models.found(number))


def simulations_before(before: int | None, draft: str | None, limit: int) -> list[dict[str, Any]]:
    """Simulations, of all drafts or of one by its place, the newest first."""
    where: dict[str, Any] = {"_id": {"$lt": before}} if before is not None else {}
    return [shown(one) for one in models.page_of(where | ({"of": draft} if draft else {}), limit)]


def shown(one: Simulation) -> dict[str, Any]:
    """A simulation as it is told."""
    findings = one.findings
    told = {name: getattr(one, name) for name in TOLD} | asdict(one.draft)
    told |= {"cohorts_seen": min(one.place.cohort, one.cohorts)}
    told |= {name: getattr(findings, name) for name in ("students", "gainers", "losers")}
    return told | {"totals": asdict(findings.tally)} | {name: _totals(findings.groups, name) for name in TOTALS}


def _totals(groups: tuple[Group, ...], name: str) -> list[dict[str, Any]]:
    names, key_of = TOTALS[name]
    tallies: dict[tuple[str, ...], Tally] = {}
    for group in groups:
        tallies[key_of(group)] = tallies.get(key_of(group), Tally()) + group.tally
    return [dict(zip(names, key, strict=True)) | asdict(tally) for key, tally in sorted(tallies.items())]


def changes_after(number: int, effect: str | None, after: str, limit: int) -> list[dict[str, Any]]:
    """What a draft would change, exemption by exemption, by programme, entry year and student record."""
    return [shown_change(row) for row in models.page_of_changes(models.found(number).number, effect, after, limit)]


def changes_to_save(number: int, effect: str | None) -> tuple[int, Iterator[Row]]:
    """How many these are, and all of them, streamed."""
    models.found(number)
    return models.count_changes(number, effect), models.stream_changes(number, effect)


def shown_change(row: Row) -> dict[str, Any]:
    """A change as it is told, with its place in the simulation."""
    return {name: value for name, value in row.items() if name != "_id"} | {"place": row["_id"].partition(":")[2]}

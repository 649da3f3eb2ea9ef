"""Reading proposals, and what their simulations found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from chassis.database import Row
from chassis.errors import NOT_FOUND
from services.creditbank.proposals import models
from services.creditbank.proposals.domain import Kind, Proposal, Simulation, Tally

DIRECTIONS: dict[str, dict[str, int]] = {"any": {}, "gains": {"$gt": 0}, "loses": {"$lt": 0}}
POCKETS = ("provisional", "available")


def proposal_of(number: int) -> dict[str, Any]:
    """A proposal by its number; Refusal when there is none."""
    return shown(models.found(number))


def proposals_before(before: int | None, state: str | None, limit: int) -> list[dict[str, Any]]:
    """Proposals, the newest first."""
    where: dict[str, Any] = {"_id": {"$lt": before}} if before is not None else {}
    return [shown(one) for one in models.page_of(where | ({"state": state} if state else {}), limit)]


def shown(proposal: Proposal) -> dict[str, Any]:
    """A proposal as it is told."""
    told = asdict(proposal)
    change = told.pop("change")
    enactment, simulation = proposal.enactment, proposal.simulation
    return told | {
        "kind": proposal.kind,
        **{str(kind): change if kind == proposal.kind else None for kind in Kind},
        "simulation": shown_simulation(simulation) if simulation else None,
        "enactment": asdict(enactment) if enactment else None,
    }


def simulation_of(number: int) -> dict[str, Any]:
    """How far the latest simulation of a proposal is, and what it has found; Refusal when none was asked for."""
    return shown_simulation(_simulation(models.found(number)))


def _simulation(proposal: Proposal) -> Simulation:
    if proposal.simulation is None:
        raise NOT_FOUND(what="simulation of proposal", id=proposal.number)
    return proposal.simulation


def shown_simulation(one: Simulation) -> dict[str, Any]:
    """A simulation as it is told."""
    groups = [{"scheme": group.scheme, "level": group.level, **told_tally(group.tally)} for group in one.groups]
    told = {name: getattr(one, name) for name in ("number", "asked_by", "asked_at", "finished_at", "seen", "outcomes")}
    programmes = [{"programme": each.programme, **told_tally(each.tally)} for each in one.programmes]
    return told | {
        "totals": told_tally(one.tally),
        "groups": groups,
        "schemes": _by_scheme(one),
        "programmes": programmes,
    }


def _by_scheme(one: Simulation) -> list[dict[str, Any]]:
    """What changes for the holdings of each scheme, of all levels."""
    tallies: dict[str, Tally] = {}
    for group in one.groups:
        tallies[group.scheme] = tallies.get(group.scheme, Tally()) + group.tally
    return [{"scheme": scheme, **told_tally(tally)} for scheme, tally in tallies.items()]


def told_tally(tally: Tally) -> dict[str, int]:
    """A tally, and the sum of what it gives and takes."""
    return asdict(tally) | {"change_points": tally.gained_points - tally.lost_points}


def shifts_after(number: int, direction: str, after: str, limit: int) -> list[dict[str, Any]]:
    """The holdings that a proposal would change, by learner and scheme."""
    rows = models.page_of_shifts(_prefix(number), DIRECTIONS[direction], after, limit)
    return [shown_shift(row) for row in rows]


def shifts_to_save(number: int, direction: str) -> tuple[int, Iterator[Row]]:
    """How many these are, and all of them, streamed."""
    prefix = _prefix(number)
    return models.count_shifts(prefix, DIRECTIONS[direction]), models.stream_shifts(prefix, DIRECTIONS[direction])


def _prefix(number: int) -> str:
    return models.prefix_of(number, _simulation(models.found(number)).number)


def shown_shift(row: Row) -> dict[str, Any]:
    """A holding as it is, and as it would be."""
    figures = {f"{stage}_{pocket}" for stage in ("before", "enacted", "rerated") for pocket in POCKETS}
    same = {name: row[name] for name in ("learner_id", "scheme", "level")} | {"programme": row.get("programme", "")}
    return same | {f"{name}_points": row[name] for name in sorted(figures)} | {"change_points": row["change"]}

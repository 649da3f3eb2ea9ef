"""How tests propose, simulate, approve and carry out."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.creditbank.jobs import rerate_some
from services.creditbank.proposals import commands, queries
from services.creditbank.proposals.domain import Change, Rerate, State, Target, VersionDraft
from services.creditbank.recognition.domain import Policy

POLICY = Policy(code="credit-2021", title="学分银行认定办法", number="教〔2021〕7号")
FIRST, LAST = date(2020, 1, 1), date(2030, 12, 31)
AUTHOR, SECOND, THIRD = "user:lin", "user:zhao", "user:qian"


def version(level: int = 2, credit_points: int = 500, **more: Any) -> VersionDraft:
    said = {"scheme": "cloud-ops", "sessions_from": FIRST, "sessions_until": LAST, "policy": POLICY}
    return VersionDraft(level=level, credit_points=credit_points, **(said | more))


def rerate(number: int, level: int = 2, scheme: str = "cloud-ops") -> Rerate:
    return Rerate((Target(scheme, level, number),))


def simulated(change: Change, author: str = AUTHOR) -> int:
    """A proposal that has been simulated; its number."""
    proposal = commands.draft(change, author)
    commands.ask_simulation(proposal.number, author)
    simulate()
    return proposal.number


def simulate() -> None:
    while commands.simulate_some():
        pass


def agreed(change: Change) -> int:
    """A proposal that two have approved; its number."""
    number = simulated(change)
    commands.approve(number, 1, SECOND)
    assert commands.approve(number, 1, THIRD).state == State.APPROVED
    return number


def published(change: VersionDraft) -> int:
    """A version that went all the way; the version's number."""
    enactment = commands.enact(agreed(change), SECOND).enactment
    assert enactment is not None
    return enactment.version


def moved_all(number: int) -> int:
    """A rerate that was approved, run to its end; how many outcomes it moved."""
    commands.enact(number, SECOND)
    while rerate_some():
        pass
    told = queries.proposal_of(number)
    assert told["state"] == State.CARRIED_OUT
    moved: int = told["enactment"]["moved"]
    return moved


def shifts(number: int, direction: str = "any") -> dict[str, dict[str, Any]]:
    """What the simulation of a proposal found, by learner."""
    return {one["learner_id"]: one for one in queries.shifts_after(number, direction, "", 500)}


def figures(one: dict[str, Any], stage: str) -> tuple[int, int]:
    return one[f"{stage}_provisional_points"], one[f"{stage}_available_points"]

"""How the steps of a life are told: in waves by time, each in a few words, details in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from portal.pages.speech import level, points, say

Step = dict[str, Any]
Wave = dict[str, Any]

APART_SECONDS = 1.0  # a longer pause between two steps begins a new wave
KINDS = ("verdict", "state", "status", "sheet", "discrepancy", "discrepancy_is")  # kinds of words that a value may be
WORDED = ("verdict", "state", "status", "kind", "event", "what")


def told(steps: Sequence[Step], schemes: Mapping[str, str]) -> list[Wave]:
    """The steps as a reader sees them, wave by wave, each wave with the seconds since the start."""
    start = moment_of(steps[0]) if steps else None
    return [
        {
            "at": wave[0]["at"],
            "elapsed": (moment_of(wave[0]) - start).total_seconds() if start else 0.0,
            "steps": [one | {"summary": summary(one), "facts": list(facts(one, schemes))} for one in wave],
        }
        for wave in waves(steps)
    ]


def waves(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    """Steps that followed one another at once, together."""
    breaks = [
        index
        for index, (before, after) in enumerate(pairwise(steps), 1)
        if (moment_of(after) - moment_of(before)).total_seconds() >= APART_SECONDS
    ]
    for first, last in pairwise([0, *breaks, len(steps)]):
        if first < last:
            yield steps[first:last]


def moment_of(step: Step) -> datetime:
    """When a step happened."""
    return datetime.fromisoformat(step["at"])


def summary(step: Step) -> str:
    """What a step did, in a few words: the row, the points, the notice, the verdict."""
    detail = step.get("detail") or {}
    if "provisional_points" in detail and "available_points" in detail:
        return say("sum_points", points(detail["provisional_points"]), points(detail["available_points"]))
    if "row" in detail and "import" in detail:
        return say("sum_row", say(f"sheet_{detail.get('kind', '')}"), detail["import"], detail["row"])
    if step["service"] == "notify":
        return say(detail.get("event", ""))
    if "certificate_number" in detail:
        return str(detail["certificate_number"])
    return say(f"verdict_{detail['verdict']}") if "verdict" in detail else ""


def facts(step: Step, schemes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """A step's details, name and value as the reader calls them."""
    for name, value in (step.get("detail") or {}).items():
        yield say(f"fact_{name}") if said(f"fact_{name}") else name, shown(name, value, schemes)


def shown(name: str, value: Any, schemes: Mapping[str, str]) -> str:
    """A detail's value as the reader calls it."""
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return say("yes" if value else "no")
    if name == "level":
        return level(value)
    if name == "scheme":
        return schemes.get(value, str(value))
    return worded(str(value)) if name in WORDED else listed(value)


def worded(value: str) -> str:
    """The word for a value of a known kind, else the value."""
    return next((say(f"{kind}_{value}") for kind in KINDS if said(f"{kind}_{value}")), say(value))


def listed(value: Any) -> str:
    """A value of no known kind; several with commas."""
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        return ", ".join(str(one) for one in value) or "—"
    return str(value)


def said(name: str) -> bool:
    """Whether there is a word of that name."""
    return say(name) != name

"""The annex as data: organisations, schemes with their pass rules, programmes, points."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Scheme:
    """A certificate scheme with its TEO and its pass rules, the oldest first."""

    code: str
    name: str
    aliases: tuple[str, ...]
    teo: str
    levels: tuple[int, ...]
    pass_rules: tuple[dict[str, Any], ...]

    def rule_on(self, session: date) -> dict[str, Any]:
        """The pass rule in force on a session's date."""
        return [rule for rule in self.pass_rules if rule["sessions_from"] <= session.isoformat()][-1]


@dataclass(frozen=True)
class Annex:
    """What the samples draw on; which programmes train for which scheme comes from the conversion rows."""

    schemes: dict[str, Scheme]
    teo_names: dict[str, str]
    programmes: dict[str, str]
    schemes_of: dict[str, list[str]]
    credit_points: dict[tuple[str, int], int]


def read_annex(folder: Path) -> Annex:
    """Read the annex from `deploy/catalogue`."""
    conversion = listed(folder, "conversion.json")
    schemes_of: dict[str, list[str]] = {}
    for row in conversion:
        known = schemes_of.setdefault(row["programme"], [])
        known.extend([row["scheme"]] if row["scheme"] not in known else [])
    return Annex(
        schemes={item["code"]: scheme_of(item) for item in listed(folder, "schemes.json")},
        teo_names={item["code"]: item["name"] for item in listed(folder, "teos.json")},
        programmes={item["code"]: item["name"] for item in listed(folder, "programmes.json")},
        schemes_of=schemes_of,
        credit_points={
            (item["scheme"], item["level"]): item["credit_points"] for item in listed(folder, "recognition.json")
        },
    )


def scheme_of(item: dict[str, Any]) -> Scheme:
    """A scheme as the annex has it."""
    return Scheme(
        code=item["code"],
        name=item["name"],
        aliases=tuple(item["aliases"]),
        teo=item["teo"],
        levels=tuple(item["levels"]),
        pass_rules=tuple(sorted(item["pass_rules"], key=lambda rule: str(rule["sessions_from"]))),
    )


def listed(folder: Path, name: str) -> list[dict[str, Any]]:
    """A list of the annex."""
    items: list[dict[str, Any]] = json.loads((folder / name).read_text(encoding="utf-8"))
    return items

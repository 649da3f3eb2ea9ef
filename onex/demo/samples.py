"""The samples as the demo reads them: sheets, plans, classes, and what must come of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from onex.demo.trouble import Halt

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class SampleSheet:
    """A sheet: at which stage, by whose client it is uploaded where, and what must become of its rows."""

    file: str
    stage: str
    kind: str
    service: str
    client: str
    rows: int
    accepted: int
    refused: dict[int, str]


@dataclass(frozen=True)
class Samples:
    """The folders of the annex and of the samples."""

    catalogue: Path = ROOT / "deploy" / "catalogue"
    folder: Path = ROOT / "deploy" / "samples"

    def annex(self, name: str) -> list[dict[str, Any]]:
        """A list of the annex."""
        items: list[dict[str, Any]] = self._read(self.catalogue / f"{name}.json")
        return items

    def calendars(self) -> list[dict[str, Any]]:
        """The calendars, a year each."""
        return [self._read(file) for file in sorted((self.catalogue / "calendar").glob("*.json"))]

    def listed(self, name: str) -> list[dict[str, Any]]:
        """A list of the samples."""
        items: list[dict[str, Any]] = self._read(self.folder / f"{name}.json")
        return items

    @cached_property
    def expected(self) -> dict[str, Any]:
        """What must come of it all."""
        found: dict[str, Any] = self._read(self.folder / "expectation.json")
        return found

    @cached_property
    def plans(self) -> list[dict[str, Any]]:
        """The assessment plans in the order of their sessions."""
        return sorted(self.listed("plans"), key=lambda plan: (plan["session_date"], plan["plan"]))

    def sheets(self, stage: str) -> list[SampleSheet]:
        """The sheets of a stage, in their order."""
        figures = {one["file"]: one for one in self.expected["sheets"]}
        return [sheet_of(one, figures[one["file"]]) for one in self.listed("sheets") if one["stage"] == stage]

    def content(self, sheet: SampleSheet) -> bytes:
        """A sheet's bytes."""
        return (self.folder / sheet.file).read_bytes()

    def _read(self, file: Path) -> Any:
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise Halt(f"{file} is missing; `python -m onex.samples` writes the samples.") from None


def sheet_of(entry: dict[str, str], figures: dict[str, Any]) -> SampleSheet:
    """A sheet of the manifest with its figures of the expectation."""
    refused = {one["row"]: one["code"] for one in figures["refused"]}
    return SampleSheet(**entry, rows=figures["rows"], accepted=figures["accepted"], refused=refused)

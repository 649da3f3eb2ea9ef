"""All files of the samples, by name."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from onex.samples.annex import read_annex
from onex.samples.applying import held_back
from onex.samples.expectation import expectation_of
from onex.samples.sheets import Sheet
from onex.samples.story import Story, tell


def write_samples(catalogue: Path, folder: Path) -> list[str]:
    """Write every file into a folder; the names of what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    files = sample_files(tell(read_annex(catalogue)))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return list(files)


def sample_files(story: Story) -> dict[str, bytes]:
    """The files of a story: sheets, what is loaded beside them, and what must come of it."""
    return {
        **{sheet.file: sheet.content() for sheet in story.sheets},
        "sheets.json": listed([entry_of(sheet) for sheet in story.sheets]),
        "plans.json": listed([asdict(plan) for plan in story.exams.plans]),
        "classes.json": listed([asdict(item) for item in story.classes]),
        "held_back.json": listed(held_back(story.learners.applications)),
        "expectation.json": document(expectation_of(story)),
    }


def entry_of(sheet: Sheet) -> dict[str, str]:
    """What the manifest says of a sheet: at which stage who sends it where."""
    return {
        "file": sheet.file,
        "stage": sheet.stage,
        "kind": sheet.kind,
        "service": sheet.service,
        "client": sheet.client,
    }


def listed(items: list[Any]) -> bytes:
    """A list, one item a line, so that a change shows as one line."""
    return ("[\n" + ",\n".join(f"  {compact(item)}" for item in items) + "\n]\n").encode()


def document(value: dict[str, Any]) -> bytes:
    """An object, one name a line, lists of objects one item a line."""
    parts = []
    for name, part in value.items():
        is_table = isinstance(part, list)
        text = "[\n" + ",\n".join(f"    {compact(item)}" for item in part) + "\n  ]" if is_table else compact(part)
        parts.append(f'  "{name}": {text}')
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def compact(value: Any) -> str:
    """A value on one line of JSON."""
    return json.dumps(value, ensure_ascii=False, default=date_text)


def date_text(value: object) -> str:
    """A date as JSON has it."""
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not written to JSON")

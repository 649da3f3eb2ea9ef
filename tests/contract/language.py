"""The shape each announcement travels in, and how: from whom, on which topic, under which keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from chassis.bus.event import Announcement, topic_of
from contracts.language import announcements as announcements
from contracts.language import key_forms
from tests.contract.growth import Recorded

HERE = Path(__file__).parent
TRAVELS = "travels.json"
NOT_SHAPE = frozenset({"description"})  # a docstring may be mended


def schema_of(kind: type[Any]) -> dict[str, Any]:
    """The JSON Schema of an announcement's body, without its documentation."""
    shape: dict[str, Any] = _without_words(msgspec.json.schema(kind))
    return shape


def travel_of(kind: type[Announcement]) -> dict[str, Any]:
    """How an announcement travels: what a reader subscribes to and orders by."""
    return {"source": kind.source, "topic": topic_of(kind.source), "keys": list(key_forms(kind))}


def schema_file(folder: Path, name: str) -> Path:
    """Where the schema of an announcement is recorded."""
    return folder / "schemas" / f"{name}.json"


def recorded_schema(folder: Path, name: str) -> dict[str, Any]:
    """The schema of an announcement as it was recorded last."""
    schema: dict[str, Any] = json.loads(schema_file(folder, name).read_text())
    return schema


def recorded_travels(folder: Path) -> dict[str, Any]:
    """How each announcement travelled when it was recorded last: source, topic, keys."""
    file = folder / TRAVELS
    travels: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return travels


def recorded_language(folder: Path) -> Recorded:
    """The whole language as it was recorded last."""
    return {name: (recorded_schema(folder, name), travel) for name, travel in recorded_travels(folder).items()}


def language_of(kinds: Mapping[str, type[Any]]) -> Recorded:
    """The whole language as it is."""
    return {name: (schema_of(kind), travel_of(kind)) for name, kind in kinds.items()}


def _without_words(node: Any, is_names: bool = False) -> Any:
    """A schema without descriptions, as JSON has it; a *field* called `description` stays."""
    if isinstance(node, list | tuple):
        return [_without_words(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        name: _without_words(value, name in ("properties", "$defs") and not is_names)
        for name, value in node.items()
        if is_names or name not in NOT_SHAPE
    }

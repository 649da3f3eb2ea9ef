"""Every announcement the contracts know, and the shape it travels in."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

import contracts
from chassis.bus.event import Announcement

HERE = Path(__file__).parent
NOT_SHAPE = frozenset({"description"})  # a docstring may be mended


def announcements() -> dict[str, type[Announcement]]:
    """The announcements by the name they travel under; what others are built on is none itself."""
    for module in pkgutil.iter_modules(contracts.__path__, "contracts."):
        importlib.import_module(module.name)
    leaves = [kind for kind in _told(Announcement) if not list(_told(kind))]
    names = [kind.__name__ for kind in leaves]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"two announcements would travel under one name: {twice}"
    return dict(sorted(zip(names, leaves, strict=True)))


def _told(kind: type[Any]) -> Iterator[type[Any]]:
    """What the contracts derive from a type; tests derive from it as well."""
    for child in kind.__subclasses__():
        if child.__module__.startswith("contracts."):
            yield child
            yield from _told(child)


def schema_of(kind: type[Any]) -> dict[str, Any]:
    """The JSON Schema of an announcement's body, without its documentation."""
    shape: dict[str, Any] = _without_words(msgspec.json.schema(kind))
    return shape


def _without_words(node: Any, is_names: bool = False) -> Any:
    """A schema without descriptions; a *field* called `description` stays."""
    if isinstance(node, list):
        return [_without_words(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        name: _without_words(value, name in ("properties", "$defs") and not is_names)
        for name, value in node.items()
        if is_names or name not in NOT_SHAPE
    }

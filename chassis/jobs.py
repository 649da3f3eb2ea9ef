"""What time brings: a verb and its interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """A verb that one worker at a time runs every so often; it returns True when there is more to do at once."""

    name: str
    verb: Callable[[], bool | None]
    every_seconds: float

"""The one sentence that ends a command."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

TAIL_LINES = 12


class Trouble(Exception):
    """What is wrong and what to do, in one sentence; `lines` are the last words of what broke."""

    def __init__(self, sentence: str, lines: Iterable[str] = ()) -> None:
        super().__init__(sentence)
        self.lines = list(lines)


def last_lines(log: Path, count: int = TAIL_LINES) -> list[str]:
    """The end of a log, for a person to read."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 64 * 1024))
        return [line.decode(errors="replace")[:400] for line in file.read().splitlines()[-count:]]

"""The one sentence that ends a command."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

TAIL_LINES = 8
TAIL_BYTES = 64 * 1024
LONGEST_LINE = 400
COMPLAINTS = 4
COMPLAINT = re.compile(r'"s":"[EF]"|\b(ERROR|FATAL|CRITICAL)\b|Error:')  # mongod, Kafka, Python


class Trouble(Exception):
    """What is wrong and what to do, in one sentence; `lines` are the last words of what broke."""

    def __init__(self, sentence: str, lines: Iterable[str] = ()) -> None:
        super().__init__(sentence)
        self.lines = list(lines)


def last_lines(log: Path, count: int = TAIL_LINES) -> list[str]:
    """The end of a log, for a person to read, after the complaints that came shortly before it."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        lines = [line.decode(errors="replace")[:LONGEST_LINE] for line in file.read().splitlines()]
    complaints = [line for line in lines[:-count] if COMPLAINT.search(line)]
    return complaints[-COMPLAINTS:] + lines[-count:]

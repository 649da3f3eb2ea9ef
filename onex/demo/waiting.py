"""Wait for what events bring, as long as it moves."""

from __future__ import annotations

import time
from collections.abc import Callable

from onex.demo.screen import Bar
from onex.demo.trouble import Halt

POLL_SECONDS = 0.3
STANDSTILL_SECONDS = 90.0
HOPELESS_SECONDS = 15.0

Progress = tuple[int, int]  # how many are there, how many there must be


def wait_for(bar: Bar, what: str, read: Callable[[], Progress], standstill_seconds: float = STANDSTILL_SECONDS) -> None:
    """Wait until as many are there as must be; Halt when nothing moved for too long."""
    if not reached(bar, what, read, standstill_seconds):
        done, total = read()
        raise Halt(f"{bar.title} stands still: {what}: {done} of {total}, unmoved for {standstill_seconds:.0f} s.")


def reached(bar: Bar, what: str, read: Callable[[], Progress], standstill_seconds: float = STANDSTILL_SECONDS) -> bool:
    """Wait until as many are there as must be; False when nothing moved for too long."""
    moved_at, before = time.monotonic(), (-1, -1)
    while True:
        now = read()
        bar.at(*now, what)
        if now[0] == now[1]:
            return True
        moved_at, before = (time.monotonic(), now) if now != before else (moved_at, before)
        if time.monotonic() - moved_at > standstill_seconds:
            return False
        time.sleep(POLL_SECONDS)

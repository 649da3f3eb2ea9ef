"""Waiting for a condition: the one way tests have, with a limit and with words for what did not come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS, LOOK_SECONDS = 30.0, 0.02
Words = str | Callable[[], str]


def until(
    is_so: Callable[[], Any],
    what: Words = "what a test waited for",
    seconds: float = PATIENCE_SECONDS,
    every_seconds: float = LOOK_SECONDS,
) -> None:
    """Look again and again until it is so; AssertionError that says what did not come in time."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what if isinstance(what, str) else what()}"
        pause.wait(every_seconds)

"""Python reads this at its start in a process whose PYTHONPATH names this folder: the process's clock then stands as
far from the machine's as a file says, in seconds, and steps whenever the file changes. Its monotonic clock does not."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine

LOOK_SECONDS = 0.5


def follow(file: Path) -> None:
    """Have this process's clock step to what the file says, for ever."""
    pause, stands, traveller = threading.Event(), 0.0, None
    while not pause.wait(LOOK_SECONDS):
        wanted = float(file.read_text() or 0) if file.exists() else 0.0
        if wanted == stands:
            continue
        if traveller is not None:
            traveller.stop()
        traveller = time_machine.travel(datetime.now(UTC) + timedelta(seconds=wanted), tick=True)
        traveller.start()
        stands = wanted


if folder := os.environ.get("CLOCK_STEPS"):
    named = Path(folder) / os.environ["WORKER_PORT"]
    threading.Thread(target=follow, args=(named,), name="clock steps", daemon=True).start()

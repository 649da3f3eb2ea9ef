"""Run a worker with every thread of it profiled: `python -m bench.profiled FOLDER MODULE`; one file for each thread."""

from __future__ import annotations

import cProfile
import runpy
import sys
import threading
from pathlib import Path
from typing import Any


def main() -> None:
    """Profile a module as a program, its main thread and those it starts."""
    folder, module = Path(sys.argv[1]), sys.argv[2]
    folder.mkdir(parents=True, exist_ok=True)
    original = threading.Thread.run

    def run(thread: threading.Thread, *arguments: Any) -> None:
        with Kept(folder / f"{module}.{thread.name.replace('/', '_')[:40]}.prof"):
            original(thread, *arguments)

    threading.Thread.run = run  # type: ignore[method-assign]
    sys.argv = [module]
    with Kept(folder / f"{module}.consumer.prof"):
        runpy.run_module(module, run_name="__main__", alter_sys=True)


class Kept:
    """Profile a block of this thread and write what was found into a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.profile = cProfile.Profile()

    def __enter__(self) -> None:
        self.profile.enable()

    def __exit__(self, *_: object) -> None:
        self.profile.disable()
        self.profile.dump_stats(self.file)


if __name__ == "__main__":
    main()

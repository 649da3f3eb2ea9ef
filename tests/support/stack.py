"""The whole stack for tests, started as a person would, in a folder that goes with it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from onex.stack.addresses import CONTROLLER_PORT, Running
from onex.stack.home import Home
from onex.stack.supervisor import Supervisor

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 900
STEP, SHARERS = 500, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
PORTS = {int(one) for one in re.findall(r"_PORT:-(\d+)", (ROOT / "docker-compose.yml").read_text())} | {CONTROLLER_PORT}


@dataclass(frozen=True)
class Stack:
    """A running stack."""

    home: Path

    @property
    def running(self) -> Running:
        return Running.of(Home(self.home))

    def pids(self) -> dict[str, int]:
        """The pid of each process that runs."""
        infos = Supervisor(Home(self.home)).processes()
        return {name: info["pid"] for name, info in infos.items() if info.get("pid")}

    def onex(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command as a person would, in this stack's home."""
        return onex(self.home, *arguments)


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "ONEX_HOME": str(home), "DEMO": "1", "COLUMNS": "200"}


def onex(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would, with a home of its own."""
    return subprocess.run(
        [sys.executable, "-m", "onex", *arguments],
        cwd=ROOT,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


@contextmanager
def running_stack(home: Path, *arguments: str) -> Iterator[Stack]:
    """A stack with nothing in it, on free ports, with more arguments of `onex up`; gone afterwards."""
    started = onex(home, "up", "--port-offset", str(free_offset()), *arguments)
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        yield Stack(home)
    finally:
        ended = onex(home, "down", "--wipe")
        assert ended.returncode == 0, ended.stdout + ended.stderr


def free_offset() -> int:
    """By how much to move all ports so that they are free; processes that share the tests look at different ones."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % SHARERS
    offsets = range(2100 + number * STEP, 30000, SHARERS * STEP)
    return next(offset for offset in offsets if all(is_free(port + offset) for port in PORTS))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0

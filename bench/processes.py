"""Processes of a benchmark: started, ready, timed, their processor time read from /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient

ROOT = Path(__file__).parents[1]
READY_SECONDS = 60.0
DONE_SECONDS = 900.0
PAUSE_SECONDS = 0.02
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Stage:
    """A process of a pipeline."""

    name: str
    process: subprocess.Popen[str]

    def line(self) -> str:
        """The next line it prints; SystemExit when it ended instead."""
        assert self.process.stdout is not None
        if not (line := self.process.stdout.readline()):
            raise SystemExit(f"The process {self.name} ended with {self.process.wait()}; see its log.")
        return line.strip()

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Bench:
    """Where a run happens: its engines' addresses and pids, its logs, and every process it started."""

    folder: Path
    mongo: str
    kafka: str
    engines: Mapping[str, int]
    stages: list[Stage] = field(default_factory=list)

    def start(self, name: str, *command: str, environment: Mapping[str, str] | None = None) -> Stage:
        """Start a Python module as a process; its errors go to a log of its own."""
        log = (self.folder / f"{name}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT, env={**os.environ, **(environment or {})}, text=True, stderr=log,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        log.close()
        stage = Stage(name, process)
        self.stages.append(stage)
        return stage

    def started(self, name: str, *command: str, environment: Mapping[str, str] | None = None) -> Stage:
        """Start one that says when it is ready, and wait for that."""
        stage = self.start(name, *command, environment=environment)
        if stage.line() != "ready":
            raise SystemExit(f"{name} did not say that it is ready.")
        return stage

    def none_has_failed(self) -> bool:
        """True; SystemExit when a process has ended with an error. It is not reaped: its figures are to be read."""
        for stage in self.stages:
            ended = os.waitid(os.P_PID, stage.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended and ended.si_status:
                raise SystemExit(f"The process {stage.name} ended with {ended.si_status}; see its log.")
        return True

    def stop(self) -> None:
        """End every process that is still running."""
        for stage in self.stages:
            stage.stop()
        self.stages.clear()


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition; SystemExit when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"It took more than {seconds:.0f} seconds until {what}.")
        time.sleep(PAUSE_SECONDS)


def is_ready(port: int) -> bool:
    """Whether a worker says that it is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def processor_seconds(pid: int) -> float:
    """User and system time of a process and its children, ended ones too as long as nobody asked for their end."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / TICKS
    alive = psutil.Process(pid)
    children = alive.children(recursive=True) if alive.status() != psutil.STATUS_ZOMBIE else []
    return own + sum(sum(child.cpu_times()[:2]) for child in children)


def most_memory_mb() -> float:
    """The most memory this process ever had in megabytes, without what its parent had."""
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) * 1_024 / 1_000_000


def documents_written(bench: Bench) -> int:
    """How many documents the bench's MongoDB has inserted, changed or deleted since it started."""
    with MongoClient[dict[str, Any]](bench.mongo) as client:
        counted = client.admin.command("serverStatus")["metrics"]["document"]
    return int(counted["inserted"] + counted["updated"] + counted["deleted"])


def measured(bench: Bench, submitter: Stage, results: int, done: Callable[[], bool]) -> dict[str, object]:
    """Have results submitted and wait until the last is done: seconds, rate, and processor time by process."""
    written = documents_written(bench)
    watched = {stage.name: stage.process.pid for stage in bench.stages} | dict(bench.engines)
    before = {name: processor_seconds(pid) for name, pid in watched.items()}
    submitter.go()
    until(lambda: bench.none_has_failed() and done(), DONE_SECONDS, f"{results} results of {submitter.name} were done")
    ended = time.time()
    written = documents_written(bench) - written
    used = {name: processor_seconds(pid) - before[name] for name, pid in watched.items()}
    _, began, recorded = submitter.line().split()
    bench.stages.remove(submitter)
    submitter.stop()
    seconds = ended - float(began)
    return {
        "results": results,
        "seconds": seconds,
        "per_second": results / seconds,
        "submitted_per_second": results / (float(recorded) - float(began)),
        "began": float(began),
        "documents": written / results,
        "processor_us": {name: 1e6 * used[name] / results for name in watched},
    }

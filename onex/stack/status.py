"""How a stack is now: its processes, their health, and the memory that is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from onex.stack import addresses, compose, secrets
from onex.stack.addresses import Running
from onex.stack.home import Home
from onex.stack.programs import Program, programs, without_given
from onex.stack.supervisor import Supervisor

MB = 1_000_000


@dataclass(frozen=True)
class Process:
    """One program of the stack, with its children."""

    name: str
    group: str
    pid: int | None
    state: str
    port: int | None
    health: str
    memory_mb: float

    @property
    def is_well(self) -> bool:
        return self.health in ("well", "done")


@dataclass(frozen=True)
class Status:
    """The whole stack; memory is PSS: what each process alone would free."""

    processes: list[Process]
    supervisor_mb: float

    @property
    def engines_mb(self) -> float:
        return sum(process.memory_mb for process in self.processes if process.group == "engines")

    @property
    def all_mb(self) -> float:
        return self.supervisor_mb + sum(process.memory_mb for process in self.processes)

    @property
    def is_well(self) -> bool:
        return bool(self.processes) and all(process.is_well for process in self.processes)

    def as_json(self) -> dict[str, Any]:
        """For programs that read it."""
        return {
            "is_well": self.is_well,
            "processes": [asdict(process) for process in self.processes],
            "memory_mb": {
                "engines": round(self.engines_mb, 1),
                "supervisor": round(self.supervisor_mb, 1),
                "all": round(self.all_mb, 1),
            },
        }


def status(home: Home, file: Path = addresses.COMPOSE) -> Status:
    """Look at every process of the stack that was last started from this home."""
    running = Running.of(home)
    stack = compose.read(file, running.variables | secrets.kept(home))
    supervisor = Supervisor(home)
    infos = supervisor.processes()
    made = programs(without_given(stack, running.own_engines), running.variables)
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda program: _seen(program, infos.get(program.name, {})), made))
    return Status(seen, _memory_mb(supervisor.pid(), with_children=False))


def _seen(program: Program, info: Mapping[str, Any]) -> Process:
    state = str(info.get("statename", "STOPPED")).lower()
    pid = info.get("pid") or None
    ports = program.service.ports
    return Process(
        name=program.name,
        group=program.group,
        pid=pid,
        state=state,
        port=ports[0].number if ports else None,
        health=_health(program, state, info),
        memory_mb=_memory_mb(pid, with_children=True),
    )


def _health(program: Program, state: str, info: Mapping[str, Any]) -> str:
    if program.once and state == "exited":
        return "done" if info.get("exitstatus") == 0 else "failed"
    if state not in ("running", "starting"):
        return "down"
    return "well" if program.is_well() else "unwell"


def _memory_mb(pid: int | None, with_children: bool) -> float:
    """PSS of a process, with its children's; 0 where it is gone or the system does not tell."""
    if pid is None:
        return 0.0
    try:
        root = psutil.Process(pid)
        family = [root, *(root.children(recursive=True) if with_children else [])]
        return sum(_pss(process) for process in family) / MB
    except psutil.Error:
        return 0.0


def _pss(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        memory = process.memory_full_info()
        return int(getattr(memory, "pss", memory.rss))
    return 0

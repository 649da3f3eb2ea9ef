"""Bring a stack up, each service after what it waits for; or leave nothing behind."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

from onex.stack import addresses, compose, secrets
from onex.stack.addresses import Running
from onex.stack.checks import must_be_free, must_be_startable
from onex.stack.compose import STARTED, Stack
from onex.stack.home import Home
from onex.stack.programs import Program, commands, configuration, programs, without_given
from onex.stack.supervisor import Supervisor, kill, only_one, processes_of
from onex.stack.trouble import Trouble, last_lines

Tell = Callable[[str], None]
Info = Mapping[str, Any]
PAUSE_SECONDS = 0.1
SLOWER_THAN_SAID = 3.0  # a first start compiles everything; a machine of two cores is not a container's host
BROKEN = ("BACKOFF", "FATAL", "EXITED", "STOPPED", "UNKNOWN")
FAULTS_OF_DISK = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def full_disk_named(home: Home) -> Iterator[None]:
    """Say what to do when the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in FAULTS_OF_DISK:
            raise
        raise Trouble(f"The disk that holds {home.folder} is full: make room and start again.") from error


def up(home: Home, given: Mapping[str, str], offset: int, tell: Tell, file: Path = addresses.COMPOSE) -> Running:
    """Start what does not run yet and wait until all is well; `Trouble`, with nothing left running, when it is not."""
    with full_disk_named(home), only_one(home):
        known = addresses.variables(home, given, compose.port_defaults(file), offset)
        return _up(home, given, known, tell, file)


def engines_alone(home: Home, given: Mapping[str, str], tell: Tell, file: Path = addresses.COMPOSE) -> None:
    """Have the engines run and nothing that speaks to them; `up` starts the rest again."""
    with full_disk_named(home), only_one(home):
        known = addresses.variables(home, given, compose.port_defaults(file))
        supervisor, made, _ = _supervised(home, given, known, tell, file)
        supervisor.stop_groups_but("engines")
        _start_all(supervisor, [program for program in made if program.group == "engines"], tell)


def _up(home: Home, given: Mapping[str, str], known: dict[str, str], tell: Tell, file: Path) -> Running:
    if (cut_off := home / "restoring").exists():
        raise Trouble(
            f"A restore was cut off and the databases are half loaded: say onex restore {cut_off.read_text().strip()}"
        )
    supervisor, made, running = _supervised(home, given, known, tell, file)
    _start_all(supervisor, made, tell)
    return running


def _supervised(
    home: Home, given: Mapping[str, str], known: dict[str, str], tell: Tell, file: Path
) -> tuple[Supervisor, list[Program], Running]:
    """A supervisor that runs with this configuration, its programs as they were."""
    stack = without_given(compose.read(file, known | secrets.kept(home)), given)
    for name, profile in stack.left.items():
        tell(f"{name} is left to Docker (profile {profile})")
    supervisor = Supervisor(home)
    if supervisor.is_running():
        must_be_free(_without(stack, supervisor.processes()), known)
    else:
        sweep(home, tell)
        must_be_startable(stack, home, given, known)
    made = programs(stack, known)
    running = Running(home, known, {name: given[name] for name in addresses.ENGINES.values() if given.get(name)})
    _supervise(supervisor, configuration(made, commands(made, home, known, tell), home), running)
    return supervisor, made, running


def _without(stack: Stack, running: Collection[str]) -> Stack:
    return Stack({name: one for name, one in stack.services.items() if name not in running}, stack.left)


def _supervise(supervisor: Supervisor, text: str, running: Running) -> None:
    """Have the supervisor run with exactly this configuration; of one that runs, replicas alone may change."""
    home = supervisor.home
    if supervisor.is_running():
        if not supervisor.change(text):
            raise Trouble(f"The stack in {home.folder} already runs, with other settings. Run: onex down")
        running.remember()
        return
    shutil.rmtree(home / "metrics", ignore_errors=True)
    running.remember()
    try:
        supervisor.start(text)
    except BaseException:
        supervisor.stop()
        raise


@dataclass
class Start:
    """How far a start is."""

    waiting: list[Program]
    began: float
    coming: dict[str, float] = field(default_factory=dict)
    well: set[str] = field(default_factory=set)


def sweep(home: Home, tell: Tell) -> None:
    """End what an earlier supervisor left when it was killed."""
    if left := processes_of(home):
        tell(f"Ending {len(left)} processes that an earlier stack left behind")
        kill(left)


def _start_all(supervisor: Supervisor, made: list[Program], tell: Tell) -> None:
    try:
        with ThreadPoolExecutor(4) as pool:
            _watch(supervisor, made, tell, pool)
    except BaseException:
        tell("Stopping what was started")
        supervisor.stop()
        raise


def _watch(supervisor: Supervisor, made: list[Program], tell: Tell, pool: ThreadPoolExecutor) -> None:
    """Start each program once what it depends on is well, until all are."""
    start = Start(list(made), time.monotonic())
    by_name = {program.name: program for program in made}
    while len(start.well) < len(made):
        _start_next(supervisor, start, supervisor.processes())
        processes = supervisor.processes()  # one that was stopped before has started now
        coming = [by_name[name] for name in start.coming if name not in start.well]
        for program, is_well in zip(coming, pool.map(_is_well, coming, repeat(processes)), strict=True):
            _note(program, is_well, start, processes.get(program.name, {}), tell, supervisor.home)
        time.sleep(PAUSE_SECONDS)


def _note(program: Program, is_well: bool, start: Start, info: Info, tell: Tell, home: Home) -> None:
    """Count a program as well, or make sure that it still may become so."""
    if not is_well:
        _must_still_come(program, start.coming[program.name], info, home)
        return
    start.well.add(program.name)
    tell(f"{program.name} {'is done' if program.once else 'is well'} ({time.monotonic() - start.began:.1f} s)")


def _start_next(supervisor: Supervisor, start: Start, processes: Mapping[str, Info]) -> None:
    for program in [one for one in start.waiting if _may_start(one, start)]:
        start.waiting.remove(program)
        start.coming[program.name] = time.monotonic()
        if processes.get(program.name, {}).get("statename") not in ("RUNNING", "STARTING"):
            supervisor.start_program(program.full_name)


def _may_start(program: Program, start: Start) -> bool:
    return all(
        other in (start.coming if condition == STARTED else start.well)
        for other, condition in program.service.depends_on.items()
    )


def _is_well(program: Program, processes: Mapping[str, Info]) -> bool:
    info = processes.get(program.name, {})
    if program.once:
        return info.get("statename") == "EXITED" and info.get("exitstatus") == 0
    return info.get("statename") in ("RUNNING", "STARTING") and program.is_well()


def _must_still_come(program: Program, since: float, info: Info, home: Home) -> None:
    """`Trouble` when a program ended, or takes longer than it may."""
    log = home.logs / f"{program.name}.log"
    waited = time.monotonic() - since
    if info.get("statename") in BROKEN and info.get("start", 0) and waited > 2 * PAUSE_SECONDS:
        raise Trouble(f"{program.name} does not start ({log}); its last words:", last_lines(log))
    if waited > program.start_seconds * SLOWER_THAN_SAID:
        raise Trouble(f"{program.name} is not well after {waited:.0f} s ({log}); its last words:", last_lines(log))


def down(home: Home, tell: Tell) -> bool:
    """Stop the stack of a home; False when nothing ran."""
    with only_one(home):
        if not processes_of(home):
            return False
        tell("Stopping the stack")
        Supervisor(home).stop()
        return True


KEPT_IN_HOME = (
    *("mongo", "kafka", "mail", "roots", "metrics", "logs", "clock", "secrets.env", "stack.json", "supervisor.conf"),
    *("stack.id", "restoring"),
)


def wipe(home: Home) -> None:
    """Delete the state of a stopped stack: its databases, topics, mail, logs and secrets; the fetched engines stay."""
    for name in KEPT_IN_HOME:
        found = home / name
        if found.is_dir():
            shutil.rmtree(found)
        else:
            found.unlink(missing_ok=True)

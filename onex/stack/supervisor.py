"""The supervisor of a stack: start it, speak to it, and make sure that nothing stays when it goes."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport

from onex.stack.home import ROOT, Home
from onex.stack.programs import MARK, socket_of, surroundings
from onex.stack.trouble import Trouble, last_lines

START_SECONDS = 10.0
STOP_SECONDS = 60.0
KILL_SECONDS = 5.0
PAUSE_SECONDS = 0.05
UNREACHABLE = (OSError, xmlrpc.client.Error)


@contextmanager
def only_one(home: Home, lock: str = "lock", doing: str = "starting or stopping") -> Iterator[None]:
    """Let no second command do the same to the same stack meanwhile."""
    with (home.made() / lock).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Trouble(f"Another onex command is {doing} the stack in {home.folder}.") from None
        yield


class Supervisor:
    """The supervisor of one home, whether it runs or not."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def _ask(self, verb: str, *arguments: Any) -> Any:
        """One question over a connection of its own: a broken one would not heal."""
        transport = SupervisorTransport(serverurl=f"unix://{socket_of(self.home)}")
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as server:
            return getattr(server.supervisor, verb)(*arguments)

    def is_running(self) -> bool:
        try:
            return bool(self._ask("getState")["statename"] == "RUNNING")
        except UNREACHABLE:
            return False

    def pid(self) -> int | None:
        try:
            return int(self._ask("getPID"))
        except UNREACHABLE:
            return None

    def processes(self) -> dict[str, dict[str, Any]]:
        """Each program's state by its name; empty when no supervisor runs."""
        try:
            return {info["name"]: info for info in self._ask("getAllProcessInfo")}
        except UNREACHABLE:
            return {}

    def start(self, configuration: str) -> None:
        """Start the supervisor; it starts no program by itself."""
        self._write(configuration)
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._file)]
        done = subprocess.run(
            command,
            env=surroundings() | {MARK: str(self.home.folder)},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not _within(START_SECONDS, self.is_running):
            log = self.home.logs / "supervisor.log"
            raise Trouble("The supervisor does not start; its last words:", done.stderr.splitlines() or last_lines(log))

    def change(self, configuration: str) -> bool:
        """Have groups come, not started yet, and go; False, and nothing done, when one that stays would change."""
        before = self._file.read_text()
        self._write(configuration)
        [[added, changed, removed]] = self._ask("reloadConfig")
        if changed:
            self._write(before)
            self._ask("reloadConfig")
            return False
        for group in removed:
            self._ask("stopProcessGroup", group)
            self._ask("removeProcessGroup", group)
        for group in added:
            self._ask("addProcessGroup", group)
        return True

    @property
    def _file(self) -> Path:
        return self.home / "supervisor.conf"

    def _write(self, configuration: str) -> None:
        with os.fdopen(os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(configuration)

    def start_program(self, full_name: str) -> None:
        """Start one program and come back at once."""
        try:
            self._ask("startProcess", full_name, False)
        except xmlrpc.client.Fault as fault:
            raise Trouble(f"{full_name} cannot be started: {fault.faultString}.") from fault

    def stop_groups_but(self, kept: str) -> None:
        """Stop the programs of every group but one."""
        for group in sorted({info["group"] for info in self.processes().values()} - {kept}):
            self._ask("stopProcessGroup", group)

    def stop(self) -> None:
        """Stop every program, engines last, and the supervisor; whatever does not listen is killed."""
        left = processes_of(self.home)
        with suppress(*UNREACHABLE):
            self._ask("shutdown")
            _within(STOP_SECONDS, lambda: all(_is_gone(process) for process in left))
        kill(processes_of(self.home))
        socket_of(self.home).unlink(missing_ok=True)


def processes_of(home: Home) -> list[psutil.Process]:
    """Every process that carries this stack's mark: also those whose supervisor is gone."""
    return [process for process in psutil.process_iter() if _mark_of(process) == str(home.folder)]


def _mark_of(process: psutil.Process) -> str:
    try:
        return process.environ().get(MARK, "") if process.pid != os.getpid() else ""
    except (psutil.Error, OSError):
        return ""


def kill(processes: list[psutil.Process]) -> None:
    """End processes: asked first, then made to."""
    if not _ended(processes, psutil.Process.terminate):
        _ended(processes, psutil.Process.kill)


def _ended(processes: list[psutil.Process], deed: Callable[[psutil.Process], None]) -> bool:
    for process in processes:
        with suppress(psutil.Error):
            deed(process)
    return _within(KILL_SECONDS, lambda: all(_is_gone(process) for process in processes))


def _is_gone(process: psutil.Process) -> bool:
    """Whether it has ended, be it that nobody has fetched its exit code yet."""
    try:
        return not process.is_running() or bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _within(seconds: float, happens: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_SECONDS)
    return True

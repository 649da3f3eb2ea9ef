"""The services of the compose file as programs of supervisor."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from onex.stack import replica
from onex.stack.addresses import ENGINES
from onex.stack.compose import Health, Service, Stack
from onex.stack.engines import kafka_answers, kafka_command, mongod_command
from onex.stack.home import ROOT, Home
from onex.stack.probe import is_well
from onex.stack.trouble import Trouble

PROBE = ["python", "-m", "onex.stack.probe"]
PROBE_SECONDS = 1.0
START_SECONDS = 60.0
STOP_SECONDS = 15
INHERITED = ("HOME", "TMPDIR", "TZ", "LD_LIBRARY_PATH")
LONGEST_SOCKET = 96  # a socket's path has room for 107 characters; supervisor adds a few while it starts
MARK = "ONEX_STACK"  # tells a process of this stack from any other, whoever its parent is by now
WRONG_IN_VALUES = re.compile(r'["\n\\]')

Commands = dict[str, list[str]]


@dataclass(frozen=True)
class Program:
    """One process to keep running, and how to know that it is well."""

    service: Service
    is_well: Callable[[], bool]
    once: bool

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def start_seconds(self) -> float:
        """How long it may take to become well."""
        return self.service.health.start_seconds if self.service.health else START_SECONDS

    @property
    def group(self) -> str:
        """A further replica is its own group: it comes and goes while the others run."""
        if self.service.replica > 1:
            return self.name
        return "engines" if self.name in ENGINES else "services"

    @property
    def full_name(self) -> str:
        return f"{self.group}:{self.name}"


def without_given(stack: Stack, given: Mapping[str, str]) -> Stack:
    """The stack without the engines one has of one's own: nobody waits for them any more."""
    own = {name for name, variable in ENGINES.items() if given.get(variable)}
    kept = {
        name: replace(one, depends_on={other: how for other, how in one.depends_on.items() if other not in own})
        for name, one in stack.services.items()
        if name not in own
    }
    return Stack(kept, stack.left)


def programs(stack: Stack, known: Mapping[str, str]) -> list[Program]:
    """A program for each service, in the order of their dependencies."""
    return [
        Program(service, _question(service, known), stack.runs_once(service.name))
        for service in stack.services.values()
    ]


def commands(made: list[Program], home: Home, known: Mapping[str, str], tell: Callable[[str], None]) -> Commands:
    """How each program is run, engines from their wheels; their folders are made ready."""
    found = {one.name: _engine_command(one.name, home, known, tell) or one.service.command for one in made}
    if lacking := [name for name, command in found.items() if not command]:
        raise Trouble(f"docker-compose.yml: {lacking[0]} has no command, and onex has no engine for it.")
    return found


def _engine_command(name: str, home: Home, known: Mapping[str, str], tell: Callable[[str], None]) -> list[str]:
    if name == "mongo":
        return mongod_command(home / "mongo", int(known["MONGO_PORT"]))
    if name == "kafka":
        controller = int(known["KAFKA_CONTROLLER_PORT"])
        return kafka_command(home / "kafka", int(known["KAFKA_PORT"]), controller, tell)
    return []


def _question(service: Service, known: Mapping[str, str]) -> Callable[[], bool]:
    """How to ask a service whether it is well; our own probe needs no process of its own."""
    if service.name == "mongo":
        return lambda: replica.make_primary(int(known["MONGO_PORT"]), PROBE_SECONDS / 2)
    if service.name == "kafka":
        return lambda: kafka_answers(int(known["KAFKA_PORT"]))
    if service.health is None:
        return lambda: True
    return _asked(service.health, service.environment)


def _asked(health: Health, environment: Mapping[str, str]) -> Callable[[], bool]:
    if health.test[: len(PROBE)] == PROBE:
        return lambda: is_well(health.test[-1], PROBE_SECONDS)
    return lambda: _test_passes(health, environment)


def _test_passes(health: Health, environment: Mapping[str, str]) -> bool:
    """Run a health check that is not our own probe, among the service's own variables."""
    try:
        done = subprocess.run(
            health.test,
            capture_output=True,
            env=surroundings() | dict(environment),
            cwd=ROOT,
            timeout=health.timeout_seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def surroundings() -> dict[str, str]:
    """What every process gets besides its own environment: a container would not get more either."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    passed = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**passed, "PATH": path, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


def configuration(made: list[Program], run: Commands, home: Home) -> str:
    """The configuration of the supervisor that runs these programs."""
    engines = [program.name for program in made if program.group == "engines"]
    services = [program.name for program in made if program.group == "services"]
    groups = [_group("engines", 1, engines), _group("services", 2, services)]
    return "\n".join([_daemon(home), *groups, *(_section(program, run[program.name], home) for program in made)])


def _daemon(home: Home) -> str:
    return f"""\
[supervisord]
silent=true
directory={_escaped(str(ROOT))}
logfile={_escaped(str(home.logs / "supervisor.log"))}
logfile_maxbytes=5MB
logfile_backups=1
pidfile={_escaped(str(home / "supervisor.pid"))}
[unix_http_server]
file={_escaped(str(socket_of(home)))}
chmod=0700
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""


def _group(name: str, priority: int, members: list[str]) -> str:
    """Groups stop from the highest priority down, all their members at once: engines go last."""
    return f"[group:{name}]\npriority={priority}\nprograms={','.join(members)}\n" if members else ""


def _section(program: Program, command: list[str], home: Home) -> str:
    marked = {**program.service.environment, MARK: str(home.folder)}
    pairs = ",".join(f'{name}="{_value(name, value)}"' for name, value in marked.items())
    return f"""\
[program:{program.name}]
command={_escaped(shlex.join(command))}
environment={pairs}
autostart=false
autorestart={"false" if program.once else "true"}
startsecs={0 if program.once else 1}
startretries=60
stopsignal=TERM
stopwaitsecs={STOP_SECONDS}
killasgroup=true
redirect_stderr=true
stdout_logfile={_escaped(str(home.logs / program.name))}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
"""


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _value(name: str, value: str) -> str:
    if WRONG_IN_VALUES.search(value):
        raise Trouble(f"{name} has a quotation mark, a backslash or a line break in its value; leave it out.")
    return _escaped(value)


def socket_of(home: Home) -> Path:
    """Where supervisor listens: in the home, unless its path is too long for a socket."""
    inside = home / "supervisor.sock"
    if len(str(inside)) <= LONGEST_SOCKET:
        return inside
    digest = hashlib.sha256(str(home.folder).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"onex-{os.getuid()}-{digest}.sock"

"""A stack made to be broken: each process behind gates of its own, and a hand on all of its processes."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import xmlrpc.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import psutil
import yaml
from kafka.errors import KafkaError
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from rich.console import Console
from supervisor.xmlrpc import SupervisorTransport

from onex.dead_letters import Workbench
from onex.demo.trouble import Halt
from onex.stack import addresses, compose, engines, programs, secrets
from onex.stack import up as stack
from onex.stack.addresses import Running
from onex.stack.home import ROOT, Home
from onex.stack.ports import LOOPBACK
from onex.stack.programs import Program, socket_of
from onex.stack.supervisor import Supervisor
from onex.stack.trouble import Trouble
from tests.faults import records
from tests.faults.proxy import Gate, Network
from tests.support.stack import LIMIT_SECONDS, environment, free_offset

SERVICES = addresses.SERVICES
ENGINES = ("mongo", "kafka")
STEPPING = Path(__file__).with_name("stepping")
PAUSE_SECONDS = 0.3
FRESH_SECONDS = 0.25  # how old a look at all processes may be
PATIENCE_SECONDS = 240.0
HELD_SECONDS = 900.0
ANSWER_SECONDS = 5.0
OUTSIDE = (PyMongoError, KafkaError, OSError, xmlrpc.client.Error, Halt)
GIVEN_UP = "made to be broken"
LISTENERS_FROM = 350  # above Kafka's own port: at no distance of whole offsets from what another stack listens on
TWO_WORKERS = "creditbank"
Tell = Callable[[str], None]
Documents = MongoClient[dict[str, Any]]
Result = TypeVar("Result")


class Arena:
    """The stack, its gates by `process/engine`, and who works on which part of it at the moment."""

    def __init__(self, running: Running, network: Network, gates: Mapping[str, Gate], tell: Tell) -> None:
        self.running, self.network, self.gates, self.tell = running, network, gates, tell
        self.home = home = running.home
        described = compose.read(addresses.COMPOSE, running.variables | secrets.kept(home))
        self.programs = {one.name: one for one in programs.programs(described, running.variables)}
        self.supervisor = Supervisor(home)
        self.mongo = running.variables["MONGO"]
        self.kafka = running.variables["KAFKA"]
        self.client: Documents = MongoClient(self.mongo, tz_aware=True, serverSelectionTimeoutMS=5_000)
        self.patience_seconds = PATIENCE_SECONDS
        self.flow = threading.RLock()  # who has it has the flow stand still
        self.submit_again: Callable[[], None] = lambda: None  # what outside parties do when a service was set back
        self.was_set_back: set[str] = set()  # services whose databases forgot something
        self.poisons: set[str] = set()  # the dead letters that were meant
        self.garbage: set[bytes] = set()  # what records that are no event hold, wherever they came to stand
        self.strange_letters: dict[str, str] = {}  # and those that were not, with the reason
        self._letters = threading.Lock()
        self._look = threading.Lock()
        self._infos: dict[str, dict[str, Any]] = {}
        self._looked_at = 0.0
        self._held: set[str] = set()
        self._free = threading.Condition()

    # --- who works on what ----------------------------------------------------------------------------------------
    def try_hold(self, names: set[str]) -> bool:
        """Take these parts for oneself, if nobody has any of them."""
        with self._free:
            if names & self._held:
                return False
            self._held |= names
            return True

    def let_go(self, names: set[str]) -> None:
        """Leave these parts to others again."""
        with self._free:
            self._held -= names
            self._free.notify_all()

    def hold(self, names: set[str]) -> None:
        """Take these parts for oneself, as soon as nobody has them."""
        with self._free:
            if not self._free.wait_for(lambda: not names & self._held, HELD_SECONDS):
                raise AssertionError(f"{', '.join(sorted(names & self._held))} stay in other hands")
            self._held |= names

    @contextmanager
    def holding(self, *names: str) -> Iterator[None]:
        """These parts for oneself, until the block ends."""
        wanted = set(names)
        self.hold(wanted)
        try:
            yield
        finally:
            self.let_go(wanted)

    # --- processes ------------------------------------------------------------------------------------------------
    @property
    def workers(self) -> list[str]:
        """The names of all workers."""
        return [name for name in self.programs if "-worker" in name]

    @property
    def applications(self) -> list[str]:
        """The names of all applications."""
        return ["portal", *SERVICES]

    def processes_of(self, service: str) -> list[str]:
        """A service's processes."""
        return [name for name in self.programs if name == service or name.startswith(f"{service}-worker")]

    def pid(self, name: str) -> int:
        """The pid of a process that runs now; 0 when it does not."""
        info = self.supervisor.processes().get(name, {})
        return int(info.get("pid") or 0) if info.get("statename") in ("RUNNING", "STARTING") else 0

    def some_pid(self, name: str) -> int:
        """The pid of a process, as soon as it runs."""
        self.until(lambda: self.pid(name), f"{name} does not run")
        return self.pid(name)

    def kill(self, name: str) -> int:
        """SIGKILL a process and what it started, as soon as it runs; its pid."""
        family: list[psutil.Process] = []
        while not family:
            family = _family(self.some_pid(name))
        for one in family:
            _send(one, signal.SIGKILL)
        return family[0].pid

    def stop(self, name: str) -> None:
        """Have the supervisor stop a process and not start it again."""
        if self.supervisor.processes()[name]["statename"] in ("STOPPED", "EXITED", "FATAL"):
            return
        self._ask("stopProcess", self.programs[name].full_name)

    def start(self, name: str) -> None:
        """Have the supervisor start a process; come back at once."""
        self.supervisor.start_program(self.programs[name].full_name)

    def is_well(self, name: str) -> bool:
        """Whether a process is ready."""
        program: Program = self.programs[name]
        info = self.infos().get(name, {})
        if program.once:
            return bool(info.get("statename") == "EXITED" and info.get("exitstatus") == 0)
        return info.get("statename") in ("RUNNING", "STARTING") and program.is_well()

    def until_well(self, *names: str) -> None:
        """Wait until processes are ready; one that is not is reported with what it says of itself."""
        for name in names:
            try:
                self.until(lambda name=name: self.is_well(name), f"{name} is not well")  # type: ignore[misc]
            except AssertionError as error:
                raise AssertionError(f"{error}: {self.words_of(name)}") from None

    def words_of(self, name: str) -> str:
        """What the supervisor says of a process, and what it answers to the question whether it is ready."""
        state = self.supervisor.processes().get(name, {}).get("statename", "unknown to the supervisor")
        health = self.programs[name].service.health
        try:
            with urllib.request.urlopen(health.test[-1], timeout=ANSWER_SECONDS) as answer:  # type: ignore[union-attr]
                said = answer.read()
        except urllib.error.HTTPError as refused:
            said = refused.read()
        except (OSError, ValueError, AttributeError) as silent:
            said = repr(silent).encode()
        return f"{state}, {said.decode(errors='replace')}"

    def infos(self) -> dict[str, dict[str, Any]]:
        """What the supervisor says of each process, or has said a moment ago: many ask at once."""
        with self._look:
            if time.monotonic() > self._looked_at + FRESH_SECONDS:
                self._infos, self._looked_at = self.supervisor.processes(), time.monotonic()
            return self._infos

    def make_topics(self) -> None:
        """Have the stack make the topics that are missing."""
        self.start("topics")
        self.until(self._has_topics, "the topics are not made")

    def _has_topics(self) -> bool:
        """Whether the run that makes them ended well and every topic is there; a run that failed is started again."""
        info = self.supervisor.processes()["topics"]
        if info["statename"] == "EXITED" and info["exitstatus"]:
            self.start("topics")
        return self.is_well("topics") and all(records.ends(self.kafka, records.topic_of(name)) for name in SERVICES)

    def _ask(self, verb: str, *arguments: Any) -> Any:
        transport = SupervisorTransport(serverurl=f"unix://{socket_of(self.home)}")
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as server:
            return getattr(server.supervisor, verb)(*arguments)

    # --- patience -------------------------------------------------------------------------------------------------
    def until(self, true: Callable[[], Any], otherwise: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until something holds; engines may be away meanwhile."""
        deadline, pause = time.monotonic() + seconds, threading.Event()
        while not _holds(true):
            if time.monotonic() > deadline:
                raise AssertionError(f"{otherwise} after {seconds:.0f} s")
            pause.wait(PAUSE_SECONDS)

    def patiently(self, deed: Callable[[], Result]) -> Result:
        """Do something that may be repeated, until no engine is away."""
        done: list[Result] = []

        def is_done() -> bool:
            done.append(deed())
            return True

        self.until(is_done, "engines or services were away")
        return done[0]

    # --- the operator ---------------------------------------------------------------------------------------------
    def onex(self, *arguments: str) -> str:
        """What the `onex` command says to the operator of this stack, said again until it succeeds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            done = _onex(self.home, *arguments)
            if done.returncode == 0:
                return done.stdout
            if time.monotonic() > deadline:
                raise AssertionError(f"onex {' '.join(arguments)}: {done.stdout}{done.stderr}")

    def attend_to_letters(self) -> int:
        """What an operator does about dead letters: tries each again, and gives up what is known to be poison; how many
        there were. Others are noted: nothing but poison may become one."""
        with self._letters:
            return self.patiently(lambda: sum(self._attend(name) for name in SERVICES))

    def _attend(self, service: str) -> int:
        desk = Workbench(self.running, Console(file=io.StringIO()))
        found = list(desk.letters(service, state="waiting"))
        for letter in found:
            desk.retry(service, [letter["id"]])
            if letter["id"] in self.poisons or self._is_garbage(service, letter["id"]):
                desk.discard(service, [letter["id"]], GIVEN_UP)
            else:
                self.strange_letters[f"{service} {letter['id']}"] = letter["why"]
        desk.operator.addresses.close()
        return len(found)

    def _is_garbage(self, service: str, letter_id: str) -> bool:
        """Whether a letter is a record that was meant to be no event."""
        row = self.client[f"onex_{service}"]["dead_letters"].find_one({"_id": letter_id})
        return row is not None and not row["envelope"] and bytes(row["body"]) in self.garbage


def _onex(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "onex", *arguments],
        cwd=ROOT,
        env=environment(home.folder),
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


def _holds(true: Callable[[], Any]) -> bool:
    try:
        return bool(true())
    except OUTSIDE:
        return False


def _family(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


# --- the stack ----------------------------------------------------------------------------------------------------
@contextmanager
def arena(tell: Tell) -> Iterator[Arena]:
    """A stack with nothing in it, in a temporary home on free ports, each process behind its gates; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="onex-faults-"))
    network = Network()
    home = Home(folder / "home").made()
    try:
        made = _raise(home, network, tell)
        with closing(made.client):
            yield made
    finally:
        stack.down(home, tell)
        network.close()
        shutil.rmtree(folder, ignore_errors=True)


def _raise(home: Home, network: Network, tell: Tell) -> Arena:
    offset = free_offset()
    ports = {name: port + offset for name, port in compose.port_defaults(addresses.COMPOSE).items()}
    listeners = count(ports["KAFKA_PORT"] + LISTENERS_FROM)
    described = yaml.safe_load(addresses.COMPOSE.read_text())
    gates: dict[str, Gate] = {}
    for name, body in described["services"].items():
        if "MONGO" in body.get("environment", {}):
            gates[f"{name}/mongo"] = gate = network.gate(ports["MONGO_PORT"])
            body["environment"]["MONGO"] = f"mongodb://{LOOPBACK}:{gate.port}/?directConnection=true"
        if name.endswith("-worker"):
            gates[f"{name}/kafka"] = gate = network.gate(next(listeners))
            steps = {"PYTHONPATH": str(STEPPING), "CLOCK_STEPS": str(home / "steps")}
            body["environment"] |= {"KAFKA": f"{LOOPBACK}:{gate.port}"} | steps
    file = home / "docker-compose.yml"
    file.write_text(yaml.dump(described, width=10_000))
    (home / "steps").mkdir()
    given = {**os.environ, "DEMO": "1", f"WORKERS_{TWO_WORKERS.upper()}": "2"}
    with mock.patch.object(programs, "kafka_command", lambda *of: kafka_command(gates, *of)), _last_words(tell):
        running = stack.up(home, given, offset, tell, file)
    return Arena(running, network, gates, tell)


@contextmanager
def _last_words(tell: Tell) -> Iterator[None]:
    """Have the log keep why a stack did not start."""
    try:
        yield
    except Trouble as trouble:
        for line in (str(trouble), *trouble.lines):
            tell(line)
        raise


def kafka_command(gates: Mapping[str, Gate], data: Path, *rest: Any) -> list[str]:
    """How Kafka is run when it has a listener more for each gate, where it is told by the gate's address: a client that
    came through a gate is then sent through it again."""
    command = engines.kafka_command(data, *rest)
    settings = data / "server.properties"
    kept = dict(line.split("=", 1) for line in settings.read_text().splitlines() if line[:1] not in {"#", ""})
    before = [gate for name, gate in gates.items() if name.endswith("/kafka")]
    for number, gate in enumerate(before):
        kept["listeners"] += f",GATE{number}://{LOOPBACK}:{gate.engine_port}"
        kept["advertised.listeners"] += f",GATE{number}://{LOOPBACK}:{gate.port}"
        kept["listener.security.protocol.map"] += f",GATE{number}:PLAINTEXT"
    settings.write_text("".join(f"{name}={value}\n" for name, value in kept.items()))
    return command

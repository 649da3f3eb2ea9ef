"""The breakers themselves: the network does what it is told, and a seed is a plan."""

from __future__ import annotations

import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from subprocess import PIPE
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults.arena import STEPPING
from tests.faults.breaking import KILLS, OTHERS
from tests.faults.proxy import LOOPBACK, Gate, Mode, Network
from tests.faults.run import KILLS_BETWEEN, plan
from tests.support.waiting import until

SILENCE_SECONDS = 0.5
ANSWER_SECONDS = 20.0
NEAR_SECONDS = 20.0
WORKERS = ["creditbank-worker", "notify-worker"]


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while heard := self.request.recv(1024):
            self.request.sendall(heard)


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network()
    yield made
    made.close()


@pytest.fixture
def gate(network: Network) -> Iterator[Gate]:
    """A gate before a server that says again what it hears."""
    with socketserver.ThreadingTCPServer((LOOPBACK, 0), Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield network.gate(server.server_address[1])
        server.shutdown()
        thread.join()


def line_through(gate: Gate) -> socket.socket:
    return socket.create_connection((LOOPBACK, gate.port), ANSWER_SECONDS)


def say(line: socket.socket, what: bytes) -> bytes:
    line.sendall(what)
    return line.recv(1024)


def say_once(gate: Gate, what: bytes) -> bytes:
    with line_through(gate) as line:
        return say(line, what)


def test_a_gate_passes_both_ways_and_delays(network: Network, gate: Gate) -> None:
    with line_through(gate) as line:
        assert say(line, b"one") == b"one"
        network.turn(gate, Mode.DELAY, SILENCE_SECONDS)
        began = time.monotonic()
        assert say(line, b"two") == b"two"
        assert time.monotonic() - began >= 2 * SILENCE_SECONDS


def test_a_cut_ends_what_there_is_and_lets_nothing_new_through(network: Network, gate: Gate) -> None:
    with line_through(gate) as line:
        assert say(line, b"one") == b"one"
        network.turn(gate, Mode.CUT)
        with pytest.raises(ConnectionResetError):
            line.recv(1024)
    with pytest.raises(ConnectionError):
        say_once(gate, b"two")
    network.turn(gate, Mode.PASS)
    assert say_once(gate, b"three") == b"three"


def test_half_open_swallows_and_a_line_that_lost_something_is_not_healed(network: Network, gate: Gate) -> None:
    with line_through(gate) as line:
        network.turn(gate, Mode.HALF_OPEN)
        line.settimeout(SILENCE_SECONDS)
        with pytest.raises(TimeoutError):
            say(line, b"one")
        line.settimeout(ANSWER_SECONDS)
        network.turn(gate, Mode.PASS)
        with pytest.raises(ConnectionResetError):
            line.recv(1024)


def test_the_same_seed_makes_the_same_plan_and_another_one_another() -> None:
    gates = [f"{name}/{engine}" for name in WORKERS for engine in ("mongo", "kafka")]
    arena: Any = SimpleNamespace(workers=WORKERS, applications=["creditbank", "notify"], gates=gates)
    first, again, other = (list(islice(plan(seed, arena), 500)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert {step.kind for step in first} == {fault.kind for fault in (*KILLS, *OTHERS)}
    kills = sum(step.kind == "kill" for step in first)
    assert KILLS_BETWEEN - 1 <= kills / (len(first) - kills) <= KILLS_BETWEEN + 1


def test_the_clock_of_one_process_steps_and_steps_back(tmp_path: Path) -> None:
    """Its wall clock and what datetime says do, and no other's."""
    tells = "import sys, time, datetime as d\nfor _ in sys.stdin: print(time.time(), d.datetime.now().timestamp())"
    surroundings = {"PYTHONPATH": str(STEPPING), "CLOCK_STEPS": str(tmp_path), "WORKER_PORT": "1"}
    command = [sys.executable, "-u", "-c", tells]
    with subprocess.Popen(command, env=surroundings, stdin=PIPE, stdout=PIPE, text=True) as process:
        for skew in (0, -300, 200, 0):
            (tmp_path / "1").write_text(str(skew))
            until(lambda skew=skew: max(abs(one - skew) for one in stands(process)) < NEAR_SECONDS)  # type: ignore[misc]
        process.terminate()


def stands(process: subprocess.Popen[str]) -> list[float]:
    """How far its clocks stand from ours."""
    assert process.stdin
    assert process.stdout
    process.stdin.write("now\n")
    process.stdin.flush()
    return [float(one) - time.time() for one in process.stdout.readline().split()]

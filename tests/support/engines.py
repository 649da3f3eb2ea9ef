"""The real engines for tests, each in a folder that goes with it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from pymongo.database import Database

from onex.stack.engines import start_kafka, start_mongod
from onex.stack.ports import free_port

MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 * 10**9


@contextmanager
def folder_for(engine: str) -> Iterator[Path]:
    """A folder that goes with its engine, in memory where there is room: no test pulls the plug of a machine, so no
    commit of theirs has to wait for its disk."""
    place = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES else None
    if place:
        _sweep(place)
    name = f"onex-test-{os.getpid()}-{engine}-"
    with tempfile.TemporaryDirectory(prefix=name, dir=place, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _sweep(place: Path) -> None:
    """Delete what tests that were killed have left in memory."""
    for left in place.glob("onex-test-*"):
        if not psutil.pid_exists(int(left.name.split("-")[2])):
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def running_mongod() -> Iterator[str]:
    """A mongod as a replica set of one; its address."""
    with folder_for("mongod") as folder:
        engine = start_mongod(folder, free_port())
        try:
            yield engine.mongo_url
        finally:
            engine.kill()


@contextmanager
def running_kafka() -> Iterator[str]:
    """A broker; its address."""
    with folder_for("kafka") as folder:
        engine = start_kafka(folder, free_port(), free_port())
        try:
            yield engine.kafka
        finally:
            engine.kill()


def empty(database: Database[Any]) -> None:
    """Empty the collections that hold something; they are few, and one question tells which."""
    if names := database.list_collection_names():
        looks = [{"$unionWith": {"coll": name, "pipeline": _look(name)}} for name in names[1:]]
        for row in list(database[names[0]].aggregate([*_look(names[0]), *looks])):
            database[row["name"]].delete_many({})


def _look(name: str) -> list[dict[str, Any]]:
    """The collection's name, where it holds something."""
    return [{"$limit": 1}, {"$project": {"_id": 0, "name": {"$literal": name}}}]

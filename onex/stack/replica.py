"""A mongod of one's own, made the one member of the replica set rs0: transactions need a set."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

SET = "rs0"
NOT_YET_INITIALIZED = 94
INVALID_CONFIG = 93
ANSWER_MS = 500
PAUSE_SECONDS = 0.05


def make_primary(port: int, within_seconds: float, is_alive: Callable[[], bool] = lambda: True) -> bool:
    """Wait until the mongod on this port takes writes, initiating its set if need be; False when it does not."""
    deadline = time.monotonic() + within_seconds
    address = f"mongodb://127.0.0.1:{port}/?directConnection=true"
    client: MongoClient[dict[str, Any]] = MongoClient(
        address, serverSelectionTimeoutMS=ANSWER_MS, connectTimeoutMS=ANSWER_MS
    )
    try:
        while not (well := _is_primary(client, port)) and is_alive() and time.monotonic() < deadline:
            time.sleep(PAUSE_SECONDS)
        return well
    finally:
        client.close()


def _is_primary(client: MongoClient[dict[str, Any]], port: int) -> bool:
    try:
        hello = client.admin.command("hello")
        if not hello.get("isWritablePrimary"):
            _mend_set(client, f"127.0.0.1:{port}")
        return bool(hello.get("isWritablePrimary")) and hello["me"] == f"127.0.0.1:{port}"
    except PyMongoError:
        return False


def _mend_set(client: MongoClient[dict[str, Any]], host: str) -> None:
    """Initiate a new set; give a set that was last started on another port its present one."""
    try:
        client.admin.command("replSetGetStatus")
    except OperationFailure as error:
        if error.code == NOT_YET_INITIALIZED:
            client.admin.command("replSetInitiate", {"_id": SET, "members": [{"_id": 0, "host": host}]})
        elif error.code == INVALID_CONFIG:
            held = client.local["system.replset"].find_one() or {}
            held |= {"version": held["version"] + 1, "members": [{"_id": 0, "host": host}]}
            client.admin.command("replSetReconfig", held, force=True)

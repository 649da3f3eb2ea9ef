"""A poisoned event on the running stack: an operator finds it at the terminal, reads why, and gives it up."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime

from pymongo import MongoClient

from tests.support.stack import Stack

WITHIN_SECONDS = 60.0
KEY = "learner:poisoned"
READERS = ("creditbank", "notify")


def poison(stack: Stack) -> None:
    """Assessment announces a ResultFinalised that breaks its contract."""
    row = {"_id": "poison-1", "key": KEY, "seq": 1, "type": "ResultFinalised", "source": "assessment"}
    row |= {"cause": "poison", "time": datetime.now(UTC), "body": b'{"nothing": 1}', "shard": 0, "due": True}
    with MongoClient(stack.running.variables["MONGO"]) as client:
        client["onex_assessment"]["strands"].insert_one({"_id": KEY, "version": 1, "next_seq": 2})
        client["onex_assessment"]["outbox"].insert_one(row)


def listed(stack: Stack, *more: str) -> str:
    said = stack.onex("dead-letters", "list", *more)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


def until_listed(stack: Stack, count: int) -> str:
    """Look until so many are listed."""
    deadline, pause = time.monotonic() + WITHIN_SECONDS, threading.Event()
    while not (seen := listed(stack)).endswith(f"{count} dead letters, {count} keys wait behind them.\n"):
        assert time.monotonic() < deadline, seen
        pause.wait(0.5)
    return seen


def test_an_operator_finds_reads_and_gives_up_a_poisoned_event(stack: Stack) -> None:
    poison(stack)
    seen = until_listed(stack, len(READERS))
    assert all(name in seen for name in READERS)
    assert "The record breaks its contract" in seen
    letter = f"assessment|{KEY}|1"
    for name in READERS:
        shown = json.loads(stack.onex("dead-letters", "show", name, letter).stdout)
        assert (shown["attempts"], shown["event"], shown["cause"]) == (1, {"nothing": 1}, "poison")
        retried = stack.onex("dead-letters", "retry", name, letter)
        assert (retried.returncode, "refused" in retried.stdout) == (1, True), retried.stdout + retried.stderr
        given_up = stack.onex(
            "dead-letters", "discard", name, "--type", "ResultFinalised", "--reason", "made for a test"
        )
        assert given_up.returncode == 0, given_up.stdout + given_up.stderr
    until_listed(stack, 0)
    assert "made for a test" in stack.onex("dead-letters", "show", "notify", letter).stdout
    assert stack.onex("dead-letters", "show", "notify", "none").returncode == 1
    assert stack.onex("dead-letters", "retry", "notify").returncode == 1
    assert stack.onex("status").returncode == 0

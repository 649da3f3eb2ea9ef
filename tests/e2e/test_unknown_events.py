"""What a newer publisher announces, on the running stack: it is kept, an operator sees it, nobody is held up."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from pymongo import MongoClient

from tests.support.stack import Stack

WITHIN_SECONDS = 60.0
KEY = "learner:newer"
READERS = ("enrolment", "training", "creditbank", "notify")  # who listens to assessment


def announce_something_new(stack: Stack) -> None:
    """Assessment announces what nobody's contracts know."""
    row = {"_id": "newer-1", "key": KEY, "seq": 1, "type": "ResultMarkedAgain", "source": "assessment"}
    row |= {"cause": "newer", "time": datetime.now(UTC), "body": b'{"phone": "13800000000"}', "shard": 0, "due": True}
    with MongoClient(stack.running.variables["MONGO"]) as client:
        client["onex_assessment"]["strands"].insert_one({"_id": KEY, "version": 1, "next_seq": 2})
        client["onex_assessment"]["outbox"].insert_one(row)


def test_an_operator_sees_what_the_workers_do_not_know_yet(stack: Stack) -> None:
    announce_something_new(stack)
    deadline, pause = time.monotonic() + WITHIN_SECONDS, threading.Event()
    while f"{len(READERS)} events of unknown types" not in (said := stack.onex("unknown-events", "list")).stdout:
        assert time.monotonic() < deadline, said.stdout + said.stderr
        pause.wait(0.5)
    assert all(name in said.stdout for name in READERS)
    assert "ResultMarkedAgain" in said.stdout
    assert "13800000000" not in said.stdout
    one = stack.onex("unknown-events", "list", "--service", "notify", "--type", "ResultMarkedAgain")
    assert one.stdout.endswith("1 events of unknown types are kept.\n")
    assert "0 dead letters" in stack.onex("dead-letters", "list").stdout
    assert stack.onex("status").returncode == 0

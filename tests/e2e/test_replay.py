"""Notify's read model is dropped on the running stack and fed again from the outboxes; nobody is mailed twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from tests.e2e.test_set_back import until
from tests.support.stack import Stack, running_stack

READ_MODEL = ("notices", "contacts", "schemes")
Client = MongoClient[dict[str, Any]]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, whose every notice follows from what is in the outboxes: other tests write past them."""
    with running_stack(tmp_path_factory.mktemp("replayed")) as made:
        yield made


@pytest.fixture(scope="module")
def main_job(stack: Stack) -> None:
    """The main job has run on it."""
    run = stack.onex("demo")
    assert run.returncode == 0, run.stdout + run.stderr


def told(client: Client) -> Counter[tuple[str, str, str]]:
    """Every notice by what it tells, to whom, how; once each."""
    return Counter((one["cause"], one["mailbox"], one["channel"]) for one in client["onex_notify"]["notices"].find())


def mails(stack: Stack) -> list[str]:
    return sorted(one.name for one in Path(stack.running.variables["MAIL_FOLDER"]).rglob("*") if one.is_file())


@pytest.mark.usefixtures("main_job")
def test_a_dropped_read_model_is_fed_again_and_nobody_is_mailed_twice(stack: Stack) -> None:
    with MongoClient(stack.running.variables["MONGO"], tz_aware=True) as client:
        found: Client = client
        notices = found["onex_notify"]["notices"]
        until(lambda: not notices.count_documents({"state": "queued"}), "all e-mails leave")
        before, sent = told(found), mails(stack)
        assert len(before) > 1_000
        for name in READ_MODEL:
            found["onex_notify"][name].delete_many({})
        said = stack.onex("replay", "notify", "--again")
        assert (said.returncode, "notify is through with" in said.stdout) == (0, True), said.stdout + said.stderr
        until(lambda: told(found) == before, "everybody is told the same")
        until(lambda: not notices.count_documents({"state": "queued"}), "no e-mail is about to leave")
        assert mails(stack) == sent
        assert "will not leave" in stack.onex("held-mails", "drop", "--all").stdout
    until(lambda: stack.onex("status").returncode == 0, "the stack is well")


@pytest.mark.usefixtures("main_job")
def test_what_cannot_be_replayed_is_said_in_a_sentence(stack: Stack) -> None:
    assert "does not listen to notify" in stack.onex("replay", "creditbank", "--from", "notify").stderr
    for wrong in (("replay", "nobody"), ("replay", "notify", "--from", "nobody")):
        said = stack.onex(*wrong)
        assert (said.returncode, "is not one of" in said.stderr) == (2, True), said.stderr

"""A whole stack is backed up, lives on, and is put back; and an empty second stack becomes what the first one was."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from email.parser import BytesParser
from pathlib import Path

import pytest
from pymongo import MongoClient

from onex.demo.driver import addresses_of
from onex.demo.http import Speaker
from tests.e2e.test_set_back import College, the_only_pass_of_somebody, until
from tests.support.stack import LIMIT_SECONDS, Stack, free_offset, running_stack

ANNOUNCING = ("enrolment", "training", "assessment", "creditbank")
Client = MongoClient[dict[str, object]]

pytestmark = [pytest.mark.usefixtures("alone"), pytest.mark.timeout(3 * LIMIT_SECONDS)]


def bank_of(stack: Stack) -> dict[str, int]:
    """What the credit bank of a stack says of itself."""
    addresses = addresses_of(stack.running)
    try:
        speaker = Speaker(addresses, "demo-operator")
        return {**speaker.flow("creditbank"), "sum": speaker.get("creditbank", "/books")["sum"]}
    finally:
        addresses.close()


BANK: dict[str, int] = {}  # as it was when the backup was taken


@pytest.fixture(scope="module")
def taken(stack: Stack, main_job: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the shared stack after its main job."""
    BANK.update(bank_of(stack))
    folder = tmp_path_factory.mktemp("backups") / "monday"
    said = stack.onex("backup", str(folder))
    assert said.returncode == 0, said.stdout + said.stderr
    assert "Not in it, on purpose: secrets.env" in said.stdout
    return folder


@pytest.fixture
def college(stack: Stack) -> Iterator[College]:
    addresses = addresses_of(stack.running)
    yield College(Speaker(addresses, "demo-exam-office"), Speaker(addresses, "demo-operator"))
    addresses.close()


def announced(client: Client) -> dict[str, int]:
    return {name: client[f"onex_{name}"]["outbox"].count_documents({}) for name in ANNOUNCING}


def due(client: Client) -> dict[str, int]:
    return {name: client[f"onex_{name}"]["outbox"].count_documents({"due": True}) for name in ANNOUNCING}


def mails(stack: Stack) -> list[str]:
    return sorted(one.name for one in Path(stack.running.variables["MAIL_FOLDER"]).rglob("*") if one.is_file())


def message_ids(stack: Stack) -> list[str]:
    """The Message-ID of each mail that left: an e-mail that leaves again has the one it had."""
    folder = Path(stack.running.variables["MAIL_FOLDER"])
    letters = [BytesParser().parsebytes(one.read_bytes(), headersonly=True) for one in folder.rglob("*.eml")]
    return [str(one["Message-ID"]) for one in letters]


def test_a_stack_that_lived_on_is_put_back_and_nothing_is_announced_or_told_twice(
    stack: Stack, college: College, taken: Path
) -> None:
    with MongoClient(stack.running.variables["MONGO"], tz_aware=True) as client:
        passed = the_only_pass_of_somebody(client)
        learner, result = passed["learner_id"], passed["_id"]
        before, told = college.available_points(), len(college.told(learner))
        college.correct(result)
        until(lambda: college.available_points() < before, "the correction reaches the bank")
        until(lambda: len(college.told(learner)) > told, "the learner is told")
        queued = client["onex_notify"]["notices"]
        until(lambda: not queued.count_documents({"state": "queued"}), "all e-mails leave")
        after, known, said, sent = college.available_points(), college.told(learner), announced(client), mails(stack)
        back = stack.onex("restore", str(taken))
        assert (back.returncode, "each service has recovered" in back.stdout) == (0, True), back.stdout + back.stderr
        assert "ResultCorrected" in stack.onex("recover", "assessment", "--forgotten").stdout
        college.correct(result)  # the exam office does again what it did since the backup
        until(lambda: college.told(learner) == known, "the learner is told the same")
        until(lambda: college.available_points() == after, "the books are where they were")
        until(lambda: announced(client) == said, "as many announcements as there were")
        assert college.operator.get("creditbank", "/books")["sum"] == 0
        until(lambda: college.operator.flow("notify")["emails_held"], "e-mails are held")
        assert mails(stack) == sent
        assert len(set(message_ids(stack))) == len(sent)
        assert stack.onex("held-mails", "drop", "--all").returncode == 0
    until(lambda: stack.onex("status").returncode == 0, "the stack is well")


def test_what_is_no_whole_backup_of_this_stack_is_refused_before_anything_is_touched(
    stack: Stack, taken: Path, tmp_path: Path
) -> None:
    pids = stack.pids()
    spoilt = tmp_path / "spoilt"
    shutil.copytree(taken, spoilt)
    for file, change, sentence in (
        ("onex_creditbank.entries.bson.gz", lambda text: text[:-100], "was altered or cut off"),
        ("manifest.json", lambda text: text.replace(b'"onex": "0', b'"onex": "9'), "update it first"),
        ("manifest.json", lambda text: text.replace(b'"documents": 1', b'"documents": 2'), "was altered"),
        ("manifest.json", lambda text: text[:-200], "was altered"),
    ):
        shutil.copy(taken / file, spoilt / file)
        content = (spoilt / file).read_bytes()
        (spoilt / file).write_bytes(change(content))
        assert (spoilt / file).read_bytes() != content
        said = stack.onex("restore", str(spoilt))
        assert (said.returncode, sentence in said.stderr) == (1, True), said.stderr
        shutil.copy(taken / file, spoilt / file)
    (spoilt / "onex_notify.notices.bson.gz").unlink()
    assert "is missing" in stack.onex("restore", str(spoilt)).stderr
    assert "is no backup" in stack.onex("restore", str(tmp_path)).stderr
    assert "is there already" in stack.onex("backup", str(taken)).stderr
    assert "has been used" in stack.onex("restore", "--into-empty", str(taken)).stderr
    assert stack.pids() == pids


def test_an_empty_second_stack_becomes_what_the_first_one_was(stack: Stack, taken: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with running_stack(other) as second:
        assert "taken with another" in second.onex("restore", str(taken)).stderr
        assert second.onex("down", "--wipe").returncode == 0
        other.mkdir(exist_ok=True)
        shutil.copy(stack.home / "secrets.env", other / "secrets.env")
        assert second.onex("up", "--port-offset", str(free_offset())).returncode == 0
        assert "of another stack" in second.onex("restore", str(taken)).stderr
        said = second.onex("restore", "--into-empty", str(taken))
        assert said.returncode == 0, said.stdout + said.stderr
        with MongoClient(second.running.variables["MONGO"]) as client:
            until(lambda: not any(due(client).values()), "all is published on the new topics")
        assert bank_of(second) == BANK
        assert BANK["sum"] == 0
        assert mails(second) == []

"""The auditor on the running stack: the main job balances; a fault in a database is named until it is mended."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(900)
Documents = dict[str, Any]
Base = Database[Documents]


def audited(stack: Stack) -> tuple[int, Documents]:
    """Audit now, without any grace: exit code and report."""
    said = stack.onex("audit", "--json", "--grace-seconds", "0")
    assert said.returncode in (0, 1), said.stdout + said.stderr
    report: Documents = json.loads(said.stdout)
    return said.returncode, report


def named(report: Documents) -> dict[str, set[str]]:
    """What is wrong, by kind."""
    found: dict[str, set[str]] = {}
    for one in report["imbalances"]:
        found.setdefault(one["kind"], set()).add(one["about"])
    return found


@pytest.fixture
def mongo_of(stack: Stack) -> Iterator[Callable[[str], Base]]:
    """The databases of the stack's services, to do what no service would."""
    with MongoClient[Documents](stack.running.variables["MONGO"], tz_aware=True) as client:
        yield lambda service: client[f"onex_{service}"]


def test_the_main_job_balances(stack: Stack, main_job: str) -> None:
    assert main_job
    code, report = audited(stack)
    assert (code, named(report), report["is_balanced"]) == (0, {}, True), report["imbalances"][:20]
    compared = report["compared"]
    assert compared["finals"] > 1_000
    assert min(compared["entries"], compared["notices"], compared["tellings"]) > compared["finals"] / 2
    shown = stack.onex("audit", "--grace-seconds", "0")
    assert (shown.returncode, "The books balance." in shown.stdout) == (0, True), shown.stdout + shown.stderr


def test_the_process_of_the_stack_is_there_and_has_not_judged_yet(stack: Stack) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.running.variables['AUDITOR_PORT']}/metrics") as answer:
        said = answer.read().decode()
    assert "onex_audit_started_timestamp_seconds" in said
    assert stack.onex("status").returncode == 0


@contextmanager
def gone(base: Base, collection: str, row: Documents) -> Iterator[None]:
    """A document is lost for a while."""
    base[collection].delete_one({"_id": row["_id"]})
    try:
        yield
    finally:
        base[collection].insert_one(row)


@contextmanager
def added(base: Base, collection: str, row: Documents) -> Iterator[None]:
    """A document is there for a while that nobody wrote."""
    base[collection].insert_one(row)
    try:
        yield
    finally:
        base[collection].delete_one({"_id": row["_id"]})


def one_of(base: Base, collection: str, **where: Any) -> Documents:
    found = base[collection].find_one(where, sort=[("_id", 1)])
    assert found is not None
    return found


def final_credit(base: Base) -> Documents:
    """An entry that made a final pass available, and is its account's last."""
    for entry in base["entries"].find({"what": "ResultFinalised", "postings.to": "available"}).sort("_id", 1):
        learner_id, _, number = entry["_id"].rpartition(":")
        if one_of(base, "accounts", _id=learner_id)["entries"] == int(number):
            return entry
    raise AssertionError("no account ends with credit")


def told_of(base: Base, entry: Documents) -> Documents:
    """The announcement of an entry."""
    learner_id, _, number = entry["_id"].rpartition(":")
    rows = base["outbox"].find({"key": f"learner:{learner_id}", "type": "CreditPosted"})
    return next(row for row in rows if json.loads(row["body"])["entry_number"] == int(number))


def test_a_double_posting_is_named_until_it_is_taken_out(
    stack: Stack, main_job: str, mongo_of: Callable[[str], Base]
) -> None:
    assert main_job
    bank = mongo_of("creditbank")
    entry = final_credit(bank)
    learner_id, _, number = entry["_id"].rpartition(":")
    with added(bank, "entries", {**entry, "_id": f"{learner_id}:{int(number) + 1:06d}"}):
        code, report = audited(stack)
        found = named(report)
        assert code == 1
        assert found.pop("credited_twice") == {entry["result_id"]}
        assert found.pop("chain_broken") == {learner_id}
        assert found.pop("credit_not_announced") == {f"{learner_id}:{int(number) + 1}"}
        assert set(found) <= {"sum_not_zero", "pocket_differs"}
        assert {one["learner_id"] for one in report["imbalances"]} == {learner_id}
    assert audited(stack)[0] == 0


def test_a_lost_outcome_is_named_until_it_is_back(stack: Stack, main_job: str, mongo_of: Callable[[str], Base]) -> None:
    assert main_job
    bank = mongo_of("creditbank")
    outcome = one_of(bank, "outcomes", state="final", verdict="passed")
    with gone(bank, "outcomes", outcome):
        code, report = audited(stack)
        assert code == 1
        assert named(report)["result_not_at_bank"] == {outcome["result_id"]}
        assert {one["learner_id"] for one in report["imbalances"]} == {outcome["learner_id"]}
    assert audited(stack)[0] == 0


def test_a_lost_announcement_is_named_until_it_is_back(
    stack: Stack, main_job: str, mongo_of: Callable[[str], Base]
) -> None:
    assert main_job
    event = one_of(mongo_of("assessment"), "outbox", type="ResultFinalised", due={"$ne": True})
    result_id = json.loads(event["body"])["result_id"]
    with gone(mongo_of("assessment"), "outbox", event):
        code, report = audited(stack)
        assert (code, named(report)) == (1, {"result_not_announced": {result_id}})
    assert audited(stack)[0] == 0


def test_a_missing_notice_is_named_until_it_is_back(
    stack: Stack, main_job: str, mongo_of: Callable[[str], Base]
) -> None:
    assert main_job
    entry = final_credit(mongo_of("creditbank"))
    told = told_of(mongo_of("creditbank"), entry)
    notice = one_of(mongo_of("notify"), "notices", cause=told["_id"], channel="mailbox")
    learner_id, _, number = entry["_id"].rpartition(":")
    with gone(mongo_of("notify"), "notices", notice):
        code, report = audited(stack)
        assert (code, named(report)) == (1, {"credit_not_told": {f"{learner_id}:{int(number)}"}})
    assert audited(stack)[0] == 0


@pytest.mark.parametrize("channel", ["mailbox", "email"])
def test_a_doubled_notice_is_named_until_it_is_taken_out(
    stack: Stack, main_job: str, mongo_of: Callable[[str], Base], channel: str
) -> None:
    assert main_job
    notify = mongo_of("notify")
    notice = one_of(notify, "notices", event="CreditPosted", channel=channel)
    with added(notify, "notices", {**notice, "_id": "told-again"}):
        code, report = audited(stack)
        assert (code, named(report)) == (1, {"told_twice": {notice["cause"]}})
    assert audited(stack)[0] == 0

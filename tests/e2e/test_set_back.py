"""Two databases of a running stack are set back: nothing is announced or told twice, and the books balance."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from pymongo import MongoClient

from chassis.bus.ahead import told_to_kafka
from chassis.bus.positions import how_far
from chassis.worker import group_of
from onex.demo.driver import addresses_of
from onex.demo.http import Speaker
from tests.support import waiting
from tests.support.stack import LIMIT_SECONDS, Stack

WITHIN_SECONDS = 90.0
until = partial(waiting.until, seconds=WITHIN_SECONDS, every_seconds=0.2)
SET_BACK = ("assessment", "notify")
Documents = dict[str, list[dict[str, Any]]]

pytestmark = [pytest.mark.usefixtures("alone"), pytest.mark.timeout(3 * LIMIT_SECONDS)]


def copied(client: MongoClient[dict[str, Any]], name: str) -> Documents:
    found = client[f"onex_{name}"]
    return {one: list(found[one].find()) for one in found.list_collection_names()}


def has_told_kafka(stack: Stack, client: MongoClient[dict[str, Any]], name: str) -> bool:
    """Whether Kafka knows how far a service has read, which it is told once a second: that is the witness."""
    read = {row["_id"]: how_far(row) for row in client[f"onex_{name}"]["positions"].find()}
    topics = sorted({place.rsplit(":", 1)[0] for place in read})
    told = told_to_kafka(stack.running.variables["KAFKA"], group_of(name), topics)
    return all(told.get(place, (0, 0)) >= far for place, far in read.items())


def put_back(stack: Stack, client: MongoClient[dict[str, Any]], name: str, documents: Documents) -> None:
    """As a person would who restores a backup: the worker stands still meanwhile, and starts on what it finds."""
    found = client[f"onex_{name}"]
    worker = stack.pids()[f"{name}-worker"]
    os.kill(worker, signal.SIGSTOP)
    for one in found.list_collection_names():
        found[one].delete_many({})
        if documents.get(one):
            found[one].insert_many(documents[one])
    os.kill(worker, signal.SIGKILL)


@dataclass
class College:
    """The exam office and the operator of a running stack."""

    office: Speaker
    operator: Speaker

    def correct(self, result_id: str) -> None:
        body = {"theory": 1, "practical": 1, "remark": "", "reason": "two papers were exchanged"}
        self.office.post("assessment", f"/results/{result_id}/corrections", body)

    def available_points(self) -> int:
        return self.operator.flow("creditbank")["available_points"]

    def told(self, learner_id: str) -> list[str]:
        return [one["id"] for one in self.operator.listed("notify", f"/mailboxes/{learner_id}/notices")]

    def is_set_back(self, service: str) -> bool:
        return bool(self.operator.get(service, "/recovery")["state"] == "set_back")


@pytest.fixture
def college(stack: Stack) -> Iterator[College]:
    addresses = addresses_of(stack.running)
    yield College(Speaker(addresses, "demo-exam-office"), Speaker(addresses, "demo-operator"))
    addresses.close()


@pytest.fixture
def mongo_client(stack: Stack) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient(stack.running.variables["MONGO"], tz_aware=True) as client:
        yield client


@pytest.mark.usefixtures("main_job")
def test_services_that_were_set_back_are_recovered(
    stack: Stack, college: College, mongo_client: MongoClient[dict[str, Any]]
) -> None:
    passed = the_only_pass_of_somebody(mongo_client)
    learner, outbox = passed["learner_id"], mongo_client["onex_assessment"]["outbox"]
    copies = {name: copied(mongo_client, name) for name in SET_BACK}
    before, told = college.available_points(), len(college.told(learner))
    college.correct(passed["_id"])
    until(lambda: college.available_points() < before, "the correction reaches the bank")
    until(lambda: len(college.told(learner)) > told, "the learner is told")
    after, known, announced = college.available_points(), college.told(learner), outbox.count_documents({})
    until(partial(has_told_kafka, stack, mongo_client, "notify"), "Kafka is told how far notify is")
    for name, documents in copies.items():
        put_back(stack, mongo_client, name, documents)
    recover_both(stack, college)
    college.correct(passed["_id"])  # the exam office does again what it did since the backup
    until(lambda: college.told(learner) == known, "the learner is told the same")
    assert outbox.count_documents({}) == announced
    assert outbox.count_documents({"forgotten": True}) == 0
    assert (college.available_points(), college.operator.get("creditbank", "/books")["sum"]) == (after, 0)
    until(lambda: college.operator.flow("notify")["emails_held"], "e-mails are held")
    assert "will not leave" in stack.onex("held-mails", "drop", "--all").stdout
    until(lambda: stack.onex("status").returncode == 0, "the stack is well")


def the_only_pass_of_somebody(client: MongoClient[dict[str, Any]]) -> dict[str, Any]:
    """A final pass whose loss takes its learner's points away and is told by e-mail."""
    of_learners = {"$group": {"_id": "$learner_id", "count": {"$sum": 1}, "one": {"$first": "$$ROOT"}}}
    single_pass = {"$match": {"count": 1, "one.state": "final", "one.verdict": "passed"}}
    for found in client["onex_assessment"]["results"].aggregate([of_learners, single_pass]):
        rich = client["onex_creditbank"]["accounts"].find_one({"_id": found["_id"], "available_points": {"$gt": 0}})
        reached = client["onex_notify"]["notices"].find_one({"mailbox": found["_id"], "channel": "email"})
        if rich and reached:
            return dict(found["one"])
    raise AssertionError("nobody has passed a single time")


def recover_both(stack: Stack, college: College) -> None:
    """Both notice by themselves, refuse changes, and are recovered at the terminal."""
    for name in SET_BACK:
        until(partial(college.is_set_back, name), f"{name} notices")
    assert stack.onex("status").returncode == 1
    for name in SET_BACK:
        said = stack.onex("recover", name)
        assert (said.returncode, "is recovered" in said.stdout) == (0, True), said.stdout + said.stderr
    assert "ResultCorrected" in stack.onex("recover", "assessment", "--forgotten").stdout

"""A replay in one process: what every service has seen is taken back, everything comes again, and nothing changes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from chassis import waiters
from chassis.database import database, rows_of
from chassis.replaying import take_back
from services.assessment.results import commands as results
from services.creditbank.ledger.queries import books
from services.creditbank.recognition.commands import OUTCOME, settle_again
from services.enrolment.applications.commands import merge
from services.enrolment.learners.models import Learners
from tests.flow.test_the_road import take_the_road, told
from tests.support.campus import SERVICES, Campus
from tests.unit.enrolment import rosters


@pytest.fixture
def campus(mongo_url: str) -> Iterator[Campus]:
    made = Campus(mongo_url, f"replay_{uuid.uuid4().hex[:8]}")
    made.sweeps["creditbank"] = [lambda: waiters.sweep(OUTCOME, settle_again)]
    made.sweeps["assessment"] = [results.close_due_publicity]
    yield made
    made.drop()


CHANGING = ("strands", "leases", "outbox", "waiters")


def contents(campus: Campus, service: str) -> dict[str, list[Any]]:
    with campus.at(service):
        names = [name for name in database().list_collection_names() if name not in CHANGING]
        return {name: sorted(database()[name].find(), key=lambda row: str(row["_id"])) for name in sorted(names)}


def replay(campus: Campus, service: str) -> None:
    rows = campus.announced()
    with campus.at(service):
        after: str | None = ""
        while after is not None:
            _, after = take_back([name for name in SERVICES if name != service], after)
        assert not [row for row in rows_of_strands() if set(row.get("seen", {})) - {service}]
    campus.hear(service, rows)
    campus.pump()


def rows_of_strands() -> list[Any]:
    return list(database()["strands"].find())


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_handled_again_in_its_order_changes_nothing(campus: Campus, service: str) -> None:
    learner_id = take_the_road(campus)
    with campus.at("enrolment"):
        rosters.upload(rosters.student(2, 证件类型="护照", 证件号码="E12345678", 学号="2019990001"))
        [other] = [row["_id"] for row in rows_of(Learners, {"_id": {"$ne": learner_id}})]
    campus.pump()
    campus.do("enrolment", lambda: merge(other, learner_id, rosters.KEYRING))
    campus.pump()
    before, announced = contents(campus, service), len(campus.announced())
    replay(campus, service)
    assert contents(campus, service) == before
    assert len(campus.announced()) == announced
    with campus.at("creditbank"):
        assert books()["sum"] == 0


def test_a_read_model_that_was_dropped_is_there_again(campus: Campus) -> None:
    learner_id = take_the_road(campus)
    before = contents(campus, "notify")
    with campus.at("notify"):
        for name in ("notices", "contacts", "schemes"):
            assert database()[name].delete_many({}).deleted_count
    replay(campus, "notify")
    assert sorted(contents(campus, "notify")) == sorted(before)
    assert len(contents(campus, "notify")["notices"]) == len(before["notices"])
    assert len(told(campus, learner_id)) == 8

"""The auditor agrees with the services whatever happens on the road: fails, corrections, annulments, merges."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from chassis.database import rows_of
from chassis.web.bundles import written
from chassis.web.paging import cursor_of, page_schema
from onex.audit.auditor import Auditor, Report
from onex.audit.comparison import Item
from services.assessment.plans.domain import plan_id_of
from services.assessment.results import commands as results
from services.assessment.results.domain import Marks
from services.enrolment.applications.commands import merge
from services.enrolment.learners.models import Learners
from tests.flow.test_the_road import (
    ELEMENTARY,
    INTERMEDIATE,
    Campus,
    close,
    enrol_and_train,
    open_the_college,
    publish_rules,
    sit,
    take_the_road,
)
from tests.flow.test_the_road import campus as campus
from tests.unit.enrolment import rosters

ROOMS = {"assessment": "results", "creditbank": "recognition", "notify": "notices"}
PAGE = 1
FIRST = f"{plan_id_of(ELEMENTARY.teo, ELEMENTARY.code)}:ZK1:1"
SECOND = f"{plan_id_of(INTERMEDIATE.teo, INTERMEDIATE.code)}:ZK2:1"


class InProcess:
    """Reads what each service's route would answer, a learner to a page."""

    def __init__(self, campus: Campus) -> None:
        self.campus = campus

    def learners(self, service: str) -> Iterator[Item]:
        last: str | None = None
        while True:
            page = self._page(service, {"owner": None, "cursor": [last] if last else None, "limit": PAGE})
            yield from page["items"]
            if page["next"] is None:
                return
            last = page["items"][-1]["learner_id"]
            assert page["next"] == cursor_of([last])

    def named(self, service: str, learner_ids: Sequence[str]) -> list[Item]:
        found: list[Item] = self._page(service, {"owner": learner_ids})["items"]
        assert [one["learner_id"] for one in found] == sorted(learner_ids)
        return found

    def _page(self, service: str, query: Mapping[str, Any]) -> Any:
        room = f"services.{service}.{ROOMS[service]}"
        schema = importlib.import_module(f"{room}.schemas").AuditedLearnerSchema
        with self.campus.at(service):
            said = written(importlib.import_module(f"{room}.audit").audited(query)).get_json()
        assert page_schema(schema)().validate(said) == {}, "it answers what it describes"
        return said


def audited(campus: Campus) -> Report:
    return Auditor(InProcess(campus), timedelta(0), pause=lambda _seconds: None).audit()


def must_balance(campus: Campus) -> Report:
    report = audited(campus)
    assert report.named == []
    return report


def test_the_road_balances(campus: Campus) -> None:
    take_the_road(campus)
    report = must_balance(campus)
    assert {name: report.compared[name] for name in ("finals", "entries", "points", "tellings")} == {
        "finals": 2,
        "entries": 4,
        "points": 400,
        "tellings": 2,
    }


def test_fails_corrections_and_annulments_balance(campus: Campus) -> None:
    open_the_college(campus)
    enrol_and_train(campus)
    sit(campus, ELEMENTARY, 80, 40)
    must_balance(campus)
    close(campus, ELEMENTARY)
    must_balance(campus)
    campus.do("assessment", lambda: results.correct_result(FIRST, Marks(80, 90), "added up again"))
    campus.pump()
    sit(campus, INTERMEDIATE, 60, 61)
    must_balance(campus)
    campus.do("assessment", lambda: results.annul_result(SECOND, "sat for another"))
    campus.pump()
    report = must_balance(campus)
    assert (report.compared["results"], report.compared["finals"], report.compared["points"]) == (2, 1, 200)


def test_a_pass_without_a_rule_waits_with_its_reason(campus: Campus) -> None:
    open_the_college(campus, with_rules=False)
    enrol_and_train(campus)
    sit(campus, ELEMENTARY, 80, 70)
    close(campus, ELEMENTARY)
    assert must_balance(campus).waiting["credit: rule to come"] == 1
    publish_rules(campus)
    campus.pump()
    assert must_balance(campus).waiting["credit: rule to come"] == 0


def two_in_one(campus: Campus) -> str:
    """A learner with credit, merged into another; who it was."""
    learner_id = take_the_road(campus)
    with campus.at("enrolment"):
        rosters.upload(rosters.student(2, 证件类型="护照", 证件号码="E12345678", 学号="2019990001"))
        [other] = [row["_id"] for row in rows_of(Learners, {"_id": {"$ne": learner_id}})]
    campus.pump()
    campus.do("enrolment", lambda: merge(other, learner_id, rosters.KEYRING))
    return learner_id


def test_merged_learners_are_followed(campus: Campus) -> None:
    two_in_one(campus)
    campus.pump()
    assert must_balance(campus).compared["merges"] == 1


def test_a_merge_that_one_service_has_not_heard_of_is_named(campus: Campus) -> None:
    merged = two_in_one(campus)
    campus.hear("creditbank", campus.announced())
    assert {(one.kind, one.about) for one in audited(campus).named} == {("merge_not_followed", merged)}
    campus.pump()
    must_balance(campus)


@pytest.mark.parametrize("deaf", ["creditbank", "notify"])
def test_what_was_announced_and_not_published_waits(campus: Campus, deaf: str) -> None:
    open_the_college(campus)
    enrol_and_train(campus)
    sit(campus, INTERMEDIATE, 60, 61)
    handlers = campus.handlers
    campus.do("assessment", lambda: results.annul_result(SECOND, "sat for another"))
    must_balance(campus)
    campus.handlers = {**handlers, deaf: {}}
    campus.pump()
    kind = {"creditbank": "result_behind_at_bank", "notify": "credit_not_told"}[deaf]
    assert [one.kind for one in audited(campus).named] == [kind]
    campus.handlers = handlers
    campus.hear(deaf, campus.announced())
    campus.pump()
    must_balance(campus)

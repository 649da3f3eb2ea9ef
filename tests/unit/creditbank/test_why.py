"""Why? The chain behind an entry, an application and a balance, in two languages and signed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.errors import Refusal
from contracts.terms import Role
from services.creditbank.conversion import applying
from services.creditbank.conversion import models as conversion
from services.creditbank.conversion.applications import Application
from services.creditbank.conversion.deciding import release_decisions
from services.creditbank.why.domain import POCKETS
from tests.unit.creditbank.converting import (
    BASICS_WISH,
    BY_ANOTHER,
    BY_DEPARTMENT,
    BY_REGISTRY,
    IN_WINDOW,
    INTERMEDIATE,
    MODULE,
    MODULE_WISH,
    TAX_WISH,
    Day,
    decide,
    enrol,
    file,
    grant,
    open_college,
    publish,
    undo,
)
from tests.unit.creditbank.papers import verified
from tests.unit.creditbank.stories import Assessment, annulled, corrected, finalised, merged, publicised, revoked
from tests.unit.creditbank.test_papers_http import ISSUER, answered, app, as_learner, assessment, http

__all__ = ["app", "assessment", "http"]


def as_registry() -> dict[str, str]:
    return ISSUER.bearer("creditbank", Role.REGISTRY)


def why(http: FlaskClient, query: str = "", headers: dict[str, str] | None = None, of: str = "mei") -> dict[str, Any]:
    found: dict[str, Any] = answered(http.get(f"/accounts/{of}/why{query}", headers=headers or as_learner(of)))
    return found


def links(found: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [link for link in found["chain"] if link["kind"] == kind]


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Day:
    made = Day(tmp_path / "clock", monkeypatch)
    made.set(IN_WINDOW)
    return made


@pytest.fixture
def college(app: Flask, day: Day) -> Assessment:
    """会计 2019级 with mei, who has 4.00 credits to spend."""
    teller = Assessment()
    open_college(teller)
    enrol(teller)
    return teller


def test_an_entry_goes_back_to_its_score_and_rule_and_on_to_its_credential(
    http: FlaskClient, assessment: Assessment
) -> None:
    result_id = why(http, "?entry=2")["chain"][0]["id"]
    issued = answered(http.post("/accounts/mei/credentials", json={"result_id": result_id}, headers=as_learner()))
    found = why(http, "?entry=2", as_learner() | {"Accept-Language": "zh"})
    score, rule, entry, credential = found["chain"]
    assert [one["kind"] for one in found["chain"]] == ["score", "rule", "entry", "credential"]
    assert (score["facts"]["verdict"], score["facts"]["revision"], score["facts"]["level"]) == ("passed", 2, 2)
    assert (rule["facts"]["version"], rule["facts"]["credit_points"]) == (1, 400)
    assert rule["en"] == (
        "Recognition rule, version 1: cloud-ops, intermediate, is worth 4.00 credits, a default that nobody has "
        "decided yet."
    )
    assert entry["text"] == entry["zh"] == "第 2 笔：cloud-ops，成绩生效；暂记 -4.00，可用 +4.00（学分）。"
    assert entry["facts"]["moved"] == {"provisional": -400, "available": 400}
    assert credential["id"] == issued["credential"]


def test_the_proof_says_the_same_and_is_verified_with_the_published_keys_alone(
    http: FlaskClient, assessment: Assessment
) -> None:
    found = why(http)
    said = verified(found["proof"], answered(http.get("/credential-keys")))
    assert said["sub"] == "mei"
    assert said["chain"] == [{name: link[name] for name in link if name != "text"} for link in found["chain"]]


def sums_of_entries(found: dict[str, Any]) -> dict[str, Counter[str]]:
    """By scheme, what the entries moved in all."""
    sums: dict[str, Counter[str]] = {}
    for link in links(found, "entry"):
        of_scheme = sums.setdefault(link["facts"]["scheme"], Counter(dict.fromkeys(POCKETS, 0)))
        of_scheme.update(link["facts"]["moved"])
    return sums


def adds_up(found: dict[str, Any]) -> dict[str, int]:
    """The balance, which is the sum of its holdings, each of which is the sum of its entries."""
    (balance,) = links(found, "balance")
    holdings = {link["id"]: link["facts"] for link in links(found, "holding")}
    assert {scheme: dict(moved) for scheme, moved in sums_of_entries(found).items()} == holdings
    assert balance["facts"] == {pocket: sum(one[pocket] for one in holdings.values()) for pocket in POCKETS}
    assert found["is_whole"]
    points: dict[str, int] = balance["facts"]
    return points


def test_a_balance_is_the_sum_of_the_entries_that_are_named(http: FlaskClient, college: Assessment) -> None:
    college.tell(publicised("mei", "0002", level=3), finalised("mei", "0002", level=3))
    college.tell(corrected("mei", "0002", level=3, verdict="failed"))
    assert adds_up(why(http)) == {"provisional": 0, "available": 400, "held": 0, "spent": 0}
    file(BASICS_WISH)
    assert adds_up(why(http)) == {"provisional": 0, "available": 200, "held": 200, "spent": 0}


def test_what_was_handed_over_is_explained_on_both_accounts(http: FlaskClient, college: Assessment) -> None:
    enrol(college, "lan")
    college.tell(merged("mei", "lan"))
    of_lan = why(http, headers=as_registry(), of="lan")
    assert adds_up(of_lan)["available"] == 0
    assert "two learners were found to be one person" in links(of_lan, "entry")[-1]["en"]
    assert adds_up(why(http, headers=as_registry()))["available"] == 400


def decided(http: FlaskClient, one: Application, headers: dict[str, str]) -> tuple[str, list[str], int]:
    """How a reader sees an application: its state, the decisions in its entries, and the points that are spent."""
    found = why(http, f"?application={one.id}", headers)
    moves = [link["facts"]["what"] for link in links(found, "entry")]
    return links(found, "application")[0]["facts"]["state"], moves, adds_up(why(http, headers=headers))["spent"]


def test_a_learner_knows_of_no_decision_that_can_still_be_undone(
    http: FlaskClient, college: Assessment, day: Day
) -> None:
    one = grant(file(TAX_WISH))
    assert decided(http, one, as_registry()) == ("granted", ["hold", "spend"], 400)
    assert decided(http, one, as_learner()) == ("review", ["hold"], 0)
    spent = next(link["id"] for link in links(why(http, headers=as_registry()), "entry") if "granted" in link["en"])
    hidden = http.get(f"/accounts/mei/why?entry={spent}", headers=as_learner())
    assert (hidden.status_code, hidden.json["code"]) == (404, "not_found")
    undo(one)
    assert decided(http, one, as_registry()) == ("review", ["hold", "spend", "undo"], 0)
    assert decided(http, one, as_learner()) == ("review", ["hold"], 0), "it is as if nothing had been decided"
    decide(one, BY_ANOTHER)
    day.set(IN_WINDOW + timedelta(hours=1))
    release_decisions()
    assert decided(http, one, as_learner()) == ("granted", ["hold", "spend"], 400)


def test_a_grant_that_fell_before_it_was_told_is_told_as_points_that_came_back(
    http: FlaskClient, college: Assessment
) -> None:
    one = grant(file(TAX_WISH))
    college.tell(revoked("mei", number="X-mei"))
    assert decided(http, one, as_registry())[:2] == ("fallen", ["hold", "spend", "unspend"])
    assert decided(http, one, as_learner())[:2] == ("fallen", ["hold", "release"])


def test_points_that_followed_another_rule_version_belong_to_their_application(
    http: FlaskClient, college: Assessment
) -> None:
    one = grant(file(TAX_WISH))
    publish(replace(INTERMEDIATE, targets=(MODULE,), note="the module alone"))
    undo(one, rule_version=2)
    assert decided(http, one, as_registry())[1] == ["hold", "spend", "undo", "release"]
    assert decided(http, one, as_learner()) == ("review", ["hold", "release"], 0)
    held = links(why(http), "balance")[0]["facts"]["held"]
    seen = answered(http.get(f"/conversion-applications/{one.id}", headers=as_learner()))
    assert held == seen["held_points"] == 200


class Life:
    """What may happen to mei's account, at random; what is refused has not happened."""

    def __init__(self, seed: int, college: Assessment, day: Day) -> None:
        self.chance, self.college, self.day, self.at = random.Random(seed), college, day, IN_WINDOW
        self.levels, self.revisions = {"0002": 1, "0003": 3}, Counter[str]()
        self.filed: list[Application] = []

    def step(self) -> None:
        deeds = (self.submit, self.wait, self.ask, self.take_back, self.withdraw, *[self.judge] * 6)
        with suppress(Refusal, IndexError):  # the index of nothing filed yet
            self.chance.choice(deeds)()

    def submit(self) -> None:
        name = self.chance.choice(list(self.levels))
        self.revisions[name] += 1
        kind = self.chance.choice((publicised, finalised, corrected, annulled))
        self.college.tell(kind("mei", name, level=self.levels[name], revision=self.revisions[name]))

    def wait(self) -> None:
        self.at += timedelta(minutes=20)
        self.day.set(self.at)
        release_decisions()

    def ask(self) -> None:
        self.filed.append(file(self.chance.choice((TAX_WISH, BASICS_WISH, MODULE_WISH))))

    def judge(self) -> None:
        actor = self.chance.choice((BY_DEPARTMENT, BY_REGISTRY, BY_ANOTHER))
        decide(self.chance.choice(self.filed[-2:]), actor, self.chance.random() < 0.9)

    def take_back(self) -> None:
        undo(self.chance.choice(self.filed[-2:]))

    def withdraw(self) -> None:
        applying.withdraw(self.chance.choice(self.filed[-2:]).id, "user-mei")


@pytest.mark.parametrize("seed", range(8))
def test_sums_are_right_for_everybody_whatever_happens(
    http: FlaskClient, college: Assessment, day: Day, seed: int
) -> None:
    life = Life(seed, college, day)
    for _ in range(40):
        life.step()
        applications = conversion.applications_of(["mei"])
        known = adds_up(why(http, headers=as_registry()))
        assert (known["held"], known["spent"]) == tuple(sums_of(applications, "held", "spent"))
        seen = answered(http.get("/conversion-applications", headers=as_learner()))["items"]
        told = adds_up(why(http))
        assert told["held"] == sum(one["held_points"] for one in seen)
        assert told["spent"] == sum(one["spent_points"] for one in seen)


def sums_of(applications: Sequence[Application], *pockets: str) -> list[int]:
    return [sum(getattr(one, pocket) for one in applications) for pocket in pockets]


def test_a_refusal_says_its_reason_and_who_decided_is_for_staff(
    http: FlaskClient, college: Assessment, day: Day
) -> None:
    one = file(TAX_WISH)
    decide(one, BY_DEPARTMENT, is_approval=False, reason="课程内容差异过大")
    assert decided(http, one, as_learner())[0] == "review"
    day.set(IN_WINDOW + timedelta(hours=1))
    release_decisions()
    mine, theirs = why(http, f"?application={one.id}"), why(http, f"?application={one.id}", as_registry())
    assert "课程内容差异过大" in links(mine, "application")[0]["zh"]
    assert links(mine, "act") == []
    filed, _, refused, _ = links(theirs, "act")
    assert filed["en"] == "2021-03-03 10:00 user-mei filed it."
    assert refused["zh"].startswith("2021-03-03 10:00 zhou 不批准")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("?entry=99", 404, "not_found"),
        ("?application=nobody", 404, "not_found"),
        ("?entry=1&application=a", 422, "one_question_at_a_time"),
        ("?entry=0", 422, "fields_invalid"),
    ],
)
def test_what_there_is_no_chain_of_is_refused(
    http: FlaskClient, assessment: Assessment, query: str, status: int, code: str
) -> None:
    refused = http.get(f"/accounts/mei/why{query}", headers=as_learner())
    assert (refused.status_code, refused.json["code"]) == (status, code)


def test_anothers_account_and_application_are_closed(http: FlaskClient, college: Assessment) -> None:
    enrol(college, "lan")
    one = file(TAX_WISH)
    assert http.get("/accounts/mei/why", headers=as_learner("lan")).status_code == 403
    assert http.get(f"/accounts/lan/why?application={one.id}", headers=as_learner("lan")).status_code == 404
    assert http.get("/accounts/nobody/why", headers=as_registry()).status_code == 404


def test_a_pass_without_a_rule_says_that_it_waits(http: FlaskClient, assessment: Assessment) -> None:
    assessment.tell(finalised("mei", "0009", level=2, scheme="unheard-of"))
    (rule,) = [link for link in links(why(http), "rule") if link["id"].startswith("unheard-of")]
    assert "no rule holds for the session" in rule["en"]

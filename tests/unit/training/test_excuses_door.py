"""Modules, excuse rules and excuses over HTTP: who may do what, and what they are told."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.web.tokens import Tokens
from contracts.terms import Role
from tests.unit.training.excusing import (
    COURSE,
    MODULE,
    PROGRAMME,
    SCHEME,
    YEAR,
    College,
    marked,
    place,
    record,
    settle,
)
from tests.unit.training.test_classes_door import ISSUER, SETTINGS

RULES = "/excuse-rules/tax-by-course"
FIRST = f"{RULES}/versions/1"
BODY = {
    "basis": "学分互认办法第八条", "scheme": SCHEME, "level": 1, "module": MODULE, "programme": PROGRAMME,
    "entry_year": YEAR, "course": COURSE, "least_mark": 75, "valid_from": "2019-09-01", "valid_until": "2025-08-31",
}  # fmt: skip


@pytest.fixture
def http(mongo: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """The service's own application, at a founded college."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    app = importlib.import_module("services.training.app").app
    app.extensions["onex.tokens"] = Tokens("training", ISSUER)
    client: FlaskClient = app.test_client()
    return client


@pytest.fixture
def college(mongo: str) -> College:
    return College().founded()


def person(name: str = "li", role: Role = Role.REGISTRY, **owns: list[str]) -> dict[str, str]:
    """Somebody who has signed in: their token is the portal's."""
    return ISSUER.bearer("training", role, subject=name, client_id="portal", owns=owns)


def code_of(answer: Any) -> str:
    return str(answer.json.get("code", answer.status_code))


def test_a_rule_goes_from_its_draft_to_a_learners_page(http: FlaskClient, college: College) -> None:
    drafted = http.put(RULES, json=BODY, headers=person())
    assert drafted.json == BODY | {
        "code": "tax-by-course", "version": 1, "state": "draft", "drafted_by": "li", "approved_by": [],
        "published_at": None, "retired_at": None,
    }  # fmt: skip
    for name in ("li", "mei"):
        assert http.put(f"{FIRST}/approval", headers=person(name)).status_code == 200
    assert http.put(f"{FIRST}/publication", headers=person()).json["state"] == "published"
    college.tell(place(), record())
    marked()
    settle()
    path = "/learners/lan/training-excuses"
    [shown] = http.get(path, headers=person("lan", Role.LEARNER, learner=["lan"])).json["items"]
    assert (shown["module"], shown["is_excused"], shown["mark"], shown["basis"]) == (MODULE, True, 86, BODY["basis"])
    assert "place" not in shown
    assert http.get(path, headers=person("staff", Role.TRAINER)).json["items"] == [shown]
    flow = {one["stage"]: one["count"] for one in http.get("/flow", headers=person()).json["stages"]}
    assert flow["modules_excused"] == 1
    steps = http.get("/lives/excuse-rule:tax-by-course:1", headers=person()).json["steps"]
    assert steps == [], "the learner came after the rule was published"
    assert http.delete(f"{FIRST}/publication", headers=person()).json["state"] == "retired"
    assert [one["state"] for one in http.get(RULES, headers=person()).json] == ["retired"]
    assert [one["version"] for one in http.get("/excuse-rules?state=retired", headers=person()).json["items"]] == [1]


def test_a_rule_without_end_is_refused(http: FlaskClient, college: College) -> None:
    for body in (BODY | {"valid_until": None}, {k: v for k, v in BODY.items() if k != "valid_until"}):
        assert code_of(http.put(RULES, json=body, headers=person())) == "excuse_rule_without_end"
    without = {name: value for name, value in BODY.items() if name != "basis"}
    assert code_of(http.put(RULES, json=without, headers=person())) == "excuse_rule_without_basis"


def test_machines_decide_nothing(http: FlaskClient, college: College) -> None:
    machine = ISSUER.bearer("training", Role.REGISTRY, subject="robot", client_id="robot")
    assert http.put(RULES, json=BODY, headers=machine).json["state"] == "draft"
    assert code_of(http.put(f"{FIRST}/approval", headers=machine)) == "person_needed"
    for name in ("li", "mei"):
        http.put(f"{FIRST}/approval", headers=person(name))
    assert code_of(http.put(f"{FIRST}/publication", headers=machine)) == "person_needed"
    http.put(f"{FIRST}/publication", headers=person())
    assert code_of(http.delete(f"{FIRST}/publication", headers=machine)) == "person_needed"


def test_who_owns_a_part_decides_nothing_for_all(http: FlaskClient, college: College) -> None:
    limited = person("li", Role.REGISTRY, department=["财会学院"])
    assert code_of(http.put(RULES, json=BODY, headers=limited)) == "outside_your_scope"
    module = f"/training-modules/{SCHEME}/1/law"
    body = {"name": "财税法规", "class_hours": 8}
    assert code_of(http.put(module, json=body, headers=limited)) == "outside_your_scope"


def test_a_version_that_is_not_there_is_not_found(http: FlaskClient, college: College) -> None:
    for method, path in (("PUT", "approval"), ("PUT", "publication"), ("DELETE", "publication")):
        for version in (1, 12_345):
            found = http.open(f"{RULES}/versions/{version}/{path}", method=method, headers=person())
            assert code_of(found) == "not_found"
    assert code_of(http.get(RULES, headers=person())) == "not_found"


def test_modules_are_entered_and_listed_page_by_page(http: FlaskClient, college: College) -> None:
    body = {"name": "财税法规", "class_hours": 8}
    put = http.put(f"/training-modules/{SCHEME}/2/law", json=body, headers=person("zhao", Role.TRAINER))
    assert put.json == {"scheme": SCHEME, "level": 2, "code": "law"} | body
    first = http.get("/training-modules?limit=2", headers=person()).json
    rest = http.get(f"/training-modules?limit=2&cursor={first['next']}", headers=person()).json
    assert [one["code"] for one in first["items"] + rest["items"]] == ["ledger", MODULE, "law"]
    listed = http.get("/training-modules?level=2", headers=person()).json["items"]
    assert [one["code"] for one in listed] == ["law"]
    assert code_of(http.put(f"/training-modules/{SCHEME}/9/law", json=body, headers=person())) == "level_not_offered"
    assert code_of(http.put("/training-modules/none/1/law", json=body, headers=person())) == "scheme_unknown"


def test_a_learner_reads_their_own_excuses_alone(http: FlaskClient, college: College) -> None:
    mine = person("lan", Role.LEARNER, learner=["lan"])
    assert http.get("/learners/lan/training-excuses", headers=mine).json == {"items": [], "next": None}
    assert code_of(http.get("/learners/bo/training-excuses", headers=mine)) == "outside_your_scope"
    other = person("teo", Role.TEO)
    assert code_of(http.get("/learners/lan/training-excuses", headers=other)) == "role_not_allowed"

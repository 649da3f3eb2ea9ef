"""Outcomes of every kind over HTTP: whose, how many at once, and what is said of each."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.web.tokens import Tokens
from contracts.terms import Role
from services.creditbank.jobs import settle_waiting
from tests.chassis.web.tokens import TestIssuer
from tests.unit.creditbank.stories import TEO, Assessment, finalised, registered

ISSUER = TestIssuer()
RULE = {"credit_points": 200, "sessions_from": "2019-04-01", "note": "a guess", "is_folklore_default": True}
LICENCE = {
    "external_id": "L-1",
    "kind": "licence",
    "code": "electrician",
    "title": "电工",
    "level": "初级",
    "learner_id": "mei",
    "day": "2021-01-09",
    "state": "final",
    "as_of": "2021-01-12T08:00:00+08:00",
}


@pytest.fixture
def http(mongo: str, mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """The service's own application with one learner's account, which trusts the tests' issuer."""
    given = {"MONGO": mongo_url, "DATABASE": mongo, "PORTAL_URL": "http://portal.test"}
    for name, value in (given | {"CLIENT_SECRET": "secret", "SEAL_KEY": "A" * 43}).items():
        monkeypatch.setenv(name, value)
    Assessment().tell(registered("mei"))
    app = importlib.import_module("services.creditbank.app").app
    app.extensions["onex.tokens"] = Tokens("creditbank", ISSUER)
    client: FlaskClient = app.test_client()
    return client


def staff(role: Role = Role.REGISTRY, **owns: list[str]) -> dict[str, str]:
    return ISSUER.bearer("creditbank", role, owns=owns)


def answered(response: Any) -> Any:
    assert response.status_code == 200, response.json
    return response.json


def verdicts(response: Any) -> list[tuple[str, str | None]]:
    return [(one["status"], one["code"]) for one in answered(response)]


def test_a_licence_waits_for_its_rule_in_the_list_and_is_credited_by_it(http: FlaskClient) -> None:
    [judged] = answered(http.post("/outcomes", json=[LICENCE], headers=staff()))
    assert (judged["status"], judged["id"]) == ("accepted", "college:L-1")
    assert verdicts(http.post("/outcomes", json=[LICENCE], headers=staff(Role.OPERATOR))) == [("unchanged", None)]
    [shown] = answered(http.get("/outcomes?learner_id=mei", headers=staff(Role.LEARNER, learner=["mei"])))["items"]
    assert (shown["level"], shown["level_name"], shown["waiting_for"]) == (
        5,
        "五级（初级工）",
        "rule:licence.electrician:5",
    )
    rule = answered(http.put("/recognition-rules/licence.electrician/五级", json=RULE, headers=staff(Role.OPERATOR)))
    assert (rule["kind"], rule["level"], rule["level_name"]) == ("licence", 5, "五级（初级工）")
    importlib.import_module("services.creditbank.jobs").settle_waiting()
    account = answered(http.get("/accounts/mei", headers=staff()))
    assert [(one["scheme"], one["level"], one["available_points"]) for one in account["holdings"]] == [
        ("licence.electrician", 5, 200)
    ]


def test_an_organisation_submits_its_own_licences_under_ids_of_its_own(http: FlaskClient) -> None:
    teo = staff(Role.TEO, teo=[TEO])
    assert verdicts(http.post("/outcomes", json=[LICENCE], headers=teo)) == [("refused", "source_not_yours")]
    source = {"title": "电工", "teo": TEO}
    put = answered(http.put("/outcome-sources/licence/electrician", json=source, headers=staff()))
    assert put == {"scheme": "licence.electrician", "kind": "licence", "code": "electrician", **source}
    assert verdicts(http.post("/outcomes", json=[LICENCE], headers=teo)) == [("accepted", None)]
    assert [one["id"] for one in answered(http.get("/outcomes", headers=teo))["items"]] == [f"{TEO}:L-1"]
    for headers in (teo, staff(Role.REGISTRY, department=["x"])):
        foreign = http.post("/outcomes?sender=college", json=[LICENCE], headers=headers)
        assert (foreign.status_code, foreign.json["code"]) == (403, "outside_your_scope")


def test_a_source_is_named_for_the_whole_college(http: FlaskClient) -> None:
    path, source = "/outcome-sources/licence/electrician", {"title": "电工"}
    refused = http.put(path, json=source, headers=staff(Role.REGISTRY, college=["4144012345"]))
    assert (refused.status_code, refused.json["code"]) == (403, "outside_your_scope")
    robot = ISSUER.machine("creditbank", Role.REGISTRY)
    assert answered(http.put(path, json=source, headers=robot))["title"] == "电工"


def test_the_college_may_name_the_system_whose_ids_it_passes_on(http: FlaskClient) -> None:
    [judged] = answered(http.post("/outcomes?sender=mooc", json=[LICENCE], headers=staff()))
    assert judged["id"] == "mooc:L-1"


def test_a_learner_reads_the_own_outcomes_and_submits_none(http: FlaskClient) -> None:
    answered(http.post("/outcomes", json=[LICENCE], headers=staff()))
    for path in ("/outcomes", "/outcomes?learner_id=mei"):
        foreign = http.get(path, headers=staff(Role.LEARNER, learner=["lan"]))
        assert (foreign.status_code, foreign.json["code"]) == (403, "outside_your_scope")
    own = http.post("/outcomes", json=[LICENCE], headers=staff(Role.LEARNER, learner=["mei"]))
    assert (own.status_code, own.json["code"]) == (403, "role_not_allowed")


def test_outcomes_and_sources_are_listed_in_pages(http: FlaskClient) -> None:
    items = [LICENCE | {"external_id": f"L-{n}", "code": f"trade-{n}"} for n in range(3)]
    answered(http.post("/outcomes", json=items, headers=staff()))
    for path, name in (("/outcomes", "id"), ("/outcome-sources", "scheme")):
        first = answered(http.get(f"{path}?limit=2", headers=staff()))
        rest = answered(http.get(f"{path}?limit=2&cursor={first['next']}", headers=staff()))
        assert len({one[name] for one in first["items"] + rest["items"]}) == 3
        assert rest["next"] is None


def listed(http: FlaskClient, query: str, **owns: list[str]) -> list[str]:
    """The external ids of outcomes, page by page."""
    found: list[str] = []
    cursor = ""
    while len(found) < 100:
        page = answered(http.get(f"/outcomes?limit=2&{query}{cursor}", headers=staff(**owns)))
        found += [one["external_id"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    return found


def test_outcomes_are_listed_by_kind_source_and_state(http: FlaskClient) -> None:
    course = {"external_id": "C-1", "kind": "online", "code": "python-basics", "title": "Python", "level": ""}
    items = [LICENCE, LICENCE | {"external_id": "L-2", "code": "welder", "title": "焊工"}, LICENCE | course]
    items += [LICENCE | {"external_id": "L-3", "state": "provisional"}]
    assert verdicts(http.post("/outcomes", json=items, headers=staff())) == [("accepted", None)] * 4
    assert listed(http, "kind=licence") == ["L-1", "L-2", "L-3"]
    assert listed(http, "kind=online") == ["C-1"]
    assert listed(http, "kind=diploma") == []
    assert listed(http, "scheme=licence.electrician&state=final") == ["L-1"]
    assert listed(http, "state=provisional") == ["L-3"]
    assert http.get("/outcomes?kind=certificate", headers=staff()).status_code == 422


def test_those_that_wait_for_a_rule_are_listed_by_rule_until_it_comes(http: FlaskClient) -> None:
    Assessment().tell(finalised("mei"))  # a certificate that waits for its rule is none of these
    items = [LICENCE | {"external_id": f"L-{n}", "code": f"trade-{n % 2}"} for n in range(5)]
    answered(http.post("/outcomes", json=items, headers=staff()))
    unknown = LICENCE | {"external_id": "L-9", "learner_id": "nobody"}
    answered(http.post("/outcomes", json=[unknown], headers=staff()))
    assert listed(http, "awaits_rule=true") == ["L-9", "L-0", "L-2", "L-4", "L-1", "L-3"]
    assert listed(http, "awaits_rule=true&scheme=licence.trade-1") == ["L-1", "L-3"]
    assert listed(http, "awaits_rule=true&kind=online") == []
    assert listed(http, "awaits_rule=true&state=provisional") == []
    assert listed(http, "awaits_rule=true", teo=[TEO]) == []
    for code in ("trade-0", "electrician"):
        answered(http.put(f"/recognition-rules/licence.{code}/5", json=RULE, headers=staff(Role.OPERATOR)))
    assert not settle_waiting()
    assert listed(http, "awaits_rule=true") == ["L-1", "L-3"], "nobody's waits for an account now"
    assert len(listed(http, "")) == 6


@pytest.mark.parametrize(
    ("change", "field"),
    [({"kind": "gift"}, "kind"), ({"state": "done"}, "state"), ({"external_id": ""}, "external_id"), ({"x": 1}, "x")],
)
def test_what_has_another_shape_is_refused_as_a_whole(http: FlaskClient, change: dict[str, Any], field: str) -> None:
    refused = http.post("/outcomes", json=[LICENCE, LICENCE | change], headers=staff())
    assert (refused.status_code, refused.json["code"]) == (422, "fields_invalid")
    assert [one["field"] for one in refused.json["errors"]] == [f"1.{field}"]
    assert answered(http.get("/outcomes", headers=staff()))["items"] == []


def test_a_proposal_for_a_level_outside_its_kind_is_refused(http: FlaskClient) -> None:
    version = {
        "scheme": "licence.electrician",
        "level": 5,
        "credit_points": 100,
        "sessions_from": "2021-01-01",
        "sessions_until": "2030-12-31",
        "policy": {"code": "measures", "title": "Measures", "number": "1"},
    }
    assert http.post("/recognition-proposals", json={"version": version}, headers=staff()).status_code == 201
    for change in ({"scheme": "cloud-ops"}, {"scheme": "online.python"}):
        refused = http.post("/recognition-proposals", json={"version": version | change}, headers=staff())
        assert (refused.status_code, refused.json["code"]) == (422, "level_outside_kind")

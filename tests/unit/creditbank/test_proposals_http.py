"""Proposals over HTTP: who may, what is refused with which reason, and the simulation as a table and as a sheet."""

from __future__ import annotations

import importlib
import io
from typing import Any

import pytest
from flask.testing import FlaskClient
from openpyxl import load_workbook

from chassis.sheet import saving
from chassis.web.tokens import Tokens
from contracts.terms import Role
from services.creditbank.jobs import rerate_some
from services.creditbank.tables import TABLES
from tests.chassis.web.tokens import TestIssuer
from tests.unit.creditbank.converting import record
from tests.unit.creditbank.proposing import simulate
from tests.unit.creditbank.stories import Assessment, balances, finalised, publish_annex, registered

ISSUER = TestIssuer()
PLACE = "/recognition-proposals"
VERSION = {
    "scheme": "cloud-ops",
    "level": 2,
    "credit_points": 500,
    "sessions_from": "2020-01-01",
    "sessions_until": "2030-12-31",
    "policy": {"code": "credit-2021", "title": "学分银行认定办法", "number": "教〔2021〕7号"},
}


@pytest.fixture
def http(mongo: str, mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    given = {"MONGO": mongo_url, "DATABASE": mongo, "PORTAL_URL": "http://portal.test"}
    for name, value in (given | {"CLIENT_SECRET": "secret", "SEAL_KEY": "A" * 43}).items():
        monkeypatch.setenv(name, value)
    app = importlib.import_module("services.creditbank.app").app
    app.extensions["onex.tokens"] = Tokens("creditbank", ISSUER)
    publish_annex()
    teller = Assessment()
    teller.tell(registered("mei"), registered("lan"), record("mei"), finalised("mei"), finalised("lan", "0002"))
    client: FlaskClient = app.test_client()
    return client


def by(person: str = "lin", role: Role = Role.REGISTRY) -> dict[str, str]:
    return ISSUER.bearer("creditbank", role, subject=f"user:{person}")


def said(response: Any, status: int = 200) -> Any:
    assert response.status_code == status, response.json
    return response.json


def proposed(http: FlaskClient, **change: Any) -> int:
    given = {"version": VERSION | change}
    number: int = said(http.post(PLACE, json=given, headers=by()), 201)["number"]
    return number


def simulated(http: FlaskClient, number: int) -> Any:
    asked = http.post(f"{PLACE}/{number}/simulations", headers=by())
    assert said(asked, 202)["finished_at"] is None
    simulate()
    return said(http.get(asked.headers["Location"], headers=by()))


def approved_by(http: FlaskClient, number: int, person: str, simulation: int = 1) -> Any:
    return http.post(f"{PLACE}/{number}/approvals", json={"simulation": simulation}, headers=by(person))


def enacted(http: FlaskClient, number: int) -> Any:
    for person in ("zhao", "qian"):
        said(approved_by(http, number, person))
    return said(http.post(f"{PLACE}/{number}/enactment", headers=by("zhao")), 202)


def test_a_rule_is_drafted_simulated_approved_by_two_and_published(http: FlaskClient) -> None:
    made = http.post(PLACE, json={"version": VERSION}, headers=by())
    told = said(made, 201)
    assert (told["kind"], told["state"], told["author"], told["rerate"]) == ("version", "draft", "user:lin", None)
    assert said(http.get(made.headers["Location"], headers=by(role=Role.AUDITOR))) == told
    found = simulated(http, told["number"])
    assert (found["totals"]["gainers"], found["totals"]["change_points"]) == (2, 200)
    assert enacted(http, told["number"])["state"] == "carried_out"
    rule = said(http.get("/recognition-rules/cloud-ops/2", headers=by()))
    assert [(one["version"], one["retired_from"]) for one in rule["versions"]] == [(2, None), (1, "2020-01-01")]
    assert rule["versions"][0]["policy"] == VERSION["policy"] | {"url": ""}
    assert balances("mei") == (0, 400)


def test_a_rerate_shows_how_far_it_is(http: FlaskClient) -> None:
    first = proposed(http)
    simulated(http, first)
    number = enacted(http, first)["enactment"]["version"]
    targets = [{"scheme": "cloud-ops", "level": 2, "version": number}]
    made = said(http.post(PLACE, json={"rerate": {"targets": targets}}, headers=by()), 201)["number"]
    simulated(http, made)
    assert enacted(http, made)["state"] == "under_way"
    while rerate_some():
        pass
    told = said(http.get(f"{PLACE}/{made}", headers=by()))
    assert (told["state"], told["enactment"]["moved"]) == ("carried_out", 2)
    assert (balances("mei"), balances("lan")) == ((0, 500), (0, 500))


def test_four_eyes_are_two_peoples(http: FlaskClient) -> None:
    number = proposed(http)
    unsimulated = approved_by(http, number, "lin")
    assert (unsimulated.status_code, unsimulated.json["code"]) == (409, "proposal_not_simulated")
    simulated(http, number)
    said(approved_by(http, number, "lin"))
    again = approved_by(http, number, "lin")
    assert (again.status_code, again.json["code"]) == (409, "approved_by_you")
    early = http.post(f"{PLACE}/{number}/enactment", headers=by())
    assert (early.status_code, early.json["code"]) == (409, "proposal_not_approved")
    other = approved_by(http, number, "zhao", simulation=2)
    assert (other.status_code, other.json["code"]) == (409, "simulation_is_another")
    assert said(approved_by(http, number, "zhao"))["state"] == "approved"


def test_a_machine_may_propose_and_simulate_but_neither_approve_nor_enact(http: FlaskClient) -> None:
    robot = ISSUER.machine("creditbank", Role.REGISTRY)
    number = said(http.post(PLACE, json={"version": VERSION}, headers=robot), 201)["number"]
    said(http.post(f"{PLACE}/{number}/simulations", headers=robot), 202)
    simulate()
    approval, enactment = f"{PLACE}/{number}/approvals", f"{PLACE}/{number}/enactment"
    for path, body in ((approval, {"simulation": 1}), (enactment, None)):
        refused = http.post(path, json=body, headers=robot)
        assert (refused.status_code, refused.json["code"]) == (403, "person_needed"), path
    assert said(http.get(f"{PLACE}/{number}", headers=by()))["approvals"] == []
    said(approved_by(http, number, "lin"))
    assert http.post(approval, json={"simulation": 1}, headers=robot).json["code"] == "person_needed"
    assert said(approved_by(http, number, "zhao"))["state"] == "approved"


def test_an_edited_draft_is_simulated_and_approved_anew(http: FlaskClient) -> None:
    number = proposed(http)
    simulated(http, number)
    said(approved_by(http, number, "lin"))
    changed = said(http.put(f"{PLACE}/{number}", json={"version": VERSION | {"credit_points": 1}}, headers=by()))
    assert (changed["revision"], changed["state"], changed["approvals"], changed["simulation"]) == (
        2,
        "draft",
        [],
        None,
    )
    refused = approved_by(http, number, "zhao")
    assert (refused.status_code, refused.json["code"]) == (409, "proposal_not_simulated")


@pytest.mark.parametrize("what", ["simulation", "simulation/holdings", "simulation.xlsx"])
def test_a_simulation_that_nobody_asked_for_is_not_there(http: FlaskClient, what: str) -> None:
    missing = http.get(f"{PLACE}/{proposed(http)}/{what}", headers=by())
    assert (missing.status_code, missing.json["code"]) == (404, "not_found")


def test_what_is_withdrawn_is_over(http: FlaskClient) -> None:
    number = proposed(http)
    assert http.delete(f"{PLACE}/{number}", headers=by()).status_code == 204
    refused = http.post(f"{PLACE}/{number}/simulations", headers=by())
    assert (refused.status_code, refused.json["code"]) == (409, "proposal_is_over")
    listed = said(http.get(f"{PLACE}?state=withdrawn", headers=by()))
    assert [one["number"] for one in listed["items"]] == [number]


def test_proposals_and_holdings_are_read_in_pages(http: FlaskClient) -> None:
    numbers = [proposed(http) for _ in range(3)]
    first = said(http.get(f"{PLACE}?limit=2", headers=by()))
    rest = said(http.get(f"{PLACE}?limit=2&cursor={first['next']}", headers=by()))
    assert [one["number"] for one in first["items"] + rest["items"]] == numbers[::-1]
    simulated(http, numbers[0])
    place = f"{PLACE}/{numbers[0]}/simulation/holdings"
    some = said(http.get(f"{place}?limit=1", headers=by()))
    more = said(http.get(f"{place}?limit=1&cursor={some['next']}", headers=by()))
    assert [one["learner_id"] for one in some["items"] + more["items"]] == ["lan", "mei"]
    assert (more["next"], some["items"][0]["change_points"]) == (None, 100)
    assert said(http.get(f"{place}?direction=loses", headers=by()))["items"] == []


def test_a_simulation_is_saved_as_a_sheet(http: FlaskClient) -> None:
    number = proposed(http)
    simulated(http, number)
    answer = http.get(f"{PLACE}/{number}/simulation.xlsx", headers=by() | {"Accept-Language": "zh"})
    assert answer.status_code == 200
    book = load_workbook(io.BytesIO(answer.data))
    lines, *totals = (list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets)
    assert lines[0][:4] == ("学习者", "专业", "证书", "等级")
    assert lines[1:] == [
        ("lan", None, "cloud-ops", "中级", 0, 400, 0, 400, 0, 500, 100),
        ("mei", "630302", "cloud-ops", "中级", 0, 400, 0, 400, 0, 500, 100),
    ]
    assert book.sheetnames[1:] == ["按专业合计", "按证书合计"]
    assert [line[:4] for line in totals[0][1:]] == [(None, 1, 1, 100), ("630302", 1, 1, 100)]
    assert [line[:4] for line in totals[1][1:]] == [("cloud-ops", 2, 2, 200)]


def test_a_long_simulation_is_saved_in_the_background(http: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    number = proposed(http)
    simulated(http, number)
    place, headers = f"{PLACE}/{number}/simulation.xlsx", by() | {"Accept-Language": "zh"}
    at_once = http.get(place, headers=headers)
    monkeypatch.setattr(saving, "AT_ONCE_LINES", 1)
    asked = http.get(place, headers=headers)
    assert said(asked, 202) | {"asked_at": None} == {
        "number": 1, "state": "waiting", "lines": 2, "done": 0, "file": None, "asked_at": None, "ended_at": None,
        "code": None, "detail": None,
    }  # fmt: skip
    early = http.get(f"{asked.headers['Location']}/file.xlsx", headers=headers)
    assert (early.status_code, early.json["code"]) == (409, "table_not_ready")
    scribe = saving.Scribe(TABLES)
    while scribe():
        pass
    told = said(http.get(asked.headers["Location"], headers=headers))
    assert (told["state"], told["done"]) == ("ready", 2)
    sheets = [load_workbook(io.BytesIO(http.get(one, headers=headers).data)) for one in (told["file"],)]
    sheets.append(load_workbook(io.BytesIO(at_once.data)))
    lines = [[list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets] for book in sheets]
    assert lines[0] == lines[1]
    for stranger in (by("zhao"), by("zhao", Role.AUDITOR)):
        assert http.get(told["file"], headers=stranger).status_code == 404
    assert http.get(told["file"], headers=by(role=Role.LEARNER)).status_code == 403


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"level": 4}, "level_outside_kind"),
        ({"level": 6}, "fields_invalid"),
        ({"level": "高级"}, "fields_invalid"),
        ({"credit_points": -1}, "fields_invalid"),
        ({"sessions_until": None}, "rule_without_end"),
        ({"policy": None}, "rule_without_policy"),
        ({"policy": {"code": "a", "title": "b"}}, "rule_without_policy"),
        ({"sessions_until": "2019-12-31"}, "rule_ends_before_it_begins"),
        ({"sessions_until": "2019-01-01", "sessions_from": "2018-01-01"}, "rule_leaves_gap"),
        ({"supersedes": [7]}, "rule_version_unknown"),
        ({"scheme": "Cloud Ops"}, "scheme_malformed"),
    ],
)
def test_a_draft_that_makes_no_sense_is_refused(http: FlaskClient, change: dict[str, Any], code: str) -> None:
    refused = http.post(PLACE, json={"version": VERSION | change}, headers=by())
    assert (refused.status_code, refused.json["code"]) == (409 if code == "rule_leaves_gap" else 422, code)


def test_a_proposal_is_one_thing(http: FlaskClient) -> None:
    targets = {"targets": [{"scheme": "cloud-ops", "level": 2, "version": 1}]}
    for given in ({}, {"version": VERSION, "rerate": targets}):
        refused = http.post(PLACE, json=given, headers=by())
        assert (refused.status_code, refused.json["code"]) == (422, "proposal_of_one_kind")


def test_who_has_no_say_is_refused(http: FlaskClient) -> None:
    number = proposed(http)
    for role in (Role.AUDITOR, Role.DEPARTMENT, Role.LEARNER):
        owns = {"learner": ["mei"]} if role is Role.LEARNER else None
        headers = ISSUER.bearer("creditbank", role, **({"owns": owns} if owns else {}))
        assert http.post(PLACE, json={"version": VERSION}, headers=headers).status_code == 403
        assert http.post(f"{PLACE}/{number}/approvals", json={"simulation": 1}, headers=headers).status_code == 403
    assert http.get(f"{PLACE}/99", headers=by()).status_code == 404


def test_the_same_proposal_sent_twice_under_one_key_is_made_once(http: FlaskClient) -> None:
    headers = by() | {"Idempotency-Key": "a-key"}
    first, again = (http.post(PLACE, json={"version": VERSION}, headers=headers) for _ in range(2))
    assert said(first, 201) == said(again, 201)
    assert len(said(http.get(PLACE, headers=by()))["items"]) == 1

"""Assessment over HTTP: who may do what, and how it is answered."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.seal import key_text, new_key
from services.assessment.results.commands import close_due_publicity
from tests.chassis.web.tokens import TestIssuer
from tests.unit.assessment.stories import CARE_TEO, FINANCE_TEO, SF2, open_college, publish_2021, seat

pytestmark = pytest.mark.usefixtures("clock")
ISSUER = TestIssuer()
RESULTS = f"/teos/{FINANCE_TEO}/plans/{SF2.code}/results"
RULE = {"version": 1, "sessions_from": "2019-04-01", "kind": "weighted", "theory": 40, "practical": 60, "pass_at": 60}
SCHEME = {"name": "智能财税", "teo": FINANCE_TEO, "levels": [2, 1, 2], "needs_training": True, "pass_rules": [RULE]}


@pytest.fixture
def client(mongo: str, mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    given = {
        "MONGO": mongo_url,
        "DATABASE": mongo,
        "PORTAL_URL": "http://portal.test",
        "CLIENT_SECRET": "s",
        "SEAL_KEY": key_text(new_key()),
        "ENROLMENT_URL": "http://enrolment.test",
        "LOG_LEVEL": "WARNING",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    door = importlib.import_module("services.assessment.app")
    app = door.assessment(door.settings(), trust=ISSUER)
    with app.test_client() as made:
        yield made


def as_a(role: str, **owns: list[str]) -> dict[str, str]:
    return ISSUER.bearer("assessment", role, owns=owns)


def item(admission: str = "A1", **values: Any) -> dict[str, Any]:
    return {"admission_number": admission, "theory": 78, "practical": 85, "as_of": "2021-09-16T10:00:00Z"} | values


def test_reference_data_is_put_and_read_back(client: FlaskClient) -> None:
    operator, teo = as_a("operator"), {"name": "中联集团教育科技有限公司", "aliases": ["中联"]}
    assert client.put(f"/teos/{FINANCE_TEO}", json=teo, headers=operator).json == teo | {"teo": FINANCE_TEO}
    for _ in range(2):
        scheme = client.put("/schemes/smart-finance", json=SCHEME, headers=operator).json
    assert scheme["levels"] == [1, 2]
    assert scheme["pass_rules"] == [RULE]
    assert client.get("/schemes/smart-finance", headers=as_a("learner")).json == scheme
    assert client.get("/schemes", headers=as_a("service")).json == {"items": [scheme], "next": None}
    plan = {"scheme": "smart-finance", "level": 2, "session_date": "2021-06-19", "quota": 3, "site": "财会楼"}
    made = client.put(f"/teos/{FINANCE_TEO}/plans/P1", json=plan, headers=operator).json
    assert made == plan | {"teo": FINANCE_TEO, "plan": "P1", "publicity_days": 5}
    assert client.get("/plans?level=2", headers=operator).json == {"items": [made], "next": None}
    assert client.get("/plans", headers=as_a("teo", teo=[CARE_TEO])).json["items"] == []


def test_malformed_reference_data_is_refused_with_what_to_do(client: FlaskClient) -> None:
    operator = as_a("operator")
    assert (
        client.put("/teos/91110000000000043X", json={"name": "x"}, headers=operator).json["code"]
        == "credit_code_invalid"
    )
    assert client.get("/teos/none", headers=operator).status_code == 404
    assert client.put("/schemes/s", json=SCHEME, headers=operator).json["code"] == "teo_unknown"
    for rule in (RULE | {"resits": 1}, {name: RULE[name] for name in RULE if name != "theory"}):
        answer = client.put("/schemes/s", json=SCHEME | {"pass_rules": [rule]}, headers=operator)
        assert (answer.status_code, answer.json["code"]) == (422, "fields_invalid")
    plan = {"scheme": "none", "level": 2, "session_date": "2021-06-19", "quota": 3}
    assert client.put(f"/teos/{FINANCE_TEO}/plans/P1", json=plan, headers=operator).status_code == 404
    assert client.get("/schemes", headers={}).status_code == 401


def test_an_organisation_submits_and_reads_its_own_results(client: FlaskClient) -> None:
    open_college(SF2)
    publish_2021()
    seat(SF2, "chen", "li")
    own = as_a("teo", teo=[FINANCE_TEO])
    sittings = [item(), item("A2", theory=101), item("Z9"), item("A2", theory=None, practical=None, remark="absent")]
    answer = client.post(RESULTS, json=sittings, headers=own | {"Accept-Language": "zh"}).json
    assert [(one["status"], one["code"]) for one in answer] == [
        ("accepted", None),
        ("refused", "score_range"),
        ("refused", "admission_unknown"),
        ("accepted", None),
    ]
    assert answer[1]["detail"] == "成绩 101 超出 0 至 100 的范围，请更正。"
    assert client.post(RESULTS, json=sittings, headers=own).json[0]["status"] == "unchanged"
    first = client.get(f"{RESULTS}?limit=1", headers=own).json
    second = client.get(f"{RESULTS}?limit=1&cursor={first['next']}", headers=own).json
    assert [one["verdict"] for one in first["items"] + second["items"]] == ["passed", "absent"]
    assert second["next"] is None
    shown = client.get(f"/results/{SF2.id}:A1:1", headers=own).json
    assert (shown["due_on"], shown["state"], shown["revision"], shown["changes"]) == ("2021-09-24", "publicised", 1, [])
    assert shown["submitted_by"] == f"result:{SF2.id}:A1:1:r1"


def test_nobody_touches_what_is_anothers(client: FlaskClient) -> None:
    open_college(SF2)
    seat(SF2, "chen")
    client.post(RESULTS, json=[item()], headers=as_a("exam_office"))
    other, name = as_a("teo", teo=[CARE_TEO]), f"{SF2.id}:A1:1"
    for answer in (
        client.post(RESULTS, json=[item()], headers=other),
        client.get(RESULTS, headers=other),
        client.get(f"/results/{name}", headers=other),
        client.get(f"/results/{name}", headers=as_a("learner", learner=["li"])),
        client.get("/results?learner_id=chen", headers=as_a("learner", learner=["li"])),
        client.get("/certificates?learner_id=chen", headers=as_a("learner", learner=["li"])),
    ):
        assert (answer.status_code, answer.json["code"]) == (403, "outside_your_scope")
    correction = {"theory": 1, "practical": 1, "reason": "x"}
    answer = client.post(f"/results/{name}/corrections", json=correction, headers=as_a("teo", teo=[FINANCE_TEO]))
    assert answer.json["code"] == "role_not_allowed"
    mine = client.get("/results?learner_id=chen", headers=as_a("learner", learner=["chen"])).json
    assert [one["result_id"] for one in mine["items"]] == [name]


def test_publicity_is_closed_corrected_and_annulled_by_staff(client: FlaskClient) -> None:
    open_college(SF2)
    seat(SF2, "chen")
    office, name = as_a("exam_office"), f"{SF2.id}:A1:1"
    client.post(RESULTS, json=[item(theory=10)], headers=office)
    assert client.get("/warnings", headers=office).json["warnings"][0]["plan"] == SF2.code
    answer = client.post(f"/teos/{FINANCE_TEO}/plans/{SF2.code}/publicity/close", headers=as_a("operator"))
    assert (answer.status_code, answer.json) == (202, {"due": 1})
    close_due_publicity()
    correction = {"theory": 70, "practical": 85, "reason": "recounted"}
    again = office | {"Idempotency-Key": "one"}
    corrected = [client.post(f"/results/{name}/corrections", json=correction, headers=again).json for _ in range(2)]
    assert corrected[0] == corrected[1]
    assert (corrected[0]["state"], corrected[0]["verdict"], corrected[0]["revision"]) == ("final", "passed", 3)
    changes = client.get(f"/results/{name}", headers=office).json["changes"]
    assert [(one["theory"], one["reason"], one["verdict"]) for one in changes] == [(10, "recounted", "failed")]
    annulled = client.post(f"/results/{name}/annulments", json={"reason": "mixed up"}, headers=office).json
    assert (annulled["state"], annulled["revision"]) == ("annulled", 4)
    flow = {one["stage"]: one["count"] for one in client.get("/flow", headers=as_a("auditor")).json["stages"]}
    assert flow == {
        "entitled": 1,
        "candidates": 1,
        "results": 1,
        "publicised": 0,
        "final": 0,
        "passed": 0,
        "failed": 0,
        "absent": 0,
        "malpractice": 0,
        "certificates": 0,
    }


def test_the_life_of_a_result_begins_with_its_cause(client: FlaskClient) -> None:
    open_college(SF2)
    seat(SF2, "chen")
    client.post(RESULTS, json=[item()], headers=as_a("exam_office"))
    steps = client.get(f"/lives/result:{SF2.id}:A1:1:r1", headers=as_a("auditor")).json["steps"]
    assert {one["what"] for one in steps} == {"result", "ResultPublicised"}
    row = client.get("/lives/import:assessment:1:1", headers=as_a("auditor")).json["steps"]
    assert {one["what"] for one in row} == {"candidate", "CandidateRegistered"}


def test_odd_input_is_a_clear_error(client: FlaskClient) -> None:
    open_college(SF2)
    office = as_a("exam_office")
    assert client.post(RESULTS, json=[item()] * 501, headers=office).json["code"] == "too_many_items"
    assert client.post(RESULTS, json=[item(mark=3)], headers=office).json["code"] == "fields_invalid"
    assert client.post(RESULTS, json=[item(theory="78")], headers=office).json["code"] == "fields_invalid"
    assert client.post(RESULTS.replace(SF2.code, "none"), json=[item()], headers=office).status_code == 404
    assert client.get("/results/none", headers=office).status_code == 404
    numeric = "WzVd"  # a cursor that holds a number
    for path in ("/schemes", "/teos", "/plans", RESULTS, RESULTS.replace("results", "candidates")):
        assert client.get(f"{path}?cursor={numeric}", headers=office).status_code in {200, 422}
    assert client.post("/teos/x/certificates/y/revocations", json={"reason": "z"}, headers=office).status_code == 404

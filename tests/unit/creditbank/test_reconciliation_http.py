"""Reconciliation over HTTP: a TEO reports, the registry approves, and nobody sees another organisation's."""

from __future__ import annotations

import csv
import importlib
import io
from typing import Any

import pytest
from flask.testing import FlaskClient
from openpyxl import load_workbook

from chassis.seal import key_of
from chassis.web.tokens import Tokens
from contracts.terms import Role
from services.creditbank.sheets import sheets
from tests.chassis.web.tokens import TestIssuer
from tests.unit.creditbank.reconciling import OTHER_TEO, Register, as_csv, compare, line, work
from tests.unit.creditbank.stories import (
    TEO,
    Assessment,
    finalised,
    holding,
    issued,
    publish_annex,
    registered,
    revoked,
    scheme,
)

ISSUER = TestIssuer()
SEAL_KEY = "A" * 43
SHEETS = sheets(Register(), key_of(SEAL_KEY), 180)
UPLOAD = "/imports?kind=certificate-report"


@pytest.fixture
def http(mongo: str, mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    given = {"MONGO": mongo_url, "DATABASE": mongo, "PORTAL_URL": "http://portal.test"}
    for name, value in (given | {"CLIENT_SECRET": "secret", "SEAL_KEY": SEAL_KEY}).items():
        monkeypatch.setenv(name, value)
    app = importlib.import_module("services.creditbank.app").app
    app.extensions["onex.tokens"] = Tokens("creditbank", ISSUER)
    publish_annex()
    teller = Assessment()
    teller.tell(scheme(), registered("mei"), registered("lan"), finalised("mei"), finalised("lan", "0002"))
    teller.tell(issued("mei"), revoked("mei"))
    client: FlaskClient = app.test_client()
    return client


def as_teo(teo: str = TEO) -> dict[str, str]:
    return ISSUER.bearer("creditbank", Role.TEO, subject="user:clerk", owns={"teo": [teo]})


def by(person: str = "lin", role: Role = Role.REGISTRY) -> dict[str, str]:
    return ISSUER.bearer("creditbank", role, subject=f"user:{person}")


def said(response: Any, status: int = 200) -> Any:
    assert response.status_code == status, response.json
    return response.json


def reported(http: FlaskClient, headers: dict[str, str] | None = None) -> Any:
    """A report that was uploaded, previewed, committed and compared."""
    lines = [line("mei", "=X-1"), line("mei", "X-1"), line("lan", "N-lan"), line("lan", "N-lan", "四级")]
    file = {"file": (io.BytesIO(as_csv(lines)), "report.csv")}
    who = headers or as_teo()
    sent = http.post(UPLOAD, data=file, headers=who)
    assert said(sent, 202)["state"] == "reading"
    work(SHEETS)
    place = sent.headers["Location"]
    shown = said(http.get(f"{place}/rows?status=refused", headers=who))["items"]
    assert [(one["row"], one["code"]) for one in shown] == [(5, "level_unknown")]
    said(http.post(f"{place}/commit", headers=who), 202)
    work(SHEETS)
    compare()
    return said(http.get(f"/certificate-reports/{place.rpartition('/')[2]}", headers=who))


def found(http: FlaskClient, run: int, query: str = "", headers: dict[str, str] | None = None) -> Any:
    return said(http.get(f"/reconciliations/{run}/discrepancies{query}", headers=headers or by()))


def test_a_teo_reports_and_the_registry_approves(http: FlaskClient) -> None:
    report = reported(http)
    assert (report["teo"], report["rows"], report["schemes"]) == (TEO, 3, ["cloud-ops"])
    run = said(http.get(f"/reconciliations/{report['run']}", headers=as_teo()))
    counts = {one["kind"]: one["count"] for one in run["counts"]}
    assert counts == {"number_not_recorded": 2, "revoked_here": 1}  # mei's was revoked: another may take its place
    assert run["stage"] == "finished"
    first = found(http, run["number"], "?limit=1")
    rest = found(http, run["number"], f"?limit=500&cursor={first['next']}")
    assert len(first["items"]) + len(rest["items"]) == run["discrepancies"]
    one = found(http, run["number"], "?kind=number_not_recorded&state=open")["items"][-1]
    assert one["en"].startswith("The report has number N-lan")
    body = {"items": [{"discrepancy": one["id"]}, {"discrepancy": "nothing"}]}
    answers = said(http.post("/discrepancy-approvals", json=body, headers=by()))
    assert [(answer["status"], answer["code"]) for answer in answers] == [("accepted", None), ("refused", "not_found")]
    assert not holding("lan")["unnumbered"]
    assert found(http, run["number"], "?state=mended")["items"][0]["approved_by"] == "user:lin"
    cause = f"reconciliation:{run['number']}:{one['row']}"
    steps = said(http.get(f"/lives/{cause}", headers=by()))["steps"]
    assert {step["what"] for step in steps} >= {"Entry", "Discrepancy"}


def test_who_may_approve(http: FlaskClient) -> None:
    run = reported(http)["run"]
    one = found(http, run, "?kind=number_not_recorded")["items"][-1]
    body = {"items": [{"discrepancy": one["id"]}]}
    for headers in (as_teo(), by(role=Role.OPERATOR), by(role=Role.AUDITOR)):
        assert http.post("/discrepancy-approvals", json=body, headers=headers).status_code == 403
    machine = ISSUER.machine("creditbank", Role.REGISTRY)
    refused = http.post("/discrepancy-approvals", json=body, headers=machine)
    assert (refused.status_code, refused.json["code"]) == (403, "person_needed")
    limited = ISSUER.bearer("creditbank", Role.REGISTRY, owns={"college": ["11062"]})
    for path, given in (("/discrepancy-approvals", body), ("/reconciliations", {})):
        refused = http.post(path, json=given, headers=limited)
        assert (refused.status_code, refused.json["code"]) == (403, "outside_your_scope"), path
    (answer,) = said(http.post("/discrepancy-approvals", json=body, headers=by("clerk")))
    assert (answer["status"], answer["code"]) == ("refused", "own_report")


def test_who_commits_what_a_machine_uploaded_does_not_approve_it(http: FlaskClient) -> None:
    robot = ISSUER.machine("creditbank", Role.REGISTRY)
    file = {"file": (io.BytesIO(as_csv([line("lan", "N-lan")])), "report.csv")}
    place = http.post(f"{UPLOAD}&teo={TEO}", data=file, headers=robot).headers["Location"]
    work(SHEETS)
    said(http.post(f"{place}/commit", headers=by("chen")), 202)
    work(SHEETS)
    (one,) = found(http, compare()["number"], "?kind=number_not_recorded")["items"]
    body = {"items": [{"discrepancy": one["id"]}]}
    (answer,) = said(http.post("/discrepancy-approvals", json=body, headers=by("chen")))
    assert (answer["status"], answer["code"]) == ("refused", "own_report")
    (answer,) = said(http.post("/discrepancy-approvals", json=body, headers=by("lin")))
    assert answer["status"] == "accepted"


def test_an_organisation_sees_its_own_only(http: FlaskClient) -> None:
    report = reported(http)
    stranger = as_teo(OTHER_TEO)
    for path in (f"/certificate-reports/{report['number']}", f"/reconciliations/{report['run']}"):
        assert http.get(path, headers=stranger).status_code == 403
    for path in ("/certificate-reports", "/reconciliations"):
        assert said(http.get(path, headers=stranger))["items"] == []
        assert len(said(http.get(path, headers=as_teo()))["items"]) == 1
        assert said(http.get(f"{path}?teo={OTHER_TEO}", headers=by()))["items"] == []
    everything = said(http.post("/reconciliations", json={}, headers=by()), 202)["number"]
    assert http.get(f"/reconciliations/{everything}", headers=as_teo()).status_code == 403
    file = {"file": (io.BytesIO(as_csv([line("mei", "X-1")])), "report.csv")}
    sent = said(http.post(f"{UPLOAD}&teo={TEO}", data=file, headers=stranger), 202)
    work(SHEETS)
    shown = said(http.get(f"/imports/{sent['number']}", headers=stranger))
    assert (shown["state"], shown["problem"]["code"]) == ("unreadable", "outside_your_scope")


def test_what_was_found_as_sheets(http: FlaskClient) -> None:
    run = reported(http)["run"]
    items = found(http, run)["items"]
    answer = http.get(f"/reconciliations/{run}/discrepancies.csv", headers=by() | {"Accept-Language": "zh"})
    assert answer.content_type == "text/csv; charset=utf-8"
    lines = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert lines[0][:3] == ["编号", "类别", "状态"]
    assert [cells[0] for cells in lines[1:]] == [one["id"] for one in items]
    assert [cells[12] for cells in lines[1:]] == [one["zh"] for one in items]
    assert "'=X-1" in {cells[6] for cells in lines}
    answer = http.get(f"/reconciliations/{run}/discrepancies.xlsx?kind=revoked_here", headers=by())
    table = load_workbook(io.BytesIO(answer.data)).active
    assert table is not None
    saved = [[cell.value for cell in row][:2] for row in table.iter_rows(min_row=2)]
    assert saved == [[one["id"], one["kind"]] for one in items if one["kind"] == "revoked_here"]


def test_a_teo_says_how_it_heads_its_columns(http: FlaskClient) -> None:
    path = "/report-profiles/91110000000000043U"
    owner = as_teo("91110000000000043U")
    profile = {"columns": [{"column": "证书编号", "headers": ["证书流水号"]}], "left_out": ["内部流水"]}
    assert said(http.put(path, json=profile, headers=owner)) == profile
    assert said(http.get(path, headers=by())) == profile
    assert http.put(path, json=profile, headers=as_teo()).status_code == 403
    for taken in ({"left_out": ["发证日期"]}, {"left_out": ["证书 编号"]}, {"left_out": ["甲", "甲"]}):
        assert http.put(path, json=profile | taken, headers=owner).json["code"] == "report_header_taken", taken
    two = {"columns": [{"column": "证书编号", "headers": ["发证日期"]}], "left_out": []}
    assert http.put(path, json=two, headers=owner).json["code"] == "report_header_taken"
    wrong = http.put(path, json={"columns": [{"column": "没有这列", "headers": ["甲"]}]}, headers=owner)
    assert wrong.status_code == 422

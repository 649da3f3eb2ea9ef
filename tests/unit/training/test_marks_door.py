"""Course marks over HTTP: who may submit, read and withdraw them, and what each item is answered."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.web.tokens import Tokens
from contracts.terms import Role
from tests.unit.training.test_classes_door import ISSUER, SETTINGS
from tests.unit.training.test_course_marks import COURSE, DATA, NUMBER, RESULT, TAX, TERM, Enrolment, programme, record

MARK = {"student_number": NUMBER, "course": COURSE, "term": TERM, "mark": 86, "as_of": "2021-07-05T12:00:00+08:00"}


@pytest.fixture
def http(mongo: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """The service's own application, with a student of two courses."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    app = importlib.import_module("services.training.app").app
    app.extensions["onex.tokens"] = Tokens("training", ISSUER)
    Enrolment().tell(record(), programme(TAX, DATA))
    client: FlaskClient = app.test_client()
    return client


def as_(role: Role, **owns: list[str]) -> dict[str, str]:
    return ISSUER.bearer("training", role, owns=owns)


def submit(http: FlaskClient, *marks: dict[str, Any]) -> Any:
    answer = http.post("/course-results", json=list(marks), headers=as_(Role.REGISTRY))
    assert answer.status_code == 200, answer.json
    return answer.json


def listed(http: FlaskClient, role: Role = Role.AUDITOR, **query: Any) -> Any:
    return http.get("/course-results", query_string=query, headers=as_(role))


def test_each_mark_of_a_list_has_its_own_verdict(http: FlaskClient) -> None:
    wrong = [
        MARK | {"mark": 101}, MARK | {"mark": None}, MARK | {"grade": "良"}, MARK | {"term": "2020-1"},
        MARK | {"mark": 50},
    ]  # fmt: skip
    judged = submit(http, MARK, *wrong, MARK, MARK | {"course": "KJ2101", "mark": None, "grade": "合格"})
    assert [one["code"] or one["status"] for one in judged] == [
        "accepted", "mark_unknown", "mark_or_grade", "mark_or_grade", "term_malformed", "mark_conflicts", "unchanged",
        "accepted",
    ]  # fmt: skip
    assert [one["index"] for one in judged] == list(range(8))
    assert judged[0]["id"] == RESULT


def test_a_result_is_shown_with_what_it_came_to(http: FlaskClient) -> None:
    submit(http, MARK)
    [shown] = listed(http, student_number=NUMBER).json["items"]
    assert shown == {
        "result_id": RESULT, "student_number": NUMBER, "course": COURSE, "term": TERM, "mark": 86, "grade": "",
        "as_of": "2021-07-05T04:00:00+00:00", "learner_id": "lan", "programme": "630302", "entry_year": 2019,
        "credit_points": 400, "pass_mark": 60, "passed": True, "revision": 1, "is_withdrawn": False, "waits_for": "",
        "submitted_by": f"course-result:{RESULT}:2021-07-05T12:00:00+08:00",
    }  # fmt: skip


def test_what_waits_is_listed(http: FlaskClient) -> None:
    submit(http, MARK, MARK | {"student_number": "2019049999"}, MARK | {"course": "KJ9999"})
    waiting = listed(http, waiting="true").json["items"]
    assert [(one["result_id"], one["waits_for"]) for one in waiting] == [
        (f"{NUMBER}:KJ9999:{TERM}", "course"), (f"2019049999:{COURSE}:{TERM}", "student"),
    ]  # fmt: skip
    assert [one["result_id"] for one in listed(http, waiting="false").json["items"]] == [RESULT]


def test_results_are_listed_page_by_page(http: FlaskClient) -> None:
    submit(http, MARK, MARK | {"course": "KJ2101"}, MARK | {"term": "2020-2021-2"})
    first = listed(http, limit=2).json
    rest = listed(http, limit=2, cursor=first["next"]).json
    ids = [one["result_id"] for one in first["items"] + rest["items"]]
    assert ids == sorted(ids)
    assert (len(ids), rest["next"]) == (3, None)


def test_a_learner_reads_their_own_results_alone(http: FlaskClient) -> None:
    submit(http, MARK)
    mine = as_(Role.LEARNER, learner=["lan"])
    own = http.get("/course-results", query_string={"learner_id": "lan"}, headers=mine)
    assert [one["result_id"] for one in own.json["items"]] == [RESULT]
    for query in ({"learner_id": "bo"}, {}, {"student_number": NUMBER}):
        assert http.get("/course-results", query_string=query, headers=mine).status_code == 403


@pytest.mark.parametrize("role", [Role.LEARNER, Role.TRAINER, Role.DEPARTMENT, Role.AUDITOR, Role.TEO])
def test_only_the_registry_submits_and_withdraws(http: FlaskClient, role: Role) -> None:
    for path, item in (("/course-results", MARK), ("/course-result-withdrawals", {"result_id": RESULT, "reason": "x"})):
        answer = http.post(path, json=[item], headers=as_(role))
        assert (answer.status_code, answer.json["code"]) == (403, "role_not_allowed")


def test_withdrawals_are_judged_one_by_one(http: FlaskClient) -> None:
    submit(http, MARK)
    asked = [{"result_id": one, "reason": "typed twice"} for one in (RESULT, "nobody", RESULT)]
    judged = http.post("/course-result-withdrawals", json=asked, headers=as_(Role.REGISTRY)).json
    assert [one["code"] or one["status"] for one in judged] == ["accepted", "not_found", "unchanged"]
    [shown] = listed(http, student_number=NUMBER).json["items"]
    assert (shown["is_withdrawn"], shown["revision"]) == (True, 2)


def test_pass_marks_are_put_and_listed(http: FlaskClient) -> None:
    usual = http.get("/pass-marks", headers=as_(Role.LEARNER)).json
    assert usual == [{"programme": "default", "pass_mark": 60}]
    for _ in range(2):
        put = http.put("/pass-marks/630302", json={"pass_mark": 70}, headers=as_(Role.OPERATOR))
        assert (put.status_code, put.json) == (200, {"programme": "630302", "pass_mark": 70})
    assert len(http.get("/pass-marks", headers=as_(Role.LEARNER)).json) == 2
    for path, mark in (("/pass-marks/630302", 0), ("/pass-marks/630302", 101), ("/pass-marks/6303.02", 60)):
        assert http.put(path, json={"pass_mark": mark}, headers=as_(Role.OPERATOR)).status_code == 422
    assert http.put("/pass-marks/630302", json={"pass_mark": 70}, headers=as_(Role.TRAINER)).status_code == 403


def test_the_life_of_a_cause_shows_its_course_result(http: FlaskClient) -> None:
    submit(http, MARK)
    life = http.get(f"/lives/course-result:{RESULT}:2021-07-05T12:00:00+08:00", headers=as_(Role.REGISTRY)).json
    assert "course result" in str(life)

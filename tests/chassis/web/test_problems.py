"""Every wrong request gets one clear problem document, in the caller's language, and never a stack trace."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import ValidationError, fields

from chassis.database import connect
from chassis.web.app import create_app
from chassis.web.schemas import Schema
from tests.chassis.web.conftest import Keeper, blueprint, settings
from tests.chassis.web.tokens import TestIssuer

ZH = {"Accept-Language": "zh-CN,zh;q=0.9"}
THING = {"name": "stone", "weight": 5}


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.content_type == "application/problem+json"
    document: dict[str, Any] = json.loads(response.get_data())
    assert document["code"] == code
    assert document["status"] == status
    assert document["detail"]
    return document


def test_an_unknown_address_is_a_problem_in_both_languages(client: FlaskClient) -> None:
    assert "nothing at this address" in problem(client.get("/nowhere"), 404, "no_such_address")["detail"]
    assert "没有内容" in problem(client.get("/nowhere", headers=ZH), 404, "no_such_address")["detail"]


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "TRACE", "QUERY"])
def test_a_wrong_method_is_told_the_right_ones(client: FlaskClient, method: str) -> None:
    response = client.open("/mine", method=method)
    problem(response, 405, "method_not_allowed")
    assert "GET" in response.headers["Allow"]


def test_an_unknown_field_is_named(client: FlaskClient, issuer: TestIssuer) -> None:
    headers = issuer.bearer("things", "clerk")
    found = problem(client.post("/things", json=[THING, THING | {"colour": 1}], headers=headers), 422, "fields_invalid")
    assert found["errors"] == [{"field": "1.colour", "detail": "Unknown field."}]
    found = problem(client.post("/things", json=[THING | {"colour": 1}], headers=headers | ZH), 422, "fields_invalid")
    assert found["errors"] == [{"field": "0.colour", "detail": "不接受此字段。"}]


@pytest.mark.parametrize(
    "weight", ["5", 5.5, True, None, -1, 1001, 10**30, [], {}, "\u0665"], ids=lambda weight: repr(weight)[:12]
)
def test_a_number_is_that_number_and_nothing_else(client: FlaskClient, issuer: TestIssuer, weight: object) -> None:
    headers = issuer.bearer("things", "clerk")
    found = problem(
        client.post("/things", json=[{"name": "a", "weight": weight}], headers=headers), 422, "fields_invalid"
    )
    assert found["errors"][0]["field"] == "0.weight"


def test_a_whole_number_may_be_written_with_a_point(client: FlaskClient, issuer: TestIssuer) -> None:
    headers = issuer.bearer("things", "clerk") | {"Content-Type": "application/json"}
    assert client.post("/things", data=b'[{"name":"a","weight":5.0}]', headers=headers).status_code == 200
    far = client.post("/things", data=b'[{"name":"a","weight":1e300}]', headers=headers)
    assert problem(far, 422, "fields_invalid")["errors"][0]["field"] == "0.weight"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[NaN]", b'["\\ud800"]', b"\xff", b"[" * 5000],
    ids=["empty", "open", "nan", "half", "byte", "deep"],
)
def test_malformed_json_is_told_so(client: FlaskClient, issuer: TestIssuer, body: bytes) -> None:
    headers = issuer.bearer("things", "clerk") | {"Content-Type": "application/json"}
    problem(client.post("/things", data=body, headers=headers), 400, "malformed_body")


def test_another_media_type_is_told_which(client: FlaskClient, issuer: TestIssuer) -> None:
    headers = issuer.bearer("things", "clerk")
    problem(
        client.post("/things", data="a=1", headers=headers | {"Content-Type": "text/plain"}),
        415,
        "media_type_not_supported",
    )
    problem(client.post("/files", json=[], headers=headers), 415, "media_type_not_supported")
    problem(client.post("/things", headers=headers), 422, "body_missing")


def test_a_body_too_large_is_told_the_limit(client: FlaskClient, issuer: TestIssuer) -> None:
    headers = issuer.bearer("things", "clerk") | {"Content-Type": "application/json"}
    found = problem(client.post("/things", data=b" " * (1024 * 1024 + 1), headers=headers), 413, "body_too_large")
    assert "1048576" in found["detail"]


def test_a_file_may_be_larger_than_a_body_but_not_endless(client: FlaskClient, issuer: TestIssuer) -> None:
    headers = issuer.bearer("things", "clerk") | {"Content-Type": "multipart/form-data; boundary=cut"}
    sent = client.post("/files", data=form(b"x" * 2_000_000), headers=headers)
    assert (sent.status_code, sent.json) == (202, {"count": 2_000_000})
    problem(client.post("/files", data=form(b"x" * 34_000_000), headers=headers), 413, "body_too_large")


def form(content: bytes) -> bytes:
    return (
        b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + content + b"\r\n--cut--\r\n"
    )


def test_a_list_is_bounded(client: FlaskClient, issuer: TestIssuer) -> None:
    headers = issuer.bearer("things", "clerk")
    problem(client.post("/things", json=[THING] * 501, headers=headers), 422, "too_many_items")


def test_items_are_judged_one_by_one(client: FlaskClient, issuer: TestIssuer) -> None:
    headers = issuer.bearer("things", "clerk") | ZH
    answer = client.post("/things", json=[THING, {"name": "rock", "weight": 500}], headers=headers).json
    assert answer == [
        {"index": 0, "status": "accepted", "id": "stone", "code": None, "detail": None},
        {"index": 1, "status": "refused", "id": None, "code": "too_heavy", "detail": "rock 太重。"},
    ]


def test_a_break_tells_nothing_and_logs_no_value(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    response = client.get("/broken")
    problem(response, 500, "internal_error")
    assert "110101" not in response.get_data(as_text=True)
    logged = caplog.text
    assert "110101" not in logged
    assert "ValueError" in logged
    assert "broken" in logged


def test_what_others_hold_is_to_be_tried_later(client: FlaskClient) -> None:
    response = client.get("/busy")
    problem(response, 503, "too_busy")
    assert int(response.headers["Retry-After"]) > 0


def test_a_database_that_is_away_is_to_be_tried_later(client: FlaskClient) -> None:
    response = client.get("/away")
    problem(response, 503, "not_available")
    assert response.headers["Retry-After"]


def test_what_is_not_ready_says_why(client: FlaskClient) -> None:
    assert client.get("/readyz").json == {"status": "ready"}
    connect("mongodb://127.0.0.1:1", "nowhere")
    assert "database" in problem(client.get("/readyz"), 503, "not_ready")["detail"]
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("number", ["9" * 16, "9" * 5000, "-1", "1.5", "x"])
def test_a_number_in_an_address_is_bounded(client: FlaskClient, number: str) -> None:
    problem(client.get(f"/numbers/{number}"), 404, "no_such_address")


def test_a_request_log_holds_no_address(
    client: FlaskClient, issuer: TestIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    client.put("/things/110101199003078515/x?q=secret", json=THING, headers=issuer.bearer("things", "clerk"))
    logged = caplog.text
    assert "/things/<owner>/<name>" in logged
    assert "110101" not in logged
    assert "secret" not in logged


def test_who_asks_too_much_is_told_to_wait(app: Flask, home: str, mongo_url: str, issuer: TestIssuer) -> None:
    hasty = create_app(
        "things", settings(mongo_url, home), [blueprint()], title="Things", trust=issuer, limits=["2 per minute"]
    )
    client = hasty.test_client()
    headers = issuer.bearer("things", Keeper.CLERK, subject="hasty")
    assert [client.get("/mine", headers=headers).status_code for _ in range(3)] == [200, 200, 429]
    refused = client.get("/mine", headers=headers)
    problem(refused, 429, "too_many_requests")
    assert int(refused.headers["Retry-After"]) >= 1
    assert client.get("/mine", headers=issuer.bearer("things", Keeper.CLERK, subject="calm")).status_code == 200
    assert client.get("/healthz").status_code == 200


def test_a_file_comes_alone(client: FlaskClient, issuer: TestIssuer) -> None:
    headers = issuer.bearer("things", "clerk") | {"Content-Type": "multipart/form-data; boundary=cut"}
    more = b'--cut\r\nContent-Disposition: form-data; name="colour"\r\n\r\nred\r\n' + form(b"x")
    found = problem(client.post("/files", data=more, headers=headers), 422, "fields_invalid")
    assert found["errors"] == [{"field": "colour", "detail": "Unknown field."}]


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-10:00", "yesterday", "2021-01-01T00:00:00"]
)
def test_an_instant_has_a_zone_and_can_be_shown(client: FlaskClient, issuer: TestIssuer, at: str) -> None:
    headers = issuer.bearer("things", "clerk")
    found = problem(client.post("/things", json=[THING | {"at": at}], headers=headers), 422, "fields_invalid")
    assert [error["field"] for error in found["errors"]] == ["0.at"]


@pytest.mark.parametrize("value", [0, 1, "true", "yes", 0.0, [], None])
def test_true_and_false_are_those_alone(value: object) -> None:
    with pytest.raises(ValidationError):
        Switch().load({"on": value})
    assert [Switch().load({"on": one})["on"] for one in (True, False)] == [True, False]


class Switch(Schema):
    on = fields.Boolean(required=True)

"""Under an Idempotency-Key a POST has its effect once, however often and at once it is sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.database import database
from tests.chassis.web.test_problems import problem
from tests.chassis.web.tokens import TestIssuer

THINGS = [{"name": "stone", "weight": 5}]


def test_a_repeat_gets_the_stored_answer_and_changes_nothing(client: FlaskClient, issuer: TestIssuer) -> None:
    headers = issuer.bearer("things", "clerk") | {"Idempotency-Key": "k1"}
    first = client.post("/things", json=THINGS, headers=headers)
    again = client.post("/things", json=THINGS, headers=headers)
    assert (again.status_code, again.json, again.content_type) == (first.status_code, first.json, first.content_type)
    assert database()["things"].count_documents({}) == 1


def test_the_same_key_with_another_body_is_a_mismatch(client: FlaskClient, issuer: TestIssuer) -> None:
    headers = issuer.bearer("things", "clerk") | {"Idempotency-Key": "k1"}
    client.post("/things", json=THINGS, headers=headers)
    problem(client.post("/things", json=THINGS * 2, headers=headers), 409, "idempotency_mismatch")
    assert database()["things"].count_documents({}) == 1


def test_a_key_belongs_to_its_caller(client: FlaskClient, issuer: TestIssuer) -> None:
    for subject in ("one", "other"):
        client.post(
            "/things", json=THINGS, headers=issuer.bearer("things", "clerk", subject=subject) | {"Idempotency-Key": "k"}
        )
    assert database()["things"].count_documents({}) == 2


def test_a_refused_request_leaves_no_record(client: FlaskClient, issuer: TestIssuer) -> None:
    headers = issuer.bearer("things", "clerk") | {"Idempotency-Key": "k2"}
    problem(client.post("/things", json=[{}], headers=headers), 422, "fields_invalid")
    assert client.post("/things", json=THINGS, headers=headers).status_code == 200


def test_many_at_once_have_one_effect(app: Flask, issuer: TestIssuer) -> None:
    headers = issuer.bearer("things", "clerk") | {"Idempotency-Key": "race"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: app.test_client().post("/things", json=THINGS, headers=headers), range(24)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.get_data() for answer in answers}) == 1
    assert database()["things"].count_documents({}) == 1


def test_a_file_is_known_again_by_its_content(client: FlaskClient, issuer: TestIssuer) -> None:
    headers = issuer.bearer("things", "clerk") | {"Idempotency-Key": "f1"}

    def send(content: bytes) -> object:
        return client.post("/files", data={"file": (BytesIO(content), "a.csv")}, headers=headers)

    assert send(b"abc").json == {"count": 3}  # type: ignore[attr-defined]
    assert send(b"abc").json == {"count": 3}  # type: ignore[attr-defined]
    problem(send(b"abd"), 409, "idempotency_mismatch")
    assert database()["files"].count_documents({}) == 1


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 201])
def test_a_bad_key_is_told_so(client: FlaskClient, issuer: TestIssuer, key: str) -> None:
    headers = issuer.bearer("things", "clerk") | {"Idempotency-Key": key}
    problem(client.post("/things", json=THINGS, headers=headers), 422, "idempotency_key_invalid")

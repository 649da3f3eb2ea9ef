"""Machines change over between two secrets, and a revoked one is worth nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.database import database
from tests.unit.portal.conftest import basic, token

BODY = {"roles": ["teo"], "owns": {"teo": ["91110000802100433B"]}}
FORM = {"grant_type": "client_credentials", "audience": "assessment"}


def new_secret(client: FlaskClient, headers: dict[str, str]) -> dict[str, object]:
    answer = client.post("/clients/robot/secrets", headers=headers)
    assert answer.status_code == 201
    found: dict[str, object] = answer.json
    return found


def status(client: FlaskClient, secret: object) -> int:
    return client.post("/oauth/token", data=FORM, headers=basic("robot", str(secret))).status_code


def test_a_registered_machine_has_no_secret_until_one_is_made(client: FlaskClient, operator: dict[str, str]) -> None:
    answer = client.put("/clients/robot", json=BODY, headers=operator)
    assert answer.json == {"client_id": "robot", **BODY, "disabled": False, "secrets": []}
    assert status(client, "") == 401
    secret = new_secret(client, operator)["secret"]
    assert status(client, secret) == 200
    assert str(secret) not in str(list(database()["machines"].find()))


def test_two_secrets_are_good_at_once_and_one_can_be_revoked(client: FlaskClient, operator: dict[str, str]) -> None:
    client.put("/clients/robot", json=BODY, headers=operator)
    first, second = new_secret(client, operator), new_secret(client, operator)
    assert [first["number"], second["number"]] == [1, 2]
    assert [status(client, one["secret"]) for one in (first, second)] == [200, 200]
    assert client.post("/clients/robot/secrets", headers=operator).json["code"] == "two_secrets"
    assert client.delete("/clients/robot/secrets/1", headers=operator).status_code == 204
    assert [status(client, one["secret"]) for one in (first, second)] == [401, 200]
    assert client.delete("/clients/robot/secrets/1", headers=operator).status_code == 404
    assert new_secret(client, operator)["number"] == 3
    shown = client.get("/clients/robot", headers=operator).json["secrets"]
    assert [one["number"] for one in shown] == [2, 3]


def test_asked_at_once_there_are_never_three(portal: Flask, operator: dict[str, str]) -> None:
    portal.test_client().put("/clients/robot", json=BODY, headers=operator)
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda _: portal.test_client().post("/clients/robot/secrets", headers=operator), range(12))
        )
    assert sorted(answer.status_code for answer in answers) == [201, 201] + [409] * 10


def test_a_disabled_machine_gets_nothing(client: FlaskClient, operator: dict[str, str]) -> None:
    client.put("/clients/robot", json=BODY, headers=operator)
    secret = new_secret(client, operator)["secret"]
    client.put("/clients/robot", json=BODY | {"disabled": True}, headers=operator)
    assert status(client, secret) == 401
    client.put("/clients/robot", json=BODY, headers=operator)
    assert status(client, secret) == 200


@pytest.mark.parametrize(
    ("client_id", "body", "expected"),
    [
        ("enrolment", BODY, (409, "client_built_in")),
        ("demo-operator", BODY, (409, "client_built_in")),
        ("Robot", BODY, (422, "client_id_invalid")),
        ("robot", {"roles": ["service"]}, (422, "fields_invalid")),
        ("robot", {"roles": ["learner"]}, (422, "scope_needed")),
    ],
)
def test_bad_machines_are_refused(
    client: FlaskClient, operator: dict[str, str], client_id: str, body: object, expected: tuple[int, str]
) -> None:
    answer = client.put(f"/clients/{client_id}", json=body, headers=operator)
    assert (answer.status_code, answer.json["code"]) == expected


def test_a_repeat_changes_nothing_and_the_list_is_by_id(client: FlaskClient, operator: dict[str, str]) -> None:
    for client_id in ("robot", "android", "robot"):
        client.put(f"/clients/{client_id}", json=BODY, headers=operator)
    listed = client.get("/clients", headers=operator).json["items"]
    assert [one["client_id"] for one in listed] == ["android", "robot"]
    acts = [row["act"] for row in client.get("/audit", headers=operator).json["items"]]
    assert acts == ["client_put", "client_put"]
    assert client.get("/clients/nobody", headers=operator).status_code == 404


def test_only_the_operator_manages_machines(client: FlaskClient) -> None:
    headers = {"Authorization": f"Bearer {token(client, 'training')}"}
    assert client.put("/clients/robot", json=BODY, headers=headers).status_code == 403
    assert client.post("/clients/robot/secrets", headers=headers).status_code == 403

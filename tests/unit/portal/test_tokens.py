"""Machines get short tokens for one audience, and anybody can verify them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet

from chassis.database import connect, database
from chassis.errors import Refusal
from chassis.web.tokens import Tokens, issuer_of
from portal.assembly import assemble
from portal.identity.machines.domain import derived_secret
from tests.unit.portal.conftest import CLIENTS_KEY, basic, settings, token

FORM = {"grant_type": "client_credentials", "audience": "enrolment"}
TEO = "91110000802100433B"


class Published:
    """What a service learns of the portal: its published documents."""

    def __init__(self, client: FlaskClient) -> None:
        about = client.get("/.well-known/oauth-authorization-server").json
        self._issuer = issuer_of(about["issuer"], client.get("/.well-known/jwks.json").json)

    def issuer(self, stale: bool = False) -> Any:
        return self._issuer


def test_a_service_gets_a_token_that_others_verify_offline(client: FlaskClient) -> None:
    issued = token(client, "notify", "enrolment")
    caller = Tokens("enrolment", Published(client)).caller_of(issued)
    assert (caller.subject, caller.client_id, caller.roles, caller.owns) == ("notify", "notify", {"service"}, {})
    assert not caller.is_person
    with pytest.raises(Refusal, match="wrong_audience"):
        Tokens("training", Published(client)).caller_of(issued)


def test_what_a_token_says(client: FlaskClient) -> None:
    answer = client.post("/oauth/token", data=FORM, headers=basic("portal"))
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 300
    assert answer.headers["Cache-Control"] == "no-store"
    read = jwt.decode(answer.json["access_token"], KeySet.import_key_set(client.get("/.well-known/jwks.json").json))
    assert (read.header["alg"], read.header["typ"]) == ("ES256", "at+jwt")
    assert read.claims["iss"] == "http://127.0.0.1:8080"
    assert read.claims["exp"] - read.claims["iat"] == 300
    assert abs(read.claims["iat"] - time.time()) < 10


def test_the_published_keys_hold_nothing_private(client: FlaskClient) -> None:
    (key,) = client.get("/.well-known/jwks.json").json["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}


def test_a_machine_may_say_who_it_is_in_the_form(client: FlaskClient) -> None:
    form = FORM | {"client_id": "notify", "client_secret": derived_secret(CLIENTS_KEY, "notify")}
    assert client.post("/oauth/token", data=form).status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        (FORM | {"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, 400, "invalid_request"),
        (FORM | {"audience": "elsewhere"}, 400, "invalid_target"),
        (FORM | {"client_secret": "x"}, 400, "invalid_request"),
        (FORM | {"audience": ["enrolment", "training"]}, 400, "invalid_request"),
    ],
)
def test_a_wrong_request_is_told_in_oauth_words(client: FlaskClient, form: Any, status: int, error: str) -> None:
    answer = client.post("/oauth/token", data=form, headers=basic("notify"))
    assert (answer.status_code, answer.json["error"]) == (status, error)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("notify", "wrong"),
        basic("nobody", "x"),
        basic("notify", ""),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Bearer x"},
    ],
)
def test_a_wrong_secret_is_told_in_oauth_words(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.post("/oauth/token", data=FORM, headers=headers)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_json_is_not_a_form(client: FlaskClient) -> None:
    answer = client.post("/oauth/token", json=FORM, headers=basic("notify"))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("client_id", ["demo-operator", f"demo-teo-{TEO}"])
def test_demonstration_machines_exist_only_in_one(client: FlaskClient, client_id: str) -> None:
    assert client.post("/oauth/token", data=FORM, headers=basic(client_id)).status_code == 401


def test_in_a_demonstration_each_organisation_has_its_machine(mongo: str, mongo_url: str) -> None:
    client = assemble(settings(mongo_url, mongo, demo="1")).test_client()
    caller = Tokens("assessment", Published(client)).caller_of(token(client, f"demo-teo-{TEO}", "assessment"))
    assert caller.roles == {"teo"}
    assert caller.owns == {"teo": {TEO}}
    assert client.post("/oauth/token", data=FORM, headers=basic("demo-teo-123")).status_code == 401
    assert Tokens("portal", Published(client)).caller_of(token(client, "demo-operator")).roles == {"operator"}


def test_the_signing_key_is_sealed_and_survives(portal: Flask, home: str, mongo_url: str) -> None:
    issued = token(portal.test_client(), "notify", "enrolment")
    stored = database()["signing_keys"].find_one() or {}
    assert '"d"' not in str(stored)
    again = assemble(settings(mongo_url, home)).test_client()
    assert Tokens("enrolment", Published(again)).caller_of(issued).subject == "notify"


def test_another_seal_key_stops_the_start_with_a_sentence(portal: Flask, home: str, mongo_url: str) -> None:
    connect(mongo_url, home)
    with pytest.raises(SystemExit, match="SEAL_KEY does not open"):
        assemble(settings(mongo_url, home, seal_key=b"t" * 32))


def test_what_was_issued_and_refused_is_on_record(client: FlaskClient, operator: dict[str, str]) -> None:
    token(client, "notify", "enrolment")
    client.post("/oauth/token", data=FORM, headers=basic("notify", "wrong"))
    rows = client.get("/audit?who=notify", headers=operator).json["items"]
    assert [(row["act"], row["about"]) for row in rows] == [("token_refused", ""), ("token_issued", "enrolment")]
    pages = client.get("/audit?limit=1", headers=operator).json
    assert (
        client.get(f"/audit?limit=1&cursor={pages['next']}", headers=operator).json["items"][0]["act"] == "token_issued"
    )

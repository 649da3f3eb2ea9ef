"""Papers at the HTTP door: a learner asks for the own, anybody verifies, nobody enumerates."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.web.tokens import Tokens
from contracts.terms import Role
from services.creditbank.papers.desk import carried, carry
from tests.chassis.web.tokens import TestIssuer
from tests.unit.creditbank.papers import desk, is_revoked, verified
from tests.unit.creditbank.stories import TEO, Assessment, annulled, finalised, publicised, publish_annex, registered

ISSUER = TestIssuer()
WANTED = {"result_id": f"{TEO}:plan:0001:1"}


@pytest.fixture
def app(mongo: str, mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    given = {"MONGO": mongo_url, "DATABASE": mongo, "PORTAL_URL": "http://portal.test"}
    for name, value in (given | {"CLIENT_SECRET": "secret", "SEAL_KEY": "A" * 43}).items():
        monkeypatch.setenv(name, value)
    made: Flask = importlib.import_module("services.creditbank.app").app
    made.extensions["onex.tokens"] = Tokens("creditbank", ISSUER)
    with made.app_context():
        own = carried()
    carry(made, desk())
    made.extensions["onex.limiter"].reset()
    yield made
    carry(made, own)


@pytest.fixture
def http(app: Flask) -> FlaskClient:
    publish_annex()
    return app.test_client()


@pytest.fixture
def assessment(http: FlaskClient) -> Assessment:
    teller = Assessment()
    teller.tell(registered("mei"))
    teller.tell(publicised("mei"), finalised("mei"))
    return teller


def as_learner(learner_id: str = "mei") -> dict[str, str]:
    return ISSUER.bearer("creditbank", Role.LEARNER, owns={"learner": [learner_id]})


def answered(response: Any) -> Any:
    assert response.status_code == 200, response.json
    return response.json


def test_a_learner_asks_and_an_employer_verifies(http: FlaskClient, assessment: Assessment) -> None:
    mine = answered(http.post("/accounts/mei/credentials", json=WANTED, headers=as_learner()))
    found = answered(http.get(f"/verifications/{mine['code']}"))
    assert (found["standing"], found["masked_name"], found["level"]) == ("valid", "黄**", 2)
    assert [one["code"] for one in answered(http.get("/accounts/mei/credentials", headers=as_learner()))["items"]] == [
        mine["code"]
    ]


def test_published_keys_and_lists_are_enough_for_a_stranger(http: FlaskClient, assessment: Assessment) -> None:
    token = answered(http.post("/accounts/mei/credentials", json=WANTED, headers=as_learner()))["token"]
    keys = answered(http.get("/credential-keys"))
    document = verified(token, keys)
    path = document["credentialStatus"]["statusListCredential"].removeprefix("https://papers.test")
    before = http.get(path)
    assert before.content_type == "application/vc+jwt"
    assert not is_revoked(document, verified(before.text, keys))
    assessment.tell(annulled("mei"))
    assert is_revoked(document, verified(http.get(path).text, keys))
    assert all(set(one) & {"d", "p", "q"} == set() for one in keys["keys"])


def test_anothers_credentials_are_closed(http: FlaskClient, assessment: Assessment) -> None:
    refused = http.post("/accounts/mei/credentials", json=WANTED, headers=as_learner("lan"))
    assert (refused.status_code, refused.json["code"]) == (403, "outside_your_scope")
    assert http.get("/accounts/mei/credentials", headers=as_learner("lan")).status_code == 403


def test_who_guesses_codes_is_stopped_and_who_knows_one_is_not(http: FlaskClient, assessment: Assessment) -> None:
    code = answered(http.post("/accounts/mei/credentials", json=WANTED, headers=as_learner()))["code"]
    for _ in range(40):
        answered(http.get(f"/verifications/{code}"))
    guesses = [http.get(f"/verifications/guess-{number}") for number in range(31)]
    assert [one.status_code for one in guesses] == [200] * 30 + [429]
    assert int(guesses[-1].headers["Retry-After"]) >= 1
    assert http.get(f"/verifications/{code}").status_code == 429
    portal = ISSUER.bearer("creditbank", Role.SERVICE)
    assert answered(http.get(f"/verifications/{code}", headers=portal))["standing"] == "valid"


def test_unknown_codes_are_answered_alike(http: FlaskClient, assessment: Assessment) -> None:
    assert json.dumps(answered(http.get("/verifications/a"))) == json.dumps(
        answered(http.get(f"/verifications/{'b' * 32}"))
    )


def test_a_statement_is_the_owners_and_comes_on_paper_too(http: FlaskClient, assessment: Assessment) -> None:
    found = answered(http.get("/accounts/mei/statement", headers=as_learner()))
    assert (found["name"], found["balances"]["available"], found["entry_count"]) == ("黄玉梅", 400, 2)
    paper = http.get("/accounts/mei/statement.pdf", headers=as_learner())
    assert (paper.status_code, paper.content_type, paper.data[:5]) == (200, "application/pdf", b"%PDF-")
    for path in ("statement", "statement.pdf"):
        assert http.get(f"/accounts/mei/{path}", headers=as_learner("lan")).status_code == 403


def test_a_list_that_was_never_opened_is_not_there(http: FlaskClient) -> None:
    assert http.get("/status-lists/1").status_code == 200
    assert http.get("/status-lists/2").status_code == 404

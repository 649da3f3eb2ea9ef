"""A service that was set back refuses what changes it, says so, and takes an operator's word for its recovery."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import pytest
from bson import Binary
from flask.testing import FlaskClient

from chassis import standing
from chassis.bus.outbox import append
from chassis.database import database, run_transaction
from chassis.recovering import recovering
from chassis.web.access import allow
from chassis.web.app import create_app
from chassis.web.blueprint import Blueprint
from tests.chassis.web.tokens import TestIssuer
from tests.support.words import Counted, Named

ISSUER = TestIssuer()


class Keeper(StrEnum):
    OPERATOR = "operator"
    AUDITOR = "auditor"


def things() -> Blueprint:
    blp = Blueprint("things", __name__, description="Things.")

    @blp.route("/things", methods=["POST"])
    @allow(Keeper.OPERATOR)
    @blp.response(204)
    def change() -> None:
        """Change something."""

    return blp


@pytest.fixture
def client(mongo: str, mongo_url: str) -> Iterator[FlaskClient]:
    settings = SimpleNamespace(
        mongo=mongo_url, database=mongo, portal_url="http://portal.test", log_level="WARNING", seal_key="s" * 43
    )
    routes = recovering((Keeper.OPERATOR, Keeper.AUDITOR), deciders=(Keeper.OPERATOR,), holding_up=["Named"])
    app = create_app("things", settings, [things(), routes], title="Things", trust=ISSUER)
    with app.test_client() as made:
        yield made


def as_a(role: str, language: str = "en") -> dict[str, str]:
    return ISSUER.bearer("things", role) | {"Accept-Language": language}


def set_back() -> None:
    with pytest.raises(standing.SetBack):
        standing.note_set_back(["onex.north.v1:0 has Counted x, unknown here"])


def test_what_changes_something_is_refused_until_the_service_is_recovered(client: FlaskClient) -> None:
    assert client.post("/things", headers=as_a("operator")).status_code == 204
    set_back()
    refused = client.post("/things", headers=as_a("operator", "zh"))
    assert (refused.status_code, refused.json["code"]) == (503, "recovery_needed")
    assert "onex recover" in refused.json["detail"]
    assert refused.headers["Retry-After"]
    assert client.post("/things").status_code == 401
    assert client.get("/recovery", headers=as_a("auditor")).status_code == 200
    standing.recovered({}, {})
    assert client.post("/things", headers=as_a("operator")).status_code == 204


def test_an_operator_asks_once_and_sees_what_is_known(client: FlaskClient) -> None:
    assert client.get("/recovery", headers=as_a("auditor")).json["state"] == "sound"
    assert client.post("/recovery", headers=as_a("operator")).json["state"] == "sound"
    set_back()
    found = client.get("/recovery", headers=as_a("auditor")).json
    assert (found["state"], found["witnesses"]) == ("set_back", ["onex.north.v1:0 has Counted x, unknown here"])
    assert client.post("/recovery", headers=as_a("auditor")).status_code == 403
    asked = client.post("/recovery", headers=as_a("operator"))
    assert (asked.status_code, asked.json["state"]) == (202, "asked")
    assert client.post("/recovery", headers=as_a("operator")).json["state"] == "asked"


def test_what_was_forgotten_is_listed_with_how_it_comes_back(client: FlaskClient) -> None:
    causes = ["0f0e0d0c-0b0a-0908-0706-050403020100", "sheet:7", "sheet:8"]
    run_transaction(lambda: [append(Counted(name="a", amount=n), cause) for n, cause in enumerate(causes)])
    database()["outbox"].update_many({}, {"$set": {"forgotten": True}})
    database()["outbox"].update_many({"cause": "sheet:8"}, {"$set": {"body": Binary(b'{"name":"sealed","amount":8}')}})
    listed: list[dict[str, Any]] = []
    query = "limit=2"
    while query:
        page = client.get(f"/recovery/forgotten?{query}", headers=as_a("auditor")).json
        listed += page["items"]
        query = f"limit=2&cursor={page['next']}" if page["next"] else ""
    assert [(one["seq"], one["comes_by_itself"]) for one in listed] == [(1, True), (2, False), (3, False)]
    assert listed[2]["event"] == {"amount": 8}  # personal fields are left out
    assert client.get("/recovery", headers=as_a("auditor")).json["forgotten"] == 3


def test_what_nobody_sends_again_is_given_up_and_is_recognised_all_the_same(client: FlaskClient) -> None:
    said = [Counted(name="a", amount=7), Counted(name="a", amount=8), Named(name="a"), Counted(name="a", amount=9)]
    causes = ["sheet:7", "sheet:8", "sheet:9", "0f0e0d0c-0b0a-0908-0706-050403020100"]
    lost, kept, grant, by_itself = run_transaction(
        lambda: [append(*each)[0] for each in zip(said, causes, strict=True)]
    )
    database()["outbox"].update_many({}, {"$set": {"forgotten": True}})
    database()["strands"].update_many({}, {"$set": {"forgotten": True}})
    asked = {"ids": [lost, grant, by_itself, "nothing"], "reason": "the sheet is lost"}
    path = "/recovery/forgotten/given-up"
    assert client.post(path, json=asked, headers=as_a("auditor")).status_code == 403
    assert client.post(path, json=asked | {"reason": ""}, headers=as_a("operator")).status_code == 422
    verdicts = client.post(path, json=asked, headers=as_a("operator")).json
    codes = [None, "announcement_holds_up", "announcement_comes_by_itself", "not_found"]
    assert [one["code"] for one in verdicts] == codes
    assert client.post(path, json=asked, headers=as_a("operator")).json[0]["code"] == "not_found"
    assert client.get("/recovery", headers=as_a("auditor")).json["forgotten"] == 3
    listed = client.get("/recovery/forgotten", headers=as_a("auditor")).json["items"]
    assert [one["id"] for one in listed] == [kept, grant, by_itself]
    word = database()["outbox"].find_one({"_id": lost})["given_up"]
    assert (word["reason"], word["by"]) == ("the sheet is lost", "someone")
    assert run_transaction(lambda: append(said[0], causes[0])) == [lost]
    assert "forgotten" not in database()["outbox"].find_one({"_id": lost})

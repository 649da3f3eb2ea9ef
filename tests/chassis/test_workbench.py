"""The dead-letter workbench over HTTP: what failed and why, a rehearsed retry, a discard with its reason."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.bus.batches import take
from chassis.bus.dead_letters import bury
from chassis.bus.event import encode_body, headers_of
from chassis.bus.late import hand_on
from chassis.bus.retrying import serve
from chassis.database import database, run_transaction
from chassis.web.app import create_app
from chassis.workbench import workbench
from tests.chassis.web.tokens import TestIssuer
from tests.support.arrivals import ANNOUNCED, arrival
from tests.support.bus import BREAKS_AT, amounts, on_counted
from tests.support.words import Counted, Named

ISSUER = TestIssuer()
HANDLERS = {Counted: on_counted}
LETTER = "north|thing:a|1"
DUE = {"thing:a": date(2021, 3, 8)}


class Keeper(StrEnum):
    OPERATOR = "operator"
    AUDITOR = "auditor"
    GUEST = "guest"


@pytest.fixture
def client(mongo: str, mongo_url: str) -> Iterator[FlaskClient]:
    settings = SimpleNamespace(
        mongo=mongo_url, database=mongo, portal_url="http://portal.test", log_level="WARNING", seal_key="s" * 43
    )
    readers, deciders = (Keeper.OPERATOR, Keeper.AUDITOR), (Keeper.OPERATOR,)
    letters = workbench(HANDLERS, readers, deciders, due_of=lambda keys: {key: DUE[key] for key in keys if key in DUE})
    app = create_app("things", settings, [letters], title="Things", trust=ISSUER)
    BREAKS_AT.add(13)
    with app.test_client() as made:
        yield made
    BREAKS_AT.clear()


def as_a(role: str) -> dict[str, str]:
    return ISSUER.bearer("things", role)


def a_letter(name: str = "a") -> None:
    """The first event of a key broke; the second waits behind it."""
    body = Counted(name=name, amount=13)
    row = {"_id": str(uuid.uuid4()), "key": f"thing:{name}", "seq": 1, "type": "Counted", "source": "north"}
    headers = headers_of(row | {"cause": "test:1", "time": ANNOUNCED})

    def broken() -> None:
        try:
            on_counted([arrival(body, 1).event])  # type: ignore[list-item]
        except ArithmeticError as error:
            bury("onex.north.v1:0", 7, headers, encode_body(body), error)

    run_transaction(broken)
    run_transaction(lambda: take([arrival(Counted(name=name, amount=2), 2)], HANDLERS))


def test_a_letter_is_listed_with_its_reason_and_what_waits(client: FlaskClient) -> None:
    a_letter()
    [listed] = client.get("/dead-letters", headers=as_a("auditor")).json["items"]
    assert (listed["id"], listed["state"], listed["attempts"], listed["waiting"]) == (LETTER, "waiting", 1, 1)
    assert listed["why"].startswith("Handling it broke: ArithmeticError at tests/support/bus.py:")
    whole = client.get(f"/dead-letters/{LETTER}", headers=as_a("operator") | {"Accept-Language": "zh"}).json
    assert whole["why"].startswith("处理时出错")
    assert whole["event"] == {"amount": 13}  # a field called name is personal everywhere
    assert whole["frames"]
    assert client.get("/dead-letters?type=Other", headers=as_a("auditor")).json["items"] == []
    assert client.get("/dead-letters/none", headers=as_a("auditor")).status_code == 404


def test_a_letter_says_when_the_next_of_what_it_holds_up_is_due_until_it_is_settled(client: FlaskClient) -> None:
    a_letter()
    a_letter("b")
    listed = client.get("/dead-letters", headers=as_a("auditor")).json["items"]
    assert [(one["key"], one["due_on"]) for one in listed] == [("thing:a", "2021-03-08"), ("thing:b", None)]
    BREAKS_AT.clear()
    retry(client, LETTER)
    serve(LETTER, HANDLERS)
    assert client.get(f"/dead-letters/{LETTER}", headers=as_a("auditor")).json["due_on"] is None


def test_only_those_who_may_look_and_decide_do(client: FlaskClient) -> None:
    a_letter()
    assert client.get("/dead-letters", headers=as_a("guest")).status_code == 403
    for path, body in (("retries", {"ids": [LETTER]}), ("discards", {"ids": [LETTER], "reason": "wrong"})):
        assert client.post(f"/dead-letter-{path}", json=body, headers=as_a("auditor")).status_code == 403


def retry(client: FlaskClient, *ids: str) -> Any:
    return client.post("/dead-letter-retries", json={"ids": list(ids)}, headers=as_a("operator")).json


def test_a_retry_that_would_break_again_is_refused_and_changes_nothing(client: FlaskClient) -> None:
    a_letter()
    [word] = retry(client, LETTER)
    assert (word["status"], word["code"]) == ("refused", "handling_broke")
    assert "ArithmeticError" in word["detail"]
    letter = database()["dead_letters"].find_one({})
    assert (letter["state"], letter["decided"]) == ("waiting", [])


def test_an_accepted_retry_is_done_by_the_owner_with_what_waited(client: FlaskClient) -> None:
    a_letter()
    BREAKS_AT.clear()
    first, second, missing = retry(client, LETTER, LETTER, "none")
    assert (first["status"], second["code"], missing["code"]) == ("accepted", "letter_not_waiting", "not_found")
    assert amounts() == []
    serve(LETTER, HANDLERS)
    assert amounts() == [13, 2]
    shown = client.get(f"/dead-letters/{LETTER}", headers=as_a("auditor")).json
    assert (shown["state"], shown["event"], shown["waiting"]) == ("handled", None, 0)
    assert [(one["what"], one["by"]) for one in shown["decisions"]] == [("retry", "someone")]
    assert client.get("/dead-letters", headers=as_a("auditor")).json["items"] == []
    assert len(client.get("/dead-letters?state=handled", headers=as_a("auditor")).json["items"]) == 1


def test_a_discard_keeps_its_reason(client: FlaskClient) -> None:
    a_letter()
    body = {"ids": [LETTER], "reason": "announced by mistake"}
    [word] = client.post("/dead-letter-discards", json=body, headers=as_a("operator")).json
    assert word["status"] == "accepted"
    serve(LETTER, HANDLERS)
    shown = client.get(f"/dead-letters/{LETTER}", headers=as_a("auditor")).json
    assert (shown["state"], shown["decisions"][0]["reason"]) == ("discarded", "announced by mistake")
    assert amounts() == [2]
    body = {"ids": [LETTER], "reason": ""}
    assert client.post("/dead-letter-discards", json=body, headers=as_a("operator")).status_code == 422


def test_what_is_not_next_is_not_given_up_yet(client: FlaskClient) -> None:
    """Its number would be asked for again with what is missing before it."""
    a_letter()
    database()["dead_letters"].update_one({"_id": LETTER}, {"$set": {"seq": 5}})
    body = {"ids": [LETTER], "reason": "wrong"}
    [word] = client.post("/dead-letter-discards", json=body, headers=as_a("operator")).json
    assert (word["status"], word["code"]) == ("refused", "letter_not_its_turn")
    database()["dead_letters"].update_one({"_id": LETTER}, {"$set": {"seq": 5_000_000}})
    [word] = client.post("/dead-letter-discards", json=body, headers=as_a("operator")).json
    assert word["status"] == "accepted"


def test_two_operators_at_once_decide_once(client: FlaskClient) -> None:
    for n in range(5):
        a_letter(f"k{n}")
    BREAKS_AT.clear()
    ids = [f"north|thing:k{n}|1" for n in range(5)]
    assert [one["status"] for one in retry(client, *ids)] == ["accepted"] * 5
    assert {one["code"] for one in retry(client, *ids)} == {"letter_not_waiting"}
    assert all(len(row["decided"]) == 1 for row in database()["dead_letters"].find())


def test_two_operators_in_the_same_moment_decide_once(client: FlaskClient) -> None:
    """One has them tried again, the other gives them up; each letter hears one of the two, whoever was first."""
    names = [f"k{n}" for n in range(8)]
    for name in names:
        a_letter(name)
    BREAKS_AT.clear()
    ids, start = [f"north|thing:{name}|1" for name in names], threading.Barrier(2)
    bodies = {"retries": {"ids": ids}, "discards": {"ids": ids[::-1], "reason": "announced by mistake"}}

    def decide(verb: str) -> list[dict[str, Any]]:
        with client.application.test_client() as own:
            start.wait(30)
            found: list[dict[str, Any]] = own.post(
                f"/dead-letter-{verb}", json=bodies[verb], headers=as_a("operator")
            ).json
            return found

    with ThreadPoolExecutor(2) as pool:
        words = [word for found in pool.map(decide, bodies) for word in found]
    assert sorted(word["status"] for word in words) == ["accepted"] * 8 + ["refused"] * 8
    assert {word["code"] for word in words if word["status"] == "refused"} == {"letter_not_waiting"}
    assert all(len(row["decided"]) == 1 for row in database()["dead_letters"].find())


def an_unknown_event(name: str, seq: int = 1) -> None:
    """An event of a type that nobody here knows was kept."""
    run_transaction(lambda: take([arrival(Named(name=name), seq, handled=False)], HANDLERS, language={"Counted"}))


def test_unknown_events_are_listed_without_their_values(client: FlaskClient) -> None:
    an_unknown_event("张三")
    [listed] = client.get("/unknown-events", headers=as_a("auditor")).json["items"]
    assert (listed["type"], listed["seq"], listed["fields"], listed["attempts"]) == ("Named", 1, ["name"], 0)
    assert (listed["announced_at"], listed["why"]) == ("2021-03-01T08:00:00+00:00", "")
    assert "body" not in listed
    assert client.get("/unknown-events?type=Other", headers=as_a("auditor")).json["items"] == []
    for path in ("/unknown-events", "/unknown-event-figures"):
        assert client.get(path, headers=as_a("guest")).status_code == 403


def test_unknown_events_come_in_pages(client: FlaskClient) -> None:
    for n in range(5):
        an_unknown_event(f"k{n}")
    first = client.get("/unknown-events?limit=3", headers=as_a("operator")).json
    rest = client.get(f"/unknown-events?limit=3&cursor={first['next']}", headers=as_a("operator")).json
    assert [one["key"] for one in first["items"] + rest["items"]] == [f"thing:k{n}" for n in range(5)]
    assert rest["next"] is None


def test_why_one_is_still_kept_is_said(client: FlaskClient) -> None:
    an_unknown_event("a")

    def broken(_events: Any) -> None:
        raise ArithmeticError

    hand_on([""], {Named: broken}, {"Named"})
    headers = as_a("operator") | {"Accept-Language": "zh"}
    [listed] = client.get("/unknown-events", headers=headers).json["items"]
    assert listed["why"].startswith("处理时出错：ArithmeticError")
    assert listed["attempts"] == 1


def test_what_came_beyond_the_bound_is_said(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.bus.unknown.MOST_KEPT", 2)
    for n in range(5):
        an_unknown_event(f"k{n}")
    figures = client.get("/unknown-event-figures", headers=as_a("auditor")).json
    assert (figures["kept"], figures["most"], figures["beyond"]) == (2, 10_000, [{"source": "north", "count": 3}])

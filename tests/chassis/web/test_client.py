"""A client keeps its token, has bounded patience, and tells refusals from silence."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, request

from chassis import watch
from chassis.errors import Refusal, Transient
from chassis.web import client as module
from chassis.web.access import Caller
from chassis.web.client import Answered, Client
from chassis.web.tokens import Issuer, PortalTrust, Tokens
from tests.chassis.web.servers import serving
from tests.chassis.web.tokens import NAME, TestIssuer


class Other:
    """Another service and a portal in one, whose next answers are given."""

    def __init__(self, issuer: TestIssuer) -> None:
        self.app = Flask("other")
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.tokens = 0
        self.issuer = issuer
        self.app.add_url_rule("/oauth/token", view_func=self.token, methods=["POST"])
        self.app.add_url_rule("/.well-known/jwks.json", view_func=self.jwks)
        self.app.add_url_rule("/.well-known/oauth-authorization-server", view_func=lambda: {"issuer": NAME})
        self.app.add_url_rule("/<path:path>", view_func=self.answer, methods=["GET", "PUT", "POST", "DELETE"])

    def token(self) -> Any:
        if request.authorization is None or request.authorization.password != "right":
            return {"error": "invalid_client", "error_description": "no"}, 401
        self.tokens += 1
        return {"access_token": f"token-{self.tokens}", "token_type": "Bearer", "expires_in": 300}

    def jwks(self) -> Any:
        return {"keys": [self.issuer.key.as_dict(private=False)]}

    def answer(self, path: str) -> Any:
        self.asked.append((request.method, request.full_path, dict(request.headers), request.get_data()))
        status, body = self.answers.pop(0) if self.answers else (200, {"path": path})
        return Response(
            "" if status == 204 else module.httpx.Response(200, json=body).content,
            status,
            content_type="application/json",
            headers={"Location": "/progress"} if status == 202 else {},
        )


@pytest.fixture
def other(issuer: TestIssuer) -> Other:
    return Other(issuer)


@pytest.fixture
def address(other: Other, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.002)
    with serving(other.app) as url:
        yield url


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address, "other", address, "me", "right", language="zh") as found:
        yield found


def test_one_token_serves_many_calls(client: Client, other: Other) -> None:
    assert client.get("/a", x=1, y=None) == {"path": "a"}
    assert client.put("/b", {"v": 1}) == {"path": "b"}
    assert client.post("/c", [1], idempotency_key="k") == {"path": "c"}
    assert other.tokens == 1
    assert [one[:2] for one in other.asked] == [("GET", "/a?x=1"), ("PUT", "/b?"), ("POST", "/c?")]
    assert {one[2]["Authorization"] for one in other.asked} == {"Bearer token-1"}
    assert {one[2]["Accept-Language"] for one in other.asked} == {"zh"}
    assert other.asked[2][2]["Idempotency-Key"] == "k"


def test_the_cause_travels_along(client: Client, other: Other) -> None:
    with watch.cause("import:x:1:2"):
        client.get("/a")
    assert other.asked[0][2]["X-Cause"] == "import:x:1:2"


def test_what_fails_in_passing_is_tried_again(client: Client, other: Other) -> None:
    other.answers = [(503, {}), (500, {}), (429, {})]
    assert client.get("/a") == {"path": "a"}
    assert len(other.asked) == 4


def test_patience_has_an_end(client: Client, other: Other) -> None:
    other.answers = [(503, {})] * 10
    with pytest.raises(Transient, match="503"):
        client.get("/a")
    assert len(other.asked) == module.TRIES


def test_nobody_there_is_transient(address: str, client: Client) -> None:
    with Client("http://127.0.0.1:1", "other", address, "me", "right") as lost, pytest.raises(Transient):
        lost.get("/a")


def test_a_refusal_carries_its_problem_and_is_not_repeated(client: Client, other: Other) -> None:
    other.answers = [(422, {"code": "too_heavy", "detail": "stone is too heavy."})]
    with pytest.raises(Answered) as refused:
        client.post("/a", {})
    assert (refused.value.status, refused.value.code, refused.value.detail) == (422, "too_heavy", "stone is too heavy.")
    assert len(other.asked) == 1


def test_a_token_refused_once_is_renewed_once(client: Client, other: Other) -> None:
    other.answers = [(401, {"code": "token_invalid"})]
    assert client.get("/a") == {"path": "a"}
    assert other.tokens == 2
    other.answers = [(401, {"code": "token_invalid"})] * 2
    with pytest.raises(Answered):
        client.get("/a")


def test_a_wrong_secret_is_a_refusal(address: str) -> None:
    with Client(address, "other", address, "me", "wrong") as stranger, pytest.raises(Answered) as refused:
        stranger.get("/a")
    assert refused.value.status == 401


def test_a_person_speaks_with_his_own_token(address: str, other: Other) -> None:
    with Client(address, token=lambda: "personal") as person:
        person.get("/a")
    assert other.asked[0][2]["Authorization"] == "Bearer personal"
    assert other.tokens == 0


def test_files_go_up_and_come_down(client: Client, other: Other) -> None:
    assert client.upload("/files", "a.csv", b"x,y", idempotency_key="k", kind="roster") == {"path": "files"}
    assert b"x,y" in other.asked[0][3]
    assert b"x,y" in other.asked[0][3]
    assert client.download("/a.xlsx") == b'{"path":"a.xlsx"}'
    other.answers = [(204, {})]
    assert client.delete("/a") is None


READY, MAKING = {"file": "/made.xlsx", "code": None}, {"file": None, "code": None}


def test_a_file_that_is_being_made_is_waited_for(client: Client, other: Other, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MADE_PAUSE_SECONDS", 0.001)
    other.answers = [(202, {}), (200, MAKING), (200, MAKING), (200, READY)]
    assert client.download("/long.xlsx", of="all") == b'{"path":"made.xlsx"}'
    assert [path for _, path, *_ in other.asked] == ["/long.xlsx?of=all", *["/progress?"] * 3, "/made.xlsx?"]


def test_a_file_that_takes_too_long_is_transient_and_one_that_fails_says_why(
    address: str, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MADE_PAUSE_SECONDS", 0.001)
    with Client(address, token=lambda: "t", answer_seconds=0.2) as impatient:
        other.answers = [(202, {}), *[(200, MAKING)] * 500]
        with pytest.raises(Transient):
            impatient.download("/long.xlsx")
        other.answers = [(202, {}), (200, {"file": None, "code": "table_fault", "detail": "It broke."})]
        with pytest.raises(Answered) as refusal:
            impatient.download("/long.xlsx")
    assert (refusal.value.status, refusal.value.code, refusal.value.detail) == (409, "table_fault", "It broke.")


def test_tokens_are_verified_by_what_the_portal_publishes(address: str, other: Other, issuer: TestIssuer) -> None:
    tokens = Tokens("things", PortalTrust(address))
    assert tokens.caller_of(issuer.token("things", "clerk")) == Caller("someone", "portal", frozenset({"clerk"}), {})
    with pytest.raises(Refusal, match="token_invalid"):
        tokens.caller_of(TestIssuer("other").token("things", "clerk"))


def test_without_the_portal_no_token_can_be_judged_at_first(issuer: TestIssuer) -> None:
    with pytest.raises(Transient):
        Tokens("things", PortalTrust("http://127.0.0.1:1")).caller_of(issuer.token("things", "clerk"))


def test_known_keys_outlive_the_portal(other: Other, issuer: TestIssuer) -> None:
    with serving(other.app) as url:
        tokens = Tokens("things", PortalTrust(url))
        tokens.caller_of(issuer.token("things", "clerk"))
    assert tokens.caller_of(issuer.token("things", "guest")).roles == {"guest"}


def test_who_has_keys_does_not_wait_for_a_portal_that_hangs(
    issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = PortalTrust("http://portal.test")
    trust._issuer = issuer.issuer()
    asked, answer = threading.Event(), threading.Event()

    def hangs(_self: PortalTrust) -> Issuer:
        asked.set()
        answer.wait(10)
        raise Transient("no answer")

    monkeypatch.setattr(PortalTrust, "_ask", hangs)
    first = threading.Thread(target=trust.issuer)
    first.start()
    assert asked.wait(5)
    assert trust.issuer(stale=True) is trust.issuer() is trust._issuer  # at once, while the other still asks
    answer.set()
    first.join()

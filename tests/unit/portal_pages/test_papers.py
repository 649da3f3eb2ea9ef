"""An employer verifies a credential without signing in; a learner asks for the own."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.database import connect
from contracts.terms import Role
from portal.assembly import assemble
from portal.identity.people import passwords
from portal.identity.people.commands import put_user
from portal.identity.people.domain import User
from portal.pages.papers import code_in
from tests.unit.portal.conftest import settings
from tests.unit.portal_pages.workbenches import Workbench, answering

PASSWORD = "correct horse"
KNOWN = {
    "standing": "valid",
    "masked_name": "黄**",
    "scheme": "smart-finance",
    "scheme_name": "智能财税",
    "level": 1,
    "issued_on": "2026-11-26",
    "revoked_on": None,
}
UNKNOWN = {"standing": "unknown"} | dict.fromkeys(name for name in KNOWN if name != "standing")
MINE = {
    "credential": "1:7", "result_id": "T:P:1:1", "scheme": "smart-finance", "level": 1, "code": "good", "token": "t",
    "issued_at": "2026-11-26T04:00:00+00:00", "revoked_at": None, "revoked_because": None, "verify_url": "u",
}  # fmt: skip
PASSES = [
    {
        "result_id": f"T:P:{n}:1",
        "scheme": "smart-finance",
        "level": n,
        "plan": f"P{n}",
        "state": state,
        "verdict": "passed",
    }
    for n, state in ((1, "final"), (2, "final"), (3, "publicised"))
]


class Service(Workbench):
    """Answers with what a test gives it, by path."""

    def __init__(self, **answers: Any) -> None:
        super().__init__()
        self.answers: dict[str, Any] = {f"/{path.strip('/')}": answer for path, answer in answers.items()}

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path.startswith("/verifications/"):
            return 200, self.answers.get(path, UNKNOWN)
        return (200, self.answers[path]) if path in self.answers else super().answer(path, query)

    def told(self, path: str, body: Any) -> Any:
        self.sent.append((path, body))
        return MINE


BANK = Service(
    **{
        "verifications/good": KNOWN,
        "verifications/gone": KNOWN | {"standing": "revoked", "revoked_on": "2026-11-27"},
        "accounts/ann/credentials": {"items": [MINE], "next": None},
    }
)
Open = Callable[..., FlaskClient]


@pytest.fixture
def portal(mongo: str, mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """A browser at a portal, in this language."""
    monkeypatch.setattr(passwords, "_hasher", passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    with ExitStack() as servers:
        bank = servers.enter_context(answering(BANK))
        results = Service(results={"items": PASSES, "next": None})
        assessment = servers.enter_context(answering(results))

        def opened(language: str = "en") -> FlaskClient:
            given = msgspec.structs.replace(settings(mongo_url, mongo), creditbank_url=bank, assessment_url=assessment)
            browser = assemble(given).test_client()
            browser.set_cookie("language", language)
            return browser

        yield opened
        connect(mongo_url, mongo)


def signed_in(browser: FlaskClient) -> FlaskClient:
    put_user(User("ann", (Role.LEARNER,), {"learner": ["ann"]}), PASSWORD, by="test")
    assert browser.post("/sign-in", data={"name": "ann", "password": PASSWORD}).status_code == 302
    return browser


def text_of(answer: TestResponse) -> str:
    page = re.sub(r"<(head|header)\b.*?</\1>", " ", answer.get_data(as_text=True), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.mark.parametrize(
    ("language", "code", "said"),
    [
        ("en", "good", "genuine and valid"),
        ("zh", "good", "真实有效"),
        ("en", "gone", "is revoked"),
        ("zh", "gone", "已撤销"),
        ("en", "nobody", "No credential has this code"),
        ("zh", "nobody", "没有此验证码"),
    ],
)
def test_an_employer_is_told_of_a_code_without_signing_in(portal: Open, language: str, code: str, said: str) -> None:
    page = portal(language).get(f"/verify/{code}")
    assert page.status_code == 200
    assert said in text_of(page)
    assert ("黄**" in text_of(page)) is (code != "nobody")


def test_a_code_is_entered_or_the_whole_address_pasted(portal: Open) -> None:
    browser = portal()
    assert "Code" in text_of(browser.get("/verify"))
    for typed in ("good", " good ", "http://onex.test/verify/good#a.b.c", "http://onex.test/verify/good/"):
        assert browser.get("/verify", query_string={"code": typed}).headers["Location"] == "/verify/good"
    assert [code_in(text) for text in ("", " ", "/", "#x")] == [""] * 4


def test_who_guesses_codes_is_stopped(portal: Open) -> None:
    browser = portal()
    for _ in range(40):
        assert browser.get("/verify/good").status_code == 200
    found = [browser.get(f"/verify/guess-{n}", headers={"Accept": "text/html"}) for n in range(31)]
    assert [one.status_code for one in found] == [200] * 30 + [429]
    assert "Too many requests" in text_of(found[-1])


def test_a_learner_sees_the_own_and_asks_for_what_is_final_and_has_none(portal: Open) -> None:
    browser = signed_in(portal())
    page = browser.get("/credentials")
    text = text_of(page)
    assert "Valid" in text
    assert ("P1" in text, "P2" in text, "P3" in text) == (False, True, False)
    csrf = re.search(r'name="csrf_token" value="([^"]+)"', page.get_data(as_text=True))
    assert csrf
    asked = browser.post("/credentials", data={"csrf_token": csrf[1], "result_id": "T:P:2:1"})
    assert (asked.status_code, asked.headers["Location"]) == (302, "/credentials")
    assert BANK.sent[-1] == ("/accounts/ann/credentials", {"result_id": "T:P:2:1"})


def test_a_stranger_sees_no_credentials(portal: Open) -> None:
    assert portal().get("/credentials").headers["Location"].startswith("/sign-in")

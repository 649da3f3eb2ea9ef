"""A browser is signed in by a cookie that says nothing, until it is silent for too long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from chassis.database import database
from chassis.web.tokens import Tokens
from contracts.terms import Role
from portal.identity import sessions
from portal.identity.people import passwords
from portal.identity.people.commands import put_user
from portal.identity.people.domain import User


@pytest.fixture
def browser(portal: Flask, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A browser at a portal with a few small pages; `mei` of registry is registered."""
    monkeypatch.setattr(passwords, "_hasher", passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    put_user(User("mei", (Role.REGISTRY,)), "correct horse", by="test")
    add_pages(portal)
    return portal.test_client()


def add_pages(portal: Flask) -> None:
    @portal.post("/test/in")
    def test_in() -> Any:
        sessions.check_same_origin()
        sessions.sign_in(request.form["name"], request.form["password"])
        return {"csrf": sessions.csrf_token()}

    @portal.post("/test/out")
    def test_out() -> str:
        sessions.check_csrf()
        sessions.sign_out()
        return ""

    @portal.get("/test/me")
    def test_me() -> Any:
        user = sessions.current_user()
        return {"name": user.name if user else None}

    @portal.get("/test/token")
    def test_token() -> str:
        return sessions.token_for("enrolment")


def come_in(browser: FlaskClient, **headers: str) -> Any:
    return browser.post("/test/in", data={"name": "mei", "password": "correct horse"}, headers=headers)


def test_signing_in_sets_a_cookie_no_script_can_read(browser: FlaskClient) -> None:
    cookie = come_in(browser).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert browser.get("/test/me").json == {"name": "mei"}
    value = cookie.partition("=")[2].partition(";")[0]
    assert value not in str(list(database()["sessions"].find()))


def test_a_token_of_the_person_is_good_at_a_service(browser: FlaskClient, portal: Flask) -> None:
    come_in(browser)
    caller = Tokens("enrolment", portal.extensions["portal.mint"]).caller_of(
        browser.get("/test/token").get_data(as_text=True)
    )
    assert (caller.subject, caller.client_id, caller.roles) == ("mei", "portal", {"registry"})
    assert caller.is_person


def test_a_person_takes_a_token_of_their_own_along(browser: FlaskClient, portal: Flask) -> None:
    csrf = come_in(browser).json["csrf"]
    assert browser.get("/token").json == {"csrf_token": csrf}
    answer = browser.post("/token", data={"audience": "creditbank", "csrf_token": csrf})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 300)
    caller = Tokens("creditbank", portal.extensions["portal.mint"]).caller_of(answer.json["access_token"])
    assert (caller.subject, caller.roles, caller.is_person) == ("mei", {"registry"}, True)
    [noted] = database()["audit"].find({"act": "token_issued"})
    assert (noted["who"], noted["about"]) == ("mei", "creditbank")


def test_no_token_without_a_session_its_form_and_a_service_that_is(browser: FlaskClient) -> None:
    form = {"audience": "creditbank"}
    for answer in (browser.get("/token"), browser.post("/token", data=form)):
        assert answer.headers["Location"].startswith("/sign-in")
    csrf = come_in(browser).json["csrf"]
    assert browser.post("/token", data=form).status_code == 403
    assert browser.post("/token", data=form | {"csrf_token": "x"}).status_code == 403
    for audience in ("", "elsewhere"):
        assert browser.post("/token", data={"audience": audience, "csrf_token": csrf}).status_code == 404
    assert database()["audit"].count_documents({"act": "token_issued"}) == 0


def test_without_a_session_there_is_nobody_and_no_token(browser: FlaskClient) -> None:
    assert browser.get("/test/me").json == {"name": None}
    assert browser.get("/test/token").json["code"] == "not_signed_in"
    assert browser.get("/test/me", headers={"Cookie": "onex=guessed"}).json == {"name": None}


def test_a_form_from_elsewhere_is_refused(browser: FlaskClient) -> None:
    csrf = come_in(browser).json["csrf"]
    assert browser.post("/test/out").json["code"] == "form_expired"
    assert browser.post("/test/out", data={"csrf_token": "x"}).json["code"] == "form_expired"
    assert browser.get("/test/me").json == {"name": "mei"}
    assert browser.post("/test/out", headers={"X-CSRF-Token": csrf}).status_code == 200


def test_another_site_cannot_sign_a_browser_in(browser: FlaskClient) -> None:
    assert come_in(browser, Origin="https://evil.example").json["code"] == "form_expired"
    assert come_in(browser, **{"Sec-Fetch-Site": "cross-site"}).json["code"] == "form_expired"
    assert come_in(browser, Origin="http://localhost").status_code == 200


def test_signing_out_ends_the_session_everywhere_the_cookie_is(browser: FlaskClient, portal: Flask) -> None:
    answer = come_in(browser)
    stolen = answer.headers["Set-Cookie"].partition(";")[0]
    assert browser.post("/test/out", data={"csrf_token": answer.json["csrf"]}).status_code == 200
    assert browser.get("/test/me").json == {"name": None}
    assert portal.test_client(use_cookies=False).get("/test/me", headers={"Cookie": stolen}).json == {"name": None}


def test_signing_in_again_ends_the_session_before(browser: FlaskClient) -> None:
    come_in(browser)
    come_in(browser)
    assert database()["sessions"].count_documents({}) == 1


@pytest.mark.parametrize(
    ("field", "minutes", "name"),
    [("seen_at", 31, None), ("seen_at", 29, "mei"), ("started_at", 12 * 60 + 1, None), ("started_at", 11 * 60, "mei")],
)
def test_a_session_ends_by_silence_and_by_age(browser: FlaskClient, field: str, minutes: int, name: str | None) -> None:
    come_in(browser)
    database()["sessions"].update_many({}, {"$set": {field: datetime.now(UTC) - timedelta(minutes=minutes)}})
    assert browser.get("/test/me").json == {"name": name}


def test_being_seen_keeps_a_session(browser: FlaskClient) -> None:
    come_in(browser)
    earlier = datetime.now(UTC) - timedelta(minutes=20)
    database()["sessions"].update_many({}, {"$set": {"seen_at": earlier}})
    browser.get("/test/me")
    assert (database()["sessions"].find_one() or {})["seen_at"] > earlier + timedelta(minutes=19)


def test_who_loses_rights_is_signed_out(browser: FlaskClient) -> None:
    come_in(browser)
    put_user(User("mei", (Role.REGISTRY,), disabled=True), None, by="test")
    assert browser.get("/test/me").json == {"name": None}


@pytest.mark.parametrize(
    "wanted",
    ["/\t/evil.example", "", None, "https://evil.example", "//evil.example", "/\\evil.example", "/a\nb", "account"],
)
def test_after_signing_in_one_stays_on_this_site(wanted: str | None) -> None:
    assert sessions.safe_next(wanted) == "/"
    assert sessions.safe_next("/account?x=1") == "/account?x=1"

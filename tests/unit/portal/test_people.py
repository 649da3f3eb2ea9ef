"""People are registered by the operator, sign in with a password, and are locked out when they keep failing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.database import database
from chassis.errors import Refusal
from portal.assembly import assemble
from portal.identity.people import commands, passwords
from portal.identity.people.commands import verify
from portal.settings import is_loopback
from portal.settings import settings as read_settings
from tests.unit.portal.conftest import settings, text, token

MEI = {"password": "correct horse", "roles": ["registry"], "language": "en"}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Passwords that are quick to check: how slow they are is not what these tests are about."""
    weak = passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", weak)
    passwords._nobody.cache_clear()
    yield
    passwords._nobody.cache_clear()


def put(client: FlaskClient, headers: dict[str, str], name: str = "mei", **changes: object) -> object:
    return client.put(f"/users/{name}", json=MEI | changes, headers=headers)


def fail(times: int) -> None:
    for _ in range(times):
        with pytest.raises(Refusal, match="sign_in_failed"):
            verify("mei", "wrong horse")


def test_a_registered_user_is_listed_without_the_password(client: FlaskClient, operator: dict[str, str]) -> None:
    answer = put(client, operator)
    shown = {"name": "mei", "roles": ["registry"], "owns": {}, "language": "en", "disabled": False}
    assert answer.json == shown  # type: ignore[attr-defined]
    assert client.get("/users/mei", headers=operator).json == shown
    assert client.get("/users", headers=operator).json == {"items": [shown], "next": None}
    assert "correct horse" not in str(list(database()["users"].find()))
    assert client.get("/users/nobody", headers=operator).json["code"] == "not_found"


@pytest.mark.parametrize(
    ("name", "changes", "code"),
    [
        ("Mei", {}, "user_name_invalid"),
        ("portal", {}, "user_name_reserved"),
        ("mei", {"password": None}, "password_needed"),
        ("mei", {"password": "short"}, "fields_invalid"),
        ("mei", {"roles": ["service"]}, "fields_invalid"),
        ("mei", {"roles": []}, "fields_invalid"),
        ("mei", {"roles": ["learner"]}, "scope_needed"),
        ("mei", {"roles": ["teo"], "owns": {"learner": ["x"]}}, "scope_needed"),
        ("mei", {"owns": {"Bad Kind": []}}, "fields_invalid"),
        ("mei", {"colour": "red"}, "fields_invalid"),
    ],
)
def test_bad_users_are_refused(
    client: FlaskClient, operator: dict[str, str], name: str, changes: dict[str, object], code: str
) -> None:
    answer = put(client, operator, name, **changes)
    assert (answer.status_code, answer.json["code"]) == (422, code)  # type: ignore[attr-defined]


def test_a_new_user_needs_a_password_and_a_known_one_keeps_it(
    client: FlaskClient, operator: dict[str, str], quick: None
) -> None:
    without = {name: value for name, value in MEI.items() if name != "password"}
    assert client.put("/users/mei", json=without, headers=operator).json["code"] == "password_needed"
    put(client, operator)
    assert client.put("/users/mei", json=without | {"language": "zh"}, headers=operator).status_code == 200
    assert verify("mei", "correct horse").language == "zh"


def test_a_repeat_changes_nothing(client: FlaskClient, operator: dict[str, str], quick: None) -> None:
    put(client, operator)
    stored = list(database()["users"].find())
    put(client, operator)
    assert list(database()["users"].find()) == stored


def test_only_the_operator_registers(client: FlaskClient) -> None:
    headers = {"Authorization": f"Bearer {token(client, 'notify')}"}
    assert put(client, headers).status_code == 403  # type: ignore[attr-defined]
    assert put(client, {}).status_code == 401  # type: ignore[attr-defined]


def test_a_right_password_signs_in_and_a_wrong_one_does_not(
    client: FlaskClient, operator: dict[str, str], quick: None
) -> None:
    put(client, operator)
    assert verify(" Mei ", "correct horse").name == "mei"
    for name, password in (("mei", "wrong horse"), ("nobody", "correct horse"), ("mei", ""), ("", "")):
        with pytest.raises(Refusal, match="sign_in_failed"):
            verify(name, password)


def test_a_disabled_user_does_not_sign_in(client: FlaskClient, operator: dict[str, str], quick: None) -> None:
    put(client, operator, disabled=True)
    with pytest.raises(Refusal, match="sign_in_failed"):
        verify("mei", "correct horse")


def test_ten_failures_lock_a_name_for_a_quarter_of_an_hour(
    client: FlaskClient, operator: dict[str, str], quick: None
) -> None:
    put(client, operator)
    fail(10)
    with pytest.raises(Refusal, match="locked_out"):
        verify("mei", "correct horse")
    past = datetime.now(UTC) - timedelta(minutes=15, seconds=1)
    database()["sign_in_attempts"].update_many({}, {"$set": {"last_at": past}})
    assert verify("mei", "correct horse").name == "mei"


def test_a_success_forgives_and_a_new_password_unlocks(
    client: FlaskClient, operator: dict[str, str], quick: None
) -> None:
    put(client, operator)
    for _ in range(3):
        fail(9)
        verify("mei", "correct horse")
    fail(10)
    with pytest.raises(Refusal, match="locked_out"):
        verify("mei", "correct horse")
    put(client, operator, password="better horse")
    assert verify("mei", "better horse").name == "mei"


def test_tries_at_once_are_not_one(client: FlaskClient, operator: dict[str, str], quick: None) -> None:
    put(client, operator)

    def attempt(_: int) -> str:
        try:
            verify("mei", "wrong horse")
        except Refusal as refusal:
            return refusal.code
        return "in"

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(attempt, range(24)))
    assert (codes.count("sign_in_failed"), codes.count("locked_out")) == (10, 14)


def test_a_name_nobody_has_is_not_kept_in_clear(portal: Flask, quick: None) -> None:
    with pytest.raises(Refusal):
        verify("my secret password", "x")
    for collection in ("audit", "sign_in_attempts"):
        assert "secret" not in str(list(database()[collection].find()))


def test_a_hash_is_argon2id_and_renewed_when_it_is_weak(
    client: FlaskClient, operator: dict[str, str], quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(client, operator)
    monkeypatch.setattr(passwords, "_hasher", passwords.PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    verify("mei", "correct horse")
    assert (database()["users"].find_one() or {})["password_hash"].startswith("$argon2id$v=19$m=16,t=2,p=1$")


def test_demonstration_accounts_are_opened_once(
    mongo: str, mongo_url: str, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assemble(settings(mongo_url, mongo, demo="1"))
    names = {"registry", "exam-office", "trainer", "teo", "operator", "auditor", "department"}
    assert {row["_id"] for row in database()["users"].find()} == names
    assert verify("registry", "onex-demo").roles == ("registry",)
    assert verify("teo", "onex-demo").owns == {"teo": []}
    monkeypatch.setattr(commands, "put_user", None)
    assemble(settings(mongo_url, mongo, demo="1"))


def test_without_demo_there_are_no_accounts(portal: Flask) -> None:
    assert database()["users"].count_documents({}) == 0


def test_a_demonstration_refuses_a_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"MONGO": "m", "DATABASE": "x", "DEMO": "1", "PUBLIC_URL": "https://onex.example.edu.cn"}
    given |= {"SEAL_KEY": text(b"s" * 32), "CLIENTS_KEY": text(b"c" * 32)}
    given |= {f"{name}_URL": "u" for name in ("ENROLMENT", "TRAINING", "ASSESSMENT", "CREDITBANK", "NOTIFY")}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match="PUBLIC_URL"):
        read_settings()
    monkeypatch.setenv("PUBLIC_URL", "http://127.0.0.1:8080")
    assert read_settings().is_demo
    assert read_settings().service_urls["notify"] == "u"


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:8080", "127.9.9.9"])
def test_addresses_of_this_machine_alone(host: str) -> None:
    assert is_loopback(f"http://{host}")


@pytest.mark.parametrize("host", ["0.0.0.0:8080", "192.168.1.5", "localhost.example.com", ""])
def test_addresses_others_can_reach(host: str) -> None:
    assert not is_loopback(f"http://{host}")

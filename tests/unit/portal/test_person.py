"""A person at the terminal gets tokens by signing in as at a browser, and again when the session is over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from chassis.database import database
from chassis.web.tokens import Tokens
from contracts.terms import Role
from onex.demo.http import Addresses
from onex.demo.trouble import Answered
from onex.person import Person
from portal.identity.people import passwords
from portal.identity.people.commands import put_user
from portal.identity.people.domain import User
from tests.chassis.web.servers import serving


@pytest.fixture
def addresses(portal: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Addresses]:
    """The portal at an address of its own; `mei` and `lan` of registry are registered."""
    monkeypatch.setattr(passwords, "_hasher", passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    for name in ("mei", "lan"):
        put_user(User(name, (Role.REGISTRY,)), f"the-password-of-{name}", by="test")
    with serving(portal) as url:
        made = Addresses({"portal": url}, "")
        yield made
        made.close()


def person(addresses: Addresses, name: str) -> Person:
    return Person(addresses, name, f"the-password-of-{name}")


def subject_of(portal: Flask, token: str, audience: str = "enrolment") -> tuple[str, bool]:
    caller = Tokens(audience, portal.extensions["portal.mint"]).caller_of(token)
    return caller.subject, caller.is_person


def test_two_people_get_tokens_of_their_own(portal: Flask, addresses: Addresses) -> None:
    mei, lan = person(addresses, "mei"), person(addresses, "lan")
    assert subject_of(portal, mei.token("enrolment")) == ("mei", True)
    assert subject_of(portal, lan.token("enrolment")) == ("lan", True)
    assert subject_of(portal, mei.token("notify"), "notify") == ("mei", True)
    assert mei.token("enrolment") == mei.token("enrolment"), "kept until it is about to expire"
    assert database()["sessions"].count_documents({}) == 2, "each signs in once"


def test_when_the_session_is_over_they_sign_in_again(portal: Flask, addresses: Addresses) -> None:
    mei = person(addresses, "mei")
    mei.token("enrolment")
    database()["sessions"].delete_many({})
    assert subject_of(portal, mei.token("notify"), "notify") == ("mei", True)


def test_a_wrong_password_gets_none(addresses: Addresses) -> None:
    with pytest.raises(Answered) as refused:
        Person(addresses, "mei", "the-password-of-lan").token("enrolment")
    assert refused.value.status == 401

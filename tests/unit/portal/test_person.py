"""A person at the terminal gets tokens by signing in as at a browser, and again when the session is over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from flask import Flask

from chassis.database import database
from chassis.web.tokens import Tokens
from contracts.terms import Role
from onex.cli import main
from onex.demo.http import Addresses
from onex.demo.trouble import Answered
from onex.person import Person
from onex.stack.addresses import Running
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


def test_the_command_prints_it_and_says_in_one_sentence_why_not(
    portal: Flask, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onex.person.addresses_of", lambda _running: addresses)
    monkeypatch.setattr(Running, "of", lambda _home: None)
    asked = ["token", "mei", "enrolment", "--password"]
    printed = CliRunner().invoke(main, [*asked, "the-password-of-mei"])
    assert printed.exit_code == 0
    assert subject_of(portal, printed.stdout.strip()) == ("mei", True)
    addresses.tokens.clear()
    refused = CliRunner().invoke(main, [*asked, "something-else"])
    assert (refused.exit_code, refused.stdout) == (1, "")

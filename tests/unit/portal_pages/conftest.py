"""A portal whose services answer what a test gives them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

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
from tests.unit.portal.conftest import settings
from tests.unit.portal_pages.colleges import Bank, Service, assessment, enrolment
from tests.unit.portal_pages.workbenches import Workbench, answering

PASSWORD = "correct horse"
PEOPLE = (
    User("ann", (Role.LEARNER,), {"learner": ["ann"]}),
    User("dan", (Role.DEPARTMENT,)),
    User("mei", (Role.REGISTRY,)),
    User("liu", (Role.AUDITOR,)),
)
Enter = Callable[..., FlaskClient]


@pytest.fixture
def enter(mongo: str, mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Enter]:
    """Sign somebody in at a portal whose college has this bank."""
    monkeypatch.setattr(passwords, "_hasher", passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    with ExitStack() as servers:

        def opened(who: str, bank: Bank, language: str = "en", **others: Workbench) -> FlaskClient:
            empty = {"items": [], "next": None}
            nothing = Service({"/course-results": empty, "/learners/ann/training-excuses": empty})
            given = {"creditbank": bank, "enrolment": enrolment(), "assessment": assessment(), "training": nothing}
            given |= others
            urls = {f"{name}_url": servers.enter_context(answering(one)) for name, one in given.items()}
            app = assemble(msgspec.structs.replace(settings(mongo_url, mongo), **urls))
            for user in PEOPLE:
                put_user(user, PASSWORD, by="test")
            browser = app.test_client()
            browser.set_cookie("language", language)
            assert browser.post("/sign-in", data={"name": who, "password": PASSWORD}).status_code == 302
            return browser

        yield opened
        connect(mongo_url, mongo)


def text_of(answer: TestResponse) -> str:
    """What a reader sees of a page."""
    page = re.sub(r"<(head|header)\b.*?</\1>", " ", answer.get_data(as_text=True), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def csrf_of(answer: TestResponse) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', answer.get_data(as_text=True))
    assert found
    return found[1]

"""docs/access.md is what the applications do."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from contracts.terms import Role
from onex.access import APPLICATIONS, PAGE, page


@pytest.fixture(scope="module")
def made(mongo_url: str) -> Iterator[str]:
    """The page as the applications would write it now."""
    prefix = f"test_{uuid.uuid4().hex[:12]}"
    yield page(mongo_url, prefix)
    with MongoClient[dict[str, Any]](mongo_url) as client:
        for name in APPLICATIONS:
            client.drop_database(f"{prefix}_{name}")


def tables(text: str) -> dict[str, list[list[str]]]:
    """The rows of each application's table."""
    parts = re.split(r"^## (\w+)$", text, flags=re.MULTILINE)[1:]
    return {
        name: [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:1] == "|"]
        for name, part in zip(parts[::2], parts[1::2], strict=True)
    }


def test_the_page_is_what_the_applications_do(made: str) -> None:
    assert PAGE.read_text() == made, "run: make access"


def test_every_application_has_a_table_of_all_roles(made: str) -> None:
    found = tables(made)
    assert set(found) == set(APPLICATIONS)
    for rows in found.values():
        assert rows[0] == ["method", "route", "no token", *Role]
        assert len(rows) > len(("header", "rule", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"))


def test_whoever_changes_something_shows_a_token(made: str) -> None:
    public = {
        (name, method, route)
        for name, rows in tables(made).items()
        for method, route, no_token, *_ in rows[2:]
        if method != "GET" and no_token
    }
    assert public == {
        ("portal", "POST", "`/oauth/token`"),
        ("portal", "POST", "`/sign-in`"),
        ("portal", "POST", "`/sign-out`"),
    }


def test_learners_change_nothing_but_what_is_theirs(made: str) -> None:
    learners = tables(made)["portal"][0].index(Role.LEARNER)
    changing = {
        (name, row[0], row[1]): row[learners]
        for name, rows in tables(made).items()
        for row in rows[2:]
        if row[0] != "GET" and row[learners] and not row[2]
    }
    assert changing == {
        ("creditbank", "POST", "`/accounts/<learner_id>/conversion-applications`"): "own",
        ("creditbank", "POST", "`/accounts/<learner_id>/credentials`"): "own",
        ("creditbank", "POST", "`/conversion-applications/<application>/offer`"): "own",
        ("creditbank", "PUT", "`/conversion-applications/<application>/appeal`"): "own",
        ("creditbank", "PUT", "`/conversion-applications/<application>/withdrawal`"): "own",
        ("notify", "POST", "`/mailboxes/<learner_id>/notices/<notice_id>/read`"): "own",
        ("notify", "PUT", "`/mailboxes/<learner_id>/preference`"): "own",
        ("portal", "POST", "`/account/applications/<application>/appeal`"): "yes",
        ("portal", "POST", "`/account/applications/<application>/offer`"): "yes",
        ("portal", "POST", "`/account/applications/<application>/withdrawal`"): "yes",
        ("portal", "POST", "`/account/apply`"): "yes",
        ("portal", "POST", "`/credentials`"): "yes",
        ("portal", "POST", "`/mailbox/<notice_id>/read`"): "yes",
        ("portal", "POST", "`/token`"): "yes",
    }

"""A list is read on by cursors without a gap or a repeat."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from chassis.database import database
from chassis.errors import Refusal
from chassis.web.paging import after, before, cursor_of, page
from tests.chassis.web.test_problems import problem
from tests.chassis.web.tokens import TestIssuer


def test_pages_join_to_the_whole_list(client: FlaskClient, issuer: TestIssuer) -> None:
    names = [f"n{number:03}" for number in range(25)]
    database()["things"].insert_many([{"name": name, "weight": 1} for name in reversed(names)])
    headers = issuer.bearer("things", "clerk")
    seen, query = [], "limit=7"
    while True:
        answer = client.get(f"/things?{query}", headers=headers).json
        seen += [one["name"] for one in answer["items"]]
        if answer["next"] is None:
            break
        query = f"limit=7&cursor={answer['next']}"
    assert seen == names


@pytest.mark.parametrize("cursor", ["x", "!!", "bnVsbA", "W10", "W251bGxd", "e30", "WzEuNV0", "é", ""])
def test_a_bad_cursor_is_told_so(client: FlaskClient, issuer: TestIssuer, cursor: str) -> None:
    found = problem(
        client.get("/things", query_string={"cursor": cursor}, headers=issuer.bearer("things", "clerk")),
        422,
        "fields_invalid",
    )
    assert found["errors"][0]["field"] == "cursor"


def test_a_cursor_of_another_list_is_told_so(client: FlaskClient, issuer: TestIssuer) -> None:
    cursor = cursor_of(["a", "b"])
    problem(client.get(f"/things?cursor={cursor}", headers=issuer.bearer("things", "clerk")), 422, "cursor_invalid")


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "limit=1.5", "colour=1"])
def test_a_bad_query_names_its_field(client: FlaskClient, issuer: TestIssuer, query: str) -> None:
    found = problem(client.get(f"/things?{query}", headers=issuer.bearer("things", "clerk")), 422, "fields_invalid")
    assert found["errors"][0]["field"] == query.partition("=")[0]


def test_filters_stand_beside_the_cursor(client: FlaskClient, issuer: TestIssuer) -> None:
    database()["things"].insert_many([{"name": "a", "weight": 1}, {"name": "b", "weight": 9}])
    answer = client.get("/things?least=5", headers=issuer.bearer("things", "clerk")).json
    assert [one["name"] for one in answer["items"]] == ["b"]


def test_the_filter_behind_a_cursor_of_two_fields() -> None:
    assert after(["x", 2], "a", "b") == {"$or": [{"a": {"$gt": "x"}}, {"a": "x", "b": {"$gt": 2}}]}
    assert before(["x"], "a") == {"a": {"$lt": "x"}}
    assert after(None, "a") == {}
    with pytest.raises(Refusal):
        after(["x"], "a", "b")


def test_an_exact_last_page_has_no_next() -> None:
    assert page([1, 2], 2, key=lambda row: [row])["next"] is None
    assert page([1, 2, 3], 2, key=lambda row: [row])["next"] == cursor_of([2])
    assert page([], 2, key=lambda row: [row]) == {"items": [], "next": None}

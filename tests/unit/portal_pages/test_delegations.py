"""Staff let another decide in their stead, take that back, and decide in another's stead from the worklist."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from services.creditbank.conversion.schemas import DelegationSchema, DelegationWishSchema
from tests.unit.portal_pages.colleges import DELEGATION, Bank, application
from tests.unit.portal_pages.conftest import Enter, csrf_of, text_of
from tests.unit.portal_pages.test_worklist import boxes, sent

WISH = {"to": "dan", "role": "registry", "first": "2026-03-01", "until": "2026-03-20", "note": "on leave"}


def bank(*applications: Any, **change: Any) -> Bank:
    found = Bank(*applications)
    found.delegations = [DELEGATION | change]
    return found


def posted(browser: FlaskClient, path: str, **form: str) -> TestResponse:
    token = csrf_of(browser.get("/delegations"))
    return browser.post(path, data={"csrf_token": token, **form}, headers={"Referer": "http://localhost/delegations"})


def test_the_tests_delegation_is_as_the_bank_shows_it() -> None:
    assert DelegationSchema().validate(DELEGATION) == {}
    assert DelegationWishSchema().validate(WISH) == {}


@pytest.mark.parametrize(("language", "word"), [("zh", "有效"), ("en", "in force")])
def test_a_delegation_is_given_listed_and_taken_back(enter: Enter, language: str, word: str) -> None:
    college = bank()
    browser = enter("mei", college, language)
    page = text_of(browser.get("/delegations"))
    for said in (word, "zhou", "财经学院", "on leave"):
        assert said in page
    assert posted(browser, "/delegations", **WISH).status_code == 302
    assert college.sent[-1] == ("/conversion-delegations", WISH | {"departments": None})
    assert posted(browser, "/delegations/d1/revocation").status_code == 302
    assert college.sent[-1][0] == "/conversion-delegations/d1/revocation"


@pytest.mark.parametrize("to", ["nobody", "ann", "liu", ""])
def test_only_staff_who_decide_are_named(enter: Enter, to: str) -> None:
    college = bank()
    assert posted(enter("mei", college), "/delegations", **WISH | {"to": to}).status_code == 422
    assert all(path != "/conversion-delegations" for path, _ in college.sent)


def test_what_the_bank_refuses_is_said(enter: Enter) -> None:
    college = bank()
    college.refusals = {"/conversion-delegations": (422, {"code": "delegation_days_wrong", "detail": "Too long."})}
    answer = posted(enter("mei", college), "/delegations", **WISH)
    assert (answer.status_code, "Too long." in text_of(answer)) == (422, True)


def test_a_delegate_decides_from_the_worklist_on_behalf_of_who_gave_it(enter: Enter) -> None:
    mine, other = application("a1", step="registry"), application("a2", step="registry", department="机电学院")
    college = bank(mine, other)
    browser = enter("dan", college)
    page = browser.get("/conversions?state=review")
    assert boxes(page) == ["a1"]
    assert '<option value="zhou">on behalf of zhou</option>' in page.get_data(as_text=True)
    sent(browser, "/conversions/decisions", application="a1", verdict="approve", on_behalf_of="zhou")
    body = next(body for path, body in reversed(college.sent) if path == "/conversion-decisions")
    assert [one["on_behalf_of"] for one in body] == ["zhou"]


@pytest.mark.parametrize("change", [{"holds_today": False}, {"to": "mei", "by": "dan"}])
def test_what_does_not_hold_or_is_anothers_offers_nothing(enter: Enter, change: dict[str, Any]) -> None:
    page = enter("dan", bank(application("a1", step="registry"), **change)).get("/conversions?state=review")
    assert boxes(page) == []
    assert "on_behalf_of" not in page.get_data(as_text=True)


def test_a_decision_shows_both_names(enter: Enter) -> None:
    given = {"state": "granted", "undo_until": "2099-01-01T00:00:00+00:00", "decided_by": "dan"}
    page = enter("mei", bank(application(**given, decided_on_behalf_of="zhou"))).get("/conversions?state=")
    assert "decided by dan on behalf of zhou" in text_of(page)

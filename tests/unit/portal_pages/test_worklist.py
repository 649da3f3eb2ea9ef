"""Departments and the registry find what is theirs to decide, decide many at once, and take decisions back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.web.schemas import JudgedSchema
from portal.pages.worklist import FILTERS, SHOWN, STATES, STEPS
from services.creditbank.conversion.applications import ROLES, State
from services.creditbank.conversion.domain import Step
from services.creditbank.conversion.schemas import ApplicationFilters
from tests.unit.portal_pages.colleges import APPEAL, Bank, application
from tests.unit.portal_pages.conftest import Enter, csrf_of, text_of

LATE = "2020-01-02"


def rows(answer: TestResponse, name: str = "verdict") -> dict[str, str]:
    """By application what a row says of itself."""
    page = answer.get_data(as_text=True)
    return dict(re.findall(rf'<tr data-application="([^"]+)" data-{name}="([^"]+)"', page))


def boxes(answer: TestResponse) -> list[str]:
    return re.findall(r'type="checkbox" name="application" value="([^"]+)"', answer.get_data(as_text=True))


def asked(bank: Bank) -> dict[str, str]:
    """The filters of the latest question for applications."""
    return next(body for path, body in reversed(bank.sent) if path == "/conversion-applications")


def sent(browser: FlaskClient, path: str, **form: Any) -> TestResponse:
    token = csrf_of(browser.get("/conversions"))
    return browser.post(path, data={"csrf_token": token, **form}, headers={"Referer": "http://localhost/conversions"})


def test_steps_states_and_filters_are_the_banks() -> None:
    assert {str(step): ROLES[step] for step in Step} == STEPS
    assert list(STATES) == [str(state) for state in State]
    assert set(FILTERS) <= set(ApplicationFilters().fields)
    word = {"index": 0, "id": "a1", "status": "accepted", "code": None, "detail": None}
    assert JudgedSchema().validate(word) == {}


@pytest.mark.parametrize(("who", "step"), [("dan", "department"), ("mei", "registry")])
def test_at_first_it_lists_what_waits_for_oneself(enter: Enter, who: str, step: str) -> None:
    bank = Bank(application("a1"), application("a2", step="registry"))
    page = enter(who, bank).get("/conversions")
    assert asked(bank) == {"state": "review", "step": step}
    assert boxes(page) == [{"department": "a1", "registry": "a2"}[step]]


def test_filters_are_handed_on_and_stay_in_the_form(enter: Enter) -> None:
    bank = Bank(application())
    page = enter("mei", bank).get(
        "/conversions?state=&class_name=会计1903班&entry_year=2019&department=&programme=630302"
    )
    assert asked(bank) == {"class_name": "会计1903班", "entry_year": "2019", "programme": "630302"}
    assert 'value="会计1903班"' in page.get_data(as_text=True)
    assert '<option value="630302" selected>' in page.get_data(as_text=True)


@pytest.mark.parametrize(("language", "word"), [("zh", "已逾期"), ("en", "overdue")])
def test_what_is_overdue_says_so_and_comes_first(enter: Enter, language: str, word: str) -> None:
    bank = Bank(application("a1"), application("late", due_on=LATE, is_escalated=True))
    page = enter("dan", bank, language).get("/conversions")
    assert list(rows(page, "state")) == ["late", "a1"]
    assert text_of(page).count(word) == 1
    assert LATE in text_of(page)


def test_many_are_decided_at_once_and_each_verdict_stands_beside_its_item(enter: Enter) -> None:
    own = (403, {"code": "application_of_your_own", "detail": "Another person has to."})
    bank = Bank(*map(application, ("a1", "a2", "a3")), refusals={"a2": own})
    browser = enter("dan", bank)
    told = sent(browser, "/conversions/decisions", application=["a1", "a2", "a1"], verdict="approve")
    assert rows(told) == {"a1": "accepted", "a2": "refused"}
    assert "Another person has to." in text_of(told)
    assert bank.applications["a3"]["state"] == "review"
    again = sent(browser, "/conversions/decisions", application=["a1"], verdict="approve")
    assert rows(again) == {"a1": "unchanged"}


def test_a_refusal_needs_a_reason_and_nothing_is_decided_without_a_choice(enter: Enter) -> None:
    bank = Bank(application())
    browser = enter("dan", bank)
    for form in (
        {"application": ["a1"], "verdict": "refuse", "reason": " "},
        {"verdict": "approve"},
        {"application": ["a1"]},
    ):
        assert sent(browser, "/conversions/decisions", **form).status_code == 422
    assert sent(browser, "/conversions/undos").status_code == 422
    assert bank.applications["a1"]["state"] == "review"
    told = sent(browser, "/conversions/decisions", application=["a1"], verdict="refuse", reason="Scan unreadable.")
    assert rows(told) == {"a1": "accepted"}
    assert bank.sent[-1][1][0]["reason"] == "Scan unreadable."


def test_no_more_than_a_page_is_decided_at_once(enter: Enter) -> None:
    bank = Bank(*(application(f"a{n}") for n in range(SHOWN + 1)))
    sent(enter("dan", bank), "/conversions/decisions", application=list(bank.applications), verdict="approve")
    assert len(bank.sent[-1][1]) == SHOWN


def test_a_decision_is_taken_back_while_nobody_was_told(enter: Enter) -> None:
    known = {"decided_by": "mei", "decided_at": "2021-03-01T00:00:00+00:00"}
    granted = {"state": "granted", "step": "registry"}
    bank = Bank(
        application("a1", **granted, **known, undo_until="2099-01-01T00:00:00+00:00"),
        application("a2", **granted, **known, undo_until=None),
        application("a3", **granted, is_released=True),
    )
    browser = enter("mei", bank)
    page = browser.get("/conversions?state=granted")
    assert boxes(page) == ["a1"]
    assert "until 2099-01-01" in text_of(page)
    assert "decided by mei" in text_of(page)
    told = sent(browser, "/conversions/undos", application=["a1"], rule_version="4")
    assert bank.sent[-1] == ("/conversion-undos", [{"application": "a1", "rule_version": 4}])
    assert rows(told) == {"a1": "accepted"}
    assert "undone" in text_of(told)


def test_a_department_takes_back_its_own_where_the_bank_says_until_when(enter: Enter) -> None:
    refused = {"state": "refused", "undo_until": "2099-01-01T00:00:00+00:00", "decided_by": "dan"}
    bank = Bank(
        application("a1", **refused), application("a2", **refused, step="registry"), application("a3", state="refused")
    )
    assert boxes(enter("dan", bank).get("/conversions?state=refused")) == ["a1"]


def test_where_nothing_can_be_taken_back_no_column_says_until_when(enter: Enter) -> None:
    page = enter("mei", Bank(application(step="registry"))).get("/conversions")
    assert "Undo until" not in text_of(page)


def test_an_auditor_looks_and_a_learner_does_not(enter: Enter) -> None:
    bank = Bank(application(), application("a2", state="granted"))
    page = enter("liu", bank).get("/conversions?state=")
    assert boxes(page) == []
    assert "<button name" not in page.get_data(as_text=True)
    assert enter("ann", bank).get("/conversions").status_code == 403


def test_the_registry_finds_appeals_with_what_is_said_against_the_refusal(enter: Enter) -> None:
    bank = Bank(application("a1", step="appeal", appeal=APPEAL), application("a2", step="registry"))
    browser = enter("mei", bank, "en")
    assert 'href="/conversions?state=review&amp;step=appeal"' in browser.get("/conversions").get_data(as_text=True)
    page = browser.get("/conversions?state=review&step=appeal")
    assert asked(bank) == {"state": "review", "step": "appeal"}
    assert boxes(page) == ["a1"]
    for said in (APPEAL["reason"], APPEAL["against"]["en"], "upholds its appeal"):
        assert said in text_of(page)
    assert "Appeals" not in text_of(enter("dan", bank, "en").get("/conversions"))

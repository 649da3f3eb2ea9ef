"""The registry sends exemptions to its system, and notes what was taken and what came back."""

from __future__ import annotations

import json
import re

import pytest
from flask.testing import FlaskClient

from portal.pages.words import WORDS
from services.creditbank.conversion.applications import Export
from services.creditbank.conversion.schemas import ExemptionExportSchema, ExportSchema
from tests.unit.portal_pages.colleges import EXPORT, Bank, application, target
from tests.unit.portal_pages.conftest import Enter, csrf_of, text_of

SENT = {"state": "granted", "step": "registry", "is_released": True, "export": 1, "export_state": "sent"}


def bank() -> Bank:
    """Three exemptions that went out with the first export, one of them again with the second."""
    rows = [application(name, **SENT) for name in ("a1", "a2")]
    return Bank(*rows, application("a3", **SENT | {"export": 2}, target=target("KJ2101", 200)))


def states(browser: FlaskClient) -> dict[str, str]:
    page = browser.get("/exports/1").get_data(as_text=True)
    return dict(re.findall(r'<tr data-application="([^"]+)" data-state="([^"]*)"', page))


def test_the_tests_exports_are_as_the_bank_shows_them() -> None:
    assert set(ExportSchema().fields) == set(EXPORT)
    assert ExemptionExportSchema().validate({"number": 1, "rows": bank().exported()}) == {}
    assert {f"export_{state}" for state in Export if state} - set(WORDS) == set()


@pytest.mark.parametrize(("language", "word"), [("zh", "第 1 批导出"), ("en", "Export 1")])
def test_an_export_is_made_and_shown_with_its_sheet(enter: Enter, language: str, word: str) -> None:
    browser = enter("mei", bank(), language)
    listed = browser.get("/exports")
    assert word in text_of(listed)
    made = browser.post("/exports", data={"csrf_token": csrf_of(listed)})
    assert made.headers["Location"] == "/exports/1"
    page = browser.get("/exports/1")
    assert word in text_of(page)
    assert "2019040117" in text_of(page)
    sheet = browser.get("/exports/1/sheet.csv")
    assert json.loads(sheet.get_data()) == "学号"
    assert "exemptions-1.csv" in sheet.headers["Content-Disposition"]


def test_with_nothing_to_send_it_says_so(enter: Enter) -> None:
    browser = enter("mei", Bank())
    made = browser.post("/exports", data={"csrf_token": csrf_of(browser.get("/exports"))})
    assert "There is nothing to send" in text_of(browser.get(made.headers["Location"]))


def test_what_was_taken_and_rejected_is_noted_and_the_rest_stays_open(enter: Enter) -> None:
    college = bank()
    browser = enter("mei", college)
    assert states(browser) == {"a1": "sent", "a2": "sent", "a3": "later"}
    form = {"csrf_token": csrf_of(browser.get("/exports/1")), "row": ["a1", "a2"], "reason-a2": "Course unknown."}
    assert browser.post("/exports/1", data=form | {"reason-a2": " "}).status_code == 422
    told = browser.post("/exports/1", data=form | {"taken": ["a2"]})
    assert college.sent[-1][1] == [{"application": "a2", "reason": "Course unknown."}]
    assert "It is noted." in text_of(told)
    browser.post("/exports/1", data=form | {"taken": ["a1"], "reason-a2": ""})
    assert states(browser) == {"a1": "taken", "a2": "rejected", "a3": "later"}
    assert "Course unknown." in text_of(browser.get("/exports/1"))


def test_an_auditor_looks_and_a_department_does_not(enter: Enter) -> None:
    page = enter("liu", bank()).get("/exports/1")
    assert page.status_code == 200
    assert "Save what became" not in text_of(page)
    assert enter("dan", bank()).get("/exports").status_code == 403

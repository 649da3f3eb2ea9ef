"""The registry has a draft simulated, and sees whom it would concern before it approves it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from portal.pages.drawings import HALF, drawn
from portal.pages.simulations import SUBJECTS
from portal.pages.words import WORDS
from services.creditbank.simulations.domain import Effect, Subject
from services.creditbank.simulations.schemas import ConversionSimulationSchema, ExemptionChangeSchema
from tests.unit.portal_pages.colleges import Bank, Doc
from tests.unit.portal_pages.conftest import Enter, csrf_of, text_of

PAGE = "/simulations/rule/smart-finance-2/3"
NAMES = ("allowed", "taken", "repriced", "applications", "offers", "allowed_points", "taken_points", "dearer_points")


def tally(*figures: int) -> Doc:
    return dict(zip(NAMES, figures, strict=True))


TOTALS = tally(4, 2, 1, 3, 1, 1600, 400, 100)
COURSES = [
    {"programme": "630302", "course": "KJ2120", **tally(4, 0, 0, 0, 0, 1600, 0, 0)},
    {"programme": "630302", "course": "KJ2130", **tally(0, 2, 1, 3, 1, 0, 400, 100)},
]
SIMULATION: Doc = {
    "number": 7,
    "subject": "rule",
    "code": "smart-finance-2",
    "version": 3,
    "state": "finished",
    "on": "2021-03-01",
    "asked_by": "li",
    "asked_at": "2021-03-01T01:00:00+00:00",
    "finished_at": "2021-03-01T01:00:09+00:00",
    "cohorts": 1,
    "cohorts_seen": 1,
    "students": 300,
    "gainers": 4,
    "losers": 2,
    "totals": TOTALS,
    "programmes": [{"programme": "630302", **TOTALS}],
    "schemes": [{"scheme": "smart-finance", **TOTALS}],
    "courses": COURSES,
}
CHANGE: Doc = {
    "place": "00000000.00000001",
    "effect": "taken",
    "learner_id": "ann",
    "student_number": "2019040117",
    "programme": "630302",
    "entry_year": 2019,
    "scheme": "smart-finance",
    "rule": "smart-finance-2",
    "course": "KJ2130",
    "module": "",
    "before_points": 200,
    "after_points": 0,
    "application": "",
    "because": "conversion_target_not_in_rule",
    "because_zh": "规则不包含此项",
    "because_en": "The rule does not convert to it.",
}


class Asked(Bank):
    """A bank with what somebody has had simulated."""

    def __init__(self, simulation: Doc | None, **more: Any) -> None:
        super().__init__(**more)
        self.simulation = simulation

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path == "/conversion-simulations":
            self.sent.append((path, query))
            return 200, {"items": [self.simulation] if self.simulation else [], "next": None}
        found = {
            "/conversion-simulations/7/exemptions": {"items": [CHANGE], "next": None},
            "/conversion-simulations/7/exemptions.xlsx": "sheet",
        }
        return (200, found[path]) if path in found else super().answer(path, query)

    def told(self, path: str, body: Any) -> Any:
        if path != "/conversion-simulations" or path in self.refusals:
            return super().told(path, body)
        self.sent.append((path, body))
        return 202, SIMULATION | {"state": "running"}


def test_the_tests_simulation_is_as_the_bank_shows_it() -> None:
    assert ConversionSimulationSchema().validate(SIMULATION) == {}
    assert ExemptionChangeSchema().validate(CHANGE) == {}
    assert list(SUBJECTS) == [str(one) for one in Subject]
    assert {f"effect_{one}" for one in Effect} | {f"draft_{one}" for one in Subject} <= set(WORDS)


@pytest.mark.parametrize(
    ("language", "words"), [("zh", ("不再可办理", "规则不包含此项")), ("en", ("does not convert",))]
)
def test_a_simulation_is_drawn_told_and_listed(enter: Enter, language: str, words: tuple[str, ...]) -> None:
    bank = Asked(SIMULATION)
    browser = enter("mei", bank, language)
    page = browser.get(PAGE)
    html = page.get_data(as_text=True)
    asked = {"subject": "rule", "code": "smart-finance-2", "version": "3", "limit": "1"}
    assert ("/conversion-simulations", asked) in bank.sent
    assert html.count('class="gains"') == html.count('class="loses"') == len(COURSES)
    assert 'data-effect="taken"' in html
    assert "style=" not in html
    assert all(word in text_of(page) for word in (*words, "2019040117", "KJ2120", "KJ2130"))
    assert browser.get("/simulations/7.xlsx").status_code == 200


def test_a_draft_is_simulated_from_its_page(enter: Enter) -> None:
    bank = Asked(None)
    browser = enter("mei", bank)
    rule = browser.get("/rules/smart-finance-2").get_data(as_text=True)
    assert re.findall(r'href="(/simulations/[^"]+)"', rule) == [PAGE, PAGE[:-1] + "2"]
    page = browser.get(PAGE)
    done = browser.post(PAGE, data={"csrf_token": csrf_of(page)})
    assert (done.status_code, done.headers["Location"]) == (302, PAGE)
    assert ("/conversion-simulations", {"rule": {"code": "smart-finance-2", "version": 3}}) in bank.sent


def test_a_refusal_is_said_on_the_page(enter: Enter) -> None:
    said = {"status": 409, "code": "conversion_rule_not_in_state", "detail": "It is published."}
    browser = enter("mei", Asked(None, refusals={"/conversion-simulations": (409, said)}))
    refused = browser.post(PAGE, data={"csrf_token": csrf_of(browser.get(PAGE))})
    assert refused.status_code == 409
    assert "It is published." in text_of(refused)


def test_how_far_it_is_refreshes_itself(enter: Enter) -> None:
    running = SIMULATION | {"state": "running", "finished_at": None, "cohorts": 8, "cohorts_seen": 3}
    browser = enter("mei", Asked(running))
    html = browser.get(PAGE).get_data(as_text=True)
    assert f'data-live="{PAGE}/live"' in html
    assert "3 of 8" in text_of(browser.get(f"{PAGE}/live"))
    assert enter("mei", Asked(SIMULATION)).get(f"{PAGE}/live").headers["Location"] == PAGE


def test_an_auditor_looks_and_asks_for_nothing(enter: Enter) -> None:
    browser = enter("liu", Asked(SIMULATION))
    page = browser.get(PAGE)
    assert f'action="{PAGE}"' not in page.get_data(as_text=True)
    assert browser.post(PAGE, data={"csrf_token": csrf_of(page)}).status_code == 403
    assert browser.get("/simulations/teacher/x/1").status_code == 404


def test_the_largest_bar_reaches_the_edge() -> None:
    bars = [(one["right"], one["left"]) for one in drawn(COURSES, "allowed", "taken")["bars"]]
    assert bars == [(HALF, 0), (0, HALF / 2)]
    assert drawn([], "allowed", "taken")["bars"] == []


def test_a_proposals_programmes_are_drawn_and_told(enter: Enter) -> None:
    page = enter("mei", Bank()).get("/proposals/1")
    rows = re.search(r'data-totals="programme">(.*?)</table>', page.get_data(as_text=True), re.DOTALL)
    assert rows
    assert re.findall(r'<td class="lead-cell">([^<]*)</td>', rows[1]) == ["no programme", "630302"]

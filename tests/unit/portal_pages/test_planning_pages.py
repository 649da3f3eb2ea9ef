"""A learner reads what credits buy at best and applies from there; staff read who would miss graduation."""

from __future__ import annotations

import html
import re
from datetime import date, timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from chassis.clock import today
from portal.pages.drawings import HALF, MOST_BARS
from portal.pages.planning import READERS
from portal.pages.rescues import drawing_of, term_of
from portal.pages.words import WORDS
from services.creditbank.ledger.domain import ACCOUNT_FROZEN, ACCOUNT_HELD_UP, ACCOUNT_IN_DEBT
from services.creditbank.planning import api
from services.creditbank.planning.planner import When
from services.creditbank.planning.schemas import PlanSchema, RescueSchema
from tests.unit.portal_pages.colleges import Bank, Doc, account
from tests.unit.portal_pages.conftest import Enter, text_of

LATER = (today() + timedelta(days=40)).isoformat()
COHORT = "/graduation-rescues?programme=630302&entry_year=2019"


def said(zh: str, en: str) -> Doc:
    return {"zh": zh, "en": en, "text": en}


def item(course: str, points: int, level: int, **more: Any) -> Doc:
    """An exemption of a plan."""
    return {
        "rule": f"smart-finance-{level}", "rule_version": 1, "policy": "measures", "policy_version": 1,
        "scheme": "smart-finance", "course": course, "module": "", "name": f"课程 {course}", "credit_points": points,
    } | more  # fmt: skip


FORECLOSURE = (
    item("KJ2130", 400, 2)
    | {"level": 2, "lifted_points": 400, "left_points": 200, "code": "above_balance", "file_on": LATER}
    | said("现在使用便不能再兑换", "Spend 2.0 credits now and intermediate can no longer buy it.")
)
CHOICE = (
    item("KJ2101", 200, 1)
    | {"level": 1, "when": "now", "file_on": today().isoformat(), "forecloses": [FORECLOSURE]}
    | said("以初级免修", "2.0 credits excuse from it.")
)
WAITS = CHOICE | {"course": "KJ2120", "name": "课程 KJ2120", "when": "once_final", "forecloses": []}
COMES = CHOICE | {"course": "KJ2140", "name": "课程 KJ2140", "when": "in_window", "file_on": LATER, "forecloses": []}
LEFT_OUT = (
    item("KJ2130", 400, 2) | {"code": "level_not_passed", "excluded_by": []} | said("需要中级", "It takes level 2.")
)
PLAN: Doc = {
    "learner_id": "ann",
    "on": today().isoformat(),
    "credit_points": 600,
    "choices": [CHOICE, WAITS, COMES],
    "left_out": [LEFT_OUT],
    "because": None,
    "spend": None,
    "price": None,
}
PRICE = {
    "scheme": "smart-finance", "level": 2, "credit_points": 200, "rule_version": 1, "is_folklore_default": True,
    "before_points": 200, "after_points": 400,
    "extra": [item("KJ2130", 400, 2) | {"level": 2, "file_on": None}],
    "dropped": [{"rule": "smart-finance-1", "course": "KJ2101", "module": ""}],
} | said("可增加 2.0 学分", "It would add 2.0 credits.")  # fmt: skip
LATE = {"course": "KJ2130", "name": "税务会计 KJ2130", "kind": "core", "term": 4, "credit_points": 400}
RESCUE: Doc = {
    "learner_id": "ann", "student_number": "2019040117", "department": "财经学院", "class_name": "会计1903班",
    "overdue": [LATE | {"is_failed": True}], "short_points": None, "is_saved": True, "because": None,
    "choices": [{name: value for name, value in CHOICE.items() if name != "forecloses"}],
} | said("未修得", "Behind with it.")  # fmt: skip
HELD_UP = {"code": ACCOUNT_HELD_UP.code} | said("消息尚待处理", "News is held up.")
LOST = RESCUE | {"student_number": "2019040118", "is_saved": False, "choices": [], "short_points": 200}
LOCKED = LOST | {"student_number": "2019040119", "because": HELD_UP}
MANY = LOST | {"student_number": "2019040120", "overdue": [LATE | {"is_failed": False}] * 5, "class_name": ""}


class Planner(Bank):
    """A bank that plans: with a price for a certificate it knows a rule for, and one page of rescues after another."""

    def __init__(self, plan: Doc | None = PLAN, **more: Any) -> None:
        super().__init__(**more)
        self.plan = plan

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path == "/accounts/ann/plan":
            return self.planned(query)
        if path == "/graduation-rescues":
            self.sent.append((path, query))
            return self.rescues(query)
        return super().answer(path, query)

    def planned(self, query: dict[str, str]) -> tuple[int, Any]:
        if self.plan is None:
            return 404, {"status": 404, "code": "not_found", "detail": "There is no account."}
        if query.get("with_scheme", "smart-finance") != "smart-finance":
            return 404, {"status": 404, "code": "not_found", "detail": "There is no recognition rule."}
        return 200, self.plan | ({"price": PRICE} if query else {})

    def rescues(self, query: dict[str, str]) -> tuple[int, Any]:
        if query["term"] == "autumn":
            return 422, {"status": 422, "code": "rescue_term_malformed", "detail": "'autumn' is no term."}
        if query["entry_year"] == "2030":
            return 200, {"items": [], "next": None}
        found = [LOST] if query.get("cursor") else [RESCUE, LOCKED, MANY]
        return 200, {"items": found, "next": None if query.get("cursor") else "more"}


def links(page: TestResponse, begin: str) -> list[str]:
    found = re.findall(rf'href="({re.escape(begin)}[^"]*)"', page.get_data(as_text=True))
    return [html.unescape(one) for one in found]


def test_the_tests_plans_are_as_the_bank_shows_them() -> None:
    assert PlanSchema().validate(PLAN | {"price": PRICE, "because": HELD_UP}) == {}
    assert RescueSchema(many=True).validate([RESCUE, LOST, LOCKED, MANY]) == {}
    assert {f"plan_{one}" for one in When} - set(WORDS) == set()
    assert set(READERS) == set(api.READERS) - {"learner"}


@pytest.mark.parametrize(
    ("language", "best", "warns"),
    [("zh", "6.0 学分；申请 3 项", "现在使用会错过"), ("en", "6.0 credits", "forecloses:")],
)
def test_a_plan_is_one_tap_from_the_account_and_one_from_the_application(
    enter: Enter, language: str, best: str, warns: str
) -> None:
    browser = enter("ann", Planner(), language)
    (link,) = links(browser.get("/account"), "/account/plan")
    page = browser.get(link)
    assert best in text_of(page)
    assert warns in text_of(page)
    assert FORECLOSURE["text"] in text_of(page)
    assert CHOICE["text"] in text_of(page)
    applying = links(page, "/account/apply")
    assert applying == [f"/account/apply?rule=smart-finance-1&course={course}" for course in ("KJ2101", "KJ2120")], (
        "what waits for its window has no button yet"
    )
    assert browser.get(applying[0]).status_code == 200
    assert LATER in text_of(page)


def test_what_is_not_chosen_says_why(enter: Enter) -> None:
    page = enter("ann", Planner()).get("/account/plan")
    assert re.findall(r'data-course="(\w+)" data-code="(\w+)"', page.get_data(as_text=True)) == [
        ("KJ2130", "level_not_passed")
    ]
    assert LEFT_OUT["text"] in text_of(page)


@pytest.mark.parametrize("ground", [ACCOUNT_HELD_UP, ACCOUNT_FROZEN, ACCOUNT_IN_DEBT])
def test_an_account_that_spends_nothing_is_told_once_and_in_words(enter: Enter, ground: Any) -> None:
    why = {"code": ground.code} | said("不能使用", f"Nothing can be spent: {ground.code}.")
    refused = LEFT_OUT | {"code": ground.code} | said("不能使用", "the same again")
    bank = Planner(PLAN | {"choices": [], "credit_points": 0, "left_out": [refused, LEFT_OUT], "because": why})
    page = enter("ann", bank).get("/account/plan")
    assert why["text"] in text_of(page)
    assert "the same again" not in text_of(page)
    assert LEFT_OUT["text"] in text_of(page)
    assert links(page, "/account/apply") == []


@pytest.mark.parametrize(("certificate", "sentence"), [(None, "is not on record yet"), ("revoked", "was revoked")])
def test_points_that_wait_for_a_number_or_lost_it_are_told_by_certificate(
    enter: Enter, certificate: str | None, sentence: str
) -> None:
    bank = Planner()
    bank.account = account()
    bank.account["holdings"][0] |= {"unnumbered": True, "certificate": certificate}
    page = text_of(enter("ann", bank).get("/account/plan"))
    assert f"智能财税: the certificate {sentence}".replace("certificate is", "certificate's number is") in page


def test_the_price_of_a_certificate_is_asked_before_enrolling(enter: Enter) -> None:
    browser = enter("ann", Planner())
    offered = re.findall(r'<option value="([^"]+)"', browser.get("/account/plan").get_data(as_text=True))
    assert offered == ["smart-finance:1", "smart-finance:2", "smart-finance:3"]
    page = browser.get("/account/plan?certificate=smart-finance:2")
    told = text_of(page)
    assert PRICE["text"] in told
    assert "200 → 400" in told
    assert "Gives way to it 课程 KJ2101" in told
    assert "No window in which to file it is announced yet." in told
    unknown = browser.get("/account/plan?certificate=unheard-of:2")
    assert (unknown.status_code, "There is no recognition rule." in text_of(unknown)) == (200, True)
    assert CHOICE["text"] in text_of(unknown)


def test_without_an_account_the_page_says_so(enter: Enter) -> None:
    for asked in ("", "?certificate=smart-finance:2"):
        page = enter("ann", Planner(None)).get("/account/plan" + asked)
        assert (page.status_code, "There is no account yet." in text_of(page)) == (200, True)


@pytest.mark.parametrize(
    ("who", "crumb"),
    [("mei", "/learners/ann/account"), ("liu", "/learners/ann/account"), ("dan", "/graduation-rescues")],
)
def test_who_counsels_a_learner_reads_the_plan_and_applies_for_nobody(enter: Enter, who: str, crumb: str) -> None:
    page = enter(who, Planner()).get("/learners/ann/plan")
    assert CHOICE["text"] in text_of(page)
    assert links(page, "/account/apply") == []
    assert f'<p class="crumb"><a href="{crumb}">' in page.get_data(as_text=True)


def test_plans_and_the_graduation_list_are_not_everybodys(enter: Enter) -> None:
    learner, auditor = enter("ann", Planner()), enter("liu", Planner())
    assert learner.get("/learners/ann/plan").status_code == 403
    assert learner.get("/graduation-rescues").status_code == auditor.get("/graduation-rescues").status_code == 403
    assert enter("dan", Planner()).get("/account/plan").status_code == 403


@pytest.mark.parametrize("who", ["mei", "dan"])
def test_the_list_is_asked_for_a_cohort_and_says_how_much_and_what_saves(enter: Enter, who: str) -> None:
    bank = Planner()
    browser = enter(who, bank)
    first = browser.get("/graduation-rescues")
    assert "Choose a programme and an entry year." in text_of(first)
    assert f'name="term" value="{term_of(today())}"' in first.get_data(as_text=True)
    page = browser.get(COHORT + "&term=2021-2022-1")
    assert bank.sent[-1][1] | {"cursor": ""} == {
        "programme": "630302", "entry_year": "2019", "term": "2021-2022-1", "limit": "100", "cursor": "",
    }  # fmt: skip
    rows = re.findall(r'data-student="(\d+)" data-saved="(\w+)"', page.get_data(as_text=True))
    assert rows == [("2019040117", "true"), ("2019040119", "false"), ("2019040120", "false")]
    told = text_of(page)
    assert "税务会计 KJ2130 failed term 4 · 400 points" in told
    assert "News is held up." in told
    assert "2 more" in told
    assert "200 short of the total" in told
    figures = re.findall(r'data-figure="(\w+)"><span>[^<]*</span><strong>(\d+)', page.get_data(as_text=True))
    assert figures == [("all", "3"), ("saved", "1"), ("lost", "2")]
    (more,) = links(page, COHORT.partition("?")[0] + "?cursor=")
    assert "2019040118" in text_of(browser.get(more))


def test_what_the_bank_refuses_to_look_at_and_a_list_of_nobody_are_said(enter: Enter) -> None:
    browser = enter("mei", Planner())
    refused = browser.get(COHORT + "&term=autumn")
    assert (refused.status_code, "'autumn' is no term." in text_of(refused)) == (422, True)
    nobody = browser.get("/graduation-rescues?programme=630302&entry_year=2030")
    assert "nobody would miss graduation" in text_of(nobody)


def test_classes_are_drawn_saved_to_the_right_and_lost_to_the_left_the_largest_first() -> None:
    found = [RESCUE] * 3 + [LOST] + [RESCUE | {"class_name": "1901"}] * 2
    large, small = drawing_of(found)["bars"]
    assert (large["class_name"], large["right"], large["left"]) == ("会计1903班", HALF, round(HALF / 3, 1))
    assert (small["saved"], small["lost"], small["left"]) == (2, 0, 0)
    assert drawing_of([])["bars"] == []
    many = drawing_of([RESCUE | {"class_name": str(number)} for number in range(MOST_BARS + 1)])
    assert (len(many["bars"]), many["is_cut"]) == (MOST_BARS, True)


@pytest.mark.parametrize(
    ("day", "term"),
    [
        (date(2021, 9, 1), "2021-2022-1"),
        (date(2022, 1, 15), "2021-2022-1"),
        (date(2022, 2, 20), "2021-2022-2"),
        (date(2022, 7, 31), "2021-2022-2"),
        (date(2022, 8, 1), "2022-2023-1"),
    ],
)
def test_the_term_of_a_day(day: date, term: str) -> None:
    assert term_of(day) == term

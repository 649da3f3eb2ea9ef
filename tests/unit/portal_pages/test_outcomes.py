"""Staff see outcomes of every kind, and of those that wait what they wait for and what would help."""

from __future__ import annotations

import re
from typing import Any

import pytest
from werkzeug.test import TestResponse

from chassis.errors import GROUNDS
from portal.pages.outcomes import KINDS, MOST_PAGES, PLACES, STATES
from portal.pages.words import WORDS
from services.creditbank.outcomes import schemas
from services.creditbank.outcomes.domain import State
from services.creditbank.outcomes.schemas import OutcomesArgs, OutcomeSourceSchema, SubmittedOutcomeSchema
from services.creditbank.recognition.domain import account_fact, rule_fact
from tests.unit.portal_pages.colleges import Bank, Doc, assessment
from tests.unit.portal_pages.conftest import Enter, csrf_of, text_of

SOURCE: Doc = {
    "scheme": "licence.electrician", "kind": "licence", "code": "electrician", "title": "电工", "teo": None,
}  # fmt: skip


def outcome(number: int, waiting_for: str | None = None, **more: Any) -> Doc:
    return {
        "id": f"college:L-{number}",
        "sender": "college",
        "external_id": f"L-{number}",
        "scheme": "licence.electrician",
        "kind": "licence",
        "code": "electrician",
        "level": 5,
        "level_name": "五级（初级工）",
        "learner_id": "ann",
        "day": "2021-01-09",
        "state": "final",
        "as_of": "2021-01-12T00:00:00+00:00",
        "evidence": "",
        "revision": 1,
        "is_old": False,
        "submitted_by": f"import:creditbank:1:{number}",
        "waiting_for": waiting_for,
    } | more


class OutcomesBank(Bank):
    """Lists outcomes as given, one page after the other, and notes what it was asked for."""

    def __init__(self, *pages: list[Doc], **more: Any) -> None:
        super().__init__(**more)
        self.pages = pages

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path == "/outcome-sources":
            return 200, {"items": [SOURCE], "next": None}
        if path != "/outcomes":
            return super().answer(path, query)
        self.sent.append((path, query))
        at = int(query.get("cursor", "0"))
        return 200, {"items": self.pages[at], "next": str(at + 1) if at + 1 < len(self.pages) else None}

    def told(self, path: str, body: Any) -> Any:
        if path in self.refusals:
            return super().told(path, body)
        self.sent.append((path, body))
        return SOURCE | body


WAITING = outcome(1, rule_fact("licence.electrician", 5))


def waits(answer: TestResponse) -> list[tuple[str, str]]:
    return re.findall(r'data-outcome="college:([^"]+)"[^>]* data-waits="([^"]+)"', answer.get_data(as_text=True))


def test_the_pages_words_are_the_banks() -> None:
    assert SubmittedOutcomeSchema().validate(WAITING) == {}
    assert OutcomeSourceSchema().validate(SOURCE) == {}
    assert list(KINDS) == schemas.KINDS
    assert list(STATES) == [str(one) for one in State]
    assert {f"outcome_is_{one}" for one in State} - set(WORDS) == set()
    assert set(PLACES) <= set(GROUNDS)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh", ("电工", "职业资格证书", "五级（初级工）", "没有“电工 五级（初级工）”的认定规则", "还没有账户")),
        (
            "en",
            (
                "state licence",
                "level five (elementary)",
                "There is no rule for 电工 level five (elementary); it is credited once there is one.",
                "Its learner has no account yet",
            ),
        ),
    ],
)
def test_what_waits_says_for_what_and_where_to_go(enter: Enter, language: str, words: tuple[str, ...]) -> None:
    bank = OutcomesBank([WAITING, outcome(2, account_fact("ann")), outcome(3)])
    page = enter("mei", bank, language).get("/outcomes")
    for word in words:
        assert word in text_of(page)
    assert waits(page) == [("L-1", "rule"), ("L-2", "account")]
    shown = page.get_data(as_text=True)
    assert re.findall(r'href="(/proposals/new[^"]+)"', shown) == ["/proposals/new?place=licence.electrician:5"]
    assert shown.count('href="/learners/ann/account"') == shown.count('href="/learners/ann/why"') == 3


def test_filters_are_handed_on_as_the_bank_takes_them(enter: Enter) -> None:
    bank = OutcomesBank([WAITING])
    browser = enter("mei", bank)
    page = browser.get("/outcomes?kind=licence&scheme=licence.electrician&state=&awaits_rule=true&odd=1")
    asked = next(query for path, query in reversed(bank.sent) if path == "/outcomes")
    assert {name: asked[name] for name in asked if name != "limit"} == {
        "kind": "licence",
        "scheme": "licence.electrician",
        "awaits_rule": "true",
    }
    assert set(asked) <= set(OutcomesArgs().fields)
    for chosen in ('<option value="licence" selected>', 'name="awaits_rule" value="true" checked'):
        assert chosen in page.get_data(as_text=True)


def test_empty_pages_are_passed_over_up_to_a_limit(enter: Enter) -> None:
    bank = OutcomesBank([], [], [outcome(7)], [outcome(8)])
    page = enter("mei", bank).get("/outcomes?awaits_rule=true")
    assert "L-7" in text_of(page)
    assert "cursor=3&amp;awaits_rule=true" in page.get_data(as_text=True)
    endless = OutcomesBank(*[[]] * (MOST_PAGES + 5))
    page = enter("mei", endless).get("/outcomes?awaits_rule=true")
    assert sum(path == "/outcomes" for path, _ in endless.sent) == MOST_PAGES
    assert f"cursor={MOST_PAGES}" in page.get_data(as_text=True)
    assert "No outcome waits for a rule." in text_of(enter("mei", OutcomesBank([])).get("/outcomes?awaits_rule=true"))


def test_an_auditor_proposes_nothing_and_a_learner_is_sent_away(enter: Enter) -> None:
    bank = OutcomesBank([WAITING])
    page = enter("liu", bank).get("/outcomes").get_data(as_text=True)
    assert "/proposals/new" not in page
    assert "/learners/ann/account" in page
    assert enter("ann", bank).get("/outcomes").status_code == 403


def test_a_source_is_named_and_a_refusal_stands_at_its_code(enter: Enter) -> None:
    told = (422, {"status": 422, "code": "scheme_malformed", "detail": "That can't be a code."})
    bank = OutcomesBank([], refusals={"/outcome-sources/licence/电工": told})
    organisations = assessment()
    organisations.answers["/teos"] = {"items": [], "next": None}
    browser = enter("mei", bank, assessment=organisations)
    form = {"csrf_token": csrf_of(browser.get("/outcome-sources")), "kind": "licence", "title": "电工", "teo": ""}
    done = browser.post("/outcome-sources", data=form | {"code": "electrician"})
    assert done.status_code == 302
    assert bank.sent[-1] == ("/outcome-sources/licence/electrician", {"title": "电工", "teo": ""})
    assert "'电工' is entered." in text_of(browser.get(done.headers["Location"]))
    refused = browser.post("/outcome-sources", data=form | {"code": "电工"})
    assert refused.status_code == 422
    assert 'id="refused-code" role="alert">That can&#39;t be a code.' in refused.get_data(as_text=True)

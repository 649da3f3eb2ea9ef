"""The registry leads rules to publication, and sees who gains and who loses by a proposal."""

from __future__ import annotations

import re

import pytest

from portal.pages.drawings import HALF, MOST_BARS, drawn
from portal.pages.proposals import POINTS
from portal.pages.rules import STATES
from portal.pages.words import WORDS
from services.creditbank.conversion.domain import RuleState
from services.creditbank.conversion.schemas import KeptRuleSchema
from services.creditbank.proposals.domain import Kind, State
from services.creditbank.proposals.schemas import ProposalSchema
from tests.unit.portal_pages.colleges import DRAFTS, GROUPS, PROPOSAL, Bank, group
from tests.unit.portal_pages.conftest import Enter, csrf_of, text_of

RULE = "/rules/smart-finance-2"
DRAFT = f"{RULE}/versions/3"


def test_the_tests_rules_and_proposals_are_as_the_bank_shows_them() -> None:
    assert KeptRuleSchema(many=True).validate(DRAFTS) == {}
    assert ProposalSchema().validate(PROPOSAL) == {}
    assert list(STATES) == [str(state) for state in RuleState]
    wanted = {f"rule_is_{one}" for one in RuleState} | {f"proposal_is_{one}" for one in State}
    assert (wanted | {f"proposes_{one}" for one in Kind}) - set(WORDS) == set()


@pytest.mark.parametrize(("language", "word"), [("zh", "确认发布第 2 版"), ("en", "Publish version 2")])
def test_a_version_shows_what_may_be_done_to_it_next(enter: Enter, language: str, word: str) -> None:
    page = enter("mei", Bank(), language).get(RULE)
    forms = re.findall(r'action="/rules/smart-finance-2/versions/([^"]+)"', page.get_data(as_text=True))
    assert forms == ["2/publish", "1/retire"], "who approved version 3 can't approve it again"
    assert word in text_of(page)
    assert "成本会计" not in text_of(page)
    assert "管理会计" in text_of(page)


def test_a_version_is_taken_on_and_a_refusal_is_said_on_its_page(enter: Enter) -> None:
    overlap = {"status": 409, "code": "conversion_rules_overlap", "detail": "Another rule converts to it."}
    path = "/conversion-rules/smart-finance-2/versions/2/publication"
    bank = Bank(refusals={path: (409, overlap)})
    browser = enter("mei", bank)
    form = {"csrf_token": csrf_of(browser.get(RULE))}
    done = browser.post(f"{DRAFT}/approve", data=form)
    assert bank.sent[-1][0] == "/conversion-rules/smart-finance-2/versions/3/approval"
    assert "Your approval of version 3 is noted." in text_of(browser.get(done.headers["Location"]))
    refused = browser.post(f"{RULE}/versions/2/publish", data=form)
    assert (refused.status_code, bank.sent[-1][0]) == (409, path)
    assert "Another rule converts to it." in text_of(refused)
    assert browser.post(f"{DRAFT}/burn", data=form).status_code == 404


def test_an_auditor_looks_at_rules_and_decides_nothing(enter: Enter) -> None:
    browser = enter("liu", Bank())
    assert "smart-finance-2" in text_of(browser.get("/rules?state=published"))
    page = browser.get(RULE)
    assert "/versions/" not in page.get_data(as_text=True)
    assert browser.post(f"{DRAFT}/approve", data={"csrf_token": csrf_of(page)}).status_code == 403


def test_a_simulation_is_drawn_and_told(enter: Enter) -> None:
    browser = enter("mei", Bank())
    assert "/proposals/1" in browser.get("/proposals").get_data(as_text=True)
    page = browser.get("/proposals/1").get_data(as_text=True)
    assert (
        page.count('class="gains"')
        == page.count('class="loses"')
        == len(GROUPS) + len(PROPOSAL["simulation"]["programmes"])
    )
    assert 'role="img"' in page
    assert "style=" not in page
    assert browser.get("/proposals/1/simulation.xlsx").status_code == 200


def test_the_largest_bar_reaches_the_edge_and_the_others_keep_its_scale() -> None:
    drawing = drawn(GROUPS, *POINTS)
    assert [(one["level"], one["right"], one["left"]) for one in drawing["bars"]] == [
        (2, HALF, HALF / 2),
        (1, HALF / 4, 0),
    ]
    assert drawn([], *POINTS)["bars"] == []
    many = drawn([group("s", 1, n, 0) for n in range(1, MOST_BARS + 2)], *POINTS)
    assert (len(many["bars"]), many["is_cut"]) == (MOST_BARS, True)


def test_a_proposal_is_simulated_on_demand(enter: Enter) -> None:
    bank = Bank()
    browser = enter("mei", bank)
    done = browser.post("/proposals/1/simulations", data={"csrf_token": csrf_of(browser.get("/proposals/1"))})
    assert done.headers["Location"] == "/proposals/1?done=simulation"
    assert bank.sent[-1][0] == "/recognition-proposals/1/simulations"

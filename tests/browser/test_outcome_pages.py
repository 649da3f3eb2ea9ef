"""An outcome without a rule waits visibly, a rule is proposed from there, and it is credited, on the real stack."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from onex.demo.stages import REGISTRY, Speakers
from tests.browser.conftest import NARROW, WIDE, Visit, fits_every_screen, is_accessible
from tests.browser.test_rule_pages import fill_version, press
from tests.support.bus import until

SOURCE, TITLE, POINTS, DAY = "online.browser-basics", "浏览器基础", 100, "2026-03-01"
COMMUNITY = 5  # the last learners of a list, whom no other test looks at


@pytest.fixture(scope="module")
def learner_id(speakers: Speakers) -> str:
    """Somebody who has an account."""
    accounts = [one["learner_id"] for one in speakers[REGISTRY].listed("enrolment", "/learners")][-COMMUNITY:]
    return str(next(one for one in accounts if speakers[REGISTRY].get("creditbank", f"/accounts/{one}")))


@pytest.fixture(scope="module")
def submitted(speakers: Speakers, learner_id: str) -> str:
    """An outcome of a source that has no rule; its external id."""
    kind, code = SOURCE.split(".")
    item = {"external_id": "B-1", "kind": kind, "code": code, "title": TITLE, "level": "", "learner_id": learner_id}
    item |= {"day": DAY, "state": "final", "as_of": f"{DAY}T08:00:00+08:00"}
    [judged] = speakers[REGISTRY].post("creditbank", "/outcomes", [item])
    assert judged["status"] == "accepted"
    return "B-1"


def available(speakers: Speakers, learner_id: str) -> int:
    account = speakers[REGISTRY].get("creditbank", f"/accounts/{learner_id}")
    return int(account["balances"]["available"])


def test_what_waits_for_a_rule_is_credited_by_the_one_proposed_from_there(
    visit: Visit, colleague: str, speakers: Speakers, learner_id: str, submitted: str
) -> None:
    had = available(speakers, learner_id)
    page, other = visit("registry"), visit(colleague)
    page.get_by_role("link", name="Other outcomes").click()
    page.get_by_label("waiting for a rule only").check()
    page.locator("select[name=kind]").select_option("online")
    page.get_by_role("button", name="Show").click()
    row = page.locator("tr", has_text=submitted)
    expect(row).to_contain_text(f"There is no rule for {TITLE}")
    row.get_by_role("link", name="Propose a rule").click()
    fill_version(page, str(POINTS), "2026-01-01", "2026-12-31")
    page.get_by_role("button", name="Make the proposal").click()
    press(page, "simulation")
    press(page, "approval")
    other.goto(page.url)
    press(other, "approval")
    press(other, "enactment")
    expect(other.locator("main")).to_contain_text("carried out")
    expect(other.locator(".stages .behind")).to_have_count(4)
    until(lambda: available(speakers, learner_id) == had + POINTS)

    page.goto("/outcomes?awaits_rule=true&kind=online")
    expect(page.locator(".empty")).to_have_text("No outcome waits for a rule.")
    page.goto(f"/outcomes?scheme={SOURCE}")
    expect(page.locator("tr", has_text=submitted)).not_to_contain_text("not credited yet")
    page.get_by_role("link", name=f"Why? {submitted}").click()
    expect(page.locator(".chain")).to_contain_text(TITLE)


def test_an_outcome_leads_to_its_account(visit: Visit, submitted: str, learner_id: str) -> None:
    page = visit("auditor", "zh")
    page.goto(f"/outcomes?scheme={SOURCE}")
    page.get_by_role("link", name=f"学分账户: {submitted}").click()
    expect(page).to_have_url(f"{page.url.split('/learners')[0]}/learners/{learner_id}/account")
    expect(page.locator("main")).to_contain_text(TITLE)


def test_a_source_is_entered_and_a_code_that_is_none_is_refused_at_its_field(visit: Visit) -> None:
    page = visit("registry")
    page.goto("/outcome-sources")
    page.locator("select[name=kind]").select_option("licence")
    page.locator("input[name=title]").fill("电工")
    for code in ("电工", "browser-electrician"):
        page.locator("input[name=code]").fill(code)
        page.get_by_role("button", name="Save").click()
        if code == "电工":
            expect(page.locator("#refused-code")).to_contain_text("small letters")
            expect(page.locator("input[name=title]")).to_have_value("电工")
    expect(page.get_by_role("status")).to_contain_text("电工")
    expect(page.locator("tr[data-source='licence.browser-electrician']")).to_have_count(1)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "phone"])
def test_outcome_pages_fit_and_are_accessible(visit: Visit, submitted: str, axe: str, size: dict[str, int]) -> None:
    page = visit("registry", "zh", size)
    for address in (f"/outcomes?scheme={SOURCE}", "/outcomes?awaits_rule=true", "/outcome-sources"):
        page.goto(address)
        is_accessible(page, axe)
        fits_every_screen(page)

"""Rules, documents and proposals are drafted, simulated, approved by two and published on pages, on the real stack."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Page, expect

from onex.demo.stages import REGISTRY, Speakers
from tests.browser.conftest import NARROW, WIDE, Visit, fits_every_screen, is_accessible

SCHEME, PROGRAMME, YEAR = "online-shop", "630302", "2019"
COURSE = "KJ2151"  # which no rule of the annex buys for this scheme
RULE, DOCUMENT = "browser-rule", "browser-measures"
PROPOSED = "smart-finance:1"  # of which there are many results
FROM, UNTIL = "2026-01-01", "2026-12-31"


@pytest.fixture(autouse=True)
def together(colleague: str) -> None:
    """The second person is there for all of these."""
    assert colleague


def press(page: Page, deed: str) -> None:
    """Do one of the things that a proposal leaves to be done."""
    card = page.locator(f"[data-deed={deed}]")
    if card.get_attribute("open") is None:
        card.locator("summary").click()
    card.get_by_role("button").click()


def fill_version(page: Page, points: str, first: str, last: str) -> None:
    for name, value in (("credit_points", points), ("sessions_from", first), ("sessions_until", last)):
        page.locator(f"input[name={name}]").fill(value)
    for name, value in (("title", "认定办法"), ("code", "recognition-measures"), ("number", "教〔2026〕1号")):
        page.locator(f"input[name=policy-{name}]").fill(value)


def number_of(page: Page) -> int:
    found = re.search(r"/proposals/(\d+)", page.url)
    assert found
    return int(found[1])


# --- proposals ------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def proposed() -> list[int]:
    """The number of the proposal, once a test has made it."""
    return []


def test_a_change_is_proposed_and_what_the_bank_refuses_stands_at_its_field(
    visit: Visit, proposed: list[int], axe: str
) -> None:
    page = visit("registry")
    page.goto("/recognition")
    page.locator(f"tr[data-place='{PROPOSED}']").get_by_role("link", name="Propose a change").click()
    fill_version(page, "300", "2019-04-01", "2018-04-01")
    page.get_by_role("button", name="Make the proposal").click()
    expect(page.locator("#refused-sessions_until")).to_contain_text("lies before its first")
    expect(page.locator("input[name=sessions_until]")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("input[name=credit_points]")).to_have_value("300")
    is_accessible(page, axe)
    page.locator("input[name=sessions_until]").fill(UNTIL)
    page.get_by_role("button", name="Make the proposal").click()
    expect(page.get_by_role("status")).to_contain_text("The proposal is made.")
    expect(page.locator("[data-deed=approval]")).to_have_count(0)
    proposed.append(number_of(page))


def test_a_proposal_is_simulated_while_one_looks_on_and_drawn(visit: Visit, proposed: list[int]) -> None:
    page = visit("registry")
    page.goto(f"/proposals/{proposed[0]}")
    press(page, "simulation")
    gainers = page.locator("[data-figure=gainers] strong")
    expect(gainers).not_to_have_text("0")
    expect(page.locator(".stages [aria-current=step]")).to_have_text("simulated")
    expect(page.locator(".drawing").first.locator(".gains")).to_have_count(1)
    with page.expect_download() as kept:
        page.get_by_role("link", name="Sheet of every holding").click()
    book = load_workbook(io.BytesIO(kept.value.path().read_bytes()))
    assert book.worksheets[0].max_row - 1 == int(gainers.inner_text().replace(",", ""))


def test_two_people_approve_and_other_words_make_that_void(
    visit: Visit, colleague: str, speakers: Speakers, proposed: list[int], axe: str
) -> None:
    page, other = visit("registry"), visit(colleague)
    page.goto(f"/proposals/{proposed[0]}")
    press(page, "approval")
    expect(page.locator("main")).to_contain_text("Approved by 1 of 2.")
    expect(page.locator("[data-deed=approval]")).to_have_count(0)
    other.goto(f"/proposals/{proposed[0]}")
    press(other, "approval")
    expect(other.locator("[data-deed=enactment]")).to_have_count(1)
    is_accessible(other, axe)
    fits_every_screen(other)
    edited(other)
    press(other, "withdrawal")
    expect(other.get_by_role("status")).to_contain_text("withdrawn")
    expect(other.locator("[data-deed]")).to_have_count(0)
    found = speakers[REGISTRY].get("creditbank", f"/recognition-proposals/{proposed[0]}")
    assert (found["state"], found["version"]["credit_points"]) == ("withdrawn", 310)


def edited(page: Page) -> None:
    """Other words make simulation and approvals void."""
    page.context.add_cookies([{"name": "language", "value": "en", "url": page.url}])
    page.reload()
    page.get_by_role("link", name="Edit", exact=True).click()
    page.locator("input[name=credit_points]").fill("310")
    page.get_by_role("button", name="Save the changes").click()
    expect(page.get_by_role("status")).to_contain_text("simulated again")
    expect(page.locator("[data-deed=enactment]")).to_have_count(0)


def test_proposals_are_listed_by_state(visit: Visit) -> None:
    page = visit("auditor", "zh")
    page.goto("/proposals")
    page.get_by_role("link", name="已撤回").click()
    expect(page.locator("tbody tr").first).to_contain_text("智能财税 初级")
    expect(page.get_by_role("link", name="提出议案")).to_have_count(0)


# --- conversion rules -----------------------------------------------------------------------------
def fill_rule(page: Page, until: str) -> None:
    page.locator("input[name=code]").fill(RULE)
    page.locator("select[name=policy]").select_option("college-measures")
    page.locator("select[name=scheme]").select_option(SCHEME)
    page.get_by_label("intermediate").check()
    targets = page.locator("select[name=target]")
    option = targets.first.locator(f"option[value^='{COURSE}/=']").get_attribute("value")
    targets.first.select_option(str(option))
    page.locator("input[name=valid_from]").fill(FROM)
    page.locator("input[name=valid_until]").fill(until)


def test_a_rule_is_drafted_and_what_the_bank_refuses_stands_at_its_field(visit: Visit, axe: str) -> None:
    page = visit("registry")
    page.goto("/rules")
    page.get_by_role("link", name="Draft a rule").click()
    page.locator("select[name=programme]").select_option(PROGRAMME)
    page.locator("input[name=entry_year]").fill(YEAR)
    page.get_by_role("button", name="Show").click()
    fill_rule(page, "2099-12-31")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.locator("#refused-policy")).to_contain_text("No policy document")
    expect(page.locator("select[name=target]").first).to_have_value(re.compile(f"^{COURSE}/="))
    is_accessible(page, axe)
    page.locator("input[name=valid_until]").fill(UNTIL)
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_role("status")).to_contain_text("Version 1 is drafted.")


def test_a_rule_is_approved_by_two_published_found_and_retired(
    visit: Visit, colleague: str, speakers: Speakers
) -> None:
    page, other = visit("registry"), visit(colleague)
    page.goto(f"/rules/{RULE}")
    expect(page.locator("form[action$='/approve']")).to_have_count(0)
    simulated(page)
    approved_by(page, "approve")
    expect(page.get_by_role("status")).to_contain_text("Your approval of version 1 is noted.")
    expect(page.locator("form[action$='/approve']")).to_have_count(0)
    other.goto(f"/rules/{RULE}")
    approved_by(other, "approve")
    approved_by(other, "publish")
    expect(other.locator("[data-version='1']")).to_have_attribute("data-state", "published")
    other.goto(f"/rules?scheme={SCHEME}&state=published&programme={PROGRAMME}&entry_year={YEAR}")
    expect(other.locator(f"tr[data-rule='{RULE}']")).to_have_count(1)
    other.goto(f"/rules/{RULE}")
    approved_by(other, "retire")
    expect(other.locator("[data-version='1']")).to_have_attribute("data-state", "retired")
    [kept] = speakers[REGISTRY].get("creditbank", f"/conversion-rules/{RULE}")
    assert (kept["state"], kept["approved_by"]) == ("retired", ["registry", colleague])
    assert [one["course"] for one in kept["targets"]] == [COURSE]


def simulated(page: Page) -> None:
    """Have the draft simulated, look at what was found, and go back to it."""
    back = page.url
    page.get_by_role("link", name="See its simulation").click()
    page.get_by_text("Simulate …").click()
    page.get_by_role("button", name="Simulate it").click()
    expect(page.locator("[data-figure=gainers]")).to_be_visible()
    page.goto(back)
    expect(page.locator("main")).to_contain_text("students were looked at")


def approved_by(page: Page, deed: str) -> None:
    """One step of a version's way."""
    form = page.locator(f"form[action$='/{deed}']")
    details = page.locator("details", has=form)
    if details.get_attribute("open") is None:
        details.locator("summary").click()
    form.get_by_role("button").click()
    expect(page.get_by_role("status")).to_be_visible()


def test_the_next_version_begins_with_the_latest_and_a_code_is_not_taken_twice(visit: Visit) -> None:
    page = visit("registry", "zh")
    page.goto(f"/rules/{RULE}")
    page.get_by_role("link", name="起草下一版").click()
    expect(page.locator("select[name=scheme]")).to_have_value(SCHEME)
    expect(page.get_by_label("中级")).to_be_checked()
    page.goto(f"/rules/new?programme={PROGRAMME}&entry_year={YEAR}")
    page.locator("input[name=code]").fill(RULE)
    page.locator("select[name=policy]").select_option("college-measures")
    page.locator("select[name=scheme]").select_option(SCHEME)
    page.locator("input[name=valid_from]").fill(FROM)
    page.get_by_role("button", name="保存草案").click()
    expect(page.locator("#refused-code")).to_contain_text("已存在")


# --- policy documents -----------------------------------------------------------------------------
def test_a_document_is_drafted_approved_by_two_and_published(visit: Visit, colleague: str, axe: str) -> None:
    page = visit("registry")
    page.goto("/policies")
    page.get_by_role("link", name="Draft a policy document").click()
    values: dict[str, Any] = {"code": DOCUMENT, "title": "测试管理办法", "issued_on": FROM}
    for name, value in (values | {"valid_from": FROM, "valid_until": UNTIL}).items():
        page.locator(f"input[name={name}]").fill(value)
    page.locator("input[name=step-registry]").fill("")
    page.locator("input[name=window-term]").first.fill("2025-2026-2")
    page.locator("input[name=window-opens_on]").first.fill("2026-03-01")
    page.locator("input[name=window-closes_on]").first.fill("2026-03-12")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.locator("#refused-steps")).to_contain_text("registry is never left out")
    expect(page.locator("input[name=window-term]").first).to_have_value("2025-2026-2")
    is_accessible(page, axe)
    page.locator("input[name=step-registry]").fill("5")
    page.get_by_role("button", name="Save the draft").click()
    simulated(page)
    approved_by(page, "approve")
    other = visit(colleague)
    other.goto(f"/policies/{DOCUMENT}")
    approved_by(other, "approve")
    approved_by(other, "publish")
    expect(other.locator("[data-version='1']")).to_have_attribute("data-state", "published")
    expect(other.locator("[data-version='1']")).to_contain_text("registry (5 working days)")


# --- every page of it -----------------------------------------------------------------------------
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "phone"])
def test_rule_and_proposal_pages_fit_and_are_accessible(
    visit: Visit, proposed: list[int], axe: str, size: dict[str, int]
) -> None:
    page = visit("registry", "zh", size)
    for address in (
        "/rules",
        f"/rules/{RULE}",
        f"/rules/{RULE}/draft",
        f"/rules/new?programme={PROGRAMME}&entry_year={YEAR}",
        "/policies",
        f"/policies/{DOCUMENT}",
        f"/policies/{DOCUMENT}/draft",
        "/recognition",
        "/proposals",
        f"/proposals/{proposed[0]}",
        "/proposals/new",
        f"/proposals/new?place={PROPOSED}",
        f"/proposals/new?kind=retirement&place={PROPOSED}",
        "/proposals/new?kind=rerate",
    ):
        page.goto(address)
        for summary in page.locator("main summary").all():
            summary.click()
        is_accessible(page, axe)
        fits_every_screen(page)

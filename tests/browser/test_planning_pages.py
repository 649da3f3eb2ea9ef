"""What credits buy at best and who would miss graduation, on pages of the real stack."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from onex.demo.driver import addresses_of
from onex.demo.stages import OPERATOR, REGISTRY, Speakers
from tests.browser.conftest import NARROW, PASSWORD, WIDE, Visit, fits_every_screen, is_accessible
from tests.browser.test_conversion_pages import PEOPLE, POINTS, PROGRAMME, SCHEME, spenders
from tests.support.stack import Stack

LEARNER = "planner"
COHORT = f"/graduation-rescues?programme={PROGRAMME}&entry_year=2019&term=2021-2022-1"


@dataclass(frozen=True)
class Planner:
    """A student who can sign in, has points to spend and applied for nothing; whom no other test looks at."""

    speakers: Speakers
    learner_id: str

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The account frozen for as long as it lasts."""
        path = f"/accounts/{self.learner_id}/freeze"
        self.speakers[REGISTRY].put("creditbank", path, {"is_frozen": True, "reason": "asked for by the learner"})
        try:
            yield
        finally:
            self.speakers[REGISTRY].put("creditbank", path, {"is_frozen": False, "reason": "no longer asked for"})


@pytest.fixture(scope="module")
def planner(stack: Stack, main_job: str) -> Iterator[Planner]:
    assert main_job
    with closing(addresses_of(stack.running)) as addresses:
        speakers = Speakers(addresses)
        student = next(itertools.islice(spenders(speakers), PEOPLE, None))
        user = {"roles": ["learner"], "owns": {"learner": [student["learner_id"]]}, "password": PASSWORD}
        speakers[OPERATOR].put("portal", f"/users/{LEARNER}", user)
        yield Planner(speakers, student["learner_id"])


def plan(visit: Visit, language: str = "en", size: dict[str, int] = NARROW) -> Page:
    """The learner at the plan, reached from the account."""
    page = visit(LEARNER, language, size)
    page.goto("/account")
    page.get_by_role("link", name={"en": "Credit plan", "zh": "学分使用规划"}[language]).click()
    expect(page).to_have_url(re.compile("/account/plan$"))
    return page


@pytest.mark.parametrize(("language", "best"), [("zh", "积分，即 4.0 学分"), ("en", "points, that is 4.0 credits")])
def test_the_plan_says_what_is_best_and_leads_to_the_application(
    visit: Visit, planner: Planner, language: str, best: str
) -> None:
    page = plan(visit, language)
    expect(page.locator(".figure.main")).to_contain_text(str(POINTS))
    expect(page.locator(".figure.main")).to_contain_text(best)
    choices = page.locator(".planned li")
    assert sum(int(one) for one in choices.locator(".price strong").all_inner_texts()) == POINTS
    expect(choices.first.locator("p", has_text="v1")).to_be_visible()
    name = choices.first.locator("h3").inner_text()
    choices.first.locator("a.button").click()
    expect(page.locator("form[action='/account/apply'] button")).to_be_visible()
    assert page.locator(".confirm h2 code").inner_text() in name


def test_what_is_not_chosen_has_its_reason(visit: Visit, planner: Planner) -> None:
    rows = plan(visit).locator("tbody tr[data-code]")
    expect(rows.first).to_be_visible()
    assert all(len(one) > len("no reason") for one in rows.locator("td.words").all_inner_texts())


def test_one_more_certificate_has_its_price_before_enrolling(visit: Visit, planner: Planner) -> None:
    page = plan(visit)
    page.locator("select[name=certificate]").select_option(f"{SCHEME}:3")
    page.get_by_role("button", name="Work it out").click()
    tag = page.locator(f"[data-certificate='{SCHEME}:3']")
    expect(tag).to_be_in_viewport()
    expect(tag).to_contain_text(f"{POINTS} → 600")
    expect(tag).to_contain_text("+200")
    expect(page.locator("select[name=certificate]")).to_have_value(f"{SCHEME}:3")


@pytest.mark.parametrize(("language", "words"), [("zh", "该账户已冻结"), ("en", "This account is frozen")])
def test_a_frozen_account_is_told_so_and_nothing_can_be_tapped(
    visit: Visit, planner: Planner, axe: str, language: str, words: str
) -> None:
    with planner.frozen():
        page = plan(visit, language)
        expect(page.locator("[data-because=account_frozen]")).to_contain_text(words)
        expect(page.locator("a[href*='/account/apply']")).to_have_count(0)
        is_accessible(page, axe)
    page.reload()
    expect(page.locator("a[href*='/account/apply']")).not_to_have_count(0)


@pytest.mark.parametrize("who", ["registry", "department"])
def test_who_would_miss_graduation_is_counted_drawn_and_listed(visit: Visit, planner: Planner, who: str) -> None:
    page = visit(who)
    page.get_by_role("link", name="Graduation").click()
    page.locator("select[name=programme]").select_option(PROGRAMME)
    page.locator("input[name=entry_year]").fill("2019")
    page.locator("input[name=term]").fill("2021-2022-1")
    page.get_by_role("button", name="Show").click()
    rows = page.locator("tbody tr[data-student]")
    expect(rows.first).to_be_visible()
    figures = {name: page.locator(f"[data-figure={name}] strong").inner_text() for name in ("all", "saved", "lost")}
    saved = page.locator("tr[data-saved=true]").count()
    assert figures == {"all": str(rows.count()), "saved": str(saved), "lost": str(rows.count() - saved)}
    expect(page.get_by_role("figure", name="Who could be saved by credits, by class")).to_be_visible()
    drawn = page.locator(".drawing .num").all_text_contents()
    assert sum(int(one) for one in drawn if one) == rows.count()
    rows.first.get_by_role("link", name="Credit plan").click()
    expect(page.locator("h1")).to_contain_text("Credit plan")
    expect(page.locator("a[href*='/account/apply']")).to_have_count(0)


def test_a_term_that_is_none_is_refused_in_words(visit: Visit, planner: Planner) -> None:
    page = visit("registry", "zh")
    page.goto(COHORT.replace("2021-2022-1", "2018-2019-1"))
    expect(page.get_by_role("alert")).to_contain_text("不是 2019 级的学期")
    expect(page.locator("input[name=term]")).to_have_value("2018-2019-1")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "phone"])
def test_planning_pages_fit_and_are_accessible(visit: Visit, planner: Planner, axe: str, size: dict[str, int]) -> None:
    learner, registry = plan(visit, "zh", size), visit("registry", "zh", size)
    learner.goto(f"/account/plan?certificate={SCHEME}:3")
    registry.goto(COHORT)
    for page in (learner, registry):
        is_accessible(page, axe)
        fits_every_screen(page)
    registry.goto("/graduation-rescues")
    is_accessible(registry, axe)
    fits_every_screen(registry)

"""A learner, the department and the registry convert credits on pages, on the real stack."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Page, expect

from onex.demo.driver import addresses_of
from onex.demo.stages import OPERATOR, REGISTRY, Speakers
from tests.browser.conftest import PASSWORD, WIDE, Visit, fits_every_screen, is_accessible
from tests.support.stack import ROOT, Stack
from tests.support.waiting import until

PHONE = {"width": 360, "height": 740}
SCHEME, COURSE, COURSE_LEVEL, POINTS = "smart-finance", "KJ2130", 2, 400
PROGRAMME = "630302"
PEOPLE = 6
SPARED = 40  # students at the head of the roster, whom other tests look at


@dataclass(frozen=True)
class College:
    """Who may speak to the services, and students who can sign in and have points to spend."""

    speakers: Speakers
    students: dict[str, dict[str, Any]]  # by sign-in name

    def applications(self, name: str) -> list[dict[str, Any]]:
        """A student's applications, as the registry sees them."""
        query = {"learner_id": self.students[name]["learner_id"]}
        return list(self.speakers[REGISTRY].listed("creditbank", "/conversion-applications", **query))

    def standing(self, name: str) -> dict[str, Any]:
        """A student's one application that was not taken back."""
        [one] = [one for one in self.applications(name) if one["state"] != "withdrawn"]
        return one

    def available(self, name: str) -> int:
        account = self.speakers[REGISTRY].get("creditbank", f"/accounts/{self.students[name]['learner_id']}")
        return int(account["balances"]["available"])


@pytest.fixture(scope="module")
def college(stack: Stack, main_job: str) -> Iterator[College]:
    assert main_job
    with closing(addresses_of(stack.running)) as addresses:
        speakers = Speakers(addresses)
        students = dict(zip((f"student-{n}" for n in range(PEOPLE)), spenders(speakers), strict=False))
        assert len(students) == PEOPLE
        for name, student in students.items():
            user = {"roles": ["learner"], "owns": {"learner": [student["learner_id"]]}, "password": PASSWORD}
            speakers[OPERATOR].put("portal", f"/users/{name}", user)
        yield College(speakers, students)


def spenders(speakers: Speakers) -> Iterator[dict[str, Any]]:
    """Accounting students with a recorded certificate and points for the course, and no application that stands."""
    book = load_workbook(io.BytesIO((ROOT / "deploy" / "samples" / "roster-accounting.xlsx").read_bytes()))
    rows = [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]
    header = next(row for row in rows if "学号" in row)
    numbers = [row[header.index("学号")] for row in rows[rows.index(header) + 1 :]]
    for number in dict.fromkeys(filter(None, numbers[SPARED:])):  # one has a row for each certificate
        learner = next(speakers[REGISTRY].listed("enrolment", "/learners", student_number=number), None)
        if learner and may_spend(speakers, learner["learner_id"]):
            yield {"learner_id": learner["learner_id"], "student_number": str(number)}


def may_spend(speakers: Speakers, learner_id: str) -> bool:
    registry = speakers[REGISTRY]
    account = registry.get("creditbank", f"/accounts/{learner_id}")
    [record, *_] = registry.get("enrolment", f"/learners/{learner_id}/records")
    holding = next((one for one in account["holdings"] if one["scheme"] == SCHEME), None)
    if holding is None or holding["unnumbered"] or (record["programme"], record["status"]) != (PROGRAMME, "enrolled"):
        return False
    applied_for = registry.listed("creditbank", "/conversion-applications", learner_id=learner_id)
    is_free = all(one["state"] == "withdrawn" for one in applied_for)
    return bool(holding["level"] == COURSE_LEVEL and holding["available_points"] >= POINTS and is_free)


def choose(page: Page, course: str = COURSE) -> None:
    """The first two taps: the account, and the option."""
    page.locator("nav a").first.click()
    page.locator(f"[data-standing=open] a[href*='course={course}']:not([href*='module='])").click()
    expect(page.locator("form[action='/account/apply']")).to_be_visible()


def confirm(page: Page) -> None:
    page.locator("form[action='/account/apply'] button").click()
    expect(page.get_by_role("status")).to_be_visible()


def applied(visit: Visit, name: str) -> Page:
    """A student who has applied for the course."""
    page = visit(name)
    choose(page)
    confirm(page)
    return page


def withdraw(page: Page) -> None:
    """Take the newest application back, which leaves the account as it was."""
    page.goto("/account")
    page.locator(".applications details summary").first.click()
    page.locator(".applications details[open] button").click()
    expect(page.get_by_role("status")).to_be_visible()


def row_of(page: Page, college: College, name: str) -> Any:
    return page.locator("tbody tr").filter(has_text=college.students[name]["student_number"])


def pick(page: Page, college: College, *names: str) -> None:
    for name in names:
        row_of(page, college, name).locator("input[type=checkbox]").check()


def approve(page: Page, college: College, *names: str) -> None:
    page.goto("/conversions")
    pick(page, college, *names)
    page.locator("button[value=approve]").click()
    expect(page.locator("tbody tr")).to_have_count(len(names))


# --- the learner ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "done", "stands", "withdrawn"),
    [
        ("zh", "申请已提交", "正在由院系审核，最迟 20", "申请已撤回"),
        ("en", "Your application is filed", "Under review: department, until 20", "Your application is withdrawn"),
    ],
)
def test_she_applies_in_three_taps_and_a_double_tap_is_one_application(
    visit: Visit, college: College, language: str, done: str, stands: str, withdrawn: str
) -> None:
    name = "student-0"
    before, had = len(college.applications(name)), college.available(name)
    page = visit(name, language, PHONE)
    choose(page)
    page.locator("form[action='/account/apply'] button").dblclick()
    expect(page.get_by_role("status")).to_contain_text(done)
    page.reload()
    page.go_back()
    page.goto("/account")
    assert len(college.applications(name)) == before + 1
    assert college.available(name) == had - POINTS
    newest = page.locator(".applications li[data-state=review]")
    expect(newest).to_have_count(1)
    expect(newest).to_contain_text(stands)
    expect(page.locator("[data-standing=asked] a[href^='#application-']")).not_to_have_count(0)
    withdraw(page)
    expect(page.get_by_role("status")).to_contain_text(withdrawn)
    assert college.available(name) == had


def test_two_taps_at_the_same_instant_are_one_application(visit: Visit, college: College) -> None:
    name = "student-0"
    before = len(college.applications(name))
    page = visit(name)
    choose(page)
    sent = page.evaluate(
        """async () => {
          const form = document.querySelector("form[action='/account/apply']");
          const body = new URLSearchParams(new FormData(form));
          const answers = await Promise.all([1, 2, 3].map(() => fetch(form.action, { method: "POST", body })));
          return answers.map((one) => [one.status, one.redirected]);
        }"""
    )
    assert sent == [[200, True]] * 3
    assert len(college.applications(name)) == before + 1
    withdraw(page)


@pytest.mark.parametrize(
    ("language", "sentence"), [("zh", "无需重复申请"), ("en", "Another application of yours is about")]
)
def test_a_refusal_is_a_sentence_on_the_page_it_was_asked_from(
    visit: Visit, college: College, language: str, sentence: str
) -> None:
    page = visit("student-1", language, PHONE)
    choose(page)
    other = page.context.new_page()
    other.goto("/account")
    other.locator(f"[data-standing=open] a[href*='course={COURSE}&module=']").click()
    confirm(other)
    page.locator("form[action='/account/apply'] button").click()
    expect(page.get_by_role("alert")).to_contain_text(sentence)
    expect(page.locator("h1")).to_have_text({"zh": "确认申请", "en": "Confirm your application"}[language])
    assert page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
    withdraw(page)


def test_why_leads_from_the_balance_an_entry_and_an_application_to_a_signed_proof(
    visit: Visit, college: College
) -> None:
    page = applied(visit, "student-2")
    for link, kinds in (
        (page.get_by_role("link", name="Why this balance"), {"balance", "holding", "score", "rule", "entry"}),
        (page.get_by_role("link", name="Why entry 1", exact=True), {"score", "rule", "entry"}),
        (page.locator(".applications a.quiet").first, {"application"}),
    ):
        link.click()
        chain = page.locator(".chain li")
        expect(chain.first).to_be_visible()
        assert kinds <= set(chain.evaluate_all("all => all.map(one => one.dataset.kind)"))
        with page.expect_download() as kept:
            page.get_by_role("link", name="Signed proof").click()
        said = json.loads(kept.value.path().read_text())
        assert len(said["proof"].split(".")) == 3
        assert [one["text"] for one in said["chain"]] == chain.locator("p").all_inner_texts()
        page.go_back()
    withdraw(page)


# --- those who decide -----------------------------------------------------------------------------


def test_department_and_registry_decide_many_and_undo_before_anybody_is_told(visit: Visit, college: College) -> None:
    names = ("student-3", "student-4")
    learners = [applied(visit, name) for name in names]
    department, registry = visit("department"), visit("registry")
    approve(department, college, *names)
    for name in names:
        expect(row_of(department, college, name)).to_have_attribute("data-verdict", "accepted")
        expect(row_of(department, college, name)).to_contain_text("to be decided by: registry")
    approve(registry, college, *names)
    expect(registry.get_by_role("status")).to_contain_text("Approved: 2.")
    learners[0].goto("/account")
    expect(learners[0].locator(".applications li").first).to_have_attribute("data-state", "review")

    registry.locator("[data-check-all] input").check()
    registry.locator("details summary").click()
    registry.get_by_role("button", name="Undo them").click()
    expect(registry.get_by_role("status")).to_contain_text("Undone: 2.")
    for name in names:
        expect(row_of(registry, college, name)).to_have_attribute("data-verdict", "accepted")
        assert college.standing(name)["state"] == "review"
    for page in learners:
        withdraw(page)


def test_a_refusal_is_given_with_a_reason_and_enter_in_its_field_decides_nothing(
    visit: Visit, college: College
) -> None:
    learner, department = applied(visit, "student-5"), visit("department")
    department.goto("/conversions")
    pick(department, college, "student-5")
    department.locator("summary").filter(has_text="Refuse").click()
    reason = department.locator("input[name=reason]")
    reason.fill("The scan can't be read.")
    reason.press("Enter")
    expect(department).to_have_url(re.compile("/conversions$"))
    assert college.standing("student-5")["state"] == "review"
    department.get_by_role("button", name="Refuse them").click()
    expect(row_of(department, college, "student-5")).to_contain_text("The scan can't be read.")
    refused = college.standing("student-5")
    assert (refused["state"], refused["is_released"]) == ("refused", False)

    registry = visit("registry")
    registry.goto("/conversions?state=refused")
    pick(registry, college, "student-5")
    registry.locator("summary").filter(has_text="Undo").click()
    registry.get_by_role("button", name="Undo them").click()
    expect(registry.get_by_role("status")).to_contain_text("Undone: 1.")
    withdraw(learner)


def test_the_worklist_is_filtered_by_class_and_programme(visit: Visit, college: College) -> None:
    learner, department = applied(visit, "student-3"), visit("department")
    class_name = college.standing("student-3")["class_name"]
    department.goto("/conversions")
    department.locator("input[name=class_name]").fill(class_name)
    department.locator("select[name=programme]").select_option(PROGRAMME)
    department.get_by_role("button", name="Show").click()
    expect(row_of(department, college, "student-3")).to_have_count(1)
    expect(department.locator("input[name=class_name]")).to_have_value(class_name)
    department.locator("input[name=class_name]").fill("no such class")
    department.get_by_role("button", name="Show").click()
    expect(department.locator(".empty")).to_be_visible()
    withdraw(learner)


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_conversion_pages_fit_and_are_accessible(
    visit: Visit, college: College, axe: str, size: dict[str, int]
) -> None:
    learner, department = applied(visit, "student-4"), visit("department", "zh", size)
    learner.set_viewport_size({"width": size["width"], "height": size["height"]})
    learner.locator(".applications summary").first.click()
    is_accessible(learner, axe)
    learner.locator(".applications a.quiet").first.click()
    is_accessible(learner, axe)
    fits_every_screen(learner)
    learner.goto("/account")
    fits_every_screen(learner)
    department.goto("/conversions")
    department.locator("main summary").first.click()
    is_accessible(department, axe)
    fits_every_screen(department)
    withdraw(learner)
    choose(learner)
    is_accessible(learner, axe)
    fits_every_screen(learner)


# --- the registry's exports -----------------------------------------------------------------------

AT_ONCE, SPARE_COURSE = "told-at-once", "KJ2151"
KEPT_BESIDE = {"code", "version", "state", "drafted_by", "approved_by", "published_at"}


@pytest.fixture(scope="module")
def rule_told_at_once(college: College) -> str:
    """A rule whose decisions are the registry's alone and told at once, to a course of its own; the course."""
    operator = college.speakers[OPERATOR]
    [policy] = [
        one for one in operator.listed("creditbank", "/conversion-policies") if one["code"] == "college-measures"
    ]
    kept = {name: value for name, value in policy.items() if name not in KEPT_BESIDE}
    steps = [{"step": "registry", "working_days": 5}]
    operator.put("creditbank", f"/conversion-policies/{AT_ONCE}", kept | {"undo_minutes": 0, "steps": steps})
    curriculum = operator.get("enrolment", f"/programmes/{PROGRAMME}/curricula/2019")
    course = next(one for one in curriculum["courses"] if one["code"] == SPARE_COURSE)
    target = {"course": course["code"], "credit_points": course["credit_points"]}
    for year in (2017, 2018, 2019, 2020, 2021):
        body = {name: policy[name] for name in ("valid_from", "valid_until")} | {"policy": AT_ONCE, "entry_year": year}
        body |= {"programme": PROGRAMME, "scheme": SCHEME, "levels": [1, 2, 3], "targets": [target]}
        operator.put("creditbank", f"/conversion-rules/{AT_ONCE}-{year}", body | {"is_folklore_default": True})
    return SPARE_COURSE


def test_the_registry_exports_what_was_told_and_notes_what_came_back(
    visit: Visit, college: College, rule_told_at_once: str, axe: str
) -> None:
    learner, registry = visit("student-5"), visit("registry")
    choose(learner, rule_told_at_once)
    confirm(learner)
    approve(registry, college, "student-5")
    until(lambda: college.standing("student-5")["is_released"])
    learner.goto("/account")
    expect(learner.locator(".applications li[data-state=granted]")).to_have_count(1)

    registry.goto("/exports")
    registry.get_by_role("button", name="Make the next export").click()
    expect(row_of(registry, college, "student-5")).to_have_attribute("data-state", "sent")
    is_accessible(registry, axe)
    fits_every_screen(registry)
    registry.context.add_cookies([{"name": "language", "value": "en", "url": registry.url}])
    registry.reload()
    with registry.expect_download() as kept:
        registry.get_by_role("link", name="Sheet (CSV)").click()
    assert college.students["student-5"]["student_number"] in kept.value.path().read_text(encoding="utf-8-sig")
    row_of(registry, college, "student-5").locator("input[name^=reason]").fill("No such course there.")
    registry.get_by_role("button", name="Save what became of them").click()
    expect(row_of(registry, college, "student-5")).to_have_attribute("data-state", "rejected")
    sent_again_and_taken(registry, college, "student-5")


def sent_again_and_taken(registry: Page, college: College, name: str) -> None:
    """What was rejected goes out with the next export, and is taken there."""
    registry.goto("/exports")
    registry.get_by_role("button", name="Make the next export").click()
    row_of(registry, college, name).locator("input[name=taken]").check()
    registry.get_by_role("button", name="Save what became of them").click()
    expect(row_of(registry, college, name)).to_have_attribute("data-state", "taken")
    registry.goto("/exports")
    expect(registry.locator("tbody tr")).not_to_have_count(0)
    fits_every_screen(registry)

"""S1 of the stories on the portal's pages, by three people: a learner on a phone, the department, the registry.

The college of the story with a handful of its learners, on a stack of its own; the batch of 220 is told in tests/e2e.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NARROW, PASSWORD, Visit
from tests.e2e.test_s1_a_window_a_higher_level_a_wrong_batch import (
    AUDIT,
    BASICS,
    EARLIER,
    ELEMENTARY,
    INTERMEDIATE,
    MANAGEMENT,
    MODULE,
    NOW_NEVER_EXEMPT,
    TAX,
    WRONG,
    XIAOLAN,
    XIAOLAN_SERIAL,
    enrol,
    examine,
    found,
    hire,
    is_known,
    is_numbered,
    number,
    of,
    publish,
)
from tests.support.registry import Registry, at_work, wait_for
from tests.support.stack import onex, running_stack
from tests.unit.enrolment.rosters import ACCOUNTING

RIGHT, MISTAKEN, BARRED, FROZEN, DOUBTED = 200, (374, 375), 412, 417, 418
WANTED = {RIGHT: "KJ2150", 374: "KJ2103", 375: "KJ2103", BARRED: "KJ2140", FROZEN: "KJ2150", DOUBTED: "KJ2150"}
APPROVED = (RIGHT, *MISTAKEN)
DEPARTMENT, REGISTRY = "ms-zhou", "mr-li"


@pytest.fixture(scope="module")
def college(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The college on 2021-01-15: 陈晓岚 has 初级 and its number; whoever acts can sign in."""
    home = tmp_path_factory.mktemp("s1-pages")
    assert onex(home, "clock", "2021-01-15T09:00").returncode == 0
    with running_stack(home) as stack, at_work(stack) as registry:
        hire(registry)
        found(registry)
        publish(registry, "finance-1", [1], [BASICS])
        publish(registry, "finance-2", [2], [TAX])
        enrol(registry, [XIAOLAN_SERIAL], "初级")
        registry.register("chen", "learner", owns=[f"learner={registry.learner(XIAOLAN)}"])
        examine(registry, ELEMENTARY, [XIAOLAN_SERIAL], "初级")
        wait_for("初级 is credited", lambda: registry.pockets(XIAOLAN), (0, 200, 0, 0))
        number(registry, ELEMENTARY, [XIAOLAN_SERIAL], "初级")
        wait_for("the number is on record", lambda: is_numbered(registry), True)
        registry.accounts.add_user(DEPARTMENT, PASSWORD, ["department"], [])
        registry.accounts.add_user(REGISTRY, PASSWORD, ["registry"], [])
        may_sign_in(registry, XIAOLAN)
        yield registry


@pytest.fixture(scope="module")
def portal(college: Registry) -> str:
    """This college's portal, in place of the shared stack's."""
    return college.stack.running.url("portal")


def may_sign_in(college: Registry, student_number: str) -> None:
    """Give a student a sign-in under the student number."""
    college.accounts.add_user(student_number, PASSWORD, ["learner"], [f"learner={college.learner(student_number)}"])


@dataclass(frozen=True)
class Desk:
    """The three at their screens: 陈晓岚's phone, and the desks of department and registry."""

    college: Registry
    visit: Visit
    phone: Page
    department: Page
    registry: Page

    def day(self, instant: str) -> None:
        self.college.day(instant)


# --- the story -----------------------------------------------------------------------------------------------------
def test_three_people_convert_credits_on_pages(college: Registry, visit: Visit) -> None:
    """S1 as it is seen: warned, applied, approved, exported; refused with an offer; undone before it is told."""
    desk = Desk(college, visit, visit(XIAOLAN, "zh", NARROW), visit(DEPARTMENT, "zh"), visit(REGISTRY, "en"))
    she_is_warned_and_applies(desk)
    two_people_approve_and_nobody_is_told_yet(desk)
    told_and_exported(desk)
    she_files_on_provisional_credit(desk)
    five_others_file(desk)
    refused_with_a_reason_and_an_offer(desk)
    decided_in_bulk(desk)
    undone_and_told_to_nobody(desk)
    told_once_with_reasons(desk)
    exported_once(desk)
    assert college.operator.get("creditbank", "/books")["sum"] == 0
    assert college.stack.onex("ledger", "verify").returncode == 0


def she_is_warned_and_applies(desk: Desk) -> None:
    """Step 1, the learner: in the window, from the account to the plan, its warning, and the application."""
    desk.day("2021-03-03T09:00")
    page = desk.phone
    page.goto("/account")
    page.get_by_role("link", name="学分使用规划").click()
    choice = page.locator(".planned [data-course=KJ2101]")
    expect(choice).to_contain_text("现在可申请")
    expect(choice).to_contain_text("现在使用 2.0 学分，日后中级便不能再兑换 税务会计 KJ2130")
    choice.get_by_role("link", name="申请").click()
    expect(page.locator("h1")).to_have_text("确认申请")
    confirm(page)
    expect(page.get_by_role("status")).to_contain_text("申请已提交")
    expect(page.locator(".applications li")).to_contain_text("正在由院系审核")


def two_people_approve_and_nobody_is_told_yet(desk: Desk) -> None:
    """Step 1, department and registry: one after the other, each a person of their own."""
    approve(desk.department, XIAOLAN)
    expect(row_of(desk.department, XIAOLAN)).to_contain_text("由教务审批")
    approve(desk.registry, XIAOLAN)
    expect(row_of(desk.registry, XIAOLAN)).to_contain_text("granted")
    expect(row_of(desk.registry, XIAOLAN)).to_contain_text("not told yet, can be undone")
    stands_in_account(desk.phone, "review")


def told_and_exported(desk: Desk) -> None:
    """Step 1, its end: told after the time to undo, and in the registry's sheet with its term and credits."""
    desk.day("2021-03-03T09:31")
    wait_for("it is told", lambda: desk.college.told(XIAOLAN, "ConversionDecided"), ["ConversionDecided"])
    stands_in_account(desk.phone, "granted")
    assert exported(desk.registry) == [[XIAOLAN, "KJ2101", "2020-2021-2", "2.0", "免修"]]
    acknowledge(desk.registry)


def she_files_on_provisional_credit(desk: Desk) -> None:
    """Steps 2 and 3: 中级 is in publicity; on the window's last day she files for the course that she failed."""
    college, page = desk.college, desk.phone
    mark = {"student_number": XIAOLAN, "course": "KJ2130", "term": "2020-2021-2", "mark": 52}
    [judged] = college["li"].post("training", "/course-results", [mark | {"as_of": "2021-03-03T09:40:00+08:00"}])
    assert judged["status"] == "accepted", judged
    desk.day("2021-09-16T09:00")
    enrol(college, [XIAOLAN_SERIAL], "中级")
    examine(college, INTERMEDIATE, [XIAOLAN_SERIAL], "中级")
    wait_for("中级 is provisional", lambda: college.pockets(XIAOLAN), (200, 0, 0, 200))
    desk.day("2021-09-17T10:00")
    apply_for(page, "KJ2130")
    expect(page.get_by_role("status")).to_contain_text("申请已提交")
    expect(application_of(page, "KJ2130")).to_contain_text("等待成绩生效")


def five_others_file(desk: Desk) -> None:
    """Who passed 中级 before files too, two of them for the wrong course that rule v3 names; the department reviews."""
    college, others = desk.college, list(WANTED)
    enrol(college, others, "中级")
    examine(college, EARLIER, others, "中级")
    wait_for("all are credited", lambda: {college.pockets(of(serial)) for serial in others}, {(0, 400, 0, 0)})
    number(college, EARLIER, others, "中级")
    publish(college, "finance-management", [2], [MANAGEMENT])
    publish(college, "finance-audit", [2], [AUDIT])
    assert [publish(college, "finance-2", [2], [target, MODULE]) for target in (TAX, WRONG)] == [2, 3]
    wait_for("their numbers are on record", lambda: {unnumbered(college, serial) for serial in others}, {False})
    for serial, course in WANTED.items():
        may_sign_in(college, of(serial))
        apply_for(desk.visit(of(serial), "en", NARROW), course)
    wait_for("all are held", lambda: {college.pockets(of(serial))[2] for serial in others}, {200, 400})
    desk.day("2021-09-22T09:00")
    approve(desk.department, *map(of, others))


def refused_with_a_reason_and_an_offer(desk: Desk) -> None:
    """Step 4: at the close there are 200 of the 400; the refusal says so and offers the module, which she takes."""
    college, page = desk.college, desk.phone
    desk.day("2021-09-24T23:59")
    stands_in_account(page, "waiting")
    desk.day("2021-09-25T00:00")
    wait_for("中级 is final", lambda: college.pockets(XIAOLAN), (0, 200, 0, 200))
    number(college, INTERMEDIATE, [XIAOLAN_SERIAL], "中级")
    wait_for("it is refused", lambda: college.told(XIAOLAN, "ConversionOffered"), ["ConversionOffered"])
    desk.day("2021-09-26T09:00")
    page.goto("/account")
    refused = application_of(page, "KJ2130")
    expect(refused).to_have_attribute("data-state", "refused")
    expect(refused).to_contain_text("此项需要 smart-finance 的积分 400，可用积分为 200")
    expect(refused).to_contain_text("可以改为：个税核算，积分 200")
    expect(refused).to_contain_text("请在 2021-09-28 前（含当日）接受")
    refused.get_by_role("button", name="接受该方案").click()
    expect(page.get_by_role("status")).to_contain_text("已接受该方案")
    approve(desk.department, XIAOLAN)
    assert college.pockets(XIAOLAN) == (0, 0, 200, 200)


def decided_in_bulk(desk: Desk) -> None:
    """Step 5: on 09-28 all at once; whom a rule speaks against stays, with the reason; one is refused."""
    college, page = desk.college, desk.registry
    desk.day("2021-09-28T09:00")
    college.operator.put("enrolment", f"/programmes/{ACCOUNTING.code}/curricula/2019", {"courses": NOW_NEVER_EXEMPT})
    wait_for("the bank knows the curriculum", lambda: is_known(college, "KJ2140", is_never_exempt=True), True)
    frozen = {"is_frozen": True, "reason": "asked for by the learner"}
    college["li"].put("creditbank", f"/accounts/{college.learner(of(FROZEN))}/freeze", frozen)
    page.goto("/conversions")
    pick(page, of(DOUBTED))
    refuse(page, "The audit course is taught by a partner this year.")
    approve(page, XIAOLAN, *map(of, (*APPROVED, BARRED, FROZEN)))
    expect(page.get_by_role("status")).to_contain_text("Approved: 4.")
    expect(page.get_by_role("alert")).to_contain_text("2")
    expect(row_of(page, of(BARRED))).to_contain_text("Nobody is excused from 管理会计 KJ2140")
    expect(row_of(page, of(FROZEN))).to_contain_text("This account is frozen")


def undone_and_told_to_nobody(desk: Desk) -> None:
    """Step 6: eleven minutes later the wrong ones go back under v4, which is named, and are approved again."""
    college, page = desk.college, desk.registry
    desk.day("2021-09-28T09:11")
    assert publish(college, "finance-2", [2], [TAX, MODULE]) == 4
    mistaken = [of(serial) for serial in MISTAKEN]
    page.goto("/conversions?state=granted")
    pick(page, *mistaken)
    page.locator("summary").filter(has_text="Undo").click()
    page.locator("input[name=rule_version]").fill("4")
    page.get_by_role("button", name="Undo them").click()
    expect(page.get_by_role("status")).to_contain_text("Undone: 2.")
    for one in mistaken:
        expect(row_of(page, one)).to_contain_text("税务会计 KJ2130")
        expect(row_of(page, one)).to_contain_text("under review")
        assert college.pockets(one) == (0, 0, 400, 0)
    stands_in_account(desk.visit(mistaken[0], "en", NARROW), "review")
    approve(page, *mistaken)
    assert {tuple(college.told(of(serial), "ConversionDecided")) for serial in WANTED} == {()}


def told_once_with_reasons(desk: Desk) -> None:
    """Nobody was told two decisions; who was refused reads the reason."""
    college, decided = desk.college, ("ConversionDecided",)
    desk.day("2021-09-28T09:42")
    spent = [of(serial) for serial in (*APPROVED, DOUBTED)]
    wait_for("all are told", lambda: {tuple(college.told(one, *decided)) for one in spent}, {decided})
    assert {college.pockets(of(serial)) for serial in APPROVED} == {(0, 0, 0, 400)}
    assert college.pockets(XIAOLAN) == (0, 0, 0, 400)
    stands_in_account(desk.visit(of(MISTAKEN[0]), "zh", NARROW), "granted")
    refused = desk.visit(of(DOUBTED), "en", NARROW)
    stands_in_account(refused, "refused")
    expect(refused.locator(".applications")).to_contain_text("The audit course is taught by a partner this year.")
    held = desk.visit(of(FROZEN), "en", NARROW)
    held.goto("/account/plan")
    expect(held.locator("[data-because=account_frozen]")).to_contain_text("This account is frozen")


def exported_once(desk: Desk) -> None:
    """Each exemption is in the export once; what the registry's system rejects is in the next, alone."""
    page, again = desk.registry, of(RIGHT)
    rows = exported(page)
    assert sorted(row[:2] for row in rows) == sorted(
        [[XIAOLAN, "KJ2130-1"], [again, "KJ2150"], *([of(one), "KJ2130"] for one in MISTAKEN)]
    )
    row_of(page, again).locator("input[name^=reason]").fill("unknown student")
    acknowledge(page, but=again)
    assert [row[:2] for row in exported(page)] == [[again, "KJ2150"]]
    acknowledge(page)
    page.goto("/exports")
    page.get_by_role("button", name="Make the next export").click()
    expect(page.get_by_role("status")).to_contain_text("nothing to send")


# --- what they do --------------------------------------------------------------------------------------------------
def apply_for(page: Page, course: str) -> None:
    """Three taps: the account, the course, confirmed."""
    page.goto("/account")
    page.locator(f".options a[href*='course={course}']:not([href*='module='])").click()
    confirm(page)


def confirm(page: Page) -> None:
    page.locator("form[action='/account/apply'] button").click()
    expect(page.get_by_role("status")).to_be_visible()


def application_of(page: Page, course: str) -> Locator:
    """The application on the account for a course, by what the course is called."""
    names = {"KJ2130": "税务会计", "KJ2101": "财务大数据基础"}
    return page.locator(".applications li").filter(has=page.locator("h3", has_text=names[course]))


def stands_in_account(page: Page, state: str) -> None:
    """The application that is first on the account, as its learner is told."""
    page.goto("/account")
    expect(page.locator(".applications li").first).to_have_attribute("data-state", state)


def row_of(page: Page, student_number: str) -> Locator:
    return page.locator("tbody tr").filter(has_text=student_number)


def pick(page: Page, *student_numbers: str) -> None:
    for one in student_numbers:
        row_of(page, one).locator("input[type=checkbox]").check()


def approve(page: Page, *student_numbers: str) -> None:
    """From the worklist, all at once."""
    page.goto("/conversions")
    pick(page, *student_numbers)
    page.locator("button[value=approve]").click()
    expect(page).to_have_url(re.compile("/conversions/decisions$"))
    expect(page.locator("tbody tr")).to_have_count(len(student_numbers))


def refuse(page: Page, reason: str) -> None:
    """What is picked, with a reason that the learner reads."""
    page.locator("summary").filter(has_text="Refuse").click()
    page.locator("input[name=reason]").fill(reason)
    page.get_by_role("button", name="Refuse them").click()
    expect(page.get_by_role("status")).to_be_visible()


def exported(page: Page) -> list[list[str]]:
    """Make the next export; its rows as the sheet has them: number, code, term, credits, kind."""
    page.goto("/exports")
    page.get_by_role("button", name="Make the next export").click()
    with page.expect_download() as kept:
        page.get_by_role("link", name=re.compile(r"^Sheet \(CSV\)")).click()
    rows = csv.DictReader(kept.value.path().read_text(encoding="utf-8-sig").splitlines())
    return [[row[name] for name in ("学号", "课程代码", "学期", "学分", "类别")] for row in rows]


def acknowledge(page: Page, but: str = "") -> None:
    """Note that every row was taken, but one that is answered already."""
    for box in page.locator("tbody tr").all():
        if not but or but not in box.inner_text():
            box.locator("input[name=taken]").check()
    page.get_by_role("button", name="Save what became of them").click()
    expect(page.get_by_role("status")).to_be_visible()


def unnumbered(college: Registry, serial: int) -> bool:
    account = college.operator.get("creditbank", f"/accounts/{college.learner(of(serial))}")
    return any(one["unnumbered"] for one in account["holdings"])

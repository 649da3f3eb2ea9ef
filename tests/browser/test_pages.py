"""What people see and do in a browser, on the real stack, after the main job."""

from __future__ import annotations

import io
import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from openpyxl import Workbook, load_workbook
from playwright.sync_api import Page, Response, expect

from tests.browser.conftest import NARROW, PASSWORD, WIDE, Visit, is_accessible, missing
from tests.support.stack import ROOT, Stack

SAMPLES = ROOT / "deploy" / "samples"
EVERYBODY = ("learner", "registry", "exam-office", "trainer", "teo", "department", "operator", "auditor")
MOST_BYTES = 32 * 1024 * 1024
STOPS_PER_PAGE = 80

FOCUSABLE = "a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']"
VISIBLE = f"""() => [...document.querySelectorAll("{FOCUSABLE}")].filter(one => one.checkVisibility())"""
FOCUSED = """() => {
  const one = document.activeElement, style = getComputedStyle(one.closest('.picker') ?? one);
  const isSeen = style.outlineStyle !== 'none' && style.outlineWidth !== '0px';
  return [[...document.querySelectorAll('*')].indexOf(one), isSeen];
}"""


def links_of(page: Page) -> dict[str, str]:
    """The pages that this person can reach from the menu, and one of each kind behind them, by kind."""
    menu = page.locator("nav a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    found = {address.strip("/"): address for address in menu}
    for behind, start, link in (
        ("plan", "results", "main tbody a"),
        ("life", "plan", "main a[href^='/lives']"),
        ("import", "sheets", "main tbody a"),
    ):
        if start in found and (address := first_link(page, found[start], link)):
            found[behind] = address
    if "learners" in found:
        found["found"] = f"/learners?student_number={student_number()}"
        found["account of"] = first_link(page, found["found"], "main section a") or ""
    return found


def first_link(page: Page, address: str, selector: str) -> str | None:
    page.goto(address)
    links = page.locator(selector)
    return links.first.get_attribute("href") if links.count() else None


def student_number() -> str:
    """Of somebody who passed three levels."""
    return str(next(row for row in roster()[1:] if row[5])[5])


def roster() -> list[list[object]]:
    """The sample roster of accounting, header first."""
    book = load_workbook(io.BytesIO((SAMPLES / "roster-accounting.xlsx").read_bytes()))
    rows = [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]
    return rows[next(at for at, row in enumerate(rows) if "姓名" in row) :]


def with_a_bad_row(file: Path) -> tuple[str, str]:
    """Write a roster of a row that is known already and the same with a wrong check digit; its number and name.

    Nothing new, since the stack is shared and others count.
    """
    header, good, *_ = roster()
    at = header.index("身份证号码")
    number = str(good[at])
    bad = [*good[:at], number[:-1] + ("2" if number.endswith("1") else "1"), *good[at + 1 :]]
    book = Workbook()
    for row in (header, good, bad):
        book.worksheets[0].append(row)
    book.save(file)
    return number, str(good[header.index("姓名")])


def written_in(file: Path) -> str:
    """All that stands in a workbook."""
    book = load_workbook(io.BytesIO(file.read_bytes()))
    return " ".join(str(cell) for row in book.worksheets[0].iter_rows(values_only=True) for cell in row)


@contextmanager
def silent(stack: Stack, service: str) -> Iterator[None]:
    """A service that takes connections and never answers."""
    app = psutil.Process(stack.pids()[service])
    halted = [app, *app.children(recursive=True)]
    for process in halted:
        process.suspend()
    try:
        yield
    finally:
        for process in halted:
            process.resume()


def is_live(response: Response) -> bool:
    return response.url.endswith("/live")


# --- stories --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "words"),
    [("zh", ("可用", "成绩生效", "标为已读", "未读")), ("en", ("Available", "Result final", "Mark as read", "unread"))],
)
def test_a_learner_sees_credit_with_its_reasons_and_reads_a_notice(
    visit: Visit, language: str, words: tuple[str, str, str, str]
) -> None:
    available, final, mark, unread = words
    page = visit("learner", language)
    expect(page).to_have_url(re.compile("/account$"))
    expect(page.locator(".figure.main")).to_contain_text(available)
    expect(page.locator(".figure.main strong")).to_have_text("600")
    entries = page.locator("tbody tr").filter(has_text=final)
    expect(entries).to_have_count(3)
    expect(entries.first).to_contain_text("+200")
    expect(page.locator("td code").filter(has_text=re.compile(r"^\w{6,}"))).to_have_count(3)

    page.locator("nav a").nth(1).click()
    waiting = page.locator(".notices .tag").filter(has_text=unread)
    before = waiting.count()
    assert before > 0
    notice = page.locator(".notices li.unread").first
    title = notice.locator("h2").inner_text().splitlines()[0]
    notice.get_by_role("button", name=mark).click()
    expect(waiting).to_have_count(before - 1)
    expect(page).to_have_url(re.compile("/mailbox#notice-"))
    assert title


@pytest.mark.parametrize(("language", "refused", "why"), [("zh", "拒绝", "校验位"), ("en", "refused", "check digit")])
def test_a_registry_officer_uploads_a_roster_with_a_bad_row(
    visit: Visit, tmp_path: Path, language: str, refused: str, why: str
) -> None:
    number, name = with_a_bad_row(tmp_path / "roster.xlsx")
    page = visit("registry", language)
    page.goto("/sheets")
    form = page.locator("form[action$='/enrolment/roster']")
    form.locator("input[type=file]").set_input_files(tmp_path / "roster.xlsx")
    expect(form.locator("[data-file]")).to_have_text("roster.xlsx")
    form.locator("button").click()
    expect(page.locator("[data-state=previewed]")).to_be_visible()
    expect(page.locator(".figure.unchanged strong")).to_have_text("1")
    expect(page.locator("tbody tr.refused")).to_contain_text(why)
    assert number not in page.content()
    assert name not in page.content()

    page.locator("form[action$='/commit'] button").click()
    expect(page.locator("[data-state=committed]")).to_be_visible()
    with page.expect_download() as kept:
        page.locator("a[href$='/workbook.xlsx']").click()
    assert why in written_in(kept.value.path())

    page.locator("a.figure.refused").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr .tag")).to_have_text(refused)


def test_an_operator_sees_the_flow_live_and_keeps_what_was_selected(visit: Visit) -> None:
    page = visit("operator", "zh")
    page.goto("/overview")
    expect(page.locator("section[data-service]")).to_have_count(5)
    expect(page.locator("[data-service=enrolment] [data-stage=learners] dd")).to_have_text("1,300")
    for stages in page.locator("[data-service] dt").all_inner_texts():
        assert re.search("[一-鿿]", stages)
    shown = page.locator("main time")
    first = shown.inner_text()
    held = page.locator("[data-stage=learners] dd").element_handle()
    expect(shown).not_to_have_text(first)
    assert held.evaluate("one => one.isConnected")

    page.locator("[data-service=enrolment] h2").evaluate("one => getSelection().selectAllChildren(one)")
    selected = page.evaluate("getSelection().toString()")
    with page.expect_response(is_live):
        pass
    with page.expect_response(is_live):
        pass
    assert page.evaluate("getSelection().toString()") == selected == "报名"


def test_the_life_of_a_result_goes_from_its_row_to_its_notices_in_order(visit: Visit) -> None:
    page = visit("auditor", "en")
    page.goto(f"/learners?student_number={student_number()}")
    page.locator("main section a").click()
    page.get_by_role("link", name=re.compile("^Follow")).first.click()
    expect(page.locator("h1")).to_contain_text("The life of a result")
    steps = page.locator(".life li")
    told = steps.evaluate_all(
        "all => all.map(one => one.dataset.what + ' ' + (one.querySelector('.sum')?.textContent ?? ''))"
    )
    road = (
        "row submitted Results, import",
        "result passed",
        "ResultPublicised passed",
        "ResultFinalised passed",
        "CreditPosted provisional −200, available +200",
        "notice delivered Credit posted",
    )
    places = [next(at for at, step in enumerate(told) if step.startswith(begin)) for begin in road]
    assert places == sorted(places)
    assert any(step.startswith("CertificateIssued") for step in told)
    times = page.locator(".life time").evaluate_all("all => all.map(one => one.dateTime)")
    assert times == sorted(times)
    steps.first.locator("summary").click()
    expect(steps.first.locator("dl")).to_contain_text("Row")
    steps.first.locator("dd a").click()
    expect(page.locator(".life li").first).to_have_attribute("data-what", "row submitted")


def test_the_language_is_switched_and_the_page_kept(visit: Visit) -> None:
    page = visit("registry", "zh")
    page.goto(f"/learners?student_number={student_number()}")
    expect(page).to_have_title("学习者 · OneX")
    page.get_by_role("link", name="English").click()
    expect(page).to_have_url(re.compile(r"/learners\?student_number=\d+$"))
    expect(page).to_have_title("Learners · OneX")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("main section dl")).to_contain_text("Programme")


# --- every page -----------------------------------------------------------------------------------


@pytest.mark.parametrize("who", EVERYBODY)
def test_every_page_fits_every_screen_in_both_languages(visit: Visit, who: str) -> None:
    page = visit(who)
    addresses = links_of(page).values()
    for address, language, size in itertools.product(addresses, ("zh", "en"), (WIDE, NARROW)):
        page.context.add_cookies([{"name": "language", "value": language, "url": page.url}])
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        too_wide = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
        assert too_wide <= 0, f"{address} in {language} at {size['width']}"
        expect(page.locator("h1")).to_have_count(1)
        assert page.title().endswith(" · OneX")


@pytest.mark.parametrize("who", ["learner", "registry", "operator"])
def test_every_page_is_reached_and_left_by_keyboard(visit: Visit, who: str) -> None:
    page = visit(who)
    for address in ["/sign-in", *links_of(page).values()]:
        page.goto(address)
        page.evaluate("document.activeElement?.blur()")
        reachable = page.evaluate(f"({VISIBLE})().map(one => [...document.querySelectorAll('*')].indexOf(one))")
        reached = {}
        for _ in range(min(len(reachable), STOPS_PER_PAGE)):
            page.keyboard.press("Tab")
            place, is_seen = page.evaluate(FOCUSED)
            reached[place] = is_seen
        assert list(reached)[: len(reachable)] == reachable[:STOPS_PER_PAGE], address
        assert all(reached.values()), f"{address}: focus can't be seen"


def test_one_signs_in_by_keyboard_and_skips_to_the_content(visit: Visit) -> None:
    page = visit()
    page.goto("/sign-in")
    expect(page.locator("input[name=name]")).to_be_focused()
    page.keyboard.type("operator")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/overview$"))
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("who", ["", "learner", "registry", "operator"])
def test_pages_are_accessible(visit: Visit, axe: str, who: str, size: dict[str, int]) -> None:
    page = visit(who, "zh", size)
    for address in [*(links_of(page).values() if who else ["/sign-in"]), "/nothing-here"]:
        page.goto(address)
        is_accessible(page, axe)


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "wrong", "locked"),
    [("zh", "用户名或密码不正确", "登录失败次数过多"), ("en", "do not fit", "Too many failed")],
)
def test_wrong_passwords_are_told_and_lock_the_name(visit: Visit, language: str, wrong: str, locked: str) -> None:
    page = visit("", language)
    page.goto("/sign-in?then=/results")
    for sentence in [wrong] * 10 + [locked]:
        page.locator("input[name=name]").fill(f"nobody-{language}")
        page.locator("input[name=password]").fill("not it at all")
        page.locator("form.stack button").click()
        expect(page.get_by_role("alert")).to_contain_text(sentence)
    expect(page.locator("input[name=name]")).to_have_value(f"nobody-{language}")
    expect(page.locator("input[name=then]")).to_have_value("/results")


@pytest.mark.parametrize(
    ("address", "status", "title"),
    [
        ("/account", 403, "Your role may not see this page"),
        ("/nothing-here", 404, "There is no such page"),
        ("/imports/enrolment/999999", 404, "Nothing was found"),
        ("/learners/nobody/account", 404, "Nothing was found"),
        ("/results/nobody/nothing", 404, "Nothing was found"),
    ],
)
def test_what_is_not_there_or_not_yours_is_a_page_that_says_so(
    visit: Visit, address: str, status: int, title: str
) -> None:
    page = visit("registry")
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == status
    expect(page).to_have_title(f"{title} · OneX")
    expect(page.locator("nav a")).not_to_have_count(0)
    page.get_by_role("link", name="To the first page").click()
    expect(page).to_have_url(re.compile("/overview$"))


@pytest.mark.parametrize(
    ("name", "content", "zh", "en"),
    [
        ("empty.xlsx", b"", "文件为空", "file is empty"),
        ("picture.xlsx", bytes.fromhex("89504e470d0a1a0a") + bytes(300), "既不是 Excel", "neither an Excel"),
        ("other.csv", "甲,乙\n1,2\n".encode("gb18030"), "未找到表头行", "column headers"),
    ],
)
def test_a_file_that_is_no_sheet_is_told_why(visit: Visit, name: str, content: bytes, zh: str, en: str) -> None:
    for language, sentence in (("zh", zh), ("en", en)):
        page = visit("registry", language)
        page.goto("/sheets")
        form = page.locator("form[action$='/enrolment/roster']")
        form.locator("input").last.set_input_files({"name": name, "mimeType": "text/plain", "buffer": content})
        form.locator("button").click()
        expect(page.get_by_role("alert")).to_contain_text(sentence)


def test_a_file_too_large_is_refused_before_and_after_it_is_sent(visit: Visit, tmp_path: Path) -> None:
    large = tmp_path / "large.xlsx"
    with large.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    page = visit("registry")
    page.goto("/sheets")
    form = page.locator("form[action$='/enrolment/roster']")
    field = form.locator("input[type=file]")
    field.set_input_files(large)
    assert "larger than 32 MB" in field.evaluate("one => one.validationMessage")
    field.evaluate("one => one.setCustomValidity('')")
    form.locator("button").click()
    expect(page.locator("h1")).to_have_text("The file is larger than 32 MB. Upload it in parts.")
    page.get_by_role("link", name="Go back").click()
    expect(page).to_have_url(re.compile("/sheets$"))


def test_a_session_that_ended_in_a_form_leads_back_to_it(visit: Visit, portal: str) -> None:
    page = visit("registry")
    page.goto(f"/learners?student_number={student_number()}")
    page.context.add_cookies([{"name": "onex", "value": "gone", "url": portal}])
    page.locator("main form button").click()
    expect(page.locator(".notice")).to_have_text("Your session is over. Please sign in again.")
    page.context.add_cookies([{"name": "language", "value": "en", "url": portal}])
    page.locator("input[name=name]").fill("registry")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("form.stack button").click()
    expect(page).to_have_url(re.compile(r"/learners\?student_number="))

    page.goto("/sheets")
    form = page.locator("form[action$='/enrolment/roster']")
    form.locator("input").last.set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": b"a"})
    page.context.add_cookies([{"name": "onex", "value": "gone", "url": portal}])
    form.locator("button").click()
    expect(page.locator(".notice")).to_contain_text("what you sent was not taken")
    expect(page.locator("input[name=then]")).to_have_value("/sheets")


def test_a_live_page_whose_session_ended_leads_to_sign_in(visit: Visit, portal: str) -> None:
    page = visit("operator")
    page.goto("/overview")
    page.context.add_cookies([{"name": "onex", "value": "gone", "url": portal}])
    expect(page).to_have_url(re.compile(r"/sign-in\?then=/overview"))


def test_an_unattended_page_asks_no_more_and_a_finished_import_neither(visit: Visit) -> None:
    page = visit("registry")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/live") else None)
    page.clock.install()
    page.goto("/imports/enrolment/1")
    expect(page.locator("[data-state=committed]")).to_be_visible()
    page.clock.run_for(10_000)
    assert asked == []

    page.goto("/overview")
    with page.expect_response(is_live):
        page.clock.run_for(2_500)
    page.clock.fast_forward("30:00")
    page.clock.run_for(100)
    asked.clear()
    page.clock.run_for(30_000)
    assert asked == []
    page.mouse.move(10, 10)
    with page.expect_response(is_live):
        page.clock.run_for(2_500)


def test_a_silent_service_hides_no_other(visit: Visit, stack: Stack) -> None:
    page = visit("registry")
    account = first_link(page, f"/learners?student_number={student_number()}", "main section a")
    with silent(stack, "assessment"):
        page.goto("/overview")
        expect(page.locator("[data-service=assessment] .problem")).to_have_text("does not answer")
        expect(page.locator("[data-service=enrolment] [data-stage=learners] dd")).to_have_text("1,300")
        page.goto("/sheets")
        expect(page.locator(".problem[role=status]").first).to_contain_text("Assessment does not answer")
        expect(page.locator("form[action$='/enrolment/roster']")).to_be_visible()
        page.goto(str(account))
        expect(page.locator(".figure.main strong")).to_have_text("600")
        answer = page.goto("/results")
        assert answer is not None
        assert answer.status == 503
        expect(page.locator("h1")).to_contain_text("does not answer")
    page.get_by_role("link", name="Try again").click()
    expect(page.locator("main tbody tr").first).to_be_visible()


def test_without_a_browser_a_build_machine_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "CI", "true")
    with pytest.raises(pytest.fail.Exception, match="DID NOT RUN"):
        missing("nothing")
    monkeypatch.setitem(os.environ, "CI", "")
    with pytest.raises(pytest.skip.Exception, match="DID NOT RUN"):
        missing("nothing")

"""A report is uploaded, compared while one looks on, and what differs is approved by another, on the real stack."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Page, expect

from onex.demo.stages import OPERATOR, REGISTRY, Speakers
from tests.browser.conftest import NARROW, WIDE, Visit, fits_every_screen, is_accessible
from tests.support.stack import ROOT

SCHEME, SCHEME_NAME, TEO_NAME = "smart-finance", "智能财税", "中联集团教育科技有限公司"
COLUMNS = ("姓名", "证件类型", "证件号码", "证书名称", "职业技能等级", "证书编号", "发证日期")
LEVELS = {1: "初级", 2: "中级", 3: "高级"}
LONG_AGO = "2019-01-01"  # the report speaks for one day of long ago, so what it does not name is not missing
UNNUMBERED, REPEATED = 3, 2
Cells = Mapping[str, str]


@dataclass(frozen=True)
class Registry:
    """A report whose discrepancies are known."""

    file: Path
    unnumbered: list[str]  # the numbers it has for passes that have none here


@pytest.fixture(scope="module")
def registry(speakers: Speakers, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    rows, numbers = report_rows(speakers)
    file = tmp_path_factory.mktemp("report") / "report.csv"
    file.write_text(as_csv(rows), encoding="utf-8-sig")
    return Registry(file, numbers)


def report_rows(speakers: Speakers) -> tuple[list[Cells], list[str]]:
    """Numbers of passes without one, one that agrees, the same twice more, and a stranger's."""
    people = list(islice(unnumbered_passes(speakers), UNNUMBERED))
    assert len(people) == UNNUMBERED
    numbers = [f"RC{n:05}" for n in range(1, UNNUMBERED + 1)]
    rows = [line(*person, number) for person, number in zip(people, numbers, strict=True)]
    document, result, number = next(numbered_passes(speakers))
    agreeing = line(document, result, number["certificate_number"], number["issued_on"])
    stranger = agreeing | {"证件类型": "护照", "证件号码": "E99999999", "证书编号": "RC-STRANGER"}
    return [*rows, agreeing, *[agreeing] * REPEATED, stranger], numbers


def line(document: str, result: Mapping[str, Any], number: str, issued_on: str = "2021-03-01") -> dict[str, str]:
    cells = ("某", "居民身份证", document, SCHEME_NAME, LEVELS[result["level"]], number, issued_on)
    return dict(zip(COLUMNS, cells, strict=True))


def unnumbered_passes(speakers: Speakers) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Final passes of the scheme without a certificate, each of another learner, with the holder's document."""
    for document, results, certificates in passes_of_students(speakers):
        known = {one["result_id"] for one in certificates}
        bare = [one for one in results if one["result_id"] not in known]
        if bare:
            yield document, bare[0]


def numbered_passes(speakers: Speakers) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Final passes of the scheme with their certificates, and the holder's document."""
    for document, results, certificates in passes_of_students(speakers):
        known = {one["result_id"]: one for one in certificates}
        yield from ((document, one, known[one["result_id"]]) for one in results if one["result_id"] in known)


def passes_of_students(speakers: Speakers) -> Iterator[tuple[str, list[Any], list[Any]]]:
    """By document: a student's final passes of the scheme and their certificates."""
    for number, document in roster().items():
        found = next(speakers[REGISTRY].listed("enrolment", "/learners", student_number=number), None)
        if found:
            query = {"learner_id": found["learner_id"]}
            results = list(speakers[OPERATOR].listed("assessment", "/results", **query))
            certificates = list(speakers[OPERATOR].listed("assessment", "/certificates", **query))
            wanted = {"scheme": SCHEME, "state": "final", "verdict": "passed"}
            yield document, [one for one in results if wanted.items() <= one.items()], certificates


def roster() -> dict[str, str]:
    """Documents of the sample's accounting students, by student number."""
    book = load_workbook(io.BytesIO((ROOT / "deploy" / "samples" / "roster-accounting.xlsx").read_bytes()))
    rows = [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]
    header = next(row for row in rows if "学号" in row)
    at, document = header.index("学号"), header.index("身份证号码")
    return {str(row[at]): str(row[document]) for row in rows[rows.index(header) + 1 :] if row[at] and row[document]}


def as_csv(rows: list[Cells]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@pytest.fixture(scope="module")
def compared(registry: Registry) -> list[str]:
    """The address of the report's comparison, once a test has uploaded it."""
    return []


def group(page: Page, kind: str) -> Any:
    return page.locator(f"section[data-kind={kind}]")


def open_boxes(page: Page, kind: str) -> Any:
    return group(page, kind).locator("input[name=discrepancy]")


# --- the story ------------------------------------------------------------------------------------
def test_a_report_is_uploaded_and_compared_while_one_looks_on(
    visit: Visit, registry: Registry, compared: list[str]
) -> None:
    page = visit("registry")
    page.get_by_role("link", name="Reconciliation", exact=True).click()
    page.get_by_role("link", name="Upload a report").click()
    form = page.locator("form[action$='/creditbank/certificate-report']")
    form.locator("input[type=file]").set_input_files(registry.file)
    form.locator("select[name=option-teo]").select_option(label=TEO_NAME)
    form.get_by_text("More options").click()
    for name in ("issued_from", "issued_until"):
        form.locator(f"input[name=option-{name}]").fill(LONG_AGO)
    form.get_by_role("button", name="Upload").click()
    expect(page.locator("[data-state=previewed]")).to_be_visible()
    page.locator("form[action$='/commit'] button").click()
    page.get_by_role("link", name="See the report and its comparison").click()
    expect(page.locator("main")).to_contain_text(f"{LONG_AGO} – {LONG_AGO}")
    page.get_by_role("link", name=re.compile(r"^Comparison \d+$")).click()  # comes by itself
    expect(page.locator("[data-figure=discrepancies] strong")).to_have_text(str(UNNUMBERED + REPEATED + 1))
    expect(page.locator(".bars li")).to_have_count(3)
    expect(page.locator("main")).to_contain_text("another person of the registry has to approve")
    expect(page.locator("input[name=discrepancy]")).to_have_count(0)
    compared.append(page.url)


def test_another_person_approves_one_then_several_then_all_of_a_kind(
    visit: Visit, colleague: str, compared: list[str]
) -> None:
    [address] = compared
    page = visit(colleague)
    page.goto(address)
    recorded = group(page, "number_not_recorded")
    expect(recorded).to_contain_text("The bank puts the number on record")
    expect(recorded).to_contain_text("the bank mends it once approved")
    open_boxes(page, "number_not_recorded").first.check()
    recorded.get_by_role("button", name="Approve the chosen").click()
    expect(page.get_by_role("status")).to_contain_text("Mended by the bank: 1.")
    page.get_by_role("link", name="Go back").click()

    expect(open_boxes(page, "number_not_recorded")).to_have_count(UNNUMBERED - 1)
    recorded.locator("summary", has_text="Approve all of this kind").click()
    recorded.get_by_role("button", name="Approve all of them").click()
    expect(page.get_by_role("status")).to_contain_text(f"Mended by the bank: {UNNUMBERED - 1}.")
    expect(page.locator("tr[data-verdict=accepted]")).to_have_count(UNNUMBERED - 1)
    page.get_by_role("link", name="Go back").click()

    repeated = group(page, "number_twice")
    repeated.locator("[data-check-all] input").check()
    repeated.get_by_role("button", name="Approve the chosen").click()
    expect(page.get_by_role("status")).to_contain_text(f"Given out as tasks: {REPEATED}.")
    page.goto(f"{address}?state=mended")
    expect(page.locator("tr[data-state=mended]")).to_have_count(UNNUMBERED)
    expect(page.locator("main")).to_contain_text(f"approved by {colleague}")


def test_what_was_approved_is_followed_to_the_account(visit: Visit, colleague: str, compared: list[str]) -> None:
    page = visit(colleague)
    page.goto(f"{compared[0]}?kind=number_not_recorded")
    page.locator("td.differs").first.get_by_role("link", name="Account").click()
    expect(page.locator("main")).to_contain_text("Number recorded by reconciliation")


def test_the_next_comparison_goes_on_with_what_is_left_and_closes_the_rest(
    visit: Visit, colleague: str, compared: list[str]
) -> None:
    page = visit(colleague)
    page.goto(compared[0])
    page.get_by_role("button", name="Compare again").click()
    expect(page.locator("[data-figure=discrepancies] strong")).to_have_text(str(REPEATED + 1))
    expect(group(page, "number_not_recorded")).to_have_count(0)
    expect(group(page, "number_twice").locator("tr[data-state=tasked]")).not_to_have_count(0)  # goes on with the number
    page.goto(compared[0])
    expect(page.locator("tr[data-state=closed]")).to_have_count(UNNUMBERED)
    page.get_by_role("link", name=re.compile("^see comparison")).first.click()
    expect(page.locator("[data-figure=discrepancies] strong")).to_have_text(str(REPEATED + 1))


def test_the_sheets_hold_what_the_page_shows(visit: Visit, registry: Registry, compared: list[str]) -> None:
    page = visit("registry", "zh")
    page.goto(f"{compared[0]}?kind=number_not_recorded")
    with page.expect_download() as kept:
        page.get_by_role("link", name="XLSX").click()
    book = load_workbook(io.BytesIO(kept.value.path().read_bytes()))
    rows = [[str(cell) for cell in row] for row in book.worksheets[0].iter_rows(values_only=True)]
    assert [row[6] for row in rows[1:]] == registry.unnumbered
    with page.expect_download() as kept:
        page.get_by_role("link", name="CSV").click()
    lines = list(csv.reader(io.StringIO(kept.value.path().read_text(encoding="utf-8-sig"))))
    assert [row[6] for row in lines[1:]] == registry.unnumbered


def test_everything_is_compared_on_demand_and_followed_live(visit: Visit) -> None:
    page = visit("operator")
    page.goto("/reconciliations")
    page.get_by_role("button", name="Compare everything now").dblclick()
    expect(page.locator("main")).to_contain_text("Finished")
    expect(page.locator("h1")).to_contain_text("all that stands here")
    page.goto("/reconciliations")
    mine = page.locator("tbody tr[data-run]").filter(has_text="operator")
    expect(mine).to_have_count(1)


@pytest.mark.parametrize(("language", "word"), [("zh", "全部相符。"), ("en", "Everything agrees.")])
def test_a_report_that_agrees_says_so(
    visit: Visit, registry: Registry, tmp_path: Path, language: str, word: str
) -> None:
    agreeing = registry.file.read_text(encoding="utf-8-sig").splitlines()
    file = tmp_path / "agreeing.csv"
    file.write_text("\n".join([agreeing[0], agreeing[1 + UNNUMBERED]]), encoding="utf-8-sig")
    page = visit("registry", language)
    page.goto("/sheets")
    form = page.locator("form[action$='/creditbank/certificate-report']")
    form.locator("input[type=file]").set_input_files(file)
    form.locator("select[name=option-teo]").select_option(label=TEO_NAME)
    form.locator("summary").click()
    for name in ("issued_from", "issued_until"):
        form.locator(f"input[name=option-{name}]").fill(LONG_AGO)
    form.locator("button").click()
    page.locator("form[action$='/commit'] button").click()
    page.locator("main .notice a").click()
    page.locator("main .row a.button").click()
    expect(page.locator(".agrees h2")).to_have_text(word)


def test_headings_of_an_organisation_are_entered_and_read(visit: Visit) -> None:
    page = visit("registry")
    page.goto("/reconciliations")
    page.get_by_role("link", name="Column headings of reports").click()
    page.get_by_role("link", name=TEO_NAME).click()
    page.locator("input[name='证书编号']").fill("证号、证书流水号")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    expect(page.locator("input[name='证书编号']")).to_have_value("证号，证书流水号")
    page.locator("input[name='姓名']").fill("证号")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("证号")
    expect(page.locator("input[name='姓名']")).to_have_value("证号")


# --- every page of it -----------------------------------------------------------------------------
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "phone"])
def test_reconciliation_pages_fit_and_are_accessible(
    visit: Visit, colleague: str, compared: list[str], axe: str, size: dict[str, int]
) -> None:
    page = visit(colleague, "zh", size)
    page.goto("/reconciliations")
    report = page.locator("tr[data-report] a").first.get_attribute("href")
    teo = "/report-columns"
    for address in ("/reconciliations", compared[0], f"{compared[0]}?kind=number_twice", str(report), teo):
        page.goto(address)
        for summary in page.locator("main summary").all():
            summary.click()
        is_accessible(page, axe)
        fits_every_screen(page)
    page.get_by_role("link", name=TEO_NAME).click()
    is_accessible(page, axe)
    fits_every_screen(page)

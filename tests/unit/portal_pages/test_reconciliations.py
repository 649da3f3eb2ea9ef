"""The registry sees what does not agree, by kind, and approves one, several, or all of a kind."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.pages.reconciliations import MOST_AT_ONCE, SHOWN, SHOWN_OF_EACH, STAGES, STATES, chart_of
from portal.pages.report_columns import words_of
from portal.pages.words import WORDS
from services.creditbank.reconciliation.domain import Kind
from services.creditbank.reconciliation.remedies import REMEDIES, Party
from services.creditbank.reconciliation.runs import UNDER_WAY, Stage, State
from services.creditbank.reconciliation.schemas import (
    MOST_APPROVALS,
    CertificateReportSchema,
    DiscrepancySchema,
    ReconciliationSchema,
    ReportProfileSchema,
)
from tests.unit.portal_pages.colleges import Service, assessment
from tests.unit.portal_pages.comparisons import TEO, ReconcilingBank, discrepancy, report, run, task
from tests.unit.portal_pages.conftest import Enter, csrf_of, text_of

RUN = "/reconciliations/1"


def college() -> Service:
    found = assessment()
    found.answers["/teos"] = {"items": [{"teo": TEO, "name": "中联集团教育科技"}], "next": None}
    return found


def opened(enter: Enter, bank: ReconcilingBank, who: str = "mei", language: str = "en") -> FlaskClient:
    return enter(who, bank, language, assessment=college())


def sent(browser: FlaskClient, path: str, page: str = RUN, **form: Any) -> TestResponse:
    return browser.post(path, data={"csrf_token": csrf_of(browser.get(page)), **form})


def boxes(answer: TestResponse) -> list[str]:
    return re.findall(r'name="discrepancy" value="([^"]+)"', answer.get_data(as_text=True))


def verdicts(answer: TestResponse) -> dict[str, str]:
    page = answer.get_data(as_text=True)
    return dict(re.findall(r'<tr data-discrepancy="[0-9]+:0*(\d+)" data-verdict="([^"]+)"', page))


def test_the_tests_documents_are_as_the_bank_shows_them() -> None:
    assert ReconciliationSchema().validate(run()) == {}
    assert CertificateReportSchema().validate(report()) == {}
    assert DiscrepancySchema(many=True).validate([discrepancy(1), task(2)]) == {}
    assert ReportProfileSchema().validate(ReconcilingBank().profile) == {}
    assert MOST_AT_ONCE <= MOST_APPROVALS


def test_every_kind_state_stage_and_party_has_words_and_every_kind_says_what_mends_it() -> None:
    assert list(STATES) == [str(one) for one in State]
    assert list(STAGES) == [str(one) for one in UNDER_WAY]
    wanted = {f"discrepancy_{one}" for one in Kind} | {f"discrepancy_is_{one}" for one in State}
    wanted |= {f"stage_of_{one}" for one in Stage} | {f"party_{one}" for one in Party}
    assert wanted - set(WORDS) == set()
    assert set(REMEDIES) == set(Kind)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "zh",
            ("编号尚未登记", "批准后由学分银行登记该编号。", "批准后学分银行自动更正", "交由评价组织办理", "智能财税"),
        ),
        (
            "en",
            (
                "Number not on record here",
                "The bank puts the number on record.",
                "the bank mends it once approved",
                "a task for: the organisation",
                "SF1, which is not on record",
            ),
        ),
    ],
)
def test_what_differs_is_told_by_kind_with_what_mends_it(enter: Enter, language: str, words: tuple[str, ...]) -> None:
    page = text_of(opened(enter, ReconcilingBank(discrepancy(1), task(2)), language=language).get(RUN))
    for word in (*words, "POST assessment /somewhere", "中联集团教育科技"):
        assert word in page


def test_bars_are_as_long_as_their_kind_is_large_and_the_longest_comes_first() -> None:
    counts = [{"kind": "a", "count": 1}, {"kind": "b", "count": 1000}, {"kind": "c", "count": 500}]
    assert [(one["kind"], one["length"]) for one in chart_of(counts)] == [("b", 100), ("c", 50), ("a", 1)]
    assert chart_of([]) == []


@pytest.mark.parametrize(("language", "word"), [("zh", "全部相符"), ("en", "Everything agrees.")])
def test_where_nothing_differs_everything_agrees(enter: Enter, language: str, word: str) -> None:
    page = opened(enter, ReconcilingBank(), language=language).get(RUN)
    assert word in text_of(page)
    assert "300" in text_of(page)
    assert "/approvals" not in page.get_data(as_text=True)


def test_one_is_approved_and_its_verdict_stands_beside_it(enter: Enter) -> None:
    bank = ReconcilingBank(discrepancy(1), discrepancy(2), task(3))
    browser = opened(enter, bank)
    assert boxes(browser.get(RUN)) == [one["id"] for one in bank.found]
    told = sent(browser, f"{RUN}/approvals", kind="number_not_recorded", discrepancy=[bank.found[1]["id"]])
    assert verdicts(told) == {"2": "accepted"}
    assert "Mended by the bank: 1." in text_of(told)
    assert [one["state"] for one in bank.found] == ["open", "mended", "open"]
    again = sent(browser, f"{RUN}/approvals", kind="number_not_recorded", discrepancy=[bank.found[1]["id"]])
    assert verdicts(again) == {"2": "unchanged"}
    assert boxes(browser.get(RUN)) == [bank.found[0]["id"], bank.found[2]["id"]]


def test_all_of_a_kind_are_approved_and_what_is_refused_comes_first_with_its_reason(enter: Enter) -> None:
    many = [discrepancy(n) for n in range(1, SHOWN + 10)]
    bank = ReconcilingBank(*many, task(99), refusals={many[-1]["id"]: "This no longer stands."})
    told = sent(opened(enter, bank), f"{RUN}/approvals", kind="number_not_recorded", whole="1")
    assert next(iter(verdicts(told).items())) == (str(SHOWN + 9), "refused")
    assert "This no longer stands." in text_of(told)
    assert f"Mended by the bank: {SHOWN + 8}." in text_of(told)
    assert bank.found[-1]["state"] == "open", "of another kind"


def test_a_task_is_told_as_given_out(enter: Enter) -> None:
    bank = ReconcilingBank(task(1))
    told = sent(opened(enter, bank), f"{RUN}/approvals", kind="number_twice", discrepancy=[bank.found[0]["id"]])
    assert "Given out as tasks: 1." in text_of(told)
    assert "Mended by the bank" not in text_of(told)


def test_nothing_is_approved_without_a_choice_and_all_of_every_kind_never(enter: Enter) -> None:
    bank = ReconcilingBank(discrepancy(1))
    browser = opened(enter, bank)
    for form in ({"kind": "number_not_recorded"}, {"whole": "1"}):
        assert sent(browser, f"{RUN}/approvals", **form).status_code == 422
    assert bank.found[0]["state"] == "open"


def test_who_uploaded_the_report_is_offered_no_approval_and_told_why(enter: Enter) -> None:
    page = opened(enter, ReconcilingBank(discrepancy(1), report={"uploaded_by": "mei"})).get(RUN)
    assert boxes(page) == []
    assert "another person of the registry has to approve" in text_of(page)


def test_an_auditor_looks_and_a_department_does_not(enter: Enter) -> None:
    bank = ReconcilingBank(discrepancy(1))
    browser = opened(enter, bank, "liu")
    page = browser.get(RUN)
    assert boxes(page) == []
    assert "<button>Compare" not in page.get_data(as_text=True)
    assert browser.get("/reconciliations").status_code == 200
    assert sent(browser, f"{RUN}/approvals", discrepancy=[bank.found[0]["id"]]).status_code == 403
    assert opened(enter, bank, "dan").get("/reconciliations").status_code == 403


def test_a_kind_is_read_page_by_page_and_filters_stay(enter: Enter) -> None:
    bank = ReconcilingBank(*[discrepancy(n) for n in range(1, SHOWN + 10)], task(99, state="tasked"))
    browser = opened(enter, bank)
    assert len(boxes(browser.get(RUN))) == SHOWN_OF_EACH
    first = browser.get(f"{RUN}?kind=number_not_recorded&state=open")
    assert len(boxes(first)) == SHOWN
    assert f"cursor={SHOWN}" in first.get_data(as_text=True)
    assert '<option value="open" selected>' in first.get_data(as_text=True)
    rest = browser.get(f"{RUN}?kind=number_not_recorded&cursor={SHOWN}")
    assert len(boxes(rest)) == 9
    chosen = {"kind": "number_not_recorded", "cursor": str(SHOWN), "discrepancy": boxes(rest)[:2]}
    told = sent(browser, f"{RUN}/approvals", **chosen)
    assert list(verdicts(told).values()) == ["accepted"] * 2
    assert "SF51, which is not on record" in text_of(told)
    assert boxes(browser.get(f"{RUN}?state=tasked")) == []
    assert "No discrepancy fits" in text_of(browser.get(f"{RUN}?state=closed"))


def test_sheets_are_handed_on_as_filtered(enter: Enter) -> None:
    bank = ReconcilingBank(discrepancy(1))
    browser = opened(enter, bank)
    for form in ("xlsx", "csv"):
        answer = browser.get(f"{RUN}/discrepancies.{form}?state=open&other=1")
        assert f"reconciliation-1.{form}" in answer.headers["Content-Disposition"]
        assert bank.sent[-1] == (f"{RUN}/discrepancies.{form}", {"state": "open"})
    assert browser.get(f"{RUN}/discrepancies.pdf").status_code == 404


# --- comparisons and reports ----------------------------------------------------------------------
def test_a_comparison_is_started_and_followed_to_its_end(enter: Enter) -> None:
    bank = ReconcilingBank(run={"stage": "holdings", "report": None, "teo": None, "seen": 12, "finished_at": None})
    browser = opened(enter, bank)
    begun = sent(browser, "/reconciliations", "/reconciliations", key="once")
    assert begun.headers["Location"] == RUN
    assert bank.sent[-1] == ("/reconciliations", {"report": None})
    page = browser.get(RUN)
    assert f'data-live="{RUN}/live"' in page.get_data(as_text=True)
    assert "Comparing: results and holdings" in text_of(page)
    assert "the report's rows" not in text_of(page), "there is no report"
    assert browser.get(f"{RUN}/live").status_code == 200
    bank.run |= {"stage": "finished"}
    assert browser.get(f"{RUN}/live").headers["Location"] == RUN


def test_what_the_bank_refuses_to_compare_is_told_on_the_page(enter: Enter) -> None:
    refused = (409, {"status": 409, "code": "report_not_all_in", "detail": "Report 7 is not all in yet."})
    bank = ReconcilingBank(refusals={"/reconciliations": refused})
    told = sent(opened(enter, bank), "/reconciliations", "/reconciliations", report="7")
    assert (told.status_code, "Report 7 is not all in yet." in text_of(told)) == (409, True)
    assert bank.sent[-1][1] == {"report": 7}


def test_a_report_says_what_it_speaks_for_and_waits_visibly_for_its_comparison(enter: Enter) -> None:
    bank = ReconcilingBank(report={"run": None, "left_out": 2})
    browser = opened(enter, bank)
    page = browser.get("/certificate-reports/7")
    assert 'data-live="/certificate-reports/7/live"' in page.get_data(as_text=True)
    for word in ("2020-01-01 – 2020-12-31", "as stated when it was uploaded", "智能财税", "could not be taken: 2"):
        assert word in text_of(page)
    assert browser.get("/certificate-reports/7/live").status_code == 200
    bank.report["run"] = 1
    assert browser.get("/certificate-reports/7/live").headers["Location"] == "/certificate-reports/7"
    assert f'href="{RUN}"' in browser.get("/certificate-reports/7").get_data(as_text=True)


# --- columns --------------------------------------------------------------------------------------
def test_headings_are_entered_with_commas_of_any_kind(enter: Enter) -> None:
    bank = ReconcilingBank()
    browser = opened(enter, bank)
    assert "中联集团教育科技" in text_of(browser.get("/report-columns"))
    page = f"/report-columns/{TEO}"
    assert 'value="证号"' in browser.get(page).get_data(as_text=True)
    form = {"证书编号": "证号、 编号 ,证号", "姓名": " ", "left_out": "备注；班级"}
    kept = sent(browser, page, page, **form)
    assert kept.headers["Location"] == f"{page}?saved=1"
    assert bank.profile == {
        "columns": [{"column": "证书编号", "headers": ["证号", "编号"]}],
        "left_out": ["备注", "班级"],
    }
    assert words_of("，") == []


def test_a_heading_that_is_taken_is_told_and_what_was_entered_stays(enter: Enter) -> None:
    refused = (422, {"status": 422, "code": "report_header_taken", "detail": "'证号' is the header of another column."})
    bank = ReconcilingBank(refusals={f"/report-profiles/{TEO}": refused})
    page = f"/report-columns/{TEO}"
    told = sent(opened(enter, bank), page, page, 姓名="证号")
    assert (told.status_code, "is the header of another column" in text_of(told)) == (422, True)
    assert told.get_data(as_text=True).count('value="证号"') == 1

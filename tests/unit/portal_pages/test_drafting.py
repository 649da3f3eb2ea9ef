"""Proposals, conversion rules and policy documents are drafted in forms, where a refusal stands at its field."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from chassis.errors import GROUNDS
from chassis.web.client import Answered
from contracts.terms import CourseKind
from portal.pages import drafting, policies, proposals, proposing
from portal.pages.forms import ANYWHERE, at_fields, field_of
from portal.pages.words import WORDS
from services.creditbank.conversion import domain as conversion
from services.creditbank.conversion.schemas import ConversionRuleSchema, KeptPolicySchema, PolicySchema
from services.creditbank.proposals.domain import APPROVALS, Kind, State
from services.creditbank.proposals.schemas import ChangeSchema, ProposalSchema
from services.creditbank.recognition.schemas import PublishedRuleSchema
from tests.unit.portal_pages.colleges import DRAFTS, POLICY, PROPOSAL, Bank, Doc, Service, assessment
from tests.unit.portal_pages.conftest import Enter, csrf_of, text_of
from tests.unit.portal_pages.test_simulations import SIMULATION

PLACE = "smart-finance:2"
VERSION: Doc = {
    "version": 1,
    "credit_points": 400,
    "sessions_from": "2019-04-01",
    "sessions_until": "2022-12-31",
    "note": "",
    "policy": {"code": "measures", "title": "认定办法", "number": "1 号", "url": ""},
    "is_folklore_default": False,
    "retired_from": None,
}
NEWER = VERSION | {"version": 2, "credit_points": 500, "sessions_from": "2023-01-01", "sessions_until": "2025-12-31"}
WORTH: Doc = NEWER | {
    "scheme": "smart-finance", "kind": "certificate", "level": 2, "level_name": "中级", "versions": [NEWER, VERSION],
}  # fmt: skip
SIMULATED = copy.deepcopy(PROPOSAL)


def proposal(state: str = "simulated", **more: Any) -> Doc:
    return SIMULATED | {"state": state} | more


class DraftingBank(Bank):
    """Takes drafts; `one`: its proposal."""

    def __init__(self, one: Doc | None = None, refusals: Any = None) -> None:
        lists = {"recognition-rules": {"items": [WORTH], "next": None}}
        lists |= {"conversion-policies": {"items": [POLICY], "next": None}}
        super().__init__(refusals=refusals, **lists, **{"recognition-proposals/1": one or proposal()})

    def told(self, path: str, body: Any) -> Any:
        if path in self.refusals or path.startswith("/conversion-rules/"):
            return super().told(path, body)
        self.sent.append((path, body))
        return POLICY if path.startswith("/conversion-policies/") else PROPOSAL


def college() -> Service:
    found = assessment()
    found.answers["/schemes"]["items"][0]["levels"] = [1, 2, 3]
    return found


def opened(enter: Enter, bank: DraftingBank, who: str = "mei", language: str = "en") -> FlaskClient:
    return enter(who, bank, language, assessment=college())


def sent(browser: FlaskClient, path: str, page: str, form: Any) -> TestResponse:
    return browser.post(path, data=MultiDict([*MultiDict(form).items(multi=True), ("csrf_token", csrf(browser, page))]))


def csrf(browser: FlaskClient, page: str) -> str:
    return csrf_of(browser.get(page))


def refused(code: str, status: int = 422) -> tuple[int, Doc]:
    return status, {"status": status, "code": code, "detail": f"The bank says {code}."}


def refused_at(answer: TestResponse) -> dict[str, str]:
    """By field what is said there."""
    page = answer.get_data(as_text=True)
    return dict(re.findall(r'id="refused-([^"]+)" role="alert">([^<]+)<', page))


def deeds(answer: TestResponse) -> list[str]:
    return re.findall(r'data-deed="([^"]+)"', answer.get_data(as_text=True))


# --- the bank's own words -------------------------------------------------------------------------
def test_the_pages_know_the_banks_states_kinds_and_codes() -> None:
    assert list(proposals.STATES) == [str(one) for one in State]
    assert list(proposing.KINDS) == [str(one) for one in Kind]
    assert list(policies.STEPS) == [str(one) for one in conversion.REVIEW_STEPS]
    assert list(drafting.KINDS) == [str(one) for one in conversion.ExemptionKind]
    assert list(policies.COURSE_KINDS) == [str(one) for one in CourseKind]
    assert proposals.APPROVALS == APPROVALS
    said = {*proposing.PLACES, *drafting.PLACES, *policies.PLACES} - {"scheme", "level"}
    assert said - set(GROUNDS) == set()
    assert {f"course_is_{one}" for one in CourseKind} - set(WORDS) == set()


def test_the_tests_documents_are_as_the_bank_shows_them() -> None:
    assert PublishedRuleSchema().validate(WORTH) == {}
    assert ProposalSchema().validate(proposal()) == {}
    assert KeptPolicySchema().validate(POLICY) == {}


def test_a_refusal_finds_its_field_by_path_or_by_code() -> None:
    fields = {"place", "policy-code", "sessions_from", "targets"}
    assert field_of("version.policy.code", fields, {}) == "policy-code"
    assert field_of("version.level", fields, {"level": "place"}) == "place"
    assert field_of("targets.0.credit_points", fields, {}) == "targets"
    assert field_of("something.else", fields, {}) == ANYWHERE
    wrong = {"version.sessions_from": "Not a valid date.", "body": "Odd."}
    errors = [{"field": field, "detail": detail} for field, detail in wrong.items()]
    shape = Answered(422, {"code": "fields_invalid", "detail": "?", "errors": errors})
    assert at_fields(shape, fields, {}) == {"sessions_from": "Not a valid date.", ANYWHERE: "Odd."}
    assert at_fields(Answered(409, {"code": "x", "detail": "No."}), fields, {"x": "targets"}) == {"targets": "No."}
    assert at_fields(Answered(409, {"code": "y", "detail": "No."}), fields, {}) == {ANYWHERE: "No."}


# --- proposals ------------------------------------------------------------------------------------
FORM = {
    "kind": "version", "place": PLACE, "key": "k", "credit_points": "500", "sessions_from": "2026-01-01",
    "sessions_until": "2026-12-31", "policy-code": "measures", "policy-title": "办法", "policy-number": "2 号",
    "supersedes": ["2"], "note": "",
}  # fmt: skip


def test_what_is_worth_what_leads_to_a_proposal(enter: Enter) -> None:
    browser = opened(enter, DraftingBank(), language="zh")
    page = browser.get("/recognition")
    assert "智能财税" in text_of(page)
    assert f'href="/proposals/new?place={PLACE.replace(":", "%3A")}"' in page.get_data(as_text=True) or (
        f'href="/proposals/new?place={PLACE}"' in page.get_data(as_text=True)
    )
    form = browser.get(f"/proposals/new?place={PLACE}")
    assert '<option value="smart-finance:2" selected>智能财税 中级' in form.get_data(as_text=True)
    assert 'value="training.smart-finance:1"' in form.get_data(as_text=True)
    assert "2019-04-01 – 2022-12-31" in text_of(form)
    assert 'name="supersedes" value="2"' in form.get_data(as_text=True)


def test_a_version_is_proposed_as_the_bank_takes_it(enter: Enter) -> None:
    bank = DraftingBank()
    made = sent(opened(enter, bank), "/proposals", "/proposals/new", FORM)
    assert made.headers["Location"] == "/proposals/1?done=made"
    path, body = bank.sent[-1]
    assert path == "/recognition-proposals"
    assert ChangeSchema().validate(body) == {}
    assert (body["version"]["credit_points"], body["version"]["supersedes"]) == (500, [2])


TARGET = {"scheme": "smart-finance", "level": 2, "version": 2}


@pytest.mark.parametrize(
    ("kind", "form", "said"),
    [
        ("retirement", {"place": PLACE, "version": "1", "retired_from": "2022-01-01"}, {"version": 1}),
        ("rerate", {f"to-{PLACE}": "2", "to-other:1": ""}, {"targets": [TARGET]}),
    ],
)
def test_a_retirement_and_a_rerate_are_proposed(enter: Enter, kind: str, form: Doc, said: Doc) -> None:
    bank = DraftingBank()
    sent(opened(enter, bank), "/proposals", f"/proposals/new?kind={kind}&place={PLACE}", {"kind": kind} | form)
    body = bank.sent[-1][1]
    assert ChangeSchema().validate(body) == {}
    assert said.items() <= body[kind].items()


@pytest.mark.parametrize(
    ("code", "field"),
    [("rule_without_end", "sessions_until"), ("rule_overlaps", "supersedes"), ("rule_without_policy", "policy-code")],
)
def test_what_the_bank_refuses_stands_at_its_field_and_the_form_stays_filled(
    enter: Enter, code: str, field: str
) -> None:
    bank = DraftingBank(refusals={"/recognition-proposals": refused(code)})
    told = sent(opened(enter, bank), "/proposals", "/proposals/new", FORM)
    assert told.status_code == 422
    assert refused_at(told) == {field: f"The bank says {code}."}
    page = told.get_data(as_text=True)
    assert 'value="500"' in page
    assert re.search(r'name="supersedes" value="2" checked', page)
    if field != "supersedes":
        assert re.search(rf'name="{field}"[^>]*aria-invalid="true" aria-describedby="refused-{field}"', page)


def test_a_refusal_of_no_field_stands_above_the_form(enter: Enter) -> None:
    bank = DraftingBank(refusals={"/recognition-proposals": refused("proposal_of_one_kind")})
    told = sent(opened(enter, bank), "/proposals", "/proposals/new", FORM)
    assert (refused_at(told), "The bank says proposal_of_one_kind." in text_of(told)) == ({}, True)


def test_a_proposal_is_edited_from_what_it_says(enter: Enter) -> None:
    said = {"scheme": "smart-finance", "level": 2, "credit_points": 450, "sessions_from": "2026-01-01",
            "sessions_until": "2026-12-31", "policy": VERSION["policy"], "note": "n", "supersedes": [2]}  # fmt: skip
    bank = DraftingBank(proposal(kind="version", rerate=None, version=said))
    browser = opened(enter, bank)
    page = browser.get("/proposals/1/edit").get_data(as_text=True)
    for value in ("450", "2026-12-31", "认定办法", "1 号"):
        assert f'value="{value}"' in page
    assert re.search(r'name="supersedes" value="2" checked', page)
    kept = sent(browser, "/proposals/1/edit", "/proposals/1/edit", FORM)
    assert kept.headers["Location"] == "/proposals/1?done=edited"
    assert bank.sent[-1][0] == "/recognition-proposals/1"


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        ("draft", ["simulation", "withdrawal"]),
        ("simulating", ["withdrawal"]),
        ("simulated", ["approval", "simulation", "withdrawal"]),
        ("approved", ["enactment", "simulation", "withdrawal"]),
        ("under_way", []),
        ("carried_out", []),
        ("withdrawn", []),
    ],
)
def test_what_the_state_allows_is_offered_and_nothing_else(enter: Enter, state: str, offered: list[str]) -> None:
    done = {"by": "li", "at": "2021-03-01T01:00:00+00:00", "ended_at": None, "version": 0, "moved": 3, "rounds": 0}
    one = proposal(state, enactment=done if state in {"under_way", "carried_out"} else None)
    page = opened(enter, DraftingBank(one)).get("/proposals/1")
    assert deeds(page) == offered
    assert ("data-live" in page.get_data(as_text=True)) == (state in proposals.BUSY)
    assert ("/proposals/1/edit" in page.get_data(as_text=True)) == bool(offered)


def test_who_has_approved_leaves_it_to_another_and_an_auditor_only_looks(enter: Enter) -> None:
    by_mei = {"by": "mei", "at": "2021-03-01T01:00:00+00:00", "simulation": 1}
    bank = DraftingBank(proposal(approvals=[by_mei]))
    page = opened(enter, bank).get("/proposals/1")
    assert "approval" not in deeds(page)
    assert "Approved by 1 of 2." in text_of(page)
    assert "another person has to" in text_of(page)
    auditor = opened(enter, bank, "liu")
    assert deeds(auditor.get("/proposals/1")) == []
    assert auditor.get("/proposals/new").status_code == 403


@pytest.mark.parametrize(
    ("deed", "path", "body"),
    [
        ("approvals", "/recognition-proposals/1/approvals", {"simulation": 1}),
        ("enactment", "/recognition-proposals/1/enactment", None),
        ("withdrawal", "/recognition-proposals/1", None),
    ],
)
def test_deeds_are_handed_on_and_refusals_told_on_the_page(enter: Enter, deed: str, path: str, body: Any) -> None:
    bank = DraftingBank()
    browser = opened(enter, bank)
    done = sent(browser, f"/proposals/1/{deed}", "/proposals/1", {"simulation": "1"})
    assert done.headers["Location"].startswith("/proposals/1?done=")
    assert bank.sent[-1] == (path, body)
    assert browser.get(done.headers["Location"]).status_code == 200
    bank.refusals[path] = refused("proposal_not_approved", 409)
    told = sent(browser, f"/proposals/1/{deed}", "/proposals/1", {"simulation": "1"})
    assert (told.status_code, "The bank says proposal_not_approved." in text_of(told)) == (409, True)


def test_a_busy_proposal_is_followed_until_it_is_through(enter: Enter) -> None:
    bank = DraftingBank(proposal("simulating", simulation=SIMULATED["simulation"] | {"finished_at": None}))
    browser = opened(enter, bank)
    assert "300 of about 300" in text_of(browser.get("/proposals/1/live"))
    bank.more["/recognition-proposals/1"] = proposal()
    assert browser.get("/proposals/1/live").headers["Location"] == "/proposals/1"


# --- conversion rules -----------------------------------------------------------------------------
RULE = [
    ("code", "new-rule"), ("policy", "measures"), ("programme", "630302"), ("entry_year", "2019"),
    ("scheme", "smart-finance"), ("levels", "1"), ("levels", "2"), ("valid_from", "2026-01-01"),
    ("valid_until", "2026-12-31"), ("target", "KJ2130/KJ2130-2=200"), ("points", ""), ("exemption", "exam"),
    ("grade", "80"), ("target", ""), ("points", ""), ("exemption", "course"), ("grade", "免修"),
]  # fmt: skip
NEW = "/rules/new?programme=630302&entry_year=2019"


def test_a_rule_is_drafted_from_the_curriculum(enter: Enter) -> None:
    bank = DraftingBank()
    browser = opened(enter, bank)
    form = browser.get(NEW).get_data(as_text=True)
    assert '<option value="KJ2130/KJ2130-2=200">KJ2130 税务会计 · KJ2130-2 个税核算 (200)</option>' in form
    kept = sent(browser, "/rules/new", NEW, RULE)
    assert kept.headers["Location"] == "/rules/new-rule?done=draft&version=3"
    path, body = bank.sent[-1]
    assert path == "/conversion-rules/new-rule"
    assert ConversionRuleSchema().validate(body) == {}
    assert body["levels"] == [1, 2]
    [target] = body["targets"]
    assert target == {"course": "KJ2130", "module": "KJ2130-2", "credit_points": 200, "grade": "80", "kind": "exam"}


@pytest.mark.parametrize(
    ("code", "field"),
    [
        ("conversion_policy_unknown", "policy"),
        ("conversion_rules_overlap", "targets"),
        ("conversion_ends_before_it_begins", "valid_until"),
    ],
)
def test_a_refused_rule_keeps_its_form_with_the_reason_at_the_field(enter: Enter, code: str, field: str) -> None:
    status = GROUNDS[code].status
    bank = DraftingBank(refusals={"/conversion-rules/new-rule": refused(code, status)})
    told = sent(opened(enter, bank), "/rules/new", NEW, RULE)
    assert (told.status_code, refused_at(told)) == (status, {field: f"The bank says {code}."})
    assert '<option value="KJ2130/KJ2130-2=200" selected>' in told.get_data(as_text=True)


def test_the_next_version_begins_with_what_the_latest_says_and_a_code_is_not_taken_twice(enter: Enter) -> None:
    bank = DraftingBank()
    browser = opened(enter, bank)
    page = browser.get("/rules/smart-finance-2/draft").get_data(as_text=True)
    assert '<option value="KJ2120/=400" selected>' in page
    assert f'value="{DRAFTS[0]["valid_until"]}"' in page
    assert sent(browser, "/rules/smart-finance-2/draft", NEW, RULE).status_code == 302
    again = sent(browser, "/rules/new", NEW, [("code", "smart-finance-2"), *RULE[1:]])
    assert (again.status_code, list(refused_at(again))) == (409, ["code"])
    assert enter("liu", bank).get("/rules/new").status_code == 403


def test_without_a_curriculum_codes_and_points_are_written(enter: Enter) -> None:
    bank = DraftingBank()
    browser = opened(enter, bank)
    page = "/rules/new?programme=999999&entry_year=2019"
    assert 'name="points" value="" inputmode="numeric"' in browser.get(page).get_data(as_text=True)
    form = MultiDict([*RULE[:9], ("target", "A1/A1-2"), ("points", "100"), ("exemption", "course"), ("grade", "")])
    sent(browser, "/rules/new", page, form)
    assert bank.sent[-1][1]["targets"][0] == {
        "course": "A1", "module": "A1-2", "credit_points": 100, "grade": "免修", "kind": "course",
    }  # fmt: skip


def test_a_draft_is_approved_once_it_was_simulated_by_whoever_looked_at_that(enter: Enter) -> None:
    bank = DraftingBank()
    bank.more["/conversion-rules/smart-finance-2"] = [DRAFTS[0] | {"approved_by": []}, *DRAFTS[1:]]
    browser = opened(enter, bank)
    approving = "/rules/smart-finance-2/versions/3/approve"
    for state, is_offered in (("running", False), ("void", False), ("finished", True)):
        bank.more["/conversion-simulations"] = {"items": [SIMULATION | {"state": state}], "next": None}
        page = browser.get("/rules/smart-finance-2").get_data(as_text=True)
        assert (f'action="{approving}"' in page) == is_offered, state
        assert 'href="/simulations/rule/smart-finance-2/3"' in page
    sent(browser, approving, "/rules/smart-finance-2", {"simulation": "7"})
    assert bank.sent[-1] == ("/conversion-rules/smart-finance-2/versions/3/approval?simulation=7", None)


# --- policy documents -----------------------------------------------------------------------------
DOCUMENT = [
    ("code", "new-measures"), ("title", "管理办法"), ("number", ""), ("issued_on", "2026-01-01"),
    ("valid_from", "2026-01-01"), ("valid_until", "2026-12-31"), ("most_points_per_certificate", "800"),
    ("offer_days", "3"), ("appeal_days", "5"), ("appeal_review_days", "5"),
    ("undo_minutes", "30"), ("credit_years", "0"), ("step-department", ""),
    ("step-registry", "5"), ("step-teo", ""), ("step-bank", "2"), ("window-term", "2025-2026-2"),
    ("window-opens_on", "2026-03-01"), ("window-closes_on", "2026-03-12"), ("window-term", ""),
    ("window-opens_on", ""), ("window-closes_on", ""), ("share-category", "继续教育"), ("share-percent", "50"),
    ("share-departments", "继续教育学院，财会学院"), ("never_exempt_kinds", "practice"),
]  # fmt: skip


def test_a_document_is_drafted_as_the_bank_takes_it(enter: Enter) -> None:
    bank = DraftingBank()
    kept = sent(opened(enter, bank), "/policies/new", "/policies/new", DOCUMENT)
    assert kept.headers["Location"] == "/policies/new-measures?done=draft&version=1"
    body = bank.sent[-1][1]
    assert PolicySchema().validate(body) == {}
    assert [one["step"] for one in body["steps"]] == ["registry", "bank"]
    assert len(body["windows"]) == 1
    assert body["shares"][0]["departments"] == ["继续教育学院", "财会学院"]


def test_a_document_shows_its_versions_and_what_may_be_done_next(enter: Enter) -> None:
    bank = DraftingBank()
    drafted = POLICY | {"version": 2, "state": "draft", "approved_by": ["li"]}
    bank.more["/conversion-policies/measures"] = [drafted, POLICY]
    browser = opened(enter, bank)
    assert "学分转换管理办法" in text_of(browser.get("/policies"))
    bare = browser.get("/policies/measures")
    assert 'action="/policies/' not in bare.get_data(as_text=True), "what was not simulated is not approved"
    assert "It was not simulated yet." in text_of(bare)
    bank.more["/conversion-simulations"] = {"items": [SIMULATION], "next": None}
    page = browser.get("/policies/measures")
    assert re.findall(r'action="(/policies/[^"]+)"', page.get_data(as_text=True)) == [
        "/policies/measures/versions/2/approve"
    ]
    assert 'name="simulation" value="7"' in page.get_data(as_text=True)
    done = sent(browser, "/policies/measures/versions/2/approve", "/policies/measures", {"simulation": "7"})
    assert done.headers["Location"] == "/policies/measures?done=approve&version=2"
    assert bank.sent[-1] == ("/conversion-policies/measures/versions/2/approval?simulation=7", None)
    bank.refusals["/conversion-policies/measures/versions/2/publication"] = refused(
        "conversion_policy_not_in_state", 409
    )
    told = sent(browser, "/policies/measures/versions/2/publish", "/policies/measures", {})
    assert (told.status_code, "The bank says conversion_policy_not_in_state." in text_of(told)) == (409, True)


def test_a_refused_document_keeps_its_rows_with_the_reason_at_them(enter: Enter) -> None:
    bank = DraftingBank(refusals={"/conversion-policies/new-measures": refused("policy_windows_wrong")})
    told = sent(opened(enter, bank), "/policies/new", "/policies/new", DOCUMENT)
    assert refused_at(told) == {"windows": "The bank says policy_windows_wrong."}
    for value in ("2025-2026-2", "继续教育", "50"):
        assert f'value="{value}"' in told.get_data(as_text=True)


def test_the_next_version_of_a_document_begins_with_what_the_latest_says(enter: Enter) -> None:
    page = opened(enter, DraftingBank()).get("/policies/measures/draft").get_data(as_text=True)
    assert 'value="2020-2021-2"' in page
    assert re.search(r'name="step-registry" type="text" value="5"', page)

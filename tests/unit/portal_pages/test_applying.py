"""A learner sees what the credits buy, applies once, and reads how each application stands and why."""

from __future__ import annotations

import html
import re

import pytest

from chassis.clock import today
from portal.pages.options import facts_of, in_force, options, window_of
from portal.pages.words import WORDS
from services.creditbank.conversion.applications import State
from services.creditbank.conversion.domain import ExemptionKind, Step
from services.creditbank.conversion.schemas import ApplicationSchema, KeptPolicySchema, KeptRuleSchema
from services.creditbank.ledger.domain import ACCOUNT_FROZEN
from services.creditbank.ledger.schemas import AccountSchema, EntrySchema
from services.creditbank.why.domain import CAUSES, Kind
from services.creditbank.why.schemas import WhySchema
from services.enrolment.learners.schemas import StudentRecordSchema
from services.enrolment.programmes.schemas import CurriculumSchema
from tests.unit.portal_pages.colleges import (
    APPEAL,
    BECAUSE,
    CHAIN,
    CURRICULUM,
    ENTRY,
    OFFER,
    POLICY,
    RECORD,
    RULES,
    Bank,
    Doc,
    account,
    application,
    result,
    target,
)
from tests.unit.portal_pages.conftest import Enter, csrf_of, text_of

WISH = {"rule": "smart-finance-2", "course": "KJ2130", "module": ""}
CURRICULA = {("630302", 2019): CURRICULUM}


def standings(**more: object) -> dict[str, str]:
    """How each target stands, for a learner with two final levels and 400 points."""
    given: Doc = {"account": account(), "results": [result(1), result(2)], "courses": [], "applications": []} | more
    day = in_force(RULES, today())
    windows = {"measures": window_of(given.pop("policy", POLICY), today())}
    found = options(day, CURRICULA, windows, facts_of(**given))
    return {one.target["module"] or one.target["course"]: one.standing for one in found}


def test_the_tests_college_is_as_the_services_show_it() -> None:
    assert ApplicationSchema().validate(application(offer=OFFER, because=BECAUSE, appeal=APPEAL)) == {}
    assert KeptRuleSchema(many=True).validate(RULES) == {}
    assert KeptPolicySchema().validate(POLICY) == {}
    assert AccountSchema().validate(account()) == {}
    assert EntrySchema().validate(ENTRY) == {}
    assert WhySchema().validate(CHAIN) == {}
    assert set(StudentRecordSchema().fields) == set(RECORD)
    assert CurriculumSchema().validate(CURRICULUM) == {}


def test_states_steps_kinds_links_and_entries_have_words() -> None:
    wanted = {f"conversion_{one}" for one in State} | {f"step_{one}" for one in Step}
    wanted |= {f"kind_of_{one}" for one in ExemptionKind} | {f"link_{one}" for one in Kind} | set(CAUSES)
    assert wanted - set(WORDS) == set()


def test_what_credits_buy_is_listed_with_what_is_in_the_way() -> None:
    assert standings() == {"KJ2101": "open", "KJ2130": "open", "KJ2130-2": "open", "KJ2120": "level"}
    assert standings(results=None)["KJ2120"] == "level"
    assert standings(results=[result(2, "publicised")])["KJ2130"] == "coming"
    assert standings(account=account(200))["KJ2130"] == "points"
    assert standings(account=account(200, 200))["KJ2130"] == "coming"
    provisional = {"results": [result(1), result(2, "publicised")], "account": account(0, 200)}
    assert standings(**provisional)["KJ2130"] == "short", "it is filed all the same, and judged once it is final"
    assert standings(**provisional, policy=POLICY | {"windows": []})["KJ2130"] == "closed"
    assert standings(account=account(is_frozen=True))["KJ2101"] == "frozen"
    assert standings(policy=POLICY | {"windows": []})["KJ2101"] == "closed"
    assert standings(courses=[{"course": "KJ2101", "passed": True, "is_withdrawn": False}])["KJ2101"] == "passed"


def test_an_application_is_in_the_way_of_its_course_and_every_module_of_it() -> None:
    assert standings(applications=[application()])["KJ2130-2"] == "asked"
    assert standings(applications=[application(state="withdrawn")])["KJ2130-2"] == "open"


@pytest.mark.parametrize(("language", "name", "apply"), [("zh", "税务会计", "申请"), ("en", "税务会计", "Apply")])
def test_she_applies_in_three_taps_and_a_double_tap_sends_twice(
    enter: Enter, language: str, name: str, apply: str
) -> None:
    bank = Bank()
    browser = enter("ann", bank, language)
    page = browser.get("/account")
    links = re.findall(r'href="(/account/apply[^"]+)"', page.get_data(as_text=True))
    assert name in text_of(page)
    assert apply in text_of(page)
    confirm = browser.get(html.unescape(links[0]))
    assert (confirm.status_code, bank.applications) == (200, {})
    form = WISH | {"csrf_token": csrf_of(confirm)}
    first, second = (browser.post("/account/apply", data=form) for _ in range(2))
    assert first.status_code == second.status_code == 302
    assert first.headers["Location"] == second.headers["Location"]
    assert len(bank.applications) == 1
    after = text_of(browser.get(first.headers["Location"]))
    assert {"zh": "申请已提交", "en": "Your application is filed"}[language] in after
    assert {"zh": "正在由院系审核", "en": "Under review: department"}[language] in after


def test_a_refusal_is_a_sentence_where_it_was_asked(enter: Enter) -> None:
    problem = {"status": 409, "code": ACCOUNT_FROZEN.code, "detail": "The account is frozen."}
    bank = Bank(refusals={"/accounts/ann/conversion-applications": (409, problem)})
    browser = enter("ann", bank)
    page = browser.post("/account/apply", data=WISH | {"csrf_token": csrf_of(browser.get("/account"))})
    assert page.status_code == 409
    assert "The account is frozen." in text_of(page)
    assert "Confirm your application" in text_of(page)


@pytest.mark.parametrize(
    ("more", "zh", "en"),
    [
        ({"state": "waiting", "step": None, "due_on": None}, "等待成绩生效", "waits for your final result"),
        ({"due_on": None}, "正在由院系审核。", "Under review: department."),
        ({"due_on": "2099-01-04"}, "最迟 2099-01-04", "until 2099-01-04 at the latest"),
        ({"state": "granted", "step": "registry"}, "已批准", "Granted"),
        ({"state": "refused", "because": BECAUSE}, "暂不批准。", "Not yet."),
        ({"state": "withdrawn"}, "您已撤回", "You withdrew it"),
        ({"state": "fallen", "because": BECAUSE}, "暂不批准。", "Not yet."),
    ],
)
def test_how_it_stands_is_said_in_words(enter: Enter, more: Doc, zh: str, en: str) -> None:
    bank = Bank(application(**more))
    assert zh in text_of(enter("ann", bank, "zh").get("/account"))
    assert en in text_of(enter("ann", bank, "en").get("/account"))


def test_an_offer_is_shown_and_accepted_until_its_day(enter: Enter) -> None:
    refused = application(state="refused", because=BECAUSE, offer=OFFER, is_released=True)
    bank = Bank(
        refused, application("old", **refused | {"application": "old", "offer": OFFER | {"until": "2020-01-01"}})
    )
    browser = enter("ann", bank)
    page = browser.get("/account")
    assert f"Accept until {OFFER['until']}" in text_of(page)
    assert page.get_data(as_text=True).count("Accept the offer") == 1
    done = browser.post("/account/applications/a1/offer", data={"csrf_token": csrf_of(page)})
    assert done.headers["Location"] == "/account?done=accepted#application-a1"
    assert bank.sent[-1][0] == "/conversion-applications/a1/offer"


def test_an_application_is_withdrawn_and_a_late_one_is_told_why_not(enter: Enter) -> None:
    problem = {"status": 409, "code": "application_decided", "detail": "It can't be withdrawn any more."}
    late = "/conversion-applications/late/withdrawal"
    browser = enter("ann", Bank(application(), application("late"), refusals={late: (409, problem)}))
    form = {"csrf_token": csrf_of(browser.get("/account"))}
    done = browser.post("/account/applications/a1/withdrawal", data=form)
    assert "Your application is withdrawn" in text_of(browser.get(done.headers["Location"]))
    told = browser.post("/account/applications/late/withdrawal", data=form)
    assert told.status_code == 409
    assert "It can't be withdrawn any more." in text_of(told)
    assert "Entries" in text_of(told)


def test_without_enrolment_the_account_is_shown_and_options_are_said_to_be_missing(enter: Enter) -> None:
    class Away(Bank):
        def answer(self, path: str, query: dict[str, str]) -> tuple[int, object]:
            return 503, {"status": 503}

    page = enter("ann", Bank(application()), enrolment=Away()).get("/account")
    assert page.status_code == 200
    assert "Enrolment does not answer" in text_of(page)
    assert "KJ2130" in text_of(page)


@pytest.mark.parametrize("asked", ["", "?entry=1", "?application=a1"])
def test_why_is_a_chain_of_sentences_with_a_signed_proof(enter: Enter, asked: str) -> None:
    browser = enter("ann", Bank(application()), "zh")
    page = browser.get("/account/why" + asked)
    kinds = re.findall(r'data-kind="(\w+)"', page.get_data(as_text=True))
    assert kinds == ["score", "entry"]
    assert CHAIN["chain"][1]["text"] in text_of(page)
    proof = browser.get("/account/why.json" + asked)
    assert proof.json == CHAIN
    assert "attachment" in proof.headers["Content-Disposition"]


def test_staff_read_why_and_the_applications_on_an_account(enter: Enter) -> None:
    browser = enter("mei", Bank(application(target=target("KJ2101", 200))))
    page = browser.get("/learners/ann/account")
    assert "财务大数据基础" in text_of(page)
    assert "What your credits can buy" not in text_of(page)
    assert "Withdraw" not in text_of(page)
    assert '/learners/ann/why?application=a1"' in page.get_data(as_text=True)
    assert browser.get("/learners/ann/why?application=a1").status_code == 200


def test_a_refusal_is_appealed_with_a_reason_until_its_last_day(enter: Enter) -> None:
    last = f"{today().year + 1}-01-09"
    one = application(state="refused", is_released=True, because=BECAUSE, may_be_appealed=True, appeal_until=last)
    bank = Bank(one)
    browser = enter("ann", bank)
    page = browser.get("/account")
    assert last in text_of(page)
    assert 'name="reason"' in page.get_data(as_text=True)
    form = {"csrf_token": csrf_of(page), "reason": " It is taught from the same book. "}
    headers = {"Referer": "http://localhost/account"}
    answer = browser.post("/account/applications/a1/appeal", data=form, headers=headers)
    assert answer.status_code == 302
    assert bank.sent[-1] == ("/conversion-applications/a1/appeal", {"reason": "It is taught from the same book."})
    assert "done=appealed" in answer.headers["Location"]


def test_an_appeal_that_is_open_says_so_and_is_not_filed_again(enter: Enter) -> None:
    page = enter("ann", Bank(application(step="appeal", appeal=APPEAL)), "en").get("/account")
    assert "Your appeal is with another person" in text_of(page)
    assert APPEAL["reason"] in text_of(page)
    assert 'name="reason"' not in page.get_data(as_text=True)

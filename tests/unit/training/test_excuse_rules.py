"""Modules of trainings and excuse rules: what is refused, who decides, and that what is published stays as it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

import pytest

from chassis.errors import Refusal
from contracts.terms import Level
from services.training.modules.commands import approve_rule, draft_rule, publish_rule, put_module, retire_rule
from services.training.modules.domain import ExcuseRule, RuleState, TrainingModule
from services.training.modules.queries import modules_page, rule_versions
from tests.unit.training.excusing import LEVEL, MODULE, SCHEME, College, at_once, published, rule

pytestmark = pytest.mark.usefixtures("mongo")


@pytest.fixture(autouse=True)
def college(mongo: str) -> College:
    return College().founded()


def refusal(deed: Any) -> str:
    with pytest.raises(Refusal) as refused:
        deed()
    for language in ("zh", "en"):
        assert "{" not in refused.value.sentence(language)  # type: ignore[arg-type]
    return refused.value.code


def test_a_module_is_entered_listed_and_put_right() -> None:
    put_module(TrainingModule(SCHEME, LEVEL, MODULE, "纳税申报与筹划", 20))
    put_module(TrainingModule(SCHEME, LEVEL, MODULE, "纳税申报与筹划", 20))
    found = modules_page({"scheme": SCHEME}, "", 10)
    assert [(one.code, one.name, one.class_hours) for one in found] == [
        ("ledger", "智能记账", 12), (MODULE, "纳税申报与筹划", 20),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"scheme": "nothing"}, "scheme_unknown"),
        ({"level": Level.ADVANCED}, "level_not_offered"),
        ({"level": 7}, "level_not_offered"),
        ({"code": "税"}, "training_module_code_malformed"),
    ],
)
def test_a_module_of_what_is_not_is_refused(changes: dict[str, Any], code: str) -> None:
    module = replace(TrainingModule(SCHEME, LEVEL, MODULE, "纳税申报", 16), **changes)
    assert refusal(partial(put_module, module)) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"basis": " "}, "excuse_rule_without_basis"),
        ({"valid_until": date(2019, 8, 31)}, "excuse_rule_ends_before_it_begins"),
        ({"scheme": "nothing"}, "scheme_unknown"),
        ({"level": Level.ADVANCED}, "level_not_offered"),
        ({"level": Level.INTERMEDIATE}, "training_module_unknown"),
        ({"module": "law"}, "training_module_unknown"),
        ({"course": "KJ9999"}, "excuse_course_not_taught"),
        ({"entry_year": 2020}, "excuse_course_not_taught"),
        ({"programme": "560301"}, "excuse_course_not_taught"),
        ({"code": "税"}, "excuse_rule_code_malformed"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(changes: dict[str, Any], code: str) -> None:
    assert refusal(partial(draft_rule, replace(rule(), **changes), "li")) == code


def test_a_rule_is_in_force_when_two_people_approved_it() -> None:
    draft = draft_rule(rule(), "li")
    assert (draft.version, draft.state) == (1, RuleState.DRAFT)
    assert refusal(partial(publish_rule, draft.code, 1)) == "excuse_rule_not_in_state"
    approve_rule(draft.code, 1, "li")
    assert refusal(partial(approve_rule, draft.code, 1, "li")) == "excuse_rule_approved_by_you"
    assert refusal(partial(publish_rule, draft.code, 1)) == "excuse_rule_not_in_state"
    assert approve_rule(draft.code, 1, "mei").state == RuleState.APPROVED
    assert publish_rule(draft.code, 1).state == RuleState.PUBLISHED
    assert refusal(partial(approve_rule, draft.code, 1, "mei")) == "excuse_rule_not_in_state"
    assert retire_rule(draft.code, 1).state == RuleState.RETIRED
    assert refusal(partial(retire_rule, draft.code, 1)) == "excuse_rule_not_in_state"


def test_another_wording_of_a_draft_has_to_be_approved_anew() -> None:
    draft_rule(rule(), "li")
    approve_rule("tax-by-course", 1, "li")
    again = draft_rule(rule(least_mark=80), "li")
    assert (again.version, again.approved_by, again.state) == (1, (), RuleState.DRAFT)


def test_what_is_published_is_never_changed_but_followed_by_another_version() -> None:
    first = published()
    assert draft_rule(rule(), "li") == first, "the same again changes nothing"
    second = draft_rule(rule(least_mark=90), "li")
    assert (second.version, rule_versions(first.code)[-1]) == (2, first)
    approve_rule(first.code, 2, "li")
    approve_rule(first.code, 2, "mei")
    publish_rule(first.code, 2)
    newest, oldest = rule_versions(first.code)
    assert (newest.state, newest.least_mark, oldest.state) == (RuleState.PUBLISHED, 90, RuleState.RETIRED)
    assert oldest.content() == first.content()


@pytest.mark.parametrize(
    ("changes", "overlaps"),
    [
        ({}, True),
        ({"valid_from": date(2025, 8, 31), "valid_until": date(2030, 1, 1)}, True),
        ({"valid_from": date(2025, 9, 1), "valid_until": date(2030, 1, 1)}, False),
        ({"course": "KJ2101"}, False),
        ({"module": "ledger"}, False),
    ],
)
def test_two_rules_do_not_say_the_same_of_a_day(changes: dict[str, Any], overlaps: bool) -> None:
    published()
    second = replace(rule("another"), **changes)
    if overlaps:
        assert refusal(partial(draft_rule, second, "li")) == "excuse_rules_overlap"
    else:
        assert draft_rule(second, "li").state == RuleState.DRAFT


def test_a_rule_is_judged_again_when_it_is_published() -> None:
    for code in ("one", "two"):
        draft_rule(rule(code), "li")
        approve_rule(code, 1, "li")
        approve_rule(code, 1, "mei")
    publish_rule("one", 1)
    assert refusal(partial(publish_rule, "two", 1)) == "excuse_rules_overlap"
    retire_rule("one", 1)
    assert publish_rule("two", 1).state == RuleState.PUBLISHED


def test_of_two_overlapping_rules_published_at_once_one_is_refused(tries: int) -> None:
    for number in range(min(tries, 50)):
        days = {"valid_from": date(2021 + number, 1, 1), "valid_until": date(2021 + number, 12, 31)}
        codes = [f"{word}-{number}" for word in ("one", "two")]
        for code in codes:
            draft_rule(rule(code, **days), "li")
            approve_rule(code, 1, "li")
            approve_rule(code, 1, "mei")
        ended: list[str] = []
        at_once(*(partial(_publish, code, ended) for code in codes))
        assert sorted(ended) == ["excuse_rules_overlap", "published"]


def _publish(code: str, ended: list[str]) -> None:
    try:
        ended.append(str(publish_rule(code, 1).state))
    except Refusal as refused:
        ended.append(refused.code)


def test_a_rule_covers_the_terms_whose_marks_are_given_out_on_its_days() -> None:
    one: ExcuseRule = rule(valid_from=date(2021, 1, 1), valid_until=date(2021, 6, 1))
    covered = {term: one.covers(term) for term in ("2019-2020-2", "2020-2021-1", "2020-2021-2", "2021-2022-1")}
    assert covered == {"2019-2020-2": False, "2020-2021-1": True, "2020-2021-2": True, "2021-2022-1": False}

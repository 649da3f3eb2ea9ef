"""What a pass rule makes of marks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Refusal
from contracts.terms import Level, Verdict
from services.assessment.catalogue.domain import EachPart, Weighted, check_rules, rule_for
from services.assessment.results.domain import Judgement, Marks, Remark, Result, State, judge
from tests.unit.assessment.stories import AS_OF, CARE, CARE_TEO, EACH, FINANCE, WEIGHTED

SCORES = st.integers(0, 100)
SESSION = date(2020, 11, 21)
SAT = (SESSION, 1)


def earlier(
    theory: int | None, practical: int | None, on: date = SESSION, attempt: int = 1, carried: str = ""
) -> Result:
    """A result on record, judged as its marks deserve."""
    scores = [score for score in (theory, practical) if score is not None]
    return Result(
        teo=CARE_TEO,
        plan="MI",
        admission_number=f"A{on:%m%d}",
        attempt=attempt,
        learner_id="huang",
        scheme="maternal-infant",
        level=Level.INTERMEDIATE,
        session_date=on,
        marks=Marks(theory, practical),
        verdict=Verdict.PASSED if min(scores, default=0) >= 60 else Verdict.FAILED,
        state=State.FINAL,
        revision=2,
        as_of=AS_OF,
        opened_on=on,
        publicity_days=5,
        rule_version=1,
        carried_from=carried,
    )


def refusal(rule: Weighted | EachPart, marks: Marks, *known: Result, on: date = SESSION) -> str:
    with pytest.raises(Refusal) as refused:
        judge(rule, marks, (on, 1), known)
    return refused.value.code


@given(SCORES, SCORES, st.integers(0, 100), st.integers(0, 100))
def test_a_weighted_mark_passes_exactly_when_the_mean_reaches_the_line(
    theory: int, practical: int, weight: int, line: int
) -> None:
    rule = Weighted(1, SESSION, weight, 100 - weight, line)
    mean = Fraction(weight * theory + (100 - weight) * practical, 100)
    passed = judge(rule, Marks(theory, practical), SAT).verdict == Verdict.PASSED
    assert passed == (mean >= line)


@given(SCORES, SCORES)
def test_each_part_passes_by_itself(theory: int, practical: int) -> None:
    passed = judge(EACH, Marks(theory, practical), SAT).verdict == Verdict.PASSED
    assert passed == (theory >= 60 and practical >= 60)


@given(SCORES, SCORES, SCORES)
def test_a_higher_mark_never_turns_a_pass_into_a_failure(theory: int, practical: int, more: int) -> None:
    for rule in (WEIGHTED, EACH):
        before = judge(rule, Marks(theory, practical), SAT).verdict
        after = judge(rule, Marks(max(theory, more), practical), SAT).verdict
        assert not (before == Verdict.PASSED and after == Verdict.FAILED)


@given(SCORES, SCORES, SCORES, st.integers(0, 500))
def test_a_single_part_counts_with_the_other_carried_over_or_is_refused(
    theory: int, practical: int, again: int, days: int
) -> None:
    first = earlier(theory, practical)
    on = SESSION + timedelta(days=days)
    allowed = theory >= 60 > practical and days <= 365
    if allowed:
        judgement = judge(EACH, Marks(None, again), (on, 2), [first])
        assert judgement == Judgement(Verdict.PASSED if again >= 60 else Verdict.FAILED, first.id)
    else:
        with pytest.raises(Refusal, match="resit_not_allowed"):
            judge(EACH, Marks(None, again), (on, 2), [first])


def test_59_point_6_is_not_60() -> None:
    assert judge(WEIGHTED, Marks(54, 63), SAT).verdict == Verdict.FAILED
    assert judge(WEIGHTED, Marks(54, 64), SAT).verdict == Verdict.PASSED


def test_a_score_of_101_or_below_nought_is_refused_even_with_a_remark() -> None:
    assert refusal(WEIGHTED, Marks(101, 60)) == "score_range"
    assert refusal(EACH, Marks(60, -1)) == "score_range"
    assert refusal(WEIGHTED, Marks(101, None, Remark.ABSENT)) == "score_range"


def test_a_missing_score_is_refused_unless_the_remark_says_why() -> None:
    assert refusal(WEIGHTED, Marks(None, 80)) == "score_missing"
    assert refusal(EACH, Marks(80, None)) == "score_missing"
    assert refusal(EACH, Marks(None, None)) == "score_missing"
    assert judge(WEIGHTED, Marks(None, None, Remark.ABSENT), SAT).verdict == Verdict.ABSENT
    assert judge(EACH, Marks(99, 99, Remark.MALPRACTICE), SAT).verdict == Verdict.MALPRACTICE


def test_a_weighted_scheme_knows_no_resit_of_one_part() -> None:
    assert refusal(WEIGHTED, Marks(None, 80), earlier(70, 50), on=SESSION + timedelta(days=30)) == "score_missing"


def test_s3_she_resits_the_practical_until_a_year_after_and_not_a_day_longer() -> None:
    first = earlier(71, 54)
    assert judge(EACH, Marks(None, 66), (date(2021, 11, 21), 1), [first]).verdict == Verdict.PASSED
    assert refusal(EACH, Marks(None, 66), first, on=date(2021, 11, 22)) == "resit_not_allowed"


def test_one_resit_means_one() -> None:
    first = earlier(71, 54)
    second = earlier(None, 55, date(2021, 4, 17), carried=first.id)
    assert refusal(EACH, Marks(None, 66), first, second, on=date(2021, 6, 6)) == "resit_not_allowed"
    assert (
        judge(replace(EACH, resits=2), Marks(None, 66), (date(2021, 6, 6), 1), [first, second]).carried_from == first.id
    )
    void = replace(second, state=State.ANNULLED)
    assert judge(EACH, Marks(None, 66), (date(2021, 6, 6), 1), [first, void]).verdict == Verdict.PASSED


def test_nothing_is_carried_over_from_a_pass_an_absence_or_two_failed_parts() -> None:
    later = date(2021, 4, 17)
    absent = replace(earlier(None, None), verdict=Verdict.ABSENT, marks=Marks(None, None, Remark.ABSENT))
    for first in (earlier(80, 80), earlier(50, 50), absent):
        assert refusal(EACH, Marks(None, 66), first, on=later) == "resit_not_allowed"
    assert refusal(EACH, Marks(70, None), earlier(71, 54), on=later) == "resit_not_allowed"


def test_the_latest_sitting_of_both_parts_is_the_one_resat() -> None:
    first, second = earlier(71, 54), earlier(40, 90, date(2021, 4, 17))
    assert judge(EACH, Marks(66, None), (date(2021, 6, 6), 1), [first, second]).carried_from == second.id


def test_a_rule_holds_from_its_first_session_on() -> None:
    newer = EachPart(2, date(2021, 9, 1), 60, 1, 365)
    scheme = replace(FINANCE, pass_rules=(WEIGHTED, newer))
    assert rule_for(scheme, date(2021, 8, 31)) == WEIGHTED
    assert rule_for(scheme, date(2021, 9, 1)) == newer
    amended = replace(newer, version=3, pass_at=70)
    assert rule_for(replace(scheme, pass_rules=(WEIGHTED, newer, amended)), date(2021, 9, 1)) == amended
    with pytest.raises(Refusal, match="pass_rule_missing"):
        rule_for(CARE, date(2019, 3, 31))


def test_a_published_rule_stays_as_it_is() -> None:
    check_rules([WEIGHTED, EachPart(2, SESSION, 60, 1, 365)], [WEIGHTED])
    for changed in ([], [replace(WEIGHTED, pass_at=50)]):
        with pytest.raises(Refusal, match="pass_rule_fixed"):
            check_rules(changed, [WEIGHTED])
    with pytest.raises(Refusal, match="pass_weights"):
        check_rules([replace(WEIGHTED, theory=50)], [])
    with pytest.raises(Refusal, match="pass_rules_repeat"):
        check_rules([WEIGHTED, WEIGHTED], [])

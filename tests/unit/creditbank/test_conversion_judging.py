"""A case for every rule of DOMAIN.md's "Conversion", each named after where it comes from; the judge alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from chassis.errors import Refusal
from contracts.terms import CourseKind, Level, StudyStatus
from services.creditbank.conversion.domain import (
    ConversionRule,
    Policy,
    RuleState,
    Share,
    Target,
    Window,
)
from services.creditbank.conversion.judging import Case, Claim, Passed, Standing, Studies, has_ground, judge, target_in
from services.creditbank.curricula.domain import Course, CourseModule, Curriculum

FROM, UNTIL, DAY = date(2021, 1, 1), date(2023, 12, 31), date(2021, 3, 3)
WINDOW = Window("2020-2021-2", date(2021, 3, 1), date(2021, 3, 12))
POLICY = Policy("measures", 1, "办法", "", date(2020, 12, 1), FROM, UNTIL, 800, windows=(WINDOW,))
TAX, MODULE = Target("KJ2105", 400, "60"), Target("KJ2105", 200, "60", module="M1")
OTHER_MODULE = replace(MODULE, module="M2")
BASICS, AUDITING = Target("KJ2101", 200, "60"), Target("KJ2107", 400, "60")
RULE = ConversionRule(
    "tax", 1, "measures", "630302", 2019, "finance", (Level(2),), (TAX, MODULE), FROM, UNTIL, state=RuleState.PUBLISHED
)
CURRICULUM = Curriculum(
    "630302",
    "会计",
    2019,
    1,
    14_000,
    (
        Course("KJ2101", "财务大数据基础", 200, CourseKind.FOUNDATION, 2),
        Course(
            "KJ2105",
            "税务会计",
            400,
            CourseKind.CORE,
            2,
            modules=(CourseModule("M1", "个税核算", 200), CourseModule("M2", "企业所得税", 200)),
        ),
        Course("KJ2107", "审计", 400, CourseKind.CORE, 2),
        Course("TY1", "体育", 200, CourseKind.FOUNDATION, 2, is_never_exempt=True),
        Course("SX1", "岗位实习", 200, CourseKind.PRACTICE, 2),
    ),
    told_at=datetime(2021, 1, 1, tzinfo=UTC),
)
MEI = Studies("630302", 2019, "2019040117", "财会学院", "1903", StudyStatus.ENROLLED)
PASS = Passed(2, True, date(2020, 11, 21))
CASE = Case(RULE, TAX, POLICY, DAY, (MEI,), CURRICULUM, passes=(PASS,))
CONTINUING = replace(MEI, department="继续教育学院")
HALF = replace(POLICY, shares=(Share("继续教育", 50, ("继续教育学院",)),))


def refusal(case: Case) -> Refusal:
    with pytest.raises(Refusal) as found:
        judge(case)
    assert found.value.sentence("zh") != found.value.sentence("en")
    return found.value


def about(target: Target, **more: Any) -> Case:
    return replace(CASE, target=target, rule=replace(RULE, targets=(target,)), **more)


def under(**more: Any) -> Case:
    return replace(CASE, rule=replace(RULE, **more))


def test_an_application_stands_on_a_record_and_a_pass() -> None:
    assert judge(CASE) == Standing(MEI, Level(2), is_final=True)


@pytest.mark.parametrize(
    ("source", "case", "code"),
    [
        ("who is no student accumulates but does not convert", replace(CASE, studies=()), "not_admitted_yet"),
        (
            "programme and entry year",
            replace(CASE, studies=(replace(MEI, entry_year=2020),)),
            "not_your_programme",
        ),
        (
            "programme and entry year: another programme",
            replace(CASE, studies=(replace(MEI, programme="630301"),)),
            "not_your_programme",
        ),
        *(
            (f"学籍 {status}", replace(CASE, studies=(replace(MEI, status=status),)), "not_studying_now")
            for status in (StudyStatus.SUSPENDED, StudyStatus.WITHDRAWN, StudyStatus.GRADUATED)
        ),
        (
            "validity: before",
            replace(CASE, rule=replace(RULE, valid_from=date(2021, 3, 4))),
            "conversion_rule_not_in_force",
        ),
        (
            "validity: after",
            replace(CASE, rule=replace(RULE, valid_until=date(2021, 3, 2))),
            "conversion_rule_not_in_force",
        ),
        ("terms and windows: before", replace(CASE, filed_on=date(2021, 2, 28)), "conversion_window_closed"),
        ("terms and windows: after", replace(CASE, filed_on=date(2021, 3, 13)), "conversion_window_closed"),
        ("courses of the plan: no plan here", replace(CASE, curriculum=None), "curriculum_unknown_yet"),
        ("courses of the plan", about(Target("XX1", 200, "60")), "conversion_target_not_taught"),
        (
            "courses of the plan: modules",
            about(Target("KJ2105", 200, "60", module="M9")),
            "conversion_target_not_taught",
        ),
        ("PE is never exempt", about(Target("TY1", 200, "60")), "course_never_exempt"),
        (
            "internship and thesis are never exempt",
            about(Target("SX1", 200, "60"), policy=replace(POLICY, never_exempt_kinds=(CourseKind.PRACTICE,))),
            "course_never_exempt",
        ),
        (
            "courses already passed do not qualify",
            replace(CASE, passed_courses=frozenset({"KJ2105"})),
            "course_already_passed",
        ),
        (
            "courses already passed do not qualify: nor their modules",
            replace(CASE, target=MODULE, passed_courses=frozenset({"KJ2105"})),
            "course_already_passed",
        ),
        (
            "a course is replaced by at most one certificate",
            replace(CASE, claims=(Claim("cloud-ops", TAX),)),
            "course_replaced_already",
        ),
        (
            "a course is replaced by at most one certificate: nor its modules by two",
            replace(CASE, target=MODULE, claims=(Claim("cloud-ops", OTHER_MODULE),)),
            "course_replaced_already",
        ),
        ("nothing twice", replace(CASE, claims=(Claim("finance", TAX),)), "exemption_already_asked"),
        ("nothing twice: a module of it", replace(CASE, claims=(Claim("finance", MODULE),)), "exemption_already_asked"),
        (
            "nothing twice: the course of the module",
            replace(CASE, target=MODULE, claims=(Claim("finance", TAX),)),
            "exemption_already_asked",
        ),
        ("elementary buys foundation courses", replace(CASE, passes=(replace(PASS, level=1),)), "level_not_passed"),
        ("a pass is asked for", replace(CASE, passes=()), "level_not_passed"),
        (
            "valid for at most 7 years (India)",
            replace(CASE, policy=replace(POLICY, credit_years=7), passes=(replace(PASS, passed_on=date(2014, 3, 2)),)),
            "credit_expired",
        ),
        (
            "a certificate may replace several courses, 8 credits in all",
            replace(CASE, claims=(Claim("finance", BASICS), Claim("finance", AUDITING))),
            "certificate_cap",
        ),
        (
            "at most 50 % of the credits needed to graduate",
            replace(CASE, policy=HALF, studies=(CONTINUING,), elsewhere_points=6_700),
            "conversion_share_cap",
        ),
        (
            "at most 50 %, all sources together",
            replace(
                CASE, policy=HALF, studies=(CONTINUING,), elsewhere_points=6_500, claims=(Claim("cloud-ops", BASICS),)
            ),
            "conversion_share_cap",
        ),
    ],
)
def test_what_is_refused(source: str, case: Case, code: str) -> None:
    assert refusal(case).code == code


@pytest.mark.parametrize(
    ("source", "case"),
    [
        ("the first day of a window", replace(CASE, filed_on=WINDOW.opens_on)),
        ("the last day of a window", replace(CASE, filed_on=WINDOW.closes_on)),
        ("an offer asks for no window", replace(CASE, filed_on=date(2021, 3, 20), is_offered=True)),
        ("courses to be repeated 重修 qualify", CASE),
        ("a certificate may replace several courses", replace(CASE, claims=(Claim("finance", AUDITING),))),
        ("other modules of a course", replace(CASE, target=MODULE, claims=(Claim("finance", OTHER_MODULE),))),
        ("other certificates for other courses", replace(CASE, claims=(Claim("cloud-ops", AUDITING),))),
        (
            "many-to-one",
            replace(under(levels=(Level(1), Level(2))), passes=(replace(PASS, level=1),)),
        ),
        (
            "7 years to the day",
            replace(CASE, policy=replace(POLICY, credit_years=7), passes=(replace(PASS, passed_on=date(2014, 3, 3)),)),
        ),
        ("50 % to the point", replace(CASE, policy=HALF, studies=(CONTINUING,), elsewhere_points=6_600)),
        ("a cap of another category", replace(CASE, policy=HALF, elsewhere_points=9_000)),
        ("one of several records", replace(CASE, studies=(replace(MEI, programme="x"), MEI))),
        ("an older record that ended", replace(CASE, studies=(replace(MEI, status=StudyStatus.WITHDRAWN), MEI))),
    ],
)
def test_what_stands(source: str, case: Case) -> None:
    assert judge(case).is_final


def test_provisional_credit_stands_until_it_is_final() -> None:
    """Filing on provisional credit is allowed, judged when final."""
    assert not judge(replace(CASE, passes=(replace(PASS, is_final=False),))).is_final
    assert not has_ground(RULE, (replace(PASS, is_final=False),))
    assert has_ground(RULE, (PASS,))
    assert not has_ground(RULE, (replace(PASS, level=3),))


def test_a_refusal_says_what_to_do() -> None:
    assert "2021-03-01" in refusal(replace(CASE, filed_on=date(2021, 1, 5))).sentence("en")
    assert "7000" in refusal(replace(CASE, policy=HALF, studies=(CONTINUING,), elsewhere_points=6_900)).sentence("zh")


def test_the_narrowest_share_counts() -> None:
    both = replace(POLICY, shares=(Share("学生", 10), *HALF.shares))
    assert refusal(replace(CASE, policy=both, elsewhere_points=1_100)).facts["category"] == "学生"
    assert judge(replace(CASE, policy=both, studies=(CONTINUING,), elsewhere_points=1_100)).is_final


def test_what_a_rule_does_not_convert_to_is_refused() -> None:
    assert target_in(RULE, "KJ2105", "M1") == MODULE
    with pytest.raises(Refusal, match="conversion_target_not_in_rule"):
        target_in(RULE, "KJ2101", "")

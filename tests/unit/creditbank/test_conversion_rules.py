"""Policy documents and conversion rules: what they must not say, and their life from draft to retirement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from chassis.database import database
from chassis.errors import Refusal
from contracts.terms import CourseKind, Level
from services.creditbank.conversion import commands, queries
from services.creditbank.conversion import models as conversion
from services.creditbank.conversion.domain import (
    REVIEW_STEPS,
    ConversionRule,
    Policy,
    RuleState,
    SchemeLevels,
    Step,
    StepDays,
    Target,
    Window,
    approved,
    as_default,
    check_overlap,
    check_policy,
    check_rule,
    code_of,
    drafted,
    policy_for,
    published,
    retired,
    years_after,
)
from services.creditbank.curricula.domain import Course, CourseModule, Curriculum
from tests.unit.creditbank.converting import publish_policy
from tests.unit.creditbank.stories import Assessment, scheme

FROM, UNTIL, AT = date(2021, 1, 1), date(2023, 12, 31), datetime(2021, 1, 2, tzinfo=UTC)
POLICY = Policy("measures", 1, "学分转换办法", "教〔2020〕7 号", date(2020, 12, 1), FROM, UNTIL, 800)
IN_FORCE = replace(POLICY, state=RuleState.PUBLISHED)
BASICS, TAX, MODULE = (
    Target("KJ2101", 200, "免修"),
    Target("KJ2105", 400, "免修"),
    Target("KJ2105", 200, "免修", module="M1"),
)
RULE = ConversionRule("finance-2", 1, "measures", "630302", 2019, "cloud-ops", (Level(2),), (TAX, MODULE), FROM, UNTIL)
SCHEME = SchemeLevels("cloud-ops", "云计算", (Level(1), Level(2)))
CURRICULUM = Curriculum(
    "630302",
    "会计",
    2019,
    1,
    14_000,
    (
        Course("KJ2101", "财务大数据基础", 200, CourseKind.FOUNDATION, 2),
        Course("KJ2105", "税务会计", 400, CourseKind.CORE, 2, modules=(CourseModule("M1", "个税核算", 200),)),
        Course("GG1001", "思想道德与法治", 300, CourseKind.FOUNDATION, 2, is_never_exempt=True),
        Course("SX1", "岗位实习", 300, CourseKind.PRACTICE, 2),
    ),
    told_at=datetime(2021, 1, 1, tzinfo=UTC),
)


def refused(deed: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as refusal:
        deed()
    assert refusal.value.sentence("zh") != refusal.value.sentence("en")
    return refusal.value.code


def code_for(rule: ConversionRule, policy: Policy | None = POLICY, schemes: SchemeLevels | None = SCHEME) -> str:
    return refused(lambda: check_rule(rule, policy, schemes, CURRICULUM))


def test_a_sound_rule_is_let_pass() -> None:
    check_rule(RULE, POLICY, SCHEME, CURRICULUM)
    check_rule(replace(RULE, targets=(Target("elsewhere", 1, "60"),)), POLICY, SCHEME, None)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"valid_until": date(2020, 1, 1)}, "conversion_ends_before_it_begins"),
        ({"valid_until": date(2024, 1, 1)}, "conversion_policy_unknown"),
        ({"levels": (Level(3),)}, "level_not_offered"),
        ({"targets": (TAX, TAX)}, "conversion_target_repeated"),
        ({"targets": (Target("KJ9", 200, "免修"),)}, "conversion_target_not_taught"),
        ({"targets": (Target("KJ2105", 200, "免修", module="M9"),)}, "conversion_target_not_taught"),
        ({"targets": (Target("KJ2105", 300, "免修"),)}, "conversion_points_differ"),
        ({"targets": (Target("GG1001", 300, "免修"),)}, "conversion_never_exempt"),
        ({"targets": (Target("KJ2105", 900, "免修"),)}, "conversion_above_certificate_cap"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(change: dict[str, object], code: str) -> None:
    assert code_for(replace(RULE, **change)) == code  # type: ignore[arg-type]


def test_no_rule_without_policy_or_scheme() -> None:
    assert code_for(RULE, policy=None) == "conversion_policy_unknown"
    assert code_for(RULE, schemes=None) == "scheme_unknown"


def test_kinds_that_a_policy_rules_out_are_never_exempt() -> None:
    strict = replace(POLICY, never_exempt_kinds=(CourseKind.PRACTICE,))
    rule = replace(RULE, targets=(Target("SX1", 300, "免修"),))
    check_rule(rule, POLICY, SCHEME, CURRICULUM)
    assert code_for(rule, strict) == "conversion_never_exempt"


@pytest.mark.parametrize(
    ("other", "is_refused"),
    [
        ({"code": "other"}, True),
        ({"code": "other", "targets": (MODULE,)}, True),  # a module of the course
        ({"code": "other", "targets": (replace(MODULE, module="M2"),)}, True),  # the rule has the whole course
        ({"code": "other", "targets": (BASICS,)}, False),
        ({"code": "other", "levels": (Level(1),)}, False),
        ({"code": "other", "levels": (Level(1), Level(2))}, True),
        ({"code": "other", "entry_year": 2020}, False),
        ({"code": "other", "valid_from": date(2022, 1, 1)}, True),
        ({}, False),  # its own earlier version, which it takes the place of
    ],
)
def test_two_rules_never_convert_to_the_same_at_one_time(other: dict[str, object], is_refused: bool) -> None:
    standing = replace(RULE, state=RuleState.PUBLISHED, **other)  # type: ignore[arg-type]
    if is_refused:
        assert refused(lambda: check_overlap(RULE, [standing])) == "conversion_rules_overlap"
    else:
        check_overlap(RULE, [standing])


def test_rules_one_after_the_other_do_not_overlap() -> None:
    earlier = replace(RULE, code="other", valid_until=date(2021, 12, 31))
    check_overlap(replace(RULE, valid_from=date(2022, 1, 1)), [earlier])
    assert refused(lambda: check_overlap(replace(RULE, valid_from=date(2021, 12, 31)), [earlier]))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"valid_until": date(2020, 1, 1)}, "conversion_ends_before_it_begins"),
        ({"steps": (StepDays(Step.DEPARTMENT, 3),)}, "policy_steps_wrong"),
        ({"steps": (StepDays(Step.REGISTRY, 3), StepDays(Step.DEPARTMENT, 3))}, "policy_steps_wrong"),
        ({"steps": (StepDays(Step.REGISTRY, 3), StepDays(Step.REGISTRY, 3))}, "policy_steps_wrong"),
        ({"windows": (Window("2020-2021-2", UNTIL, FROM),)}, "policy_windows_wrong"),
        ({"windows": (Window("2020-2021-2", FROM, FROM),) * 2}, "policy_windows_wrong"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(change: dict[str, object], code: str) -> None:
    assert refused(lambda: check_policy(replace(POLICY, **change))) == code  # type: ignore[arg-type]


def test_a_policy_leads_from_step_to_step() -> None:
    long = replace(POLICY, steps=tuple(StepDays(one, 2) for one in REVIEW_STEPS))
    check_policy(long)
    assert [getattr(long.step_after(one), "step", None) for one in (None, *REVIEW_STEPS)] == [*REVIEW_STEPS, None]
    assert [long.days_of(Step.TEO), POLICY.days_of(Step.TEO)] == [2, 0]


def test_the_latest_version_of_a_policy_that_holds_counts() -> None:
    later = replace(IN_FORCE, version=2, valid_from=date(2022, 1, 1))
    assert policy_for([IN_FORCE, later], date(2021, 6, 1)) == IN_FORCE
    assert policy_for([IN_FORCE, later], date(2022, 6, 1)) == later
    assert policy_for([IN_FORCE, later], date(2024, 6, 1)) is None
    assert policy_for([IN_FORCE, replace(later, state=RuleState.APPROVED)], date(2022, 6, 1)) == IN_FORCE


def test_a_draft_is_approved_by_two_people_before_it_is_published() -> None:
    draft = drafted([], RULE)
    assert draft
    assert refused(lambda: published(draft, AT)) == "conversion_rule_not_in_state"
    once = approved(draft, "li")
    assert once.state == RuleState.DRAFT
    assert refused(lambda: approved(once, "li")) == "conversion_rule_approved_by_you"
    twice = approved(once, "wang")
    assert (twice.state, twice.approved_by) == (RuleState.APPROVED, ("li", "wang"))
    out = published(twice, AT)
    assert refused(lambda: approved(out, "zhao")) == "conversion_rule_not_in_state"
    assert retired(out, AT).state == RuleState.RETIRED


def test_what_is_published_is_never_changed_another_version_is_drafted() -> None:
    out = replace(RULE, state=RuleState.PUBLISHED)
    assert drafted([out], RULE) is None
    changed = drafted([out], replace(RULE, targets=(MODULE,)))
    assert changed
    assert (changed.version, changed.state) == (2, RuleState.DRAFT)
    edited = drafted([out, replace(changed, approved_by=("li",))], RULE)
    assert edited
    assert (edited.version, edited.approved_by) == (2, ())


def test_a_default_holds_until_somebody_decides() -> None:
    default = replace(RULE, is_folklore_default=True)
    first = as_default([], default, AT)
    assert first
    assert first.state == RuleState.PUBLISHED
    assert as_default([first], default, AT) is None
    assert refused(lambda: as_default([first, RULE], default, AT)) == "conversion_rule_decided"


def test_codes_are_small_and_plain() -> None:
    assert code_of("finance-2") == "finance-2"
    assert refused(lambda: code_of("Finance:2")) == "conversion_code_malformed"


def test_a_leap_day_comes_again_as_the_day_before() -> None:
    assert years_after(date(2020, 2, 29), 7) == date(2027, 2, 28)
    assert years_after(date(2021, 1, 15), 7) == date(2028, 1, 15)


@pytest.fixture
def bank(mongo: str) -> None:
    """A bank that knows the scheme and the policy."""
    Assessment().tell(scheme())
    publish_policy(POLICY)


def test_a_policy_is_kept_in_versions(bank: None) -> None:
    assert commands.draft_policy(replace(POLICY, version=0), "zhao").version == 1
    assert publish_policy(replace(POLICY, undo_minutes=60)).version == 2
    assert [one["undo_minutes"] for one in queries.policy_of("measures")] == [60, 30]
    assert refused(lambda: queries.policy_of("nothing")) == "not_found"


def test_one_person_changes_no_policy_in_force(bank: None) -> None:
    def in_force() -> int:
        found = policy_for(conversion.policies_of("measures"), date(2021, 6, 1))
        assert found
        return found.undo_minutes

    draft = commands.draft_policy(replace(POLICY, undo_minutes=5), "li")
    assert (draft.version, draft.state, draft.drafted_by, in_force()) == (2, RuleState.DRAFT, "li", 30)
    commands.approve_policy("measures", 2, "li")
    assert refused(lambda: commands.approve_policy("measures", 2, "li")) == "conversion_policy_approved_by_you"
    assert refused(lambda: commands.publish_policy("measures", 2)) == "conversion_policy_not_in_state"
    commands.approve_policy("measures", 2, "wang")
    assert in_force() == 30
    assert commands.publish_policy("measures", 2).published_at
    assert in_force() == 5
    assert refused(lambda: commands.approve_policy("measures", 2, "zhao")) == "conversion_policy_not_in_state"
    assert refused(lambda: commands.approve_policy("measures", 9, "zhao")) == "not_found"


def test_another_draft_needs_its_own_approvals(bank: None) -> None:
    commands.draft_policy(replace(POLICY, undo_minutes=5), "li")
    commands.approve_policy("measures", 2, "li")
    again = commands.draft_policy(replace(POLICY, undo_minutes=6), "li")
    assert (again.version, again.approved_by) == (2, ())


def test_a_default_policy_is_at_once_the_first_time_and_a_draft_later(bank: None) -> None:
    default = replace(POLICY, code="folklore", is_folklore_default=True)
    states = [commands.draft_policy(replace(default, undo_minutes=one), "li").state for one in (30, 30, 5, 30)]
    assert states == [RuleState.PUBLISHED, RuleState.PUBLISHED, RuleState.DRAFT, RuleState.PUBLISHED]
    assert refused(lambda: commands.draft_policy(replace(POLICY, is_folklore_default=True), "li")) == (
        "conversion_policy_decided"
    )


def test_a_rule_rests_on_a_published_policy(bank: None) -> None:
    commands.draft_policy(replace(POLICY, code="draft-only"), "li")
    resting = replace(RULE, policy="draft-only")
    assert refused(lambda: commands.draft_rule(resting, "li")) == "conversion_policy_unknown"


def test_what_was_kept_before_policies_were_drafted_is_in_force(bank: None) -> None:
    life = dict.fromkeys(("state", "drafted_by", "approved_by", "published_at"), "")
    database()["conversion_policies"].update_many({}, {"$unset": life})
    assert policy_for(conversion.policies_of("measures"), date(2021, 6, 1)) is not None


def test_a_rule_lives_from_draft_to_retirement(bank: None) -> None:
    commands.draft_rule(RULE, "li")
    assert commands.draft_rule(RULE, "li").version == 1
    commands.approve_rule("finance-2", 1, "li")
    commands.approve_rule("finance-2", 1, "wang")
    commands.publish_rule("finance-2", 1)
    again = commands.draft_rule(replace(RULE, targets=(MODULE,)), "li")
    assert (again.version, again.drafted_by) == (2, "li")
    for by in ("wang", "zhao"):
        commands.approve_rule("finance-2", 2, by)
    commands.publish_rule("finance-2", 2)
    assert [(one["version"], one["state"]) for one in queries.rule_of("finance-2")] == [
        (2, "published"),
        (1, "retired"),
    ]
    assert commands.retire_rule("finance-2", 2).state == RuleState.RETIRED


def test_a_rule_that_came_to_overlap_is_not_published(bank: None) -> None:
    for code in ("finance-2", "other"):
        commands.draft_rule(replace(RULE, code=code), "li")
    for code, by in (("finance-2", "li"), ("finance-2", "wang"), ("other", "li"), ("other", "wang")):
        commands.approve_rule(code, 1, by)
    commands.publish_rule("finance-2", 1)
    assert refused(lambda: commands.publish_rule("other", 1)) == "conversion_rules_overlap"
    assert queries.rule_of("other")[0]["state"] == "approved"
    commands.retire_rule("finance-2", 1)
    assert commands.publish_rule("other", 1).state == RuleState.PUBLISHED


def test_a_rule_for_a_level_its_scheme_has_not_is_not_drafted(bank: None) -> None:
    assert refused(lambda: commands.draft_rule(replace(RULE, scheme="nowhere"), "li")) == "scheme_unknown"
    assert refused(lambda: commands.draft_rule(replace(RULE, policy="nothing"), "li")) == "conversion_policy_unknown"
    assert queries.rules_after({}, "", 10) == []


def test_a_default_is_published_at_once_and_gives_way_to_what_people_decide(bank: None) -> None:
    default = replace(RULE, is_folklore_default=True)
    assert commands.draft_rule(default, "machine").state == RuleState.PUBLISHED
    assert commands.draft_rule(default, "machine").version == 1
    decided = commands.draft_rule(RULE, "li")
    assert (decided.version, decided.state) == (2, RuleState.DRAFT)
    assert refused(lambda: commands.draft_rule(default, "machine")) == "conversion_rule_decided"

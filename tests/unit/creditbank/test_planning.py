"""The planner's stories: the best exemptions and why, what spending now forecloses, what one more certificate adds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from chassis.database import database
from chassis.errors import Defect, Refusal
from contracts.enrolment import Course
from contracts.terms import CourseKind, Level, StudyStatus
from services.creditbank.conversion import applying, commands
from services.creditbank.conversion.deciding import release_decisions
from services.creditbank.conversion.domain import Share, Target
from services.creditbank.ledger import commands as ledger
from services.creditbank.ledger.commands import set_frozen
from services.creditbank.papers.commands import name_schemes
from services.creditbank.planning import optimum, planner
from services.creditbank.planning.planner import plan
from services.creditbank.planning.queries import Spending, plan_of
from tests.unit.creditbank.converting import (
    AFTER_WINDOW,
    BASICS,
    BASICS_WISH,
    COURSES,
    ELEMENTARY,
    IN_WINDOW,
    INTERMEDIATE,
    MODULE_WISH,
    POLICY,
    TAX_WISH,
    WINDOWS,
    Day,
    course_passed,
    curriculum,
    enrol,
    file,
    grant,
    open_college,
    publish,
    publish_policy,
    record,
    refused,
)
from tests.unit.creditbank.planned import Learner, tried
from tests.unit.creditbank.stories import (
    Assessment,
    annulled,
    finalised,
    issued,
    merged,
    publicised,
    registered,
    revoked,
)

SEEDS = range(100)
BEFORE_WINDOW = datetime(2021, 1, 15, 2, tzinfo=UTC)
AUTUMN, AFTER_PUBLICITY = datetime(2021, 9, 17, 2, tzinfo=UTC), datetime(2021, 9, 25, 2, tzinfo=UTC)
CHINESE = re.compile(r"[一-鿿]")
Said = dict[str, Any]


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Day:
    made = Day(tmp_path / "clock", monkeypatch)
    made.set(IN_WINDOW)
    return made


@pytest.fixture
def college(mongo: str, day: Day) -> Assessment:
    """会计 2019级 with two rules, on a day in the window; nobody studies yet."""
    teller = Assessment()
    open_college(teller)
    return teller


def planned(learner_id: str = "mei") -> Said:
    return plan_of(learner_id, None, None)


def choices(found: Said) -> list[tuple[str, str, str]]:
    return [(one["rule"], one["module"] or one["course"], one["when"]) for one in found["choices"]]


def left_out(found: Said) -> dict[str, str]:
    return {one["module"] or one["course"]: one["code"] for one in found["left_out"]}


def test_the_planner_warns_of_what_spending_now_forecloses(college: Assessment, day: Day) -> None:
    """S1 step 1: 初级 is final on 01-15 and worth 200; spend it, and 中级 can no longer buy 税务会计."""
    day.set(BEFORE_WINDOW)
    enrol(college, level=1)
    found = planned()
    (choice,) = found["choices"]
    assert (choice["course"], choice["credit_points"], choice["level"]) == ("KJ2101", 200, 1)
    assert (choice["when"], choice["file_on"]) == ("in_window", date(2021, 3, 1))
    assert choice["zh"] == (
        "以cloud-ops初级的 2.0 学分免修 财务大数据基础 KJ2101，依据转换规则 basics v1（学分转换办法 教〔2020〕7 号）。"
        "可自 2021-03-01 申请时段开放起申请。"
    )
    (warning,) = choice["forecloses"]
    assert (warning["course"], warning["module"], warning["level"]) == ("KJ2105", "", 2)
    assert (warning["lifted_points"], warning["left_points"], warning["credit_points"]) == (400, 200, 400)
    assert warning["en"] == (
        "Spend 2.0 credits now and intermediate can no longer buy 税务会计 KJ2105: cloud-ops would then have 4.0 to "
        "spend, 2.0 would be left, and it costs 4.0."
    )
    assert warning["zh"].startswith("现在使用 2.0 学分，日后中级便不能再兑换 税务会计 KJ2105：")
    assert left_out(found) == {"KJ2105": "level_not_passed", "KJ2105-2": "level_not_passed"}


def test_the_warning_comes_true_step_by_step(college: Assessment, day: Day) -> None:
    """S1 steps 1 to 4: she goes on, and of 中级's 400 there are 200 left: the module, and no more the course."""
    enrol(college, level=1)
    assert choices(planned()) == [("basics", "KJ2101", "now")]
    one = grant(file(BASICS_WISH))
    day.set(AUTUMN)
    release_decisions()
    college.tell(course_passed("mei", "KJ2105", passed=False), publicised("mei", "0002", level=2))
    waiting = planned()
    assert choices(waiting) == [("tax", "KJ2105-2", "once_final")]
    assert left_out(waiting) == {"KJ2101": "exemption_already_asked", "KJ2105": "above_balance"}
    day.set(AFTER_PUBLICITY)
    college.tell(finalised("mei", "0002", level=2), issued("mei", "0002", number="X-2"))
    closed = planned()
    assert (closed["choices"], left_out(closed)["KJ2105-2"]) == ([], "conversion_window_closed")
    assert one.target == BASICS


def test_what_waits_for_its_number_is_marked(college: Assessment) -> None:
    college.tell(registered("mei"), record("mei"), finalised("mei"))
    assert choices(planned()) == [("tax", "KJ2105", "once_final")]
    college.tell(issued("mei", number="X-mei"))
    assert choices(planned()) == [("tax", "KJ2105", "now")]


def test_one_course_goes_before_two_applications_and_says_what_it_replaces(college: Assessment) -> None:
    enrol(college)
    found = planned()
    assert (choices(found), found["credit_points"]) == ([("tax", "KJ2105", "now")], 400)
    basics, module = found["left_out"]
    assert (basics["code"], module["code"]) == ("above_balance", "exemption_already_asked")
    assert [one["course"] for one in basics["excluded_by"] + module["excluded_by"]] == ["KJ2105", "KJ2105"]
    assert basics["en"].startswith("Not beside 税务会计 KJ2105: This takes 200 points of cloud-ops; 0 are available.")
    assert module["zh"] == "已选 税务会计 KJ2105，故未选入：两者涉及同一内容。", "she asked for nothing yet"
    assert module["en"] == "Not beside 税务会计 KJ2105: both are about the same."


def test_the_best_is_not_what_one_would_take_first(college: Assessment) -> None:
    """Of 600 points the dearest course alone leaves 200 over; three others use them all."""
    audit, law, data = (Target(code, points, "免修") for code, points in (("KJ1", 500), ("KJ2", 300), ("KJ3", 300)))
    taught = tuple(
        Course(code=one.course, name=one.course, credit_points=one.credit_points, kind=CourseKind.CORE, term=3)
        for one in (audit, law, data)
    )
    college.tell(curriculum((*COURSES, *taught), revision=2))
    publish(replace(ELEMENTARY, code="more", levels=(Level(3),), targets=(audit, law, data)))
    enrol(college, level=3)
    found = planned()
    assert ([one["course"] for one in found["choices"]], found["credit_points"]) == (["KJ2", "KJ3"], 600)


def test_nothing_is_planned_with_points_that_an_application_claims(college: Assessment) -> None:
    college.tell(registered("mei"), record("mei"), publicised("mei"))
    assert file(MODULE_WISH).held == 0, "it waits, and holds nothing yet"
    found = planned()
    assert choices(found) == [("basics", "KJ2101", "once_final")]
    assert left_out(found) == {"KJ2105": "exemption_already_asked", "KJ2105-2": "exemption_already_asked"}
    file(BASICS_WISH)
    assert planned()["choices"] == []


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (lambda teller: set_frozen("mei", True, "an inquiry", "li"), "account_frozen"),
        (lambda teller: teller.tell(revoked("mei", number="X-mei")), "certificate_is_revoked"),
        (lambda teller: teller.tell(record("mei", status=StudyStatus.SUSPENDED)), "not_studying_now"),
        (lambda teller: teller.tell(annulled("mei")), "level_not_passed"),
    ],
)
def test_every_rule_that_speaks_against_filing_is_named(
    college: Assessment, happens: Callable[[Assessment], object], code: str
) -> None:
    enrol(college)
    assert choices(planned()) == [("tax", "KJ2105", "now")]
    happens(college)
    found = planned()
    assert (found["choices"], set(left_out(found).values())) == ([], {code})
    assert refused(lambda: file(TAX_WISH)) == code


DEAD = {"dead": {"assessment": [7]}}


def hold_up(*learner_ids: str) -> None:
    """Have news about learners break."""
    names = [f"learner:{one}" for one in learner_ids]
    changed = database()["strands"].update_many({"_id": {"$in": names}}, {"$set": DEAD})
    assert changed.matched_count == len(names)


def owe(college: Assessment) -> None:
    """Have points annulled that are spent for good."""
    for move in (ledger.hold, ledger.spend):
        move("mei", "cloud-ops", 2, 200, f"spent for good: {move.__name__}")
    college.tell(annulled("mei"))


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (lambda college: hold_up("mei"), "account_held_up"),
        (lambda college: set_frozen("mei", True, "an inquiry", "li"), "account_frozen"),
        (owe, "account_in_debt"),
    ],
)
def test_an_account_of_which_nothing_can_be_spent_says_why(
    college: Assessment, happens: Callable[[Assessment], object], code: str
) -> None:
    enrol(college)
    assert planned()["because"] is None
    happens(college)
    found = planned()
    assert (found["choices"], found["credit_points"], found["because"]["code"]) == ([], 0, code)
    assert CHINESE.search(found["because"]["zh"])
    assert not CHINESE.search(found["because"]["en"].replace("cloud-ops", ""))


def test_reasons_call_the_certificate_by_its_name(college: Assessment) -> None:
    name_schemes({"cloud-ops": ("云计算平台运维与开发", "91110000000000043U")})
    enrol(college)
    found = planned()
    basics = next(one for one in found["left_out"] if one["course"] == "KJ2101")
    assert "云计算平台运维与开发 的积分 200" in basics["zh"]
    assert "200 points of 云计算平台运维与开发" in basics["en"]
    owe(college)
    assert "云计算平台运维与开发 积分 200" in planned()["because"]["zh"]


def test_a_plan_asks_nobody_to_file_while_their_news_is_held_up(college: Assessment) -> None:
    enrol(college)
    hold_up("mei")
    assert set(left_out(planned()).values()) == {"account_held_up"} == {refused(lambda: file(TAX_WISH))}
    assert refused(lambda: plan_of("mei", Spending("tax", "KJ2105"), None)) == "account_held_up"
    database()["strands"].update_one({"_id": "learner:mei"}, {"$unset": {"dead": ""}})
    assert choices(planned()) == [("tax", "KJ2105", "now")]


def test_news_held_up_of_who_was_merged_twice_holds_the_survivor_up(college: Assessment) -> None:
    enrol(college)
    college.tell(registered("lan"), registered("xin"), registered("far"), merged("lan", "xin"), merged("mei", "lan"))
    hold_up("far")
    assert choices(planned()) == [("tax", "KJ2105", "now")]
    hold_up("xin")
    assert planned()["because"]["code"] == refused(lambda: file(TAX_WISH)) == "account_held_up"


@pytest.mark.parametrize("stop", [lambda: hold_up("mei"), lambda: set_frozen("mei", True, "an inquiry", "li")])
def test_the_price_of_a_certificate_looks_beyond_what_passes(college: Assessment, stop: Callable[[], object]) -> None:
    enrol(college, level=1)
    wanted = plan_of("mei", None, ("cloud-ops", Level(2)))["price"]
    assert [one["course"] for one in wanted["extra"]] == ["KJ2105"]
    stop()
    assert plan_of("mei", None, ("cloud-ops", Level(2)))["price"] == wanted


def test_what_is_foreclosed_or_would_be_added_says_when_it_can_be_filed(college: Assessment, day: Day) -> None:
    """In the window today; between windows when the next one opens; after the last that is announced, nobody knows."""
    enrol(college, level=1)

    def days() -> tuple[object, object]:
        found = plan_of("mei", None, ("cloud-ops", Level(2)))
        foreclosed = [one["file_on"] for choice in found["choices"] for one in choice["forecloses"]]
        return foreclosed, [one["file_on"] for one in found["price"]["extra"]]

    assert days() == ([date(2021, 3, 3)], [date(2021, 3, 3)])
    day.set(AFTER_WINDOW)
    assert days() == ([date(2021, 9, 6)], [date(2021, 9, 6)])
    day.set(AFTER_PUBLICITY)
    assert days() == ([], [None])


def test_a_revoked_certificate_buys_nothing_though_a_higher_one_is_on_record(college: Assessment) -> None:
    enrol(college, level=3)
    college.tell(finalised("mei", "0002", level=2), issued("mei", "0002", 2, number="Y-mei"))
    assert ("tax", "KJ2105", "now") in choices(planned())
    college.tell(revoked("mei", level=2, number="Y-mei"))
    found = planned()
    assert left_out(found)["KJ2105"] == "certificate_is_revoked"
    assert refused(lambda: file(TAX_WISH)) == "certificate_is_revoked"


def test_who_is_no_student_reads_why_there_is_nothing(college: Assessment) -> None:
    college.tell(registered("mei"), finalised("mei"))
    assert planned()["because"]["code"] == "not_admitted_yet"
    college.tell(record("mei", programme="560301"))
    assert planned()["because"]["code"] == "no_conversion_rule"


def test_earlier_conversions_count_against_the_share(college: Assessment) -> None:
    publish_policy(replace(POLICY, shares=(Share("学生", 50),)))
    enrol(college)
    commands.keep_earlier("mei", 6_700, "courses taken elsewhere")
    assert choices(planned()) == [("basics", "KJ2101", "now")]
    assert left_out(planned())["KJ2105"] == "conversion_share_cap"


def test_a_merged_learner_is_planned_for_as_who_has_the_points_now(college: Assessment) -> None:
    enrol(college)
    college.tell(registered("lan"), merged("mei", "lan"))
    assert planned("lan") == planned("mei")


def test_what_was_not_chosen_can_be_asked_about(college: Assessment) -> None:
    enrol(college, level=1)
    asked = plan_of("mei", Spending("basics", "KJ2101"), None)["spend"]
    assert [one["course"] for one in asked["forecloses"]] == ["KJ2105"]
    assert refused(lambda: plan_of("mei", Spending("tax", "KJ2105"), None)) == "level_not_passed"
    assert refused(lambda: plan_of("mei", Spending("tax", "KJ2101"), None)) == "conversion_target_not_in_rule"
    file(BASICS_WISH)
    assert refused(lambda: plan_of("mei", Spending("basics", "KJ2101"), None)) == "exemption_already_asked"
    assert refused(lambda: plan_of("mei", Spending("none", "KJ2101"), None)) == "not_found"


def test_with_points_enough_nothing_is_foreclosed(college: Assessment) -> None:
    """高级 lifts the holding to 600: 税务会计 can be bought beside what is spent now, and no longer its 400 of 中级."""
    publish(replace(INTERMEDIATE, code="tax-too", levels=(Level(3),)))
    enrol(college, level=1)
    (choice,) = planned()["choices"]
    assert [(one["level"], one["rule"], one["course"]) for one in choice["forecloses"]] == [(2, "tax", "KJ2105")]


def test_a_spending_that_is_dearer_than_what_there_is_forecloses_nothing_but_is_refused(college: Assessment) -> None:
    enrol(college)
    file(BASICS_WISH)
    assert refused(lambda: plan_of("mei", Spending("tax", "KJ2105"), None)) == "above_balance"


def test_the_next_window_may_be_of_the_next_version_of_a_policy(college: Assessment, day: Day) -> None:
    """The measures of 2021 say nothing of the autumn; those that hold from September do."""
    until = date(2021, 8, 31)
    publish_policy(replace(POLICY, windows=WINDOWS[:1], valid_until=until))
    publish_policy(replace(POLICY, windows=WINDOWS[1:], valid_from=date(2021, 9, 1)))
    enrol(college)
    day.set(AFTER_WINDOW)
    (choice,) = planned()["choices"]
    assert (choice["when"], choice["file_on"], choice["policy_version"]) == ("in_window", date(2021, 9, 6), 3)


def test_the_price_tag_needs_no_application_and_counts_the_highest_level_once(college: Assessment, day: Day) -> None:
    day.set(AFTER_PUBLICITY)
    enrol(college, level=1)
    tag = plan_of("mei", None, ("cloud-ops", Level(2)))["price"]
    assert (tag["credit_points"], tag["before_points"], tag["after_points"]) == (200, 200, 400)
    assert [one["course"] for one in tag["extra"]] == ["KJ2105"]
    assert [one["course"] for one in tag["dropped"]] == ["KJ2101"]
    assert tag["is_folklore_default"]
    again = plan_of("mei", None, ("cloud-ops", Level(1)))["price"]
    assert (again["credit_points"], again["extra"], again["dropped"]) == (0, [], [])
    assert refused(lambda: plan_of("mei", None, ("unheard-of", Level(1)))) == "not_found"


def test_a_plan_stands_as_it_says(college: Assessment) -> None:
    """What is planned for now can be filed, all of it, in its order."""
    college.tell(
        curriculum((*COURSES, Course(code="KJ4", name="x", credit_points=200, kind=CourseKind.CORE, term=5)), 2)
    )
    publish(replace(INTERMEDIATE, code="third", levels=(Level(3),), targets=(Target("KJ4", 200, "免修"),)))
    enrol(college, level=3)
    college.tell(finalised("mei", "0002", level=2))
    found = planned()
    assert len(found["choices"]) == 2
    for one in found["choices"]:
        assert one["when"] == "now"
        applying.apply("mei", applying.Wish(one["rule"], one["course"], one["module"]), "user-mei")
    assert planned()["choices"] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_the_optimum_is_the_best_of_all_sets_that_the_judge_lets_stand(seed: int) -> None:
    facts = Learner(seed).facts()
    found = plan(facts)
    assert tuple(one.candidate.place for one in found.choices) == tried(facts)
    assert len(found.choices) + len(found.left_out) == sum(len(one.targets) for one in facts.rules)
    assert all(one.refusal.sentence("zh") for one in found.left_out)


FAULTS: dict[str, tuple[object, str, object]] = {
    "two certificates for one course": (planner, "_rivals", lambda standing: ()),
    "points that are not there": (planner.Facts, "budget", lambda facts, scheme: 10**6),
    "no caps": (planner, "_binding", lambda sums: ()),
    "no share": (planner, "_shares", lambda facts, standing: {}),
    "pending ones forgotten": (planner, "_pending_limits", lambda facts, one, standing: ()),
    "ties left to chance": (optimum, "packed", lambda points: [tuple(points)]),
    "least instead of most": (optimum, "packed", lambda points: [tuple(-one for one in points)]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_the_planner_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, what, instead = FAULTS[name]
    monkeypatch.setattr(where, what, instead)
    assert any(_goes_wrong(seed) for seed in range(300))


def _goes_wrong(seed: int) -> bool:
    facts = Learner(seed).facts()
    try:
        found = plan(facts)
    except (Defect, Refusal):
        return True
    return tuple(one.candidate.place for one in found.choices) != tried(facts)

"""What a draft of a conversion rule or policy would change, and that nobody approves one that was not simulated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from chassis.database import database, run_transaction
from chassis.errors import Refusal
from contracts.enrolment import Course
from contracts.terms import CourseKind, Level, StudyStatus
from services.creditbank.conversion import applying
from services.creditbank.conversion import commands as conversion
from services.creditbank.conversion.applying import Wish
from services.creditbank.conversion.deciding import release_decisions
from services.creditbank.conversion.domain import ConversionRule, Policy, RuleState, Share
from services.creditbank.simulations import commands, models, queries
from services.creditbank.simulations.domain import Draft, Effect, State, Subject
from tests.unit.creditbank.converting import (
    BASICS,
    BASICS_WISH,
    BY_DEPARTMENT,
    COURSES,
    ELEMENTARY,
    IN_WINDOW,
    INTERMEDIATE,
    MODULE,
    MODULE_WISH,
    POLICY,
    TAX,
    TAX_WISH,
    Day,
    course_passed,
    curriculum,
    decide,
    enrol,
    file,
    grant,
    now,
    open_college,
    publish,
    publish_policy,
    record,
    refused,
)
from tests.unit.creditbank.stories import Assessment, audited, entries, finalised, issued, registered

MODULE_ALONE, TAX_ALONE = replace(INTERMEDIATE, targets=(MODULE,)), replace(INTERMEDIATE, targets=(TAX,))


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Day:
    """A day in the window."""
    day = Day(tmp_path / "clock", monkeypatch)
    day.set(IN_WINDOW)
    return day


@pytest.fixture
def assessment(mongo: str, day: Day) -> Assessment:
    """A college that converts; mei passed the intermediate level, lan the elementary one."""
    teller = Assessment()
    open_college(teller)
    enrol(teller)
    enrol(teller, "lan", level=1)
    return teller


def drafted(one: ConversionRule | Policy) -> Draft:
    if isinstance(one, Policy):
        return Draft(Subject.POLICY, one.code, conversion.draft_policy(one, "li").version)
    return Draft(Subject.RULE, one.code, conversion.draft_rule(one, "li").version)


def simulate() -> None:
    while commands.simulate_some():
        pass


def simulated(draft: Draft) -> int:
    number = commands.ask_simulation(draft, "li").number
    simulate()
    return number


def changes(number: int, effect: str | None = None) -> list[dict[str, Any]]:
    return queries.changes_after(number, effect, "", 500)


def brief(number: int) -> list[tuple[str, str, str, str]]:
    """Effect, learner, and what it is about."""
    return [(one["effect"], one["learner_id"], one["course"], one["module"]) for one in changes(number)]


def test_a_rule_that_converts_to_less_takes_from_who_could_have_it(assessment: Assessment) -> None:
    before = [entries("mei"), entries("lan")]
    number = simulated(drafted(MODULE_ALONE))
    (taken,) = changes(number)
    assert (taken["effect"], taken["learner_id"], taken["student_number"]) == ("taken", "mei", "2019-mei")
    assert (taken["course"], taken["module"], taken["before_points"], taken["after_points"]) == ("KJ2105", "", 400, 0)
    assert taken["because"] == "conversion_target_not_in_rule"
    assert "KJ2105-2" in taken["because_zh"]
    told = queries.simulation_of(number)
    assert (told["state"], told["students"], told["cohorts_seen"], told["cohorts"]) == ("finished", 2, 1, 1)
    assert (told["gainers"], told["losers"], told["totals"]["taken_points"]) == (0, 1, 400)
    assert [(one["programme"], one["taken"]) for one in told["programmes"]] == [("630302", 1)]
    assert [(one["scheme"], one["taken"]) for one in told["schemes"]] == [("cloud-ops", 1)]
    assert [(one["programme"], one["course"], one["taken"]) for one in told["courses"]] == [("630302", "KJ2105", 1)]
    assert [entries("mei"), entries("lan")] == before, "nothing is written but the simulation"


def test_a_rule_for_more_levels_allows_what_nobody_could_have(assessment: Assessment) -> None:
    number = simulated(drafted(replace(INTERMEDIATE, levels=(Level(1), Level(2)))))
    assert brief(number) == [("allowed", "lan", "KJ2105", "KJ2105-2")], "the whole course costs more than lan has"
    totals = queries.simulation_of(number)["totals"]
    assert (totals["allowed"], totals["allowed_points"], totals["taken"]) == (1, 200, 0)


def test_a_rule_for_another_price_is_told_as_such(assessment: Assessment) -> None:
    dearer = Course(code="KJ2101", name="财务大数据基础", credit_points=300, kind=CourseKind.FOUNDATION, term=2)
    assessment.tell(curriculum((dearer, COURSES[1]), revision=2))
    number = simulated(drafted(replace(ELEMENTARY, targets=(replace(BASICS, credit_points=300),))))
    assert brief(number) == [("taken", "lan", "KJ2101", ""), ("repriced", "mei", "KJ2101", "")]
    assert [one["because"] for one in changes(number)] == ["above_balance", ""]
    assert queries.simulation_of(number)["totals"]["dearer_points"] == 100


def test_an_open_application_goes_on_and_is_told_of_where_it_would_fall(assessment: Assessment) -> None:
    one = file(TAX_WISH)
    number = simulated(drafted(MODULE_ALONE))
    (falling,) = changes(number)
    assert (falling["effect"], falling["application"], falling["before_points"]) == ("application", one.id, 400)
    assert falling["because"] == "conversion_target_not_in_rule"
    assert now(one) == one
    assert queries.simulation_of(number)["losers"] == 0


def test_an_application_that_falls_anyway_is_not_the_drafts_doing(assessment: Assessment) -> None:
    file(TAX_WISH)
    assessment.tell(course_passed("mei", "KJ2105"))
    assert changes(simulated(drafted(MODULE_ALONE))) == []


def test_an_application_filed_under_a_rule_that_ends_before_the_draft_begins_counts(assessment: Assessment) -> None:
    publish(replace(INTERMEDIATE, valid_until=date(2021, 6, 30)))
    one = file(TAX_WISH)
    number = simulated(drafted(replace(MODULE_ALONE, valid_from=date(2021, 7, 1))))
    assert queries.simulation_of(number)["on"] == date(2021, 7, 1)
    assert [(each["effect"], each["application"]) for each in changes(number)] == [("application", one.id)]


def test_what_is_granted_and_told_is_nobodys_concern(assessment: Assessment, day: Day) -> None:
    one = grant(file(TAX_WISH))
    number = simulated(drafted(MODULE_ALONE))
    assert [each["effect"] for each in changes(number)] == ["application"], "it can still be undone"
    day.set(datetime(2021, 3, 4, 2, tzinfo=UTC))
    release_decisions()
    assert now(one).is_released
    assert changes(simulated(drafted(replace(MODULE_ALONE, note="again")))) == []


def test_an_open_offer_is_told_of_where_it_would_fall(assessment: Assessment, day: Day) -> None:
    one = file(TAX_WISH)
    decide(one, BY_DEPARTMENT, is_approval=False)
    day.set(datetime(2021, 3, 4, 2, tzinfo=UTC))
    release_decisions()
    offer = now(one).offer
    assert offer
    assert offer.target == MODULE
    number = simulated(drafted(TAX_ALONE))
    assert brief(number) == [("taken", "mei", "KJ2105", "KJ2105-2"), ("offer", "mei", "KJ2105", "KJ2105-2")]
    day.set(datetime(2021, 3, 10, 2, tzinfo=UTC))
    assert [each["effect"] for each in changes(simulated(drafted(replace(TAX_ALONE, note="late"))))] == ["taken"]


def test_a_policy_with_a_lower_cap_takes_what_is_above_it(assessment: Assessment) -> None:
    file(TAX_WISH, "mei")
    enrol(assessment, "xin")
    number = simulated(drafted(replace(POLICY, most_points_per_certificate=300)))
    assert brief(number) == [("application", "mei", "KJ2105", ""), ("taken", "xin", "KJ2105", "")]
    assert {one["because"] for one in changes(number)} == {"certificate_cap"}


def test_a_policy_without_a_window_to_come_takes_everything(assessment: Assessment) -> None:
    number = simulated(drafted(replace(POLICY, windows=())))
    taken = {(one["learner_id"], one["course"], one["module"]) for one in changes(number, Effect.TAKEN)}
    everything = {("mei", "KJ2101", ""), ("mei", "KJ2105", ""), ("mei", "KJ2105", "KJ2105-2"), ("lan", "KJ2101", "")}
    assert taken == everything
    assert {one["because"] for one in changes(number)} == {"conversion_window_closed"}
    told = queries.simulation_of(number)
    assert (told["losers"], told["totals"]["taken"]) == (2, 4)


def test_a_policy_is_simulated_for_every_programme_that_rests_on_it(
    assessment: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "SPAN_STUDENTS", 1)
    publish(replace(ELEMENTARY, code="other", programme="630301"))
    assessment.tell(record("xin", programme="630301"))
    number = simulated(drafted(replace(POLICY, shares=(Share("学生", 0),))))
    told = queries.simulation_of(number)
    assert (told["cohorts"], told["cohorts_seen"], told["students"]) == (2, 2, 3)
    assert (told["losers"], {one["learner_id"] for one in changes(number)}) == (2, {"mei", "lan"})


def test_who_studies_no_more_or_twice_counts_as_one_or_none(assessment: Assessment) -> None:
    assessment.tell(record("mei", student_number="2019-again"), record("lan", StudyStatus.WITHDRAWN))
    number = simulated(drafted(replace(INTERMEDIATE, targets=(TAX,), levels=(Level(3),))))
    told = queries.simulation_of(number)
    assert (told["students"], told["losers"], told["totals"]["taken"]) == (1, 1, 2)


# --- what is simulated is what happens -------------------------------------------------------------------------------
class Undone(Exception):
    """Takes a filing back that only asked whether it may be."""


def can_file(learner_id: str, wish: Wish) -> bool:
    """Whether a learner may file this now, by really filing it and taking that back."""

    def filing() -> None:
        applying.apply(learner_id, wish, "test")
        raise Undone

    try:
        run_transaction(filing)
    except Refusal:
        return False
    except Undone:
        return True
    raise AssertionError


LEARNERS = ("mei", "lan", "xin", "abe", "kai")
WISHES = (BASICS_WISH, TAX_WISH, MODULE_WISH)
DRAFTS: tuple[ConversionRule | Policy, ...] = (
    MODULE_ALONE,
    TAX_ALONE,
    replace(INTERMEDIATE, levels=(Level(1),)),
    replace(ELEMENTARY, levels=(Level(3),)),
    replace(POLICY, most_points_per_certificate=200),
    replace(POLICY, shares=(Share("学生", 2),)),
    replace(POLICY, windows=()),
    replace(POLICY, never_exempt_kinds=(CourseKind.CORE,)),
    replace(POLICY, credit_years=1),
)


@pytest.mark.parametrize("draft", DRAFTS, ids=range(len(DRAFTS)))
def test_what_is_simulated_is_what_can_be_filed_after_publication(
    assessment: Assessment, draft: ConversionRule | Policy
) -> None:
    enrol(assessment, "xin", level=3)
    enrol(assessment, "abe", level=2)
    assessment.tell(course_passed("xin", "KJ2101"))
    assessment.tell(registered("kai"), record("kai"), finalised("kai", session_date=date(2019, 6, 1)))
    assessment.tell(issued("kai", number="X-kai"))
    file(BASICS_WISH, "abe")
    before = {(one, wish) for one in LEARNERS for wish in WISHES if can_file(one, wish)}
    version = publish_policy if isinstance(draft, Policy) else publish
    number = simulated(drafted(draft))
    version(draft)  # type: ignore[operator]
    after = {(one, wish) for one in LEARNERS for wish in WISHES if can_file(one, wish)}
    found = {
        effect: {
            (one["learner_id"], Wish(one["rule"], one["course"], one["module"])) for one in changes(number, effect)
        }
        for effect in (Effect.ALLOWED, Effect.TAKEN)
    }
    assert found == {Effect.ALLOWED: after - before, Effect.TAKEN: before - after}
    assert before != after
    audited()


# --- nobody approves what was not simulated --------------------------------------------------------------------------
DECIDED: tuple[ConversionRule | Policy, ...] = (MODULE_ALONE, replace(POLICY, undo_minutes=5))


def approve(draft: Draft, by: str, looked_at: int | None = None) -> Any:
    verb = commands.approve_rule if draft.subject == Subject.RULE else commands.approve_policy
    return verb(draft.code, draft.version, by, looked_at)


def put_out(draft: Draft) -> Any:
    verb: Callable[[str, int], Any] = (
        commands.publish_rule if draft.subject == Subject.RULE else commands.publish_policy
    )
    return verb(draft.code, draft.version)


@pytest.mark.parametrize("said", DECIDED, ids=["rule", "policy"])
def test_a_draft_is_approved_once_it_is_simulated(assessment: Assessment, said: ConversionRule | Policy) -> None:
    draft = drafted(said)
    assert refused(lambda: approve(draft, "li")) == "conversion_not_simulated"
    number = commands.ask_simulation(draft, "li").number
    assert refused(lambda: approve(draft, "li")) == "conversion_not_simulated", "it is not finished"
    simulate()
    assert refused(lambda: approve(draft, "li", number + 1)) == "conversion_simulation_is_another"
    approve(draft, "li", number)
    assert approve(draft, "wang").state == RuleState.APPROVED
    assert put_out(draft).state == RuleState.PUBLISHED


@pytest.mark.parametrize("said", DECIDED, ids=["rule", "policy"])
def test_another_wording_is_simulated_anew(assessment: Assessment, said: ConversionRule | Policy) -> None:
    draft = drafted(said)
    simulated(draft)
    other = replace(said, title="another") if isinstance(said, Policy) else replace(said, note="another")
    assert drafted(other) == draft
    assert refused(lambda: approve(draft, "li")) == "conversion_rules_moved_on"


@pytest.mark.parametrize("said", DECIDED, ids=["rule", "policy"])
def test_another_simulation_voids_the_approvals(assessment: Assessment, said: ConversionRule | Policy) -> None:
    draft = drafted(said)
    first = simulated(draft)
    for by in ("li", "wang"):
        approve(draft, by)
    second = simulated(draft)
    assert approve(draft, "li", second).approved_by == ("li",)
    assert (
        refused(lambda: put_out(draft)) == f"conversion_{'rule' if draft.subject == 'rule' else 'policy'}_not_in_state"
    )
    assert refused(lambda: queries.simulation_of(first)) == "not_found"


def test_a_document_that_changes_under_an_approved_rule_has_it_simulated_again(assessment: Assessment) -> None:
    draft = drafted(MODULE_ALONE)
    simulated(draft)
    for by in ("li", "wang"):
        approve(draft, by)
    publish_policy(replace(POLICY, undo_minutes=5))
    assert refused(lambda: put_out(draft)) == "conversion_rules_moved_on"
    simulated(draft)
    for by in ("li", "wang"):
        approve(draft, by)
    assert put_out(draft).state == RuleState.PUBLISHED


def test_another_rule_of_the_programme_voids_nothing(assessment: Assessment) -> None:
    first, second = drafted(MODULE_ALONE), drafted(replace(ELEMENTARY, note="again"))
    for draft in (first, second):
        simulated(draft)
        for by in ("li", "wang"):
            approve(draft, by)
    assert (put_out(first).state, put_out(second).state) == (RuleState.PUBLISHED, RuleState.PUBLISHED)


def test_what_is_published_is_not_simulated(assessment: Assessment) -> None:
    for draft, code in (
        (Draft(Subject.RULE, "tax", 1), "conversion_rule_not_in_state"),
        (Draft(Subject.POLICY, "measures", 1), "conversion_policy_not_in_state"),
        (Draft(Subject.RULE, "nothing", 1), "not_found"),
        (Draft(Subject.POLICY, "measures", 9), "not_found"),
    ):
        assert refused(lambda draft=draft: commands.ask_simulation(draft, "li")) == code  # type: ignore[misc]
    assert database()["conversion_simulations"].count_documents({}) == 0


# --- in steps --------------------------------------------------------------------------------------------------------
def test_a_simulation_goes_on_where_a_killed_worker_left_it(
    assessment: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "SPAN_STUDENTS", 1)
    enrol(assessment, "xin")
    number = commands.ask_simulation(drafted(MODULE_ALONE), "li").number
    commands.simulate_some()
    with monkeypatch.context() as killed:

        def die(*_: Any) -> None:
            raise KeyboardInterrupt

        killed.setattr(commands, "_advance", die)
        with pytest.raises(KeyboardInterrupt):
            commands.simulate_some()
    assert queries.simulation_of(number)["students"] == 1
    simulate()
    told = queries.simulation_of(number)
    assert (told["students"], told["losers"], told["state"]) == (3, 2, State.FINISHED)
    assert [one["learner_id"] for one in changes(number)] == ["mei", "xin"]


def test_a_simulation_whose_ground_changes_under_it_is_void(
    assessment: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "SPAN_STUDENTS", 1)
    draft = drafted(MODULE_ALONE)
    number = commands.ask_simulation(draft, "li").number
    commands.simulate_some()
    publish_policy(replace(POLICY, undo_minutes=5))
    simulate()
    assert queries.simulation_of(number)["state"] == State.VOID
    assert refused(lambda: approve(draft, "li")) == "conversion_rules_moved_on"


def test_what_an_earlier_simulation_found_is_removed(assessment: Assessment) -> None:
    draft = drafted(MODULE_ALONE)
    simulated(draft)
    second = simulated(draft)
    assert database()["simulated_exemptions"].count_documents({}) == len(changes(second)) == 1
    assert models.found(second).replaces == ()


def test_a_document_that_no_rule_rests_on_changes_nothing(assessment: Assessment) -> None:
    number = simulated(drafted(replace(POLICY, code="unused")))
    told = queries.simulation_of(number)
    assert (told["state"], told["cohorts"], told["students"], told["on"]) == ("finished", 0, 0, date(2021, 3, 3))

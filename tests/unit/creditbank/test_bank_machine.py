"""Results, certificates, rules, merges, freezes and conversions in any order, each command twice: every point is there
once, and nobody is told two things."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chassis.database import database
from services.creditbank import handlers, jobs
from services.creditbank.conversion import appealing, applications, applying, college, deciding, judging
from services.creditbank.ledger import commands as ledger
from services.creditbank.ledger import domain as postings
from tests.unit.creditbank.bank_life import (
    KINDS,
    LEARNERS,
    LEVELS,
    TARGETS,
    Bank,
    Deed,
    ended,
    prepared,
)
from tests.unit.creditbank.bank_promises import broken, left_behind, pockets
from tests.unit.creditbank.converting import (
    BASICS_WISH,
    BY_ANOTHER,
    BY_DEPARTMENT,
    BY_REGISTRY,
    MODULE_WISH,
    TAX_WISH,
    Day,
)
from tests.unit.creditbank.stories import audited

EXAMPLES = max(int(os.environ.get("TRIES", "1000")) // 50, 6)
STEPS = 24
MOST_REVALUATIONS, MOST_RULES = 1, 2  # in one life: they take long
WAITS = [timedelta(minutes=10), *[timedelta(minutes=40)] * 3, timedelta(days=3), timedelta(days=9), timedelta(days=150)]
SPENDING = ("hold", "spend")

learners, levels = st.sampled_from(LEARNERS), st.sampled_from(LEVELS)
wishes = st.sampled_from((TAX_WISH, MODULE_WISH, BASICS_WISH))
reviewers = st.sampled_from((BY_DEPARTMENT, BY_REGISTRY, BY_ANOTHER))
places = st.integers(0, 3)  # among the applications filed, the latest first


class AnyLife(RuleBasedStateMachine):
    begin: Callable[[], Bank]

    def __init__(self) -> None:
        super().__init__()
        self.bank = self.begin()
        self.revaluations = self.rules = 0

    @initialize(wish=wishes, other=wishes)
    def two_learners_file(self, wish: Any, other: Any) -> None:
        self.a_learner_files("mei", wish)
        self.a_learner_files("lan", other)

    def act(self, deed: Deed, is_repeated: bool = True) -> str:
        """Do it, and a command again: that changes nothing. Nothing is spent from an account that is held up."""
        blocked = self.blocked()
        before = {row["_id"] for row in database()["entries"].find({}, {"_id": 1})}
        end = self.bank.done(deed)
        after = list(database()["entries"].find())
        spent = [row["_id"] for row in after if row["what"] in SPENDING and row["_id"] not in before]
        assert not [one for one in spent if one[:-7] in blocked], f"{deed.name} spends {spent}"
        if is_repeated and not deed.is_fact:
            ended(deed)
            assert database()["entries"].count_documents({}) == len(after), f"{deed.name} once more posts once more"
        return end

    def blocked(self) -> set[str]:
        """Whose account is frozen, or whose news is held up."""
        frozen = {row["_id"] for row in database()["accounts"].find({"is_frozen": True}, {"_id": 1})}
        return frozen | {self.bank.person(one) for one in self.bank.parked}

    def filed(self, place: int) -> str:
        return self.bank.filed[-1 - place % len(self.bank.filed)]

    @rule(learner=learners, level=levels, kind=st.sampled_from(sorted(KINDS)), is_passed=st.booleans())
    def a_result_arrives(self, learner: str, level: int, kind: str, is_passed: bool) -> None:
        self.act(self.bank.result(learner, level, kind, is_passed))

    @rule(learner=learners, level=st.sampled_from((2, 2, 3)))
    def a_learner_passes(self, learner: str, level: int) -> None:
        self.act(self.bank.result(learner, level, "final", is_passed=True))
        self.act(self.bank.number(learner, level))

    @rule(learner=learners, level=levels, is_revoked=st.booleans())
    def a_certificate_arrives(self, learner: str, level: int, is_revoked: bool) -> None:
        self.act(self.bank.revocation(learner, level) if is_revoked else self.bank.number(learner, level))

    @rule(place=st.integers(0, 30))
    def an_old_fact_arrives_again(self, place: int) -> None:
        if facts := [one for one in self.bank.deeds if one.is_fact]:
            self.act(facts[-1 - place % len(facts)])

    @rule(learner=st.sampled_from(LEARNERS[1:]))
    def two_learners_are_one(self, learner: str) -> None:
        self.act(self.bank.merge(LEARNERS[LEARNERS.index(learner) - 1], learner))

    @precondition(lambda self: self.revaluations < MOST_REVALUATIONS)
    @rule(level=levels, more=st.sampled_from((-100, 100)))
    def a_level_is_worth_something_else(self, level: int, more: int) -> None:
        self.revaluations += 1
        self.act(self.bank.worth(level, 200 * level + more))
        self.act(self.bank.rerate(level), is_repeated=False)

    @rule(by=st.sampled_from(WAITS))
    def time_goes_on(self, by: timedelta) -> None:
        self.act(self.bank.wait(by))

    @rule(learner=learners, is_frozen=st.booleans())
    def an_account_is_frozen(self, learner: str, is_frozen: bool) -> None:
        self.act(self.bank.freeze(learner, is_frozen))

    @rule(learner=learners, is_parked=st.booleans())
    def news_is_held_up(self, learner: str, is_parked: bool) -> None:
        self.act(self.bank.park(learner, is_parked))

    @precondition(lambda self: self.rules < MOST_RULES)
    @rule(number=st.integers(1, len(TARGETS) - 1))
    def a_conversion_rule_is_published(self, number: int) -> None:
        self.rules += 1
        self.act(self.bank.rule(number), is_repeated=False)

    @rule(learner=learners, wish=wishes)
    def a_learner_files(self, learner: str, wish: Any) -> None:
        self.act(self.bank.apply(learner, wish))

    @precondition(lambda self: self.bank.filed)
    @rule(place=places, by=reviewers, is_approval=st.sampled_from((True, True, False)))
    def somebody_decides(self, place: int, by: Any, is_approval: bool) -> None:
        self.act(self.bank.decide(self.filed(place), by, is_approval))

    @precondition(lambda self: self.bank.filed)
    @rule(place=places)
    def both_approve(self, place: int) -> None:
        for by in (BY_DEPARTMENT, BY_REGISTRY):
            self.act(self.bank.decide(self.filed(place), by, is_approval=True))

    @precondition(lambda self: self.bank.filed)
    @rule(place=places, rule_version=st.sampled_from((0, 0, 1, 2, 3)))
    def somebody_undoes(self, place: int, rule_version: int) -> None:
        self.act(self.bank.undo(self.filed(place), BY_REGISTRY, rule_version))

    @precondition(lambda self: self.bank.filed)
    @rule(place=places)
    def a_learner_withdraws(self, place: int) -> None:
        self.act(self.bank.withdraw(self.filed(place)))

    @precondition(lambda self: self.bank.filed)
    @rule(place=places)
    def a_learner_appeals(self, place: int) -> None:
        self.act(self.bank.appeal(self.filed(place)))

    @precondition(lambda self: self.bank.filed)
    @rule(place=places, is_upheld=st.booleans(), by=reviewers)
    def a_refusal_is_appealed_and_decided(self, place: int, is_upheld: bool, by: Any) -> None:
        self.act(self.bank.decide(self.filed(place), BY_DEPARTMENT, is_approval=False))
        self.act(self.bank.wait(WAITS[1]))
        self.act(self.bank.appeal(self.filed(place)))
        self.act(self.bank.decide(self.filed(place), by, is_upheld))

    @precondition(lambda self: self.bank.filed)
    @rule(place=places)
    def a_learner_takes_an_offer(self, place: int) -> None:
        self.act(self.bank.accept(self.filed(place)))

    @precondition(lambda self: self.bank.filed)
    @rule()
    def exemptions_are_exported(self) -> None:
        self.act(self.bank.wait(WAITS[1]))
        self.act(self.bank.export())
        assert left_behind(self.bank) == []

    @precondition(lambda self: self.bank.filed)
    @rule(place=places, is_taken=st.booleans())
    def the_registrys_system_answers(self, place: int, is_taken: bool) -> None:
        self.act(self.bank.acknowledge(self.filed(place), is_taken))

    @invariant()
    def every_promise_holds(self) -> None:
        assert broken(self.bank) == []

    def teardown(self) -> None:
        """Chains verify; and facts that came in another order would have come to the same."""
        audited()
        before = totals(self.bank)
        other = self.bank.told_otherwise(len(self.bank.deeds))
        assert broken(other) == []
        audited()
        assert totals(other) == before


def totals(bank: Bank) -> dict[str, tuple[int, int]]:
    """By person, what is to come, and what is available, held or spent."""
    shown = pockets()
    return {
        one: (shown[one]["provisional"], sum(shown[one][name] for name in ("available", "held", "spent")))
        for one in bank.people()
        if one in shown
    }


@pytest.fixture(autouse=True)
def _college(mongo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each life begins in a college that was prepared once."""
    begin = prepared(Day(tmp_path / "clock", monkeypatch))
    monkeypatch.setattr(AnyLife, "begin", staticmethod(begin), raising=False)


@pytest.mark.thousand
def test_every_life_of_a_bank_keeps_every_promise() -> None:
    run_state_machine_as_test(
        AnyLife,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


# --- faults that are seeded, and lives in which each breaks a promise -----------------------------------------------
Life = Callable[[AnyLife], None]


def withdrawn(life: AnyLife) -> None:
    life.a_learner_withdraws(0)


def undone(life: AnyLife) -> None:
    life.both_approve(0)
    life.somebody_undoes(0, 0)


def undone_late(life: AnyLife) -> None:
    life.both_approve(0)
    life.time_goes_on(WAITS[1])
    life.somebody_undoes(0, 0)
    life.somebody_decides(0, BY_ANOTHER, is_approval=False)
    life.time_goes_on(WAITS[1])


def made_one(life: AnyLife) -> None:
    life.two_learners_are_one("lan")


def made_one_with_one_module(life: AnyLife) -> None:
    for learner in LEARNERS[:2]:
        life.a_learner_withdraws(1)
        life.a_learner_files(learner, MODULE_WISH)
    life.two_learners_are_one("lan")


def annulled(life: AnyLife) -> None:
    life.both_approve(0)
    life.a_result_arrives("lan", 2, "annulled", is_passed=True)


def exported_and_annulled(life: AnyLife) -> None:
    life.both_approve(0)
    life.exemptions_are_exported()
    life.a_result_arrives("lan", 2, "annulled", is_passed=True)


def restored_and_rejected(life: AnyLife) -> None:
    exported_and_annulled(life)
    life.a_result_arrives("lan", 2, "corrected", is_passed=True)
    life.the_registrys_system_answers(0, is_taken=False)
    life.exemptions_are_exported()


def withdrawn_and_taken(life: AnyLife) -> None:
    exported_and_annulled(life)
    life.the_registrys_system_answers(0, is_taken=False)
    life.the_registrys_system_answers(0, is_taken=True)


def frozen(life: AnyLife) -> None:
    life.an_account_is_frozen("lan", is_frozen=True)
    life.both_approve(0)


def revalued(life: AnyLife) -> None:
    life.a_level_is_worth_something_else(2, -100)


def filed_late(life: AnyLife) -> None:
    life.a_learner_withdraws(1)
    life.time_goes_on(WAITS[-1])
    life.time_goes_on(WAITS[-1])
    life.a_learner_files("mei", BASICS_WISH)


def revoked_below(life: AnyLife) -> None:
    life.a_learner_passes("mei", 3)
    life.a_learner_withdraws(1)
    life.a_certificate_arrives("mei", 2, is_revoked=True)
    life.a_learner_files("mei", TAX_WISH)


def upheld(life: AnyLife) -> None:
    life.a_refusal_is_appealed_and_decided(0, is_upheld=True, by=BY_REGISTRY)
    life.exemptions_are_exported()


def dismissed_and_appealed(life: AnyLife) -> None:
    life.a_refusal_is_appealed_and_decided(0, is_upheld=False, by=BY_REGISTRY)
    life.time_goes_on(WAITS[1])
    life.a_learner_appeals(0)


def appealed_and_annulled(life: AnyLife) -> None:
    life.somebody_decides(0, BY_DEPARTMENT, is_approval=False)
    life.time_goes_on(WAITS[1])
    life.a_learner_appeals(0)
    life.a_result_arrives("lan", 2, "annulled", is_passed=True)


def refused_at_the_registry_and_decided_again(life: AnyLife) -> None:
    life.somebody_decides(0, BY_DEPARTMENT, is_approval=True)
    life.somebody_decides(0, BY_REGISTRY, is_approval=False)
    life.time_goes_on(WAITS[1])
    life.a_learner_appeals(0)
    life.somebody_decides(0, BY_REGISTRY, is_approval=True)


LIVES: tuple[Life, ...] = (
    upheld,
    dismissed_and_appealed,
    appealed_and_annulled,
    refused_at_the_registry_and_decided_again,
    withdrawn,
    undone,
    undone_late,
    made_one,
    made_one_with_one_module,
    annulled,
    exported_and_annulled,
    restored_and_rejected,
    withdrawn_and_taken,
    frozen,
    revalued,
    filed_late,
    revoked_below,
)


def lived(through: Life) -> None:
    """Live through it; AssertionError where a promise is broken."""
    life = AnyLife()
    life.two_learners_file(TAX_WISH, TAX_WISH)
    through(life)
    life.every_promise_holds()
    life.teardown()


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
def test_these_lives_keep_every_promise(life: Life) -> None:
    lived(life)


def twice(*given: Any) -> list[Any]:
    return [posting for posting in difference(*given) for _ in range(2)]


difference = postings.difference
FAULTS: dict[str, tuple[Any, str, Any, Life]] = {
    "each difference is posted twice": (postings, "difference", twice, revalued),
    "what is withdrawn stays on hold": (applying, "released_hold", lambda one: replace(one, held=0), withdrawn),
    "an undo leaves the points spent": (ledger, "undo", lambda *_: None, undone),
    "what was told is undone": (deciding, "check_undo", lambda *_, **__: None, undone_late),
    "a merge forgets applications": (handlers, "move_applications", lambda *_: None, made_one),
    "a merge leaves one course twice": (applying, "doubled", lambda _: set(), made_one_with_one_module),
    "an annulment reviews nothing": (handlers, "review_touched", lambda _: None, annulled),
    "what was exported is withdrawn": (applications.Application, "is_exported", False, exported_and_annulled),
    "a case is never over": (applying, "_close_case", lambda _: None, restored_and_rejected),
    "a frozen account spends": (ledger, "check_spending", lambda *_: None, frozen),
    "a rerate tells conversion nothing": (jobs, "review_touched", lambda _: None, revalued),
    "a lower certificate's revocation is not asked for": (college, "is_revoked", lambda *_: False, revoked_below),
    "an appealed application is reviewed no more": (
        applying,
        "_may_be_lost",
        lambda one: not one.appeal,
        appealed_and_annulled,
    ),
    "one appeals twice": (appealing, "check_appeal", lambda *_: None, dismissed_and_appealed),
    "whoever refused decides about the appeal": (
        appealing,
        "deciders_before",
        lambda _: (),
        refused_at_the_registry_and_decided_again,
    ),
    "passes never expire": (judging, "years_after", lambda *_: date.max, filed_late),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_breaks_a_promise(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    module, name, broken_one, life = FAULTS[fault]
    monkeypatch.setattr(module, name, broken_one)
    with pytest.raises(AssertionError):
        lived(life)

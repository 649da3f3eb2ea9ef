"""From a draft to what accounts show, on a real mongod: simulated, approved by two, published, outcomes moved."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis import database as chassis_database
from chassis.database import database
from chassis.errors import Busy, Refusal
from contracts.assessment import OfResult, ResultAnnulled, ResultFinalised, ResultPublicised
from contracts.terms import Level, StudyStatus, Verdict
from services.creditbank.jobs import Rerating, rerate_some, settle_waiting
from services.creditbank.ledger import queries as ledger
from services.creditbank.proposals import commands, queries
from services.creditbank.proposals.domain import Retirement, State, VersionDraft
from services.creditbank.recognition.commands import RERATED, Moved, move_pins, publish_decided, publish_rule
from services.creditbank.recognition.queries import outcomes_of
from tests.support.engines import empty
from tests.unit.creditbank.converting import record
from tests.unit.creditbank.proposing import (
    AUTHOR,
    FIRST,
    POLICY,
    SECOND,
    THIRD,
    agreed,
    figures,
    moved_all,
    published,
    rerate,
    shifts,
    simulate,
    simulated,
    version,
)
from tests.unit.creditbank.stories import (
    PILOT,
    Assessment,
    announced,
    annulled,
    audited,
    balances,
    entries,
    finalised,
    merged,
    of_result,
    publicised,
    publish_annex,
    registered,
)

EXAMPLES = max(int(os.environ.get("TRIES", "1000")) // 10, 5)
QUIET = settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True
)


@pytest.fixture
def assessment(mongo: str) -> Assessment:
    """The annex's rules, two learners, and what assessment says."""
    publish_annex()
    teller = Assessment()
    teller.tell(registered("mei"), registered("lan"))
    return teller


def test_a_simulation_says_who_gains_and_who_loses_and_changes_nothing(assessment: Assessment) -> None:
    assessment.tell(finalised("mei"), publicised("lan", "0002"), finalised("lan", "0001", level=1))
    before = [entries("mei"), entries("lan")]
    number = simulated(version(credit_points=300))
    found = shifts(number)
    assert (figures(found["mei"], "before"), figures(found["mei"], "rerated")) == ((0, 400), (0, 300))
    assert (figures(found["lan"], "before"), figures(found["lan"], "rerated")) == ((200, 200), (100, 200))
    assert all(figures(one, "enacted") == figures(one, "before") for one in found.values())
    told = queries.simulation_of(number)
    tally = {"holdings": 2, "gainers": 0, "losers": 2, "gained_points": 0, "lost_points": 200, "published_points": 0}
    assert told["totals"] == tally | {"change_points": -200}
    assert [(one["scheme"], one["level"], one["losers"]) for one in told["groups"]] == [
        ("cloud-ops", 1, 1),
        ("cloud-ops", 2, 1),
    ]
    assert (shifts(number, "gains"), len(shifts(number, "loses"))) == ({}, 2)
    assert [entries("mei"), entries("lan")] == before


def test_a_simulation_says_what_changes_by_programme_and_by_scheme(assessment: Assessment) -> None:
    assessment.tell(record("mei"), record("mei", StudyStatus.GRADUATED, student_number="2015-mei", programme="520201"))
    assessment.tell(finalised("mei"), finalised("lan", "0002"))
    told = queries.simulation_of(simulated(version(credit_points=300)))
    programmes = [(one["programme"], one["losers"], one["change_points"]) for one in told["programmes"]]
    assert programmes == [("", 1, -100), ("630302", 1, -100)], "what she studies now counts, and lan never studied here"
    assert [(one["scheme"], one["losers"], one["change_points"]) for one in told["schemes"]] == [("cloud-ops", 2, -200)]
    assert {one["learner_id"]: one["programme"] for one in shifts(1).values()} == {"mei": "630302", "lan": ""}


def test_publishing_leaves_what_is_pinned_and_a_rerate_moves_it(assessment: Assessment) -> None:
    assessment.tell(finalised("mei"))
    number = published(version(credit_points=500))
    assert (number, balances("mei")) == (2, (0, 400))
    assessment.tell(finalised("lan"))
    assert balances("lan") == (0, 500)
    assert moved_all(agreed(rerate(number))) == 1
    assert balances("mei") == (0, 500)
    entry = entries("mei")[-1]
    assert (entry["what"], entry["rule_version"], entry["available_points"]) == (RERATED, 2, 100)
    audited()


def test_a_rule_without_predecessor_credits_what_waited_when_it_is_published(mongo: str) -> None:
    teller = Assessment()
    teller.tell(registered("mei"), finalised("mei"), finalised("new"))
    number = simulated(version(credit_points=500))
    found = shifts(number)
    assert list(found) == ["mei"]  # nobody has an account for the other
    assert (figures(found["mei"], "enacted"), figures(found["mei"], "rerated")) == ((0, 500), (0, 500))
    assert queries.simulation_of(number)["totals"]["published_points"] == 500
    commands.approve(number, 1, AUTHOR)
    commands.approve(number, 1, SECOND)
    commands.enact(number, AUTHOR)
    settle_waiting()
    assert balances("mei") == (0, 500)


def test_a_rerate_tells_learners_only_where_points_changed(assessment: Assessment) -> None:
    assessment.tell(finalised("mei", "0001", level=2), finalised("mei", "0002", level=3), finalised("lan", "0003"))
    told = len(announced())
    number = published(version(credit_points=500))
    assert moved_all(agreed(rerate(number))) == 2
    assert [row["key"] for row in announced()[told:]] == ["learner:lan"]
    assert (balances("mei"), len(entries("mei"))) == ((0, 600), 2)
    assert {one.rule_version for one in outcomes_of(["mei"])["mei", "cloud-ops"].values()} == {1, 2}
    assessment.tell(annulled("mei", "0002", level=3))
    assert balances("mei") == (0, 500)
    audited()


def test_a_rerate_again_changes_nothing(assessment: Assessment) -> None:
    assessment.tell(finalised("mei"), finalised("lan"))
    number = published(version())
    assert moved_all(agreed(rerate(number))) == 2
    before = [entries("mei"), entries("lan")]
    assert moved_all(agreed(rerate(number))) == 0
    assert [entries("mei"), entries("lan")] == before


def test_a_rerate_leaves_sessions_that_its_version_does_not_hold_for(assessment: Assessment) -> None:
    assessment.tell(finalised("mei", session_date=date(2019, 12, 31)), finalised("lan", session_date=FIRST))
    assert moved_all(agreed(rerate(published(version())))) == 1
    assert (balances("mei"), balances("lan")) == ((0, 400), (0, 500))


def test_a_pin_that_was_moved_goes_before_the_copy_of_a_merged_learner(assessment: Assessment) -> None:
    assessment.tell(finalised("mei"), finalised("lan"))  # one result told under two ids of one person
    number = published(version())
    move_pins(["lan"], {("cloud-ops", 2): number}, 1)
    assessment.tell(merged("mei", "lan"))
    assert balances("mei") == (0, 500)
    audited()


def test_an_outcome_that_a_merge_carried_behind_the_rerate_is_moved_in_the_next_round(
    assessment: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "MOST_OUTCOMES", 1)
    assessment.tell(registered("abe"), registered("zoe"))
    assessment.tell(finalised("lan", "0001"), finalised("mei", "0002"), finalised("zoe", "0003"))
    number = agreed(rerate(published(version())))
    commands.enact(number, SECOND)
    assert rerate_some()
    assert (balances("lan"), balances("zoe")) == ((0, 500), (0, 400))
    assessment.tell(merged("abe", "zoe"))
    while rerate_some():
        pass
    assert (balances("abe"), balances("mei")) == ((0, 500), (0, 500))
    told = queries.proposal_of(number)["enactment"]
    assert (told["moved"], told["rounds"]) == (3, 3)
    audited()


def test_a_correction_during_a_rerate_keeps_the_pin_it_has(assessment: Assessment) -> None:
    assessment.tell(finalised("mei"), finalised("lan"))
    number = published(version())
    move_pins(["mei"], {("cloud-ops", 2): number}, 1)
    assessment.tell(finalised("mei", revision=5), finalised("lan", revision=5))
    assert (balances("mei"), balances("lan")) == ((0, 500), (0, 400))


def test_a_retired_version_recognises_no_later_session(assessment: Assessment) -> None:
    number = agreed(Retirement("cloud-ops", 2, 1, FIRST))
    assessment.tell(finalised("mei"))
    assert balances("mei") == (0, 400)
    commands.enact(number, SECOND)
    assessment.tell(finalised("lan"))
    assert (balances("mei"), balances("lan")) == ((0, 400), (0, 0))
    assert database()["waiters"].count_documents({"fact": "rule:cloud-ops:2"}) == 1


def test_rules_that_change_under_a_simulation_void_it(assessment: Assessment) -> None:
    number = commands.draft(version(), AUTHOR).number
    commands.ask_simulation(number, AUTHOR)
    publish_rule("cloud-ops", Level.INTERMEDIATE, 300, PILOT)
    simulate()
    assert queries.proposal_of(number)["state"] == State.DRAFT
    with pytest.raises(Refusal, match="proposal_not_simulated"):
        commands.approve(number, 1, SECOND)


def test_of_two_drafts_for_one_period_the_second_is_refused(assessment: Assessment) -> None:
    first, second = agreed(version()), agreed(version(credit_points=1))
    commands.enact(first, SECOND)
    with pytest.raises(Refusal, match="rules_moved_on"):
        commands.enact(second, SECOND)
    with pytest.raises(Refusal, match="rule_overlaps"):
        commands.ask_simulation(second, AUTHOR)
    commands.edit(second, version(credit_points=1, supersedes=(2,)))
    commands.ask_simulation(second, AUTHOR)
    simulate()
    for person in (SECOND, THIRD):
        commands.approve(second, 2, person)
    enactment = commands.enact(second, SECOND).enactment
    assert enactment is not None
    assert enactment.version == 3


def test_a_simulation_asked_again_replaces_what_the_first_one_found(assessment: Assessment) -> None:
    assessment.tell(finalised("mei"))
    number = simulated(version(credit_points=500))
    commands.edit(number, version(credit_points=400))
    commands.ask_simulation(number, AUTHOR)
    simulate()
    assert shifts(number) == {}
    assert database()["simulated_shifts"].count_documents({}) == 0


# --- what is simulated is what happens -------------------------------------------------------------------------------

LEARNERS = ("lan", "mei", "new", "xin")
SESSIONS = (date(2019, 6, 1), date(2020, 6, 1), date(2021, 6, 1), date(2022, 6, 1))
KINDS: tuple[tuple[type[OfResult], dict[str, Any]], ...] = (
    (ResultPublicised, {}),
    (ResultFinalised, {}),
    (ResultFinalised, {}),
    (ResultAnnulled, {"reason": "copied"}),
)


@dataclass(frozen=True)
class Said:
    """One revision of a result."""

    learner: str
    result: int
    level: int
    revision: int
    session: date
    kind: int
    is_passed: bool

    def body(self) -> OfResult:
        kind, more = KINDS[self.kind]
        verdict = Verdict.PASSED if self.is_passed else Verdict.FAILED
        name = f"{self.learner}-{self.result}"
        more = more | {"verdict": verdict, "session_date": self.session}
        return of_result(kind, self.learner, name, self.revision, self.level, **more)


def said_at(revision: int, result: int) -> st.SearchStrategy[Said]:
    """Level and session are a result's own."""
    return st.builds(
        Said,
        st.sampled_from(LEARNERS),
        st.just(result),
        st.just(result % 3 + 1),
        st.just(revision),
        st.just(SESSIONS[result % 4]),
        st.integers(0, len(KINDS) - 1),
        st.booleans(),
    )


SAID = st.lists(st.integers(0, 11).flatmap(lambda result: said_at(1 + result % 3, result)), max_size=14)
DEFAULTS = st.dictionaries(st.sampled_from([1, 2, 3]), st.sampled_from([0, 100, 200, 600]), max_size=3)
DRAFTS = st.builds(
    version,
    level=st.sampled_from([1, 2, 3]),
    credit_points=st.sampled_from([0, 100, 300, 700]),
    sessions_from=st.sampled_from([date(2019, 1, 1), date(2020, 1, 1), date(2021, 1, 1)]),
    sessions_until=st.sampled_from([date(2021, 12, 31), date(2030, 12, 31)]),
)


def fresh(defaults: dict[int, int], said: Sequence[Said], first: VersionDraft | None = None) -> None:
    """An empty bank with these defaults (and a decided rule), told these results; one learner has no account."""
    empty(database())
    for level, points in defaults.items():
        publish_rule("cloud-ops", Level(level), points, PILOT)
    if first:
        publish_decided(first.scheme, first.level, first.as_version(), ())
    teller = Assessment()
    teller.tell(*(registered(one) for one in LEARNERS if one != "new"))
    teller.tell(*(one.body() for one in said))


def shown() -> dict[str, tuple[int, int]]:
    """What accounts show, by learner."""
    return {one: balances(one) for one in LEARNERS if one != "new"}


def total(some: dict[str, tuple[int, int]]) -> int:
    return sum(map(sum, some.values()))


def expected(before: dict[str, tuple[int, int]], number: int, stage: str) -> dict[str, tuple[int, int]]:
    """What accounts should show by the simulation of a proposal."""
    found = shifts(number)
    assert all(figures(found[one], "before") == before[one] for one in found)
    return {one: figures(found[one], stage) if one in found else before[one] for one in before}


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulations and rerates in spans and batches of very few."""
    monkeypatch.setattr(commands, "SPAN_OUTCOMES", 3)
    monkeypatch.setattr(commands, "MOST_OUTCOMES", 2)


@pytest.mark.thousand
def test_what_is_simulated_is_what_publishing_and_rerating_change(mongo: str, small_steps: None) -> None:
    @QUIET
    @given(SAID, DEFAULTS, DRAFTS)
    def holds(said: list[Said], defaults: dict[int, int], draft: VersionDraft) -> None:
        fresh(defaults, said)
        before = shown()
        number = agreed(draft)
        enacted, rerated = expected(before, number, "enacted"), expected(before, number, "rerated")
        totals = queries.simulation_of(number)["totals"]
        enactment = commands.enact(number, SECOND).enactment
        assert enactment is not None
        settle_waiting()
        assert shown() == enacted
        assert totals["published_points"] == total(enacted) - total(before)
        mover = agreed(rerate(enactment.version, draft.level))
        assert expected(enacted, mover, "rerated") == rerated
        moved_all(mover)
        assert shown() == rerated
        assert totals["change_points"] == total(rerated) - total(before)
        changes = [sum(rerated[one]) - sum(before[one]) for one in before]
        assert totals["gained_points"] == sum(max(one, 0) for one in changes)
        assert totals["lost_points"] == sum(max(-one, 0) for one in changes)
        assert (totals["gainers"], totals["losers"]) == (sum(c > 0 for c in changes), sum(c < 0 for c in changes))
        audited()

    holds()


@pytest.mark.thousand
def test_a_rerate_in_any_order_and_repetition_ends_like_settling_anew(mongo: str) -> None:
    @QUIET
    @given(SAID, st.sampled_from([1, 2, 3]), st.randoms(use_true_random=False))
    def holds(said: list[Said], level: int, chance: random.Random) -> None:
        defaults, new = {1: 200, 2: 400, 3: 600}, version(level=level, credit_points=300)
        fresh(defaults, said, first=new)
        anew = shown()
        fresh(defaults, said)
        number = publish_decided(new.scheme, new.level, new.as_version(), ())
        batches = [chance.sample(LEARNERS, chance.randint(1, 3)) for _ in range(4)] + [list(LEARNERS)]
        chance.shuffle(batches)
        moved = sum(move_pins(one, {("cloud-ops", level): number}, 1).outcomes for one in batches)
        assert shown() == anew
        pins = [one for of in outcomes_of(LEARNERS).values() for one in of.values() if one.rerated]
        assert moved == len(pins)
        audited()

    holds()


# --- killed at any moment ------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone, between one statement and the next."""


def killed_at(monkeypatch: pytest.MonkeyPatch, commit: int, is_before: bool) -> Callable[[], int]:
    """Die once, just before or just after this commit; how many commits there were."""
    plain, seen = chassis_database._commit, [0]

    def dying(session: Any) -> None:
        seen[0] += 1
        if seen[0] == commit and is_before:
            raise Killed
        plain(session)
        if seen[0] == commit:
            raise Killed

    monkeypatch.setattr(chassis_database, "_commit", dying)
    return lambda: seen[0]


def restarted(job: Callable[[], bool]) -> int:
    """Run a job to its end, again after each death; how often it died."""
    deaths, more = 0, True
    while more:
        try:
            more = job()
        except Killed:
            deaths += 1
    return deaths


BOUNDARIES = [(commit, is_before) for commit in range(1, 8) for is_before in (True, False)]


@pytest.mark.parametrize(("commit", "is_before"), BOUNDARIES)
def test_a_rerate_that_is_killed_goes_on_and_moves_each_outcome_once(
    assessment: Assessment, monkeypatch: pytest.MonkeyPatch, small_steps: None, commit: int, is_before: bool
) -> None:
    learners = [f"learner-{number}" for number in range(7)]
    assessment.tell(*map(registered, learners))
    assessment.tell(*(finalised(one, one) for one in learners))
    number = agreed(rerate(published(version())))
    commands.enact(number, SECOND)
    killed_at(monkeypatch, commit, is_before)
    assert restarted(rerate_some) == 1
    assert {balances(one) for one in learners} == {(0, 500)}
    assert [len([one for one in entries(who) if one["what"] == RERATED]) for who in learners] == [1] * 7
    assert queries.proposal_of(number)["enactment"]["moved"] == 7
    assert len({row["_id"] for row in announced()}) == len(announced())
    audited()


@pytest.mark.parametrize(("commit", "is_before"), BOUNDARIES[:6])
def test_a_simulation_that_is_killed_goes_on_and_counts_each_holding_once(
    assessment: Assessment, monkeypatch: pytest.MonkeyPatch, small_steps: None, commit: int, is_before: bool
) -> None:
    learners = [f"learner-{number}" for number in range(10)]
    assessment.tell(*map(registered, learners))
    assessment.tell(*(finalised(one, one) for one in learners))
    number = commands.draft(version(credit_points=500, policy=POLICY), AUTHOR).number
    commands.ask_simulation(number, AUTHOR)
    killed_at(monkeypatch, commit, is_before)
    assert restarted(commands.simulate_some) == 1
    told = queries.simulation_of(number)
    assert (told["totals"]["gainers"], told["totals"]["gained_points"], told["seen"]) == (10, 1000, 10)
    assert len(shifts(number)) == 10


def test_the_books_are_even_after_points_were_taken_by_a_rerate(assessment: Assessment) -> None:
    assessment.tell(finalised("mei"), finalised("lan"))
    moved_all(agreed(rerate(published(version(credit_points=0)))))
    assert (balances("mei"), balances("lan")) == ((0, 0), (0, 0))
    assert ledger.books()["sum"] == 0


def test_no_rule_changes_while_outcomes_are_moved_by_it(assessment: Assessment) -> None:
    under_way = agreed(rerate(published(version())))
    another = agreed(version(credit_points=600, supersedes=(2,)))
    commands.enact(under_way, SECOND)
    with pytest.raises(Refusal, match="rerate_under_way"):
        commands.enact(another, SECOND)
    while rerate_some():
        pass
    assert commands.enact(another, SECOND).state == State.CARRIED_OUT


def test_a_rerate_whose_transaction_is_too_large_goes_on_with_a_smaller_one(
    assessment: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    learners = [f"learner-{number}" for number in range(8)]
    assessment.tell(*map(registered, learners))
    assessment.tell(*(finalised(one, one) for one in learners))
    number = agreed(rerate(published(version())))
    commands.enact(number, SECOND)
    tried = list[int]()

    def move_pins_of_three(learner_ids: Collection[str], *more: Any) -> Moved:
        tried.append(len(learner_ids))
        if len(learner_ids) > 3:
            raise Busy
        return move_pins(learner_ids, *more)

    monkeypatch.setattr(commands, "MOST_OUTCOMES", 8)
    monkeypatch.setattr("services.creditbank.recognition.commands.move_pins", move_pins_of_three)
    job = Rerating()
    while queries.proposal_of(number)["state"] == State.UNDER_WAY:
        with suppress(Busy):
            job()
    assert max(tried) > 3 >= tried[-1]
    assert [balances(one) for one in learners] == [(0, 500)] * 8
    audited()

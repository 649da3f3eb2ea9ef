"""Proposals' rules alone: how the versions of a rule follow each other, and who may move a proposal on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Refusal
from services.creditbank.proposals.domain import (
    Found,
    Group,
    ProgrammeGroup,
    Proposal,
    Rerate,
    Retirement,
    State,
    Tally,
    Target,
    added,
    advanced,
    approved,
    asked,
    basis_of,
    edited,
    may_be_enacted,
    rules_after,
    withdrawn,
)
from services.creditbank.recognition.domain import (
    NO_POLICY,
    Policy,
    RuleVersion,
    chosen,
    decided,
    retired,
    superseding,
)
from tests.unit.creditbank.proposing import AUTHOR, POLICY, SECOND, THIRD, version

PLACE = ("cloud-ops", 2)
NOW = datetime(2021, 3, 1, tzinfo=UTC)
DEFAULT = RuleVersion(1, 400, date(2019, 4, 1), is_folklore_default=True)


def day(year: int, month: int = 1, number: int = 1) -> date:
    return date(year, month, number)


def ruled(number: int, first: date, last: date, **more: Any) -> RuleVersion:
    return RuleVersion(number, 100 * number, first, sessions_until=last, policy=POLICY, **more)


OF_2021, OF_2022 = ruled(1, day(2021), day(2021, 12, 31)), ruled(2, day(2022), day(2022, 12, 31))


def test_a_decided_version_takes_over_from_a_default_from_its_first_day_on() -> None:
    after = decided([DEFAULT], ruled(0, day(2021), day(2021, 12, 31)), ())
    held = [(one.version if (one := chosen(after, on)) else None) for on in (day(2020, 12, 31), day(2021), day(2022))]
    assert held == [1, 2, None]
    assert replace(after[0], retired_from=None) == DEFAULT


def test_the_days_behind_a_decided_version_are_not_the_defaults_again() -> None:
    two = [DEFAULT, replace(DEFAULT, version=2, sessions_from=day(2021), credit_points=300)]
    after = decided(two, ruled(0, day(2022), day(2022, 12, 31)), ())
    assert chosen(after, day(2021, 6)) == after[1]
    assert chosen(after, day(2023)) is None


@pytest.mark.parametrize(
    ("versions", "proposed", "supersedes", "code"),
    [
        ([OF_2021], ruled(0, day(2021, 6), day(2022, 6)), (), "rule_overlaps"),
        ([OF_2021], ruled(0, day(2021), day(2021, 12, 31)), (), "rule_overlaps"),
        ([OF_2021], ruled(0, day(2021, 12, 31), day(2022, 6)), (), "rule_overlaps"),
        ([OF_2021, OF_2022], ruled(0, day(2021, 6), day(2022, 6)), (1,), "rule_overlaps"),
        ([OF_2021], ruled(0, day(2022, 1, 2), day(2022, 6)), (), "rule_leaves_gap"),
        ([OF_2022], ruled(0, day(2021), day(2021, 12, 30)), (), "rule_leaves_gap"),
        ([OF_2021], ruled(0, day(2021, 3), day(2021, 6)), (1,), "rule_leaves_gap"),
        ([], ruled(0, day(2021), day(2020)), (), "rule_ends_before_it_begins"),
        ([], replace(ruled(0, day(2021), day(2021)), sessions_until=None), (), "rule_without_end"),
        ([], replace(ruled(0, day(2021), day(2021)), policy=NO_POLICY), (), "rule_without_policy"),
        ([], replace(ruled(0, day(2021), day(2021)), policy=Policy("a", "b")), (), "rule_without_policy"),
        ([], replace(ruled(0, day(2021), day(2021)), policy=Policy("", "b", "7")), (), "rule_without_policy"),
    ],
)
def test_a_version_that_does_not_fit_is_refused(
    versions: list[RuleVersion], proposed: RuleVersion, supersedes: tuple[int, ...], code: str
) -> None:
    with pytest.raises(Refusal, match=code):
        decided(versions, proposed, supersedes)


def test_a_version_follows_the_day_after_and_precedes_the_day_before() -> None:
    assert [one.version for one in decided([OF_2021], ruled(0, day(2022), day(2022)), ())] == [1, 2]
    assert [one.version for one in decided([OF_2022], ruled(0, day(2020), day(2021, 12, 31)), ())] == [2, 3]


def test_a_version_that_is_named_gives_way_and_says_what_it_said() -> None:
    after = decided([OF_2021], ruled(0, day(2021, 7), day(2022, 6)), (1,))
    assert after[0] == replace(OF_2021, retired_from=day(2021, 7))
    assert [chosen(after, on).version for on in (day(2021, 6, 30), day(2021, 7))] == [1, 2]  # type: ignore[union-attr]


DAYS = st.dates(day(2019), day(2024))
PERIODS = st.lists(st.tuples(DAYS, DAYS, st.booleans()), max_size=8)


@given(PERIODS)
def test_whatever_is_published_one_version_holds_for_a_day_and_no_day_between_is_left(
    periods: list[tuple[date, date, bool]],
) -> None:
    versions: list[RuleVersion] = []
    for first, last, is_superseding in periods:
        named = tuple(one.version for one in versions) if is_superseding else ()
        try:
            versions = decided(versions, ruled(0, first, last), named)
        except Refusal:
            continue
    days = [day(2019) + timedelta(days=number) for number in range(366 * 5)]
    holding = [sum(one.holds_on(on) for one in versions) for on in days]
    assert max(holding) <= 1
    if versions:
        covered = [place for place, count in enumerate(holding) if count]
        assert covered == list(range(covered[0], covered[-1] + 1))


def test_a_version_is_retired_from_a_day_that_it_holds_for() -> None:
    (after,) = retired([OF_2021], 1, day(2021, 7))
    assert chosen([after], day(2021, 6, 30)) == after
    assert chosen([after], day(2021, 7)) is None
    for version_number, on in ((1, day(2022)), (2, day(2021))):
        with pytest.raises(Refusal, match="retired_outside"):
            retired([OF_2021], version_number, on)
    with pytest.raises(Refusal, match="rule_leaves_gap"):
        retired([OF_2021, OF_2022], 1, day(2021, 7))


def test_only_defaults_are_published_at_once_and_only_until_somebody_decides() -> None:
    assert superseding([DEFAULT], replace(DEFAULT, version=0)) is None
    with pytest.raises(Refusal, match="rule_not_decided"):
        superseding([], replace(DEFAULT, is_folklore_default=False))
    versions = decided([DEFAULT], ruled(0, day(2019, 4), day(2021)), ())
    assert superseding(versions, replace(DEFAULT, version=0)) is None  # the annex loaded again at a first start
    with pytest.raises(Refusal, match="rule_already_decided"):
        superseding(versions, replace(DEFAULT, version=0, credit_points=1))


def proposal(**more: Any) -> Proposal:
    return replace(Proposal(7, State.DRAFT, AUTHOR, NOW, version()), **more)


def simulated(one: Proposal, basis: tuple[str, ...] = ()) -> Proposal:
    found = Found((Group("cloud-ops", 2, Tally(1, 1, 0, 100)),))
    return advanced(asked(one, basis, AUTHOR, NOW, 0), "", 3, found, NOW)


def test_two_different_people_approve_and_the_author_may_be_one_of_them() -> None:
    once = approved(simulated(proposal()), 1, AUTHOR, NOW, ())
    assert once.state == State.SIMULATED
    with pytest.raises(Refusal, match="proposal_not_approved"):
        may_be_enacted(once, ())
    with pytest.raises(Refusal, match="approved_by_you"):
        approved(once, 1, AUTHOR, NOW, ())
    twice = approved(once, 1, SECOND, NOW, ())
    assert (twice.state, [one.by for one in twice.approvals]) == (State.APPROVED, [AUTHOR, SECOND])
    with pytest.raises(Refusal, match="approved_by_you"):
        approved(twice, 1, SECOND, NOW, ())
    may_be_enacted(twice, ())


def test_what_nobody_has_simulated_is_not_approved() -> None:
    for one in (proposal(), asked(proposal(), (), AUTHOR, NOW, 0)):
        with pytest.raises(Refusal, match="proposal_not_simulated"):
            approved(one, 1, SECOND, NOW, ())


def test_an_approval_is_of_the_simulation_that_was_looked_at() -> None:
    again = simulated(approved(simulated(proposal()), 1, SECOND, NOW, ()))
    assert (again.simulations, again.approvals) == (2, ())
    for number in (1, 3):
        with pytest.raises(Refusal, match="simulation_is_another"):
            approved(again, number, SECOND, NOW, ())
    assert approved(again, 2, SECOND, NOW, ()).approvals[0].simulation == 2


def test_another_wording_voids_what_was_simulated_and_approved() -> None:
    changed = edited(approved(simulated(proposal()), 1, SECOND, NOW, ()), version(credit_points=1))
    assert (changed.state, changed.revision, changed.simulation, changed.approvals) == (State.DRAFT, 2, None, ())
    with pytest.raises(Refusal, match="proposal_not_simulated"):
        approved(changed, 1, THIRD, NOW, ())
    with pytest.raises(Refusal, match="proposal_of_another_kind"):
        edited(changed, Rerate(()))


def test_rules_that_moved_on_void_a_simulation() -> None:
    ready = approved(approved(simulated(proposal(), ("a",)), 1, SECOND, NOW, ("a",)), 1, THIRD, NOW, ("a",))
    with pytest.raises(Refusal, match="rules_moved_on"):
        may_be_enacted(ready, ("b",))
    with pytest.raises(Refusal, match="rules_moved_on"):
        approved(simulated(proposal(), ("a",)), 1, SECOND, NOW, ("b",))
    assert basis_of({PLACE: [DEFAULT]}) != basis_of({PLACE: [replace(DEFAULT, retired_from=day(2021))]})


@pytest.mark.parametrize("state", [State.UNDER_WAY, State.CARRIED_OUT, State.WITHDRAWN])
def test_what_is_over_is_not_changed(state: State) -> None:
    over = replace(simulated(proposal()), state=state)
    deeds = (
        lambda: edited(over, version()),
        lambda: withdrawn(over),
        lambda: asked(over, (), AUTHOR, NOW, 0),
        lambda: approved(over, 1, SECOND, NOW, ()),
        lambda: may_be_enacted(over, ()),
    )
    for deed in deeds:
        with pytest.raises(Refusal, match="proposal_is_over"):
            deed()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (version(scheme="Cloud:Ops"), "scheme_malformed"),
        (version(supersedes=(9,)), "rule_version_unknown"),
        (Retirement("cloud-ops", 2, 9, day(2021)), "rule_version_unknown"),
        (Retirement("none", 1, 1, day(2021)), "rule_version_unknown"),
        (Rerate((Target("cloud-ops", 2, 9),)), "rule_version_unknown"),
        (Rerate((Target("cloud-ops", 2, 1), Target("cloud-ops", 2, 1))), "rerate_target_repeated"),
    ],
)
def test_a_change_that_does_not_fit_the_rules_is_refused(change: Any, code: str) -> None:
    with pytest.raises(Refusal, match=code):
        rules_after(change, {PLACE: [DEFAULT]})


def test_nothing_is_moved_to_a_version_that_holds_for_nothing() -> None:
    gone = replace(DEFAULT, retired_from=DEFAULT.sessions_from)
    with pytest.raises(Refusal, match="rerate_version_never_holds"):
        rules_after(Rerate((Target("cloud-ops", 2, 1),)), {PLACE: [gone]})


def test_tallies_are_added_by_scheme_and_level() -> None:
    some = [Group("a", 1, Tally(1, 1, 0, 100)), Group("a", 2, Tally(1, 0, 1, 0, 50))]
    assert added(some, [Group("a", 1, Tally(2, 1, 1, 10, 5, 3))]) == (
        Group("a", 1, Tally(3, 2, 1, 110, 5, 3)),
        Group("a", 2, Tally(1, 0, 1, 0, 50)),
    )


def test_what_is_found_adds_up_by_programme_as_well() -> None:
    some = Found((Group("a", 1, Tally(1, 1)),), (ProgrammeGroup("p", Tally(1, 1)), ProgrammeGroup("q", Tally(2))))
    more = Found((Group("b", 1, Tally(1)),), (ProgrammeGroup("p", Tally(3, 0, 3)),))
    assert (some + more).programmes == (ProgrammeGroup("p", Tally(4, 1, 3)), ProgrammeGroup("q", Tally(2)))
    assert [one.scheme for one in (some + more).groups] == ["a", "b"]

"""Whatever comes first, twice, together or under another id of one person: the accounts end alike, sums are zero."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from chassis.bus.event import Event
from chassis.database import database, run_transaction
from contracts.assessment import OfResult, ResultAnnulled, ResultCorrected, ResultFinalised, ResultPublicised
from contracts.terms import Level, Verdict
from services.creditbank.handlers import HANDLERS
from services.creditbank.jobs import settle_waiting
from services.creditbank.ledger import queries
from services.creditbank.recognition.commands import publish_rule
from tests.support.engines import empty
from tests.unit.creditbank.stories import (
    PILOT,
    audited,
    balances,
    finalised,
    issued,
    merged,
    of_result,
    publish_annex,
    registered,
    revoked,
)

EXAMPLES = max(int(os.environ.get("TRIES", "1000")) // 25, 5)
LEARNERS = ("mei", "lan", "xin", "bo")
SURVIVORS = {"lan": "mei", "xin": "lan"}  # one person with three ids, by two merges
RESULTS = ("0001", "0002", "0003")
KINDS: tuple[tuple[type[OfResult], dict[str, Any]], ...] = (
    (ResultPublicised, {}),
    (ResultFinalised, {}),
    (ResultCorrected, {"final": True}),
    (ResultCorrected, {"final": False}),
    (ResultAnnulled, {"reason": "copied"}),
)


def person(learner: str) -> str:
    """Who a learner is in the end."""
    return person(SURVIVORS[learner]) if learner in SURVIVORS else learner


@dataclass(frozen=True)
class Happening:
    """One revision of a result, told under an id of its learner.

    What a revision says follows from its number, so that a repeat says the same.
    """

    learner: str
    result: str
    revision: int

    @property
    def level(self) -> int:
        return RESULTS.index(self.result) + 1

    @property
    def kind(self) -> tuple[type[OfResult], dict[str, Any]]:
        return KINDS[hash_of(self) % len(KINDS)]

    @property
    def is_passed(self) -> bool:
        return hash_of(self) % 3 > 0

    def event(self) -> Event[Any]:
        kind, more = self.kind
        verdict = Verdict.PASSED if self.is_passed else Verdict.FAILED
        body = of_result(kind, self.learner, self.result, self.revision, self.level, verdict=verdict, **more)
        return as_event(body, f"{self.learner}-{self.result}-{self.revision}")


def hash_of(one: Happening) -> int:
    return one.revision * 7 + RESULTS.index(one.result) * 5 + LEARNERS.index(person(one.learner)) * 11


@dataclass(frozen=True)
class Paper:
    """A certificate of a result, put on record or revoked, under an id of its learner."""

    learner: str
    result: str
    copy: int
    is_revoked: bool

    @property
    def level(self) -> int:
        return RESULTS.index(self.result) + 1

    @property
    def number(self) -> str:
        return f"X-{self.result}-{self.copy}"

    def event(self) -> Event[Any]:
        body: Any = issued(self.learner, self.result, self.level, self.number)
        if self.is_revoked:
            body = revoked(self.learner, self.level, self.number)
        return as_event(body, f"{self.learner}-{self.number}-{self.is_revoked}")


def as_event(body: Any, name: str) -> Event[Any]:
    at = datetime(2020, 12, 1, tzinfo=UTC)
    return Event(id=name, source=body.source, key=body.keys()[0], seq=1, cause="test", time=at, body=body)


def deliver(*events: Event[Any]) -> None:
    """Events of one kind, in one transaction."""
    run_transaction(lambda: HANDLERS[type(events[0].body)](events))


happenings = st.builds(Happening, st.sampled_from(LEARNERS), st.sampled_from(RESULTS), st.integers(1, 6))
papers = st.builds(
    Paper, st.sampled_from(LEARNERS), st.sampled_from(RESULTS), copy=st.integers(1, 2), is_revoked=st.booleans()
)


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        empty(database())
        self.latest: dict[tuple[str, str], Happening] = {}
        self.papers: set[Paper] = set()

    @rule(batch=st.lists(happenings, min_size=1, max_size=6))
    def results_arrive(self, batch: list[Happening]) -> None:
        deliver(*(one.event() for one in batch))
        for one in batch:
            known = self.latest.get((person(one.learner), one.result), one)
            self.latest[person(one.learner), one.result] = max(known, one, key=lambda each: each.revision)

    @rule(batch=st.lists(papers, min_size=1, max_size=4))
    def certificates_arrive(self, batch: list[Paper]) -> None:
        deliver(*(one.event() for one in batch))
        self.papers |= {replace(one, learner=person(one.learner)) for one in batch}

    @rule(learner=st.sampled_from(LEARNERS))
    def a_learner_is_registered(self, learner: str) -> None:
        deliver(as_event(registered(learner), f"registered-{learner}"))

    @rule(learner=st.sampled_from(sorted(SURVIVORS)))
    def learners_are_merged(self, learner: str) -> None:
        deliver(as_event(merged(SURVIVORS[learner], learner), f"merged-{learner}"))

    @rule(level=st.sampled_from(Level))
    def a_rule_is_published(self, level: Level) -> None:
        publish_rule("cloud-ops", level, 200 * level, PILOT)

    @rule()
    def what_waits_is_tried_again(self) -> None:
        settle_waiting()

    @invariant()
    def every_sum_is_zero(self) -> None:
        assert queries.books()["sum"] == 0

    def teardown(self) -> None:
        for level in Level:
            self.a_rule_is_published(level)
        for learner in LEARNERS:
            self.a_learner_is_registered(learner)
        for learner in SURVIVORS:
            self.learners_are_merged(learner)
        settle_waiting()
        for learner in LEARNERS:
            assert (balances(learner), certificate(learner)) == (self.earned(learner), self.certified(learner))
        assert database()["waiters"].count_documents({}) == 0
        audited()

    def passes(self, learner: str) -> list[tuple[int, bool]]:
        """The level of each pass that the learner should have, and whether it is final."""
        return [
            (one.level, one.kind[0] is ResultFinalised or one.kind[1].get("final", False))
            for (owner, _), one in self.latest.items()
            if owner == learner and one.is_passed and one.kind[0] is not ResultAnnulled
        ]

    def earned(self, learner: str) -> tuple[int, int]:
        """What the learner should have, told without the services' rules."""
        shown = max((200 * level for level, _ in self.passes(learner)), default=0)
        return shown - self.final_level(learner) * 200, self.final_level(learner) * 200

    def final_level(self, learner: str) -> int:
        return max((level for level, is_final in self.passes(learner) if is_final), default=0)

    def certified(self, learner: str) -> str | None:
        """What should be known of the certificate of the highest final pass."""
        own = [one for one in self.papers if one.learner == learner and one.level == self.final_level(learner)]
        numbers = {one.number for one in own if not one.is_revoked}
        if not numbers:
            return None
        return "revoked" if numbers <= {one.number for one in own if one.is_revoked} else "recorded"


def certificate(learner: str) -> str | None:
    """What an account shows of its one certificate; None where it shows nothing."""
    states = [one["certificate"] for one in queries.account_of(learner)["holdings"]]
    return states[0] if states else None


@pytest.mark.thousand
def test_any_order_and_repetition_ends_in_the_same_accounts(mongo: str) -> None:
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=12,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("ids", list(product((0, 1), repeat=3)), ids=str)
def test_every_order_of_a_merge_a_pass_and_its_revoked_certificate_ends_alike(mongo: str, ids: tuple[int, ...]) -> None:
    publish_annex()
    orders = {(f"mei-{number}", f"lan-{number}"): order for number, order in enumerate(permutations(range(4)))}
    deliver(*(as_event(registered(one), f"registered-{one}") for two in orders for one in two))
    for two, order in orders.items():
        told = [tell(two[which]) for tell, which in zip((finalised, issued, revoked), ids, strict=True)]
        for index in order:
            deliver(as_event([*told, merged(*two)][index], f"{two[0]}-{index}"))
        ends = [(balances(one), certificate(one)) for one in two]
        assert ends == [((0, 400), "revoked"), ((0, 0), None)], order
    audited()

"""Whatever comes first, twice or together: the accounts end alike, and every sum is zero."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
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
from tests.unit.creditbank.stories import PILOT, audited, balances, of_result, registered

EXAMPLES = max(int(os.environ.get("TRIES", "1000")) // 25, 5)
LEARNERS = ("mei", "lan", "bo")
RESULTS = ("0001", "0002", "0003")
KINDS: tuple[tuple[type[OfResult], dict[str, Any]], ...] = (
    (ResultPublicised, {}),
    (ResultFinalised, {}),
    (ResultCorrected, {"final": True}),
    (ResultCorrected, {"final": False}),
    (ResultAnnulled, {"reason": "copied"}),
)


@dataclass(frozen=True)
class Happening:
    """One revision of a result. What a revision says follows from its number, so that a repeat says the same."""

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
    return one.revision * 7 + RESULTS.index(one.result) * 5 + LEARNERS.index(one.learner) * 11


def as_event(body: Any, name: str) -> Event[Any]:
    at = datetime(2020, 12, 1, tzinfo=UTC)
    return Event(id=name, source=body.source, key=body.keys()[0], seq=1, cause="test", time=at, body=body)


happenings = st.builds(Happening, st.sampled_from(LEARNERS), st.sampled_from(RESULTS), st.integers(1, 6))


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        for collection in database().list_collection_names():
            database()[collection].delete_many({})
        self.latest: dict[tuple[str, str], Happening] = {}
        self.opened: set[str] = set()
        self.ruled: set[int] = set()

    @rule(batch=st.lists(happenings, min_size=1, max_size=6))
    def results_arrive(self, batch: list[Happening]) -> None:
        run_transaction(lambda: HANDLERS[ResultFinalised]([one.event() for one in batch]))
        for one in batch:
            known = self.latest.get((one.learner, one.result))
            self.latest[one.learner, one.result] = max(known or one, one, key=lambda each: each.revision)

    @rule(learner=st.sampled_from(LEARNERS))
    def a_learner_is_registered(self, learner: str) -> None:
        body = registered(learner)
        run_transaction(lambda: HANDLERS[type(body)]([as_event(body, f"registered-{learner}")]))
        self.opened.add(learner)

    @rule(level=st.sampled_from(Level))
    def a_rule_is_published(self, level: Level) -> None:
        publish_rule("cloud-ops", level, 200 * level, PILOT)
        self.ruled.add(level)

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
        settle_waiting()
        for learner in LEARNERS:
            assert balances(learner) == self.earned(learner)
        assert database()["waiters"].count_documents({}) == 0
        audited()

    def earned(self, learner: str) -> tuple[int, int]:
        """What the learner should have, told without the services' rules."""
        final = shown = 0
        for one in self.latest.values():
            if one.learner == learner and one.is_passed and one.kind[0] is not ResultAnnulled:
                shown = max(shown, 200 * one.level)
                is_final = one.kind[0] is ResultFinalised or one.kind[1].get("final", False)
                final = max(final, 200 * one.level if is_final else 0)
        return shown - final, final


@pytest.mark.thousand
def test_any_order_and_repetition_ends_in_the_same_balances(mongo: str) -> None:
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

"""An appeal that meets a fresh application, an annulment, or two people at once: one comes first, the other is told."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from chassis.database import run_transaction
from chassis.errors import Refusal
from services.creditbank.conversion import applying, deciding, judging, models
from services.creditbank.conversion.appealing import appeal
from services.creditbank.conversion.applications import Actor, Application, State
from services.creditbank.conversion.deciding import Decision, release_decisions
from services.creditbank.ledger import models as accounts
from tests.unit.creditbank.converting import (
    BY_ANOTHER,
    BY_DEPARTMENT,
    BY_REGISTRY,
    IN_WINDOW,
    MODULE_WISH,
    POLICY,
    TAX_WISH,
    Day,
    decide,
    enrol,
    file,
    now,
    open_college,
    pockets,
    publish_policy,
    told,
)
from tests.unit.creditbank.stories import Assessment, annulled, audited
from tests.unit.creditbank.test_races import at_once, handle, meet_at


@pytest.fixture
def assessment(mongo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Assessment:
    """A college that tells its decisions at once."""
    Day(tmp_path / "clock", monkeypatch).set(IN_WINDOW)
    teller = Assessment()
    open_college(teller)
    publish_policy(replace(POLICY, undo_minutes=0))
    return teller


def refused_one(assessment: Assessment, learner: str) -> Application:
    """A learner's application that was refused and told."""
    enrol(assessment, learner)
    one = file(learner_id=learner)
    decide(one, BY_DEPARTMENT, is_approval=False)
    release_decisions()
    return now(one)


def appeal_now(one: Application) -> None:
    run_transaction(lambda: appeal(one.id, "the same book", f"user-{one.learner_id}"), patience_seconds=30)


def decide_now(one: Application, actor: Actor, is_approval: bool) -> None:
    decision = Decision(0, one.id, is_approval, "another book")
    run_transaction(lambda: deciding.decide_one(decision, actor), patience_seconds=30)


def codes_of(failures: list[BaseException]) -> list[str]:
    return [one.code if isinstance(one, Refusal) else repr(one) for one in failures]


def applications_race(assessment: Assessment, tries: int) -> Counter[str]:
    """An appeal and a fresh application about the same course at once: how each try ended."""
    ends: Counter[str] = Counter()
    for number in range(tries):
        one = refused_one(assessment, f"mei-{number}")
        wish = (TAX_WISH, MODULE_WISH)[number % 2]
        fresh = partial(applying.apply, one.learner_id, wish, f"user-{one.learner_id}")
        failures = at_once(partial(appeal_now, one), lambda fresh=fresh: run_transaction(fresh, patience_seconds=30))
        ends[end_of(one, codes_of(failures))] += 1
    return ends


def end_of(one: Application, codes: list[str]) -> str:
    """Who came first; a sentence where two stand, or points are held twice or not at all."""
    standing = [each for each in models.applications_of([one.learner_id]) if each.stands]
    _, held, _ = pockets(one.learner_id)
    if len(standing) != 1 or held != standing[0].held or set(codes) - {"exemption_already_asked"}:
        return f"{len(standing)} stand, {held} are held, {codes}"
    return "appeal" if standing[0].id == one.id else "fresh"


@pytest.mark.thousand
def test_an_appeal_and_a_fresh_application_for_the_same_course_have_one_winner(
    assessment: Assessment, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    meet_at(monkeypatch, models, "applications_of")
    ends = applications_race(assessment, tries)
    assert set(ends) <= {"appeal", "fresh"}, ends
    audited()


def test_a_judgement_that_looks_at_no_other_application_would_be_noticed(
    assessment: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "_check_claims", lambda _: None)
    assert set(applications_race(assessment, 2)) - {"appeal", "fresh"}


@pytest.mark.thousand
def test_an_annulment_races_an_appeal_that_is_upheld(
    assessment: Assessment, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    """Whichever comes first: nothing is spent in the end, and its learner heard how it ended."""
    meet_at(monkeypatch, accounts, "find_accounts")
    for number in range(tries):
        one = refused_one(assessment, f"mei-{number}")
        appeal_now(one)
        failures = at_once(partial(decide_now, one, BY_ANOTHER, True), partial(handle, annulled(one.learner_id)))
        release_decisions()
        assert codes_of(failures) in ([], ["application_not_under_review"])
        assert (now(one).state, now(one).held, now(one).spent) == (State.FALLEN, 0, 0)
        assert len(told("ConversionDecided")) == 2 * (number + 1), "the refusal, and what became of the appeal"
    assert told("ExemptionGranted") == []
    audited()


@pytest.mark.thousand
def test_two_people_decide_about_one_appeal_and_one_of_them_does(
    assessment: Assessment, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    meet_at(monkeypatch, models, "applications_of")
    for number in range(tries):
        one = refused_one(assessment, f"mei-{number}")
        appeal_now(one)
        failures = at_once(partial(decide_now, one, BY_ANOTHER, True), partial(decide_now, one, BY_REGISTRY, False))
        end = now(one)
        assert codes_of(failures) == ["application_not_under_review"]
        assert (end.state, end.held + end.spent) in {(State.GRANTED, 400), (State.REFUSED, 400)}
    audited()

"""Many who want one balance, and an annulment that meets an approval: nothing is spent twice, nothing is silent."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from chassis.database import database, run_transaction
from chassis.errors import Refusal
from services.creditbank import handlers
from services.creditbank.conversion import applying, deciding
from services.creditbank.conversion.applications import Application, State
from services.creditbank.conversion.applying import Wish
from services.creditbank.conversion.deciding import Decision, release_decisions
from services.creditbank.conversion.exporting import export
from services.creditbank.ledger import commands as ledger
from services.creditbank.ledger.queries import account_of
from tests.unit.creditbank.converting import (
    BY_DEPARTMENT,
    BY_REGISTRY,
    IN_WINDOW,
    POLICY,
    Day,
    decide,
    enrol,
    file,
    now,
    open_college,
    pockets,
    publish_policy,
    record,
    refused,
    told,
)
from tests.unit.creditbank.stories import Assessment, annulled, audited, entries, finalised, issued
from tests.unit.creditbank.test_races import at_once, handle, meet_at, newcomers, parts

MANY = 50


@pytest.fixture
def assessment(mongo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Assessment:
    Day(tmp_path / "clock", monkeypatch).set(IN_WINDOW)
    teller = Assessment()
    open_college(teller)
    return teller


def all_at_once(deeds: list[Callable[[], object]]) -> Counter[str]:
    """Run all at once, each in a transaction that is tried for long enough; what each came to."""
    barrier, ends, lock = threading.Barrier(len(deeds)), Counter[str](), threading.Lock()

    def run(deed: Callable[[], object]) -> None:
        barrier.wait(30)
        try:
            run_transaction(deed, patience_seconds=60)
            end = "done"
        except Refusal as refusal:
            end = refusal.code
        with lock:
            ends[end] += 1

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def test_of_fifty_holds_of_one_balance_exactly_one_wins(assessment: Assessment) -> None:
    enrol(assessment)
    deeds = [lambda n=n: ledger.hold("mei", "cloud-ops", 2, 400, f"application:{n}") for n in range(MANY)]
    assert all_at_once(deeds) == {"done": 1, "above_balance": MANY - 1}
    assert pockets() == (0, 400, 0)
    audited()


def test_of_fifty_conversions_of_one_balance_exactly_one_wins(assessment: Assessment) -> None:
    """Half want the course, half a module of it; who loses is told why."""
    enrol(assessment)
    wishes = [Wish("tax", "KJ2105"), Wish("tax", "KJ2105", "KJ2105-2")]
    filed: set[str] = set()

    def apply(number: int) -> None:
        one = applying.apply("mei", wishes[number % 2], "user-mei")
        filed.add(one.id)

    ends = all_at_once([lambda n=n: apply(n) for n in range(MANY)])
    assert set(ends) == {"done", "exemption_already_asked"}
    assert (ends["done"], len(filed)) == (MANY // 2, 1), "the same again is the same application"
    assert sum(pockets()) == 400
    audited()


def approve(application_id: str) -> None:
    decision = Decision(0, application_id, is_approval=True)
    run_transaction(lambda: deciding.decide_one(decision, BY_REGISTRY), patience_seconds=30)


def under_review(assessment: Assessment, name: str, tries: int) -> Iterator[Application]:
    """An application for each try, of a learner of its own, through the department's step; prepared many together."""
    for learners in parts(newcomers(assessment, name, tries)):
        assessment.tell(*(record(one) for one in learners))
        assessment.tell(*map(finalised, learners), *(issued(one, number=f"X-{one}") for one in learners))
        filed = run_transaction(lambda learners=learners: [file(learner_id=one) for one in learners])  # type: ignore[misc]
        judged = deciding.decide([Decision(place, one.id, True) for place, one in enumerate(filed)], BY_DEPARTMENT)
        assert not judged.refused
        yield from filed


def approvals_race(assessment: Assessment, tries: int) -> int:
    """An annulment at the moment of an approval; how often it ended in silence or with points that are not there."""
    wrong = 0
    for one in under_review(assessment, "mei", tries):
        failures = at_once(partial(approve, one.id), partial(handle, annulled(one.learner_id)))
        codes = [each.code for each in failures if isinstance(each, Refusal)]
        is_told = kinds_told(one) == ["ConversionDecided"]
        is_sound = now(one).state == State.FALLEN and is_told and codes in ([], ["application_not_under_review"])
        wrong += not is_sound or len(codes) != len(failures)
    return wrong


@pytest.mark.thousand
def test_an_annulment_races_an_approval(assessment: Assessment, monkeypatch: pytest.MonkeyPatch, tries: int) -> None:
    meet_at(monkeypatch, ledger.models, "find_accounts")
    assert approvals_race(assessment, tries) == 0
    assert len(told("ConversionDecided")) == tries
    assert told("ExemptionWithdrawn") == [], "nobody had been told of an exemption"
    audited()


def granted_told_exported(application_id: str) -> None:
    """The last approval, and what follows it at once where nothing can be undone."""
    approve(application_id)
    release_decisions()
    export("li")


def end_of(one: Application, codes: list[str]) -> str:
    """How a race between an annulment and an approval ended, judged by which entry came first; empty: unsoundly."""
    chain = [entry["what"] for entry in entries(one.learner_id)]
    said, found = kinds_told(one), now(one)
    if "spend" not in chain:
        sound = (codes, said, found.state) == (
            ["application_not_under_review"],
            ["ConversionDecided"],
            State.FALLEN,
        )
        return "refused" if sound and has_nothing(one) else ""
    if chain.index("spend") > chain.index("ResultAnnulled") or codes:
        return ""
    if found.is_case:
        sound = (said, pockets(one.learner_id)) == (["ConversionDecided", "ExemptionGranted"], (-400, 0, 400))
        return "case" if sound and found.is_exported else ""
    told_before = ["ConversionDecided", "ExemptionGranted", "ExemptionWithdrawn"]
    sound = found.state == State.FALLEN and has_nothing(one)
    return {1: "fell untold", 3: "withdrawn"}.get(len(said), "") if sound and said == told_before[: len(said)] else ""


def has_nothing(one: Application) -> bool:
    """Whether its learner's account shows no points in any pocket, and owes none."""
    return account_of(one.learner_id)["holdings"] == []


def kinds_told(one: Application) -> list[str]:
    """What its learner heard of it, in order."""
    where = {"key": f"learner:{one.learner_id}", "type": {"$regex": "^(Conversion|Exemption)"}}
    return [row["type"] for row in database()["outbox"].find(where).sort("seq", 1)]


ENOUGH = (
    200  # tries after which each of two orders has been met; a few may all end alike, and each end has its own test
)


@pytest.mark.thousand
def test_an_approval_is_refused_after_an_annulment_and_withdrawn_or_a_case_before_it(
    assessment: Assessment, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    publish_policy(replace(POLICY, undo_minutes=0))
    meet_at(monkeypatch, ledger.models, "find_accounts")
    ends: Counter[str] = Counter()
    for one in under_review(assessment, "lan", tries):
        failures = at_once(partial(granted_told_exported, one.id), partial(handle, annulled(one.learner_id)))
        ends[end_of(one, [each.code if isinstance(each, Refusal) else str(each) for each in failures])] += 1
    assert set(ends) <= {"refused", "fell untold", "withdrawn", "case"}, ends
    assert tries < ENOUGH or 0 < ends["refused"] < tries, "both came first at times"
    audited()


@pytest.mark.parametrize("deeds", [0, 1, 2, 3])
def test_an_annulment_at_each_moment_of_an_approval(assessment: Assessment, deeds: int) -> None:
    """The ends of the race, one after the other: before the approval, before it is told, exported, and after."""
    publish_policy(replace(POLICY, undo_minutes=0))
    enrol(assessment)
    one = file()
    decide(one, BY_DEPARTMENT)
    for deed in (partial(approve, one.id), release_decisions, partial(export, "li"))[:deeds]:
        deed()
    handle(annulled("mei"))
    codes = [] if deeds else [refused(partial(approve, one.id))]
    assert end_of(one, codes) == ("refused", "fell untold", "withdrawn", "case")[deeds]
    audited()


def test_an_annulment_that_reviews_nothing_would_be_noticed(
    assessment: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "review_touched", set)
    assert approvals_race(assessment, 3) == 3

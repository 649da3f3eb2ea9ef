"""Two that decide about one account at once, a thousand times; and what would happen without the strand's write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from chassis import strands
from chassis.bus.event import Announcement
from chassis.database import run_transaction
from chassis.strands import Strand
from contracts.terms import Level
from services.creditbank.handlers import HANDLERS
from services.creditbank.jobs import settle_waiting
from services.creditbank.ledger import commands as ledger
from services.creditbank.recognition import commands as recognition
from services.creditbank.recognition.commands import publish_rule
from tests.support.arrivals import arrival
from tests.unit.creditbank.stories import PILOT, Assessment, audited, balances, finalised, publish_annex, registered

Deed = Callable[[], object]
FEW = 10
TOGETHER = 50  # tries that are prepared in one transaction; each then races by itself


def handle(body: Announcement) -> None:
    """What a consumer does with an event, in a transaction that is tried again for long enough."""
    event = arrival(body, 1, cause=str(body)).event
    assert event is not None
    run_transaction(lambda: HANDLERS[type(body)]([event]), patience_seconds=30)


def parts(learners: Sequence[str]) -> Iterator[Sequence[str]]:
    """The learners of all tries, as many at a time as are prepared together."""
    return (learners[start : start + TOGETHER] for start in range(0, len(learners), TOGETHER))


def newcomers(teller: Assessment, name: str, tries: int) -> list[str]:
    """A learner with an account for each try."""
    learners = [f"{name}-{number}" for number in range(tries)]
    for part in parts(learners):
        teller.tell(*map(registered, part))
    return learners


def meet_at(monkeypatch: pytest.MonkeyPatch, module: Any, read: str) -> None:
    """Have both of a race read before either writes; only at the first try, since the loser runs again alone."""
    plain = getattr(module, read)

    def met(*args: Any) -> Any:
        found = plain(*args)
        if barrier := vars(met_once).pop("barrier", None):
            barrier.wait(10)
        return found

    monkeypatch.setattr(module, read, met)


met_once = threading.local()


def at_once(*deeds: Deed) -> list[Exception]:
    """Run both at once; what either raised."""
    barrier = threading.Barrier(len(deeds))
    failures: list[Exception] = []

    def run(deed: Deed) -> None:
        met_once.barrier = barrier
        try:
            deed()
        except Exception as failure:  # noqa: BLE001 -- counted by the race
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def forget_strands(monkeypatch: pytest.MonkeyPatch) -> None:
    """The defect that the thousand tries must notice."""

    def forget(_strands: Iterable[Strand]) -> None:
        """Write nothing."""

    monkeypatch.setattr(strands, "write_back", forget)


def settlements_race(tries: int) -> int:
    """Two passes of one learner at once; how often the account was wrong."""
    wrong = 0
    for learner in newcomers(Assessment(), "mei", tries):
        failures = at_once(
            partial(handle, finalised(learner, "0001", level=1)),
            partial(handle, finalised(learner, "0002", level=3)),
        )
        wrong += bool(failures) or balances(learner) != (0, 600)
    return wrong


def rules_race(tries: int) -> int:
    """A rule published while its pass arrives; how often one sweep later the pass had not been credited."""
    wrong = 0
    for part in parts(newcomers(Assessment(), "mei", tries)):
        for learner in part:
            scheme = f"scheme-of-{learner}"
            arrives, publishes = partial(handle, finalised(learner, scheme=scheme)), partial(publish, scheme)
            wrong += bool(at_once(arrives, publishes))
        settle_waiting()
        wrong += sum(balances(learner) != (0, 400) for learner in part)
    return wrong


def publish(scheme: str) -> None:
    publish_rule(scheme, Level.INTERMEDIATE, 400, PILOT)


def services_race(tries: int) -> int:
    """A learner registered by one service while another tells of a pass; how often it was not credited."""
    wrong = 0
    for number in range(tries):
        learner = f"mei-{number}"
        failures = at_once(partial(handle, registered(learner)), partial(handle, finalised(learner)))
        wrong += bool(failures) or balances(learner) != (0, 400)
    return wrong


@pytest.mark.thousand
def test_two_settlements_of_one_account_at_once(mongo: str, monkeypatch: pytest.MonkeyPatch, tries: int) -> None:
    publish_annex()
    meet_at(monkeypatch, recognition.models, "find_outcomes")
    assert settlements_race(tries) == 0
    assert audited().entries == 2 * tries


@pytest.mark.thousand
def test_a_rule_published_while_its_pass_arrives(mongo: str, monkeypatch: pytest.MonkeyPatch, tries: int) -> None:
    meet_at(monkeypatch, recognition.models, "find_rules")
    assert rules_race(tries) == 0
    audited()


@pytest.mark.thousand
def test_one_learners_events_from_two_services(mongo: str, monkeypatch: pytest.MonkeyPatch, tries: int) -> None:
    publish_annex()
    meet_at(monkeypatch, ledger.models, "find_accounts")
    assert services_race(tries) == 0
    audited()


def test_without_the_strands_write_a_pass_misses_its_rule(mongo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    meet_at(monkeypatch, recognition.models, "find_rules")
    forget_strands(monkeypatch)
    assert rules_race(FEW) > 0


def test_without_the_strands_write_a_pass_misses_its_account(mongo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_annex()
    meet_at(monkeypatch, ledger.models, "find_accounts")
    forget_strands(monkeypatch)
    assert services_race(FEW) > 0


def test_without_the_strands_write_two_settlements_collide(mongo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_annex()
    meet_at(monkeypatch, recognition.models, "find_outcomes")
    forget_strands(monkeypatch)
    assert settlements_race(FEW) > 0

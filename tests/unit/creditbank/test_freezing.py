"""An account that is frozen takes deposits and says so; freezing is in its chain like all that happens to it."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest

from chassis.database import run_transaction
from chassis.errors import Refusal
from services.creditbank.ledger import queries
from services.creditbank.ledger.audit import rebuild
from services.creditbank.ledger.commands import hold, release, set_frozen, spend
from tests.unit.creditbank.stories import (
    Assessment,
    announced,
    audited,
    balances,
    entries,
    finalised,
    merged,
    publish_annex,
    registered,
)
from tests.unit.creditbank.test_races import newcomers, parts


@pytest.fixture
def assessment(mongo: str) -> Assessment:
    publish_annex()
    teller = Assessment()
    teller.tell(registered("mei"), registered("lan"))
    return teller


def freeze(learner_id: str = "mei", is_frozen: bool = True, reason: str = "a complaint is looked into") -> str:
    return set_frozen(learner_id, is_frozen, reason, by="registrar")


def said(kind: str = "AccountFrozen") -> list[dict[str, Any]]:
    return [msgspec.json.decode(bytes(row["body"])) for row in announced(kind)]


def test_a_frozen_account_still_takes_deposits(assessment: Assessment) -> None:
    freeze()
    assessment.tell(finalised("mei"))
    assert balances("mei") == (0, 400)
    assert queries.account_of("mei")["is_frozen"] is True
    audited()


def test_freezing_is_an_entry_without_points_in_the_chain_and_is_announced_with_its_hash(
    assessment: Assessment,
) -> None:
    assessment.tell(finalised("mei"))
    freeze()
    first, second = entries("mei")
    assert (second["what"], second["scheme"], second["level"], second["postings"]) == ("AccountFrozen", None, None, [])
    assert (second["reason"], second["previous"]) == ("a complaint is looked into", first["hash"])
    (told,) = said()
    assert (told["entry_number"], told["entry_hash"]) == (2, second["hash"])
    assert (told["reason"], told["learner_id"]) == ("a complaint is looked into", "mei")


def test_freezing_twice_is_one_entry_and_one_announcement(assessment: Assessment) -> None:
    freeze()
    freeze(reason="once more")
    assert [one["reason"] for one in entries("mei")] == ["a complaint is looked into"]
    assert len(said()) == 1


def test_unfreezing_lifts_it_and_it_may_be_frozen_anew(assessment: Assessment) -> None:
    freeze()
    freeze(is_frozen=False, reason="nothing was found")
    assert queries.account_of("mei")["is_frozen"] is False
    freeze()
    assert [one["what"] for one in entries("mei")] == ["AccountFrozen", "AccountUnfrozen", "AccountFrozen"]
    assert len({row["_id"] for row in announced("AccountFrozen")}) == 2
    audited()


def test_what_is_not_frozen_is_not_lifted(assessment: Assessment) -> None:
    freeze(is_frozen=False)
    assert entries("mei") == []
    assert said("AccountUnfrozen") == []


def test_an_account_nobody_opened_is_not_frozen(assessment: Assessment) -> None:
    with pytest.raises(Refusal, match="not_found"):
        freeze("nobody")


@pytest.mark.parametrize("frozen", ["lan", "mei"])
def test_two_accounts_in_one_keep_the_freeze_of_either(assessment: Assessment, frozen: str) -> None:
    assessment.tell(finalised("lan"))
    freeze(frozen)
    assessment.tell(merged("mei", "lan"))
    assert queries.account_of("mei")["is_frozen"] is True
    assert balances("mei") == (0, 400)
    assert [one["what"] for one in said()] == ["AccountFrozen", "LearnersMerged"][: 2 if frozen == "lan" else 1]
    audited()


def test_whoever_was_merged_is_frozen_as_the_survivor(assessment: Assessment) -> None:
    assessment.tell(merged("mei", "lan"))
    assert freeze("lan") == "mei"
    assert [one["what"] for one in entries("mei")] == ["AccountFrozen"]
    assert entries("lan") == []


def test_rebuilding_restores_a_freeze(assessment: Assessment, raw_mongo: Any, mongo: str) -> None:
    freeze()
    before = raw_mongo[mongo]["accounts"].find_one({"_id": "mei"})
    raw_mongo[mongo]["accounts"].update_one({"_id": "mei"}, {"$unset": {"is_frozen": ""}})
    assert queries.account_of("mei")["is_frozen"] is False
    assert rebuild().restored == 1
    assert raw_mongo[mongo]["accounts"].find_one({"_id": "mei"}) == before


@pytest.mark.thousand
def test_two_who_freeze_at_once_make_one_entry(assessment: Assessment, tries: int) -> None:
    for learner in newcomers(assessment, "mei", tries):
        barrier = threading.Barrier(2)
        threads = [threading.Thread(target=_freeze_at, args=(barrier, learner)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [one["number"] for one in entries(learner)] == [1]
    assert len(said()) == tries


def _freeze_at(barrier: threading.Barrier, learner: str) -> None:
    barrier.wait(10)
    run_transaction(lambda: freeze(learner), patience_seconds=30)


@pytest.mark.thousand
def test_a_spending_verb_decides_before_or_after_a_freeze(assessment: Assessment, tries: int) -> None:
    """What names the learner's strand and finds the account unfrozen, commits before the freeze does."""
    learners = newcomers(assessment, "mei", tries)
    for part in parts(learners):
        assessment.tell(*map(finalised, part))
    for learner in learners:
        order: list[int] = []
        barrier = threading.Barrier(2)

        def hold_some(learner: str = learner, order: list[int] = order, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(10)
            order.append(run_transaction(lambda: _spent(learner), patience_seconds=30))

        threads = [threading.Thread(target=hold_some), threading.Thread(target=_freeze_at, args=(barrier, learner))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        frozen_at = entries(learner)[-1]["number"] if entries(learner)[-1]["what"] == "AccountFrozen" else 2
        assert order in ([0], [frozen_at - 1])


def _spent(learner: str) -> int:
    """Where in the chain the points were held; 0 when that was refused."""
    try:
        hold(learner, "cloud-ops", 2, 200, f"spent-by-{learner}")
    except Refusal as refusal:
        if refusal.code != "account_frozen":
            raise
        return 0
    return int(queries.account_of(learner)["entries"])


def test_nothing_is_held_or_spent_from_a_frozen_account_and_what_is_held_can_be_released(
    assessment: Assessment,
) -> None:
    assessment.tell(finalised("mei"))
    hold("mei", "cloud-ops", 2, 200, "first")
    freeze()
    for number, verb in enumerate((hold, spend)):
        with pytest.raises(Refusal, match="account_frozen"):
            verb("mei", "cloud-ops", 2, 100, f"refused-{number}")
    release("mei", "cloud-ops", 2, 200, "given-back")
    assert balances("mei") == (0, 400)
    freeze(is_frozen=False)
    hold("mei", "cloud-ops", 2, 400, "again")
    audited()

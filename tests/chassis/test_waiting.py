"""What waits is woken by its fact, and tried again in any case; leases and seals."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.errors import DuplicateKeyError

from chassis import waiters, worker
from chassis.database import database, run_transaction
from chassis.errors import Transient
from chassis.leases import hold, holders, release, renew, renew_all
from chassis.seal import SealBroken, blind_index, key_of, key_text, new_key, open_, seal, unwrap, wrap


def keep_waiting(*items: str, fact: str = "rule:1") -> None:
    run_transaction(lambda: waiters.wait_all("pass", [(item, fact, "test") for item in items]))


def make_due() -> None:
    """Time passes: the sweep's own pause is over."""
    database()["waiters"].update_many({}, {"$set": {"next_try": datetime.now(UTC) - timedelta(seconds=1)}})


def test_an_arriving_fact_wakes_what_waits_for_it_and_nothing_else(mongo: str) -> None:
    keep_waiting("a", "b")
    keep_waiting("c", fact="rule:2")
    run_transaction(lambda: waiters.wake("rule:1"))
    tried: list[str] = []
    assert waiters.sweep("pass", tried.extend) is False
    assert sorted(tried) == ["a", "b"]


def test_what_nobody_woke_is_tried_all_the_same(mongo: str) -> None:
    keep_waiting("a")
    tried: list[str] = []
    waiters.sweep("pass", tried.extend)
    assert tried == []
    make_due()
    waiters.sweep("pass", tried.extend)
    make_due()
    waiters.sweep("pass", tried.extend)
    assert tried == ["a", "a"]


def test_what_is_done_waits_no_more(mongo: str) -> None:
    keep_waiting("a", "b")
    make_due()
    waiters.sweep("pass", lambda items: waiters.done("pass", [item for item in items if item == "a"]))
    assert waiters.waiting("pass") == 1
    assert waiters.waiting("pass", "rule:1") == 1
    assert waiters.waiting("pass", "rule:2") == 0


def test_a_sweep_that_fails_leaves_all_waiting(mongo: str) -> None:
    keep_waiting("a")
    run_transaction(lambda: waiters.wake("rule:1"))

    def fail(_items: list[str]) -> None:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        waiters.sweep("pass", fail)
    make_due()
    tried: list[str] = []
    waiters.sweep("pass", tried.extend)
    assert tried == ["a"]


@pytest.mark.parametrize("error", [ArithmeticError, DuplicateKeyError("it is there already")])
def test_one_that_cannot_be_tried_holds_up_no_other(mongo: str, error: Exception) -> None:
    keep_waiting(*(f"i{n}" for n in range(9)), "broken")
    run_transaction(lambda: waiters.wake("rule:1"))

    def finish(items: list[str]) -> None:
        if "broken" in items:
            raise error
        waiters.done("pass", items)

    with pytest.raises((ArithmeticError, DuplicateKeyError)):
        waiters.sweep("pass", finish)
    assert [row["item"] for row in database()["waiters"].find()] == ["broken"]
    waiters.sweep("pass", finish)  # it rests now, like everything that waits


def test_a_wake_during_a_sweep_is_not_lost(mongo: str) -> None:
    keep_waiting("a")
    run_transaction(lambda: waiters.wake("rule:1"))
    tries: list[list[str]] = []
    threads: list[threading.Thread] = []

    def meanwhile_woken(items: list[str]) -> None:
        tries.append(items)
        if len(tries) == 1:
            threads.append(threading.Thread(target=lambda: run_transaction(lambda: waiters.wake("rule:1"))))
            threads[0].start()
            threads[0].join(0.3)

    waiters.sweep("pass", meanwhile_woken)
    threads[0].join()
    waiters.sweep("pass", meanwhile_woken)
    assert len(tries) == 2, "woken once more while it was tried"


def test_five_hundred_at_a_time_and_then_the_rest(mongo: str) -> None:
    keep_waiting(*(f"i{n}" for n in range(501)))
    run_transaction(lambda: waiters.wake("rule:1"))
    tried: list[str] = []

    def finish(items: list[str]) -> None:
        tried.extend(items)
        waiters.done("pass", items)

    assert waiters.sweep("pass", finish) is True
    assert waiters.sweep("pass", finish) is False
    assert len(set(tried)) == 501


class Woken:
    """What is tried of what waits, and waits no more; by itself nothing is tried for an hour."""

    def __init__(self, waiting: int) -> None:
        self.tried: list[str] = []
        keep_waiting(*(f"i{n:04}" for n in range(waiting)))
        later = datetime.now(UTC) + timedelta(hours=1)
        database()["waiters"].update_many({}, {"$set": {"next_try": later}})

    def finish(self, items: list[str]) -> None:
        self.tried += items
        waiters.done("pass", items)

    def left(self) -> tuple[int, int]:
        """How many are woken and not tried yet, and how many are not woken."""
        found = database()["waiters"].count_documents
        return found({"woken": True}), found({"woken": False})


def test_a_fact_that_very_many_wait_for_wakes_five_hundred_a_transaction(mongo: str) -> None:
    very_many = Woken(1_203)
    keep_waiting("other", fact="rule:2")
    run_transaction(lambda: waiters.wake_all(["rule:1", "rule:3"]))
    assert very_many.left() == (0, 1_204), "none in the transaction of whoever tells"
    left = []
    while waiters.sweep("pass", very_many.finish):
        left.append(very_many.left())
    assert [*left, very_many.left()] == [(0, 704), (0, 204), (0, 1), (0, 1)], "the last for the fact nothing waits for"
    assert (len(set(very_many.tried)), "other" in very_many.tried) == (1_203, False)
    assert (waiters.sweep("pass", very_many.finish), database()["waking"].count_documents({})) == (False, 0)


def test_a_fact_that_arrives_again_while_it_is_waking_wakes_all_once_more(mongo: str) -> None:
    very_many = Woken(1_100)
    run_transaction(lambda: waiters.wake("rule:1"))
    waiters.sweep("pass", list.clear)  # tried, and waiting on
    run_transaction(lambda: waiters.wake("rule:1"))
    while waiters.sweep("pass", very_many.finish):
        pass
    assert len(very_many.tried) == 1_100


def test_a_lease_is_held_by_one_until_released(mongo: str) -> None:
    assert hold("job:a", 30, holder="east")
    assert not hold("job:a", 30, holder="west")
    assert hold("job:a", 30, holder="east")
    release("job:a", holder="east")
    assert hold("job:a", 30, holder="west")
    assert holders("job:") == {"west"}


def test_a_lease_that_ran_out_is_free(mongo: str) -> None:
    hold("job:a", -1, holder="east")
    assert renew_all("job:", 30, holder="east") == set()
    assert hold("job:a", 30, holder="west")


def test_a_job_that_takes_longer_than_its_lease_keeps_it(mongo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "JOB_LEASE_SECONDS", 1.0)
    ran: list[bool] = []

    def outlive_the_lease() -> None:
        ends: set[datetime] = set()
        while len(ends) < 5:  # it was renewed four times, each after a third of a second
            assert not hold("job:long", 1, holder="west")
            ends.add(database()["leases"].find_one({"_id": "job:long"})["until"])
        ran.append(True)

    health = worker.Health()
    worker._run_job(worker.Job("long", outlive_the_lease, every_seconds=0.1), health)
    assert (ran, health.troubles) == ([True], {})


def fail() -> None:
    raise Transient("the database is away")


def test_a_job_that_another_worker_has_taken_over_troubles_us_no_more(mongo: str) -> None:
    health = worker.Health()
    job = worker.Job("swept", fail, every_seconds=5)
    worker._run_job(job, health)
    assert list(health.troubles) == ["job swept"]
    release("job:swept")
    assert hold("job:swept", 30, holder="west")
    worker._run_job(job, health)
    assert health.troubles == {}


def test_a_daily_job_whose_database_was_away_is_tried_again_soon(mongo: str) -> None:
    daily = 86_400.0
    soon = worker._run_job(worker.Job("swept", fail, every_seconds=daily), worker.Health())
    assert soon == worker.LONGEST_PAUSE_SECONDS
    assert worker._run_job(worker.Job("kept", list, every_seconds=daily), worker.Health()) == daily


def test_a_lease_is_not_renewed_once_another_holds_it(mongo: str) -> None:
    hold("job:a", -1, holder="east")
    hold("job:a", 30, holder="west")
    assert not renew("job:a", 30, holder="east")
    assert renew("job:a", 30, holder="west")
    assert not renew("job:b", 30, holder="west")


@given(st.text(max_size=50))
def test_what_is_sealed_opens_with_its_key_in_its_place_only(text: str) -> None:
    key = new_key()
    sealed = seal(key, text, "learner:1:name")
    assert open_(key, sealed, "learner:1:name") == text
    for wrong_key, wrong_place in ((new_key(), "learner:1:name"), (key, "learner:2:name")):
        with pytest.raises(SealBroken):
            open_(wrong_key, sealed, wrong_place)


def test_keys_are_kept_wrapped() -> None:
    master, key = new_key(), new_key()
    assert unwrap(master, wrap(master, key)) == key
    assert key_of(key_text(key)) == key
    with pytest.raises(SealBroken):
        unwrap(new_key(), wrap(master, key))
    with pytest.raises(ValueError, match="32 bytes"):
        key_of("abcd")


def test_a_blind_index_depends_on_the_pepper() -> None:
    assert blind_index(b"p", "x") == blind_index(b"p", "x") != blind_index(b"q", "x")


def test_what_is_due_is_tried_at_once_with_its_first_cause(mongo: str) -> None:
    run_transaction(lambda: waiters.due_all("review", [("ann", "first"), ("bo", "other")]))
    run_transaction(lambda: waiters.due_all("review", [("ann", "second")]))
    causes = {item: row["cause"] for item, row in waiters.facts_of("review", ["ann", "bo"]).items()}
    assert causes == {"ann": "first", "bo": "other"}
    tried: list[str] = []
    waiters.sweep("review", tried.extend)
    assert sorted(tried) == ["ann", "bo"]
    waiters.sweep("review", tried.extend)
    assert len(tried) == 2, "they rest now, like everything that waits"
    run_transaction(lambda: waiters.due_all("review", [("ann", "third")]))
    waiters.sweep("review", tried.extend)
    assert tried[2:] == ["ann"]

"""The strand is a key's lock: whatever two transactions decide about one key, the second decides knowing the first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import mongoengine as me
import pytest
from pymongo import MongoClient

from chassis import strands
from chassis.database import collection_of, database, rows_of, run_transaction, transactional
from chassis.errors import Busy
from chassis.strands import Strand, Strands, is_parked, merge_key, name_keys, strand, survivor_of


class Seats(me.Document):
    """Taken seats, one document each, so that two takers never write the same document."""

    meta = {"collection": "seats", "auto_create_index": False}
    taker = me.StringField()


ROOM = 1


@transactional
def take_a_seat(taker: str, meet: Callable[[], None] = lambda: None) -> bool:
    name_keys(("room:1",))
    free = collection_of(Seats).count_documents({}) < ROOM
    meet()
    if free:
        Seats(taker=taker).save()
    return free


def race(tries: int) -> int:
    """Two takers for one seat, many times; how often both got it."""
    wrong = 0
    for _ in range(tries):
        database()["seats"].delete_many({})
        met = threading.Barrier(2)

        def both(met: threading.Barrier = met) -> Callable[[], None]:
            first = [True]

            def meet() -> None:
                if first.pop() if first else False:
                    met.wait(5)

            return meet

        threads = [threading.Thread(target=take_a_seat, args=(name, both())) for name in ("east", "west")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wrong += database()["seats"].count_documents({}) > ROOM
    return wrong


@pytest.mark.thousand
def test_two_takers_never_share_the_last_seat(mongo: str, tries: int) -> None:
    take_a_seat("before")
    assert race(tries) == 0


def test_without_the_strands_write_they_do(mongo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    take_a_seat("before")

    def forget(_strands: Iterable[Strand]) -> None:
        """The defect that the test above must notice."""

    monkeypatch.setattr(strands, "write_back", forget)
    assert race(20) > 0


def test_a_new_strand_conflicts_too(mongo: str) -> None:
    assert race(5) == 0
    assert rows_of(Strands, {"_id": "room:1"})[0]["version"] >= 5


def test_others_holding_a_key_for_too_long_is_said(mongo: str, raw_mongo: MongoClient[dict[str, object]]) -> None:
    take_a_seat("before")
    with raw_mongo.start_session() as session, session.start_transaction():
        raw_mongo[mongo]["strands"].update_one({"_id": "room:1"}, {"$set": {"held": 1}}, session=session)
        with pytest.raises(Busy):
            run_transaction(lambda: take_a_seat("late"), patience_seconds=0.3)


def test_a_transaction_never_opens_a_second_one(mongo: str) -> None:
    with pytest.raises(RuntimeError, match="never opens a second"):
        run_transaction(lambda: run_transaction(lambda: None))


def test_keys_are_named_inside_a_transaction_only(mongo: str) -> None:
    with pytest.raises(RuntimeError, match="inside a transaction"):
        name_keys(("room:1",))


def test_a_merged_key_acts_on_its_survivor_along_the_chain(mongo: str) -> None:
    run_transaction(lambda: merge_key("thing:a", "thing:b"))
    run_transaction(lambda: merge_key("thing:b", "thing:c"))
    assert run_transaction(lambda: survivor_of("thing:a")) == "thing:c"
    run_transaction(lambda: merge_key("thing:c", "thing:a"))
    assert run_transaction(lambda: survivor_of("thing:c")) == "thing:c"


def test_what_is_parked_under_a_merged_key_counts_for_the_survivor(mongo: str) -> None:
    def park() -> None:
        merge_key("thing:a", "thing:b")
        strand("thing:a").parked.append("north")

    run_transaction(park)
    run_transaction(lambda: merge_key("thing:b", "thing:c"))
    assert run_transaction(lambda: is_parked("thing:c"))
    assert run_transaction(lambda: is_parked("thing:b"))
    assert run_transaction(lambda: is_parked("thing:a"))

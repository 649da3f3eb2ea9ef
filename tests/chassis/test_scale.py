"""Any number of workers, and more partitions: each key keeps its order, each event counts once."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from kafka.errors import KafkaError

from chassis.bus import consumer as consumers
from chassis.bus import topics
from chassis.bus.consumer import Consumer
from chassis.bus.event import Event
from chassis.bus.losses import Acknowledged
from chassis.bus.parking import Parked
from chassis.bus.relay import Relay
from chassis.database import database, rows_of
from chassis.errors import Transient
from tests.support.bus import TOPICS, amounts, announce, on_counted
from tests.support.waiting import until
from tests.support.words import Counted

PARTITIONS, MORE = 3, 6
NAMES = [f"k{n}" for n in range(12)]
Handler = Callable[[Sequence[Event[Any]]], None]


class Member:
    """A consumer on a thread of its own, as a worker runs it."""

    def __init__(self, kafka: str, group: str, handler: Handler) -> None:
        self.consumer = Consumer(kafka, group, TOPICS, {Counted: handler})
        self.failures: list[BaseException] = []
        self.has_joined = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.consumer.run(self._stop, self.has_joined.set)
        except BaseException as error:  # noqa: BLE001 -- looked at in the test's own thread
            self.failures.append(error)

    @property
    def holds(self) -> int:
        """Of how many partitions it is the owner."""
        return len(self.consumer.positions)

    def leave(self) -> None:
        self._stop.set()
        self._thread.join()
        self.consumer.close()


@dataclass
class Crowd:
    """The members of a group."""

    kafka: str
    group: str
    members: list[Member] = field(default_factory=list)

    def join(self, handler: Handler = on_counted) -> Member:
        self.members.append(Member(self.kafka, self.group, handler))
        return self.members[-1]

    def leave(self, number: int) -> None:
        self.members.pop(number).leave()

    def share(self, places: int) -> bool:
        """Whether together they hold so many partitions, and each has joined."""
        held = {place for one in self.members for place in one.consumer.positions}
        is_split = sum(one.holds for one in self.members) == places == len(held)
        return is_split and all(one.has_joined.is_set() for one in self.members)


@pytest.fixture
def crowd(kafka: str, relay: Relay, group: str) -> Iterator[Crowd]:
    made = Crowd(kafka, group)
    yield made
    while made.members:
        made.leave(0)


def handled() -> int:
    return int(database()["sums"].count_documents({}))


@pytest.mark.parametrize("seed", range(2))
def test_workers_come_and_go_and_each_key_keeps_its_order(crowd: Crowd, relay: Relay, seed: int) -> None:
    """Up to four workers on three partitions: one of them may have nothing to do."""
    chance = random.Random(seed)
    told: Counter[str] = Counter()
    for _ in range(6):
        chosen = chance.choices(NAMES, weights=range(1, len(NAMES) + 1), k=chance.randint(20, 80))
        announce(*(Counted(name=name, amount=told[name] + chosen[:n].count(name)) for n, name in enumerate(chosen)))
        told.update(chosen)
        relay.publish_pending()
        if len(crowd.members) > 1 and chance.random() < 0.5:
            crowd.leave(chance.randrange(len(crowd.members)))
        else:
            crowd.join()
        wanted = chance.randint(handled(), told.total())
        until(lambda wanted=wanted: handled() >= wanted)
    until(lambda: handled() == told.total())
    assert all(amounts(name) == list(range(told[name])) for name in NAMES)
    assert not [failure for one in crowd.members for failure in one.failures]


def test_a_key_that_moves_keeps_its_order_though_its_new_partition_is_read_first(
    kafka: str, relay: Relay, crowd: Crowd
) -> None:
    """The old owner is slow: what it holds is older than what the new owner has read and parked."""
    is_parked = threading.Event()

    def slowly(events: Sequence[Event[Any]]) -> None:
        if any(1 <= event.body.amount < 5 for event in events):
            is_parked.wait(5)
        on_counted(events)

    announce(*(Counted(name=name, amount=0) for name in NAMES))
    relay.publish_pending()  # its producer knows three partitions now, and will for a minute
    topics.grow(kafka, TOPICS, MORE)
    crowd.join(slowly)
    crowd.join(slowly)
    until(lambda: crowd.share(2 * MORE))
    announce(*(Counted(name=name, amount=n) for n in range(1, 5) for name in NAMES))
    relay.publish_pending()
    assert partitions_used() <= set(range(PARTITIONS))
    relay.close()
    publish_anew(kafka, range(5, 9))
    assert partitions_used() - set(range(PARTITIONS))
    until(lambda: rows_of(Parked, {}))
    is_parked.set()
    until(lambda: handled() == 9 * len(NAMES))
    assert all(amounts(name) == list(range(9)) for name in NAMES)
    assert rows_of(Parked, {}) == []


def publish_anew(kafka: str, numbers: Iterable[int]) -> None:
    """Announce by a relay that has just come, and knows all partitions there are."""
    announce(*(Counted(name=name, amount=n) for n in numbers for name in NAMES))
    relay = Relay(kafka, ["test"], holder="new")
    relay.publish_pending()
    relay.close()


def partitions_used() -> set[int]:
    return {int(row["_id"].rsplit(":", 1)[1]) for row in rows_of(Acknowledged, {})}


def test_running_workers_find_new_partitions_by_themselves(
    kafka: str, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "METADATA_AGE_MS", 500)
    crowd.join()
    crowd.join()
    until(lambda: crowd.share(2 * PARTITIONS))
    assert topics.grow(kafka, TOPICS, MORE) == TOPICS
    until(lambda: crowd.share(2 * MORE))
    publish_anew(kafka, range(5))
    assert partitions_used() - set(range(PARTITIONS))
    until(lambda: handled() == 5 * len(NAMES))
    assert all(amounts(name) == list(range(5)) for name in NAMES)


def test_while_a_growth_is_half_done_workers_wait_and_say_so(
    kafka: str, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "METADATA_AGE_MS", 500)
    running = crowd.join()
    until(lambda: crowd.share(2 * PARTITIONS))
    topics.grow(kafka, TOPICS[:1], MORE)
    until(lambda: running.failures)
    said = rf"not all topics have 6 partitions \({TOPICS[0]} 6, {TOPICS[1]} 3\); say: onex topics --partitions 6"
    with pytest.raises(Transient, match=said):
        raise running.failures[0]
    with pytest.raises(Transient, match=said):
        crowd.join()
    assert topics.grow(kafka, TOPICS, MORE) == TOPICS[1:]
    crowd.leave(0)
    crowd.join()
    until(lambda: crowd.share(2 * MORE))


def test_partitions_are_never_taken_away_and_growing_again_changes_nothing(kafka: str, fresh_topics: None) -> None:
    with pytest.raises(ValueError, match="topics with 3 partitions, and none can be taken away: say 3 or more"):
        topics.grow(kafka, TOPICS, 2)
    topics.grow(kafka, TOPICS[:1], 4)
    with pytest.raises(ValueError, match="topics with 4 partitions"):
        topics.grow(kafka, TOPICS, 3)
    assert topics.grow(kafka, TOPICS, 4) == TOPICS[1:]
    assert topics.grow(kafka, TOPICS, 4) == []


def test_a_topic_that_is_created_later_is_cut_like_those_that_grew(kafka: str, fresh_topics: None) -> None:
    topics.grow(kafka, TOPICS, MORE)
    client = topics.admin(kafka)
    client.delete_topics(TOPICS[1:])
    until(lambda: TOPICS[1] not in client.list_topics())
    client.close()
    created = topics.create(kafka, {name: {"num_partitions": 3, "replication_factor": 1} for name in TOPICS})
    assert created == TOPICS[1:]
    until(lambda: is_described(kafka))
    assert topics.most_partitions(topics.describe(kafka, created)) == MORE


def is_described(kafka: str) -> bool:
    try:
        return bool(topics.describe(kafka, TOPICS))
    except (Transient, KafkaError):
        return False

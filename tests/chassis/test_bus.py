"""The outbox, the relay and the consumer on a real broker and a real database."""

from __future__ import annotations

import threading
import time
import uuid

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from kafka import KafkaConsumer

from chassis.bus import topics
from chassis.bus.consumer import Consumer, Positions
from chassis.bus.losses import Acknowledged
from chassis.bus.outbox import Outbox, append
from chassis.bus.relay import Relay
from chassis.bus.watchdog import Watchdog
from chassis.database import database, rows_of, run_transaction
from chassis.errors import Transient
from tests.support.bus import SOURCES, TOPICS, amounts, announce, consume_until, on_counted
from tests.support.waiting import PATIENCE_SECONDS, until
from tests.support.words import Counted, FromSouth


def test_what_is_announced_has_its_effect_once_and_in_order(kafka: str, relay: Relay, group: str) -> None:
    for n in range(20):
        announce(Counted(name="a", amount=n), Counted(name=f"b{n}", amount=n))
    assert relay.publish_pending() == 40
    assert relay.publish_pending() == 0
    consume_until(kafka, group, lambda: database()["sums"].count_documents({}) >= 40)
    assert amounts() == list(range(20))
    consume_until(kafka, group, lambda: True)
    assert database()["sums"].count_documents({}) == 40


def test_a_relay_that_dies_before_marking_publishes_again_and_nothing_doubles(
    kafka: str, relay: Relay, group: str
) -> None:
    announce(*(Counted(name="a", amount=n) for n in range(5)))
    relay.publish_pending()
    database()["outbox"].update_many({}, {"$set": {"due": True}})
    assert relay.publish_pending() == 5
    announce(Counted(name="a", amount=5))
    relay.publish_pending()
    consume_until(kafka, group, lambda: 5 in amounts())
    assert amounts() == [0, 1, 2, 3, 4, 5]


def test_a_transaction_that_fails_announces_nothing(mongo: str) -> None:
    def body() -> None:
        append(Counted(name="a", amount=1), cause="test:1")
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        run_transaction(body)
    assert rows_of(Outbox, {}) == []


def test_the_same_cause_names_its_events_alike(mongo: str) -> None:
    first = run_transaction(lambda: append(Counted(name="a", amount=1), cause="test:1"))
    database()["outbox"].delete_many({})
    assert run_transaction(lambda: append(Counted(name="a", amount=1), cause="test:1")) == first


def test_what_kafka_would_refuse_is_refused_before(mongo: str) -> None:
    with pytest.raises(ValueError, match="bytes"):
        run_transaction(lambda: append(Counted(name="x" * 600_000, amount=1), cause="test:1"))


def test_records_are_cloud_events_to_another_reader(kafka: str, relay: Relay) -> None:
    announce(Counted(name="a", amount=7))
    relay.publish_pending()
    reader = KafkaConsumer(TOPICS[0], bootstrap_servers=kafka, auto_offset_reset="earliest", consumer_timeout_ms=10_000)
    record = next(iter(reader))
    reader.close()
    message = KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value)
    event = from_binary(message, JSONFormat(), CloudEvent)
    assert (event.get_type(), event.get_source(), event.get_data()) == ("Counted", "north", {"name": "a", "amount": 7})
    assert event.get_extension("sequence") == "1"


def test_two_relays_share_the_shards_and_publish_each_row_once(kafka: str, relay: Relay) -> None:
    other = Relay(kafka, SOURCES, holder="other")
    try:
        announce(*(Counted(name=f"n{n}", amount=n) for n in range(60)))
        relay.publish_pending()
        other.publish_pending()
        other._renew_at = relay._renew_at = 0
        relay.publish_pending()
        other.publish_pending()
        assert relay.shards
        assert other.shards
        assert not set(relay.shards) & set(other.shards)
        assert rows_of(Outbox, {"due": True}) == []
    finally:
        other.close()


def test_a_relay_whose_lease_ran_out_publishes_nothing(relay: Relay) -> None:
    announce(Counted(name="a", amount=1))
    relay._keep_leases()
    relay._renew_at = time.monotonic() + 60
    relay._good_until = 0.0
    assert relay.publish_pending() == 0


def test_the_last_acknowledged_record_is_remembered(relay: Relay) -> None:
    announce(Counted(name="a", amount=1), Counted(name="a", amount=2))
    relay.publish_pending()
    [last] = rows_of(Acknowledged, {})
    assert last["offset"] == 1
    assert last["event"] == rows_of(Outbox, {"seq": 2})[0]["_id"]


def test_a_lost_topic_is_read_from_its_start_again_without_doubling(kafka: str, relay: Relay, group: str) -> None:
    announce(*(Counted(name="a", amount=n) for n in range(5)))
    relay.publish_pending()
    consume_until(kafka, group, lambda: len(amounts()) == 5)
    client = topics.admin(kafka)
    client.delete_topics([TOPICS[0]])
    until(lambda: TOPICS[0] not in client.list_topics())
    topics.create(kafka, {TOPICS[0]: {"num_partitions": 3, "replication_factor": 1}})
    client.wait_for_topics([TOPICS[0]])
    client.close()
    database()["outbox"].update_many({}, {"$set": {"due": True}})
    announce(Counted(name="a", amount=5))
    until(lambda: _published(relay))
    consume_until(kafka, group, lambda: 5 in amounts())
    assert amounts() == [0, 1, 2, 3, 4, 5]


def _published(relay: Relay) -> bool:
    try:
        relay.publish_pending()
    except Transient:
        return False
    return rows_of(Outbox, {"due": True}) == []


def test_a_stranger_where_our_record_stood_sends_us_to_the_earliest(kafka: str, relay: Relay, group: str) -> None:
    announce(*(Counted(name="a", amount=n) for n in range(3)))
    relay.publish_pending()
    consume_until(kafka, group, lambda: len(amounts()) == 3)
    database()["positions"].update_many({}, {"$set": {"last_event": "another"}})
    announce(Counted(name="a", amount=3))
    relay.publish_pending()
    consume_until(kafka, group, lambda: 3 in amounts())
    assert amounts() == [0, 1, 2, 3]


def test_a_worker_that_lost_its_partitions_cannot_move_them(kafka: str, relay: Relay, group: str) -> None:
    announce(Counted(name="a", amount=1))
    relay.publish_pending()
    consume_until(kafka, group, lambda: amounts() == [1])
    announce(Counted(name="a", amount=2))
    relay.publish_pending()
    late = Consumer(kafka, group, TOPICS, {Counted: on_counted})
    try:
        until(lambda: _polled_but_moved(late))
    finally:
        late.close()
    assert amounts() == [1]
    consume_until(kafka, group, lambda: 2 in amounts())
    assert amounts() == [1, 2]


def _polled_but_moved(late: Consumer) -> bool:
    """Poll as `run` does; when there is something, have another move the position first."""
    records = late.poll()
    if not records:
        return False
    before = rows_of(Positions, {"_id": records[0].place})[0]
    database()["positions"].update_one({"_id": before["_id"]}, {"$inc": {"next_offset": 1}})
    late.handle(records)
    database()["positions"].replace_one({"_id": before["_id"]}, before)
    return True


def test_two_workers_keep_each_keys_order(kafka: str, relay: Relay, group: str) -> None:
    names = [f"k{n}" for n in range(6)]
    for n in range(20):
        announce(*(Counted(name=name, amount=n) for name in names))
    stop = threading.Event()
    consumers = [Consumer(kafka, group, TOPICS, {Counted: on_counted}) for _ in range(2)]
    threads = [threading.Thread(target=one.run, args=(stop,)) for one in consumers]
    for thread in threads:
        thread.start()
    relay.publish_pending()
    until(lambda: database()["sums"].count_documents({}) == 120)
    stop.set()
    for thread in threads:
        thread.join()
    for one in consumers:
        one.close()
    assert all(amounts(name) == list(range(20)) for name in names)


def test_topics_cut_differently_are_refused(kafka: str, fresh_topics: None) -> None:
    odd = f"onex.odd-{uuid.uuid4().hex[:6]}.v1"
    topics.create(kafka, {odd: {"num_partitions": 2, "replication_factor": 1}})
    described = topics.describe(kafka, TOPICS)
    with pytest.raises(Transient, match=r"not all topics have 3 partitions .*; say: onex topics --partitions 3"):
        topics.must_be_cut_alike({**described, odd: ("", 2)})


def test_a_topic_that_does_not_exist_yet_is_waited_for(kafka: str) -> None:
    with pytest.raises(Transient, match="do not exist yet"):
        topics.describe(kafka, ["onex.nowhere.v1"])


def test_the_key_of_a_south_event_lives_in_the_same_partition(kafka: str, relay: Relay) -> None:
    announce(Counted(name="a", amount=1), FromSouth(name="a"))
    relay.publish_pending()
    assert len({row["_id"].rsplit(":", 1)[1] for row in rows_of(Acknowledged, {})}) == 1


def test_the_first_join_has_all_partitions_even_on_fresh_topics(kafka: str, relay: Relay, group: str) -> None:
    """A leader that joins before it knows the topics would assign nothing, and be content with it."""
    consumer = Consumer(kafka, group, TOPICS, {Counted: on_counted})
    stop, joined = threading.Event(), threading.Event()
    thread = threading.Thread(target=consumer.run, args=(stop, joined.set))
    thread.start()
    try:
        assert joined.wait(PATIENCE_SECONDS)
        assert len(consumer.positions) == 6
    finally:
        stop.set()
        thread.join()
        consumer.close()


def test_a_client_that_fetches_nothing_of_what_is_there_is_given_up(kafka: str, relay: Relay, group: str) -> None:
    """The watchdog's sentence is what has the worker build a new consumer."""
    announce(Counted(name="a", amount=1))
    relay.publish_pending()
    consumer = Consumer(kafka, group, TOPICS, {Counted: on_counted})
    consumer.watchdog = Watchdog(consumer.kafka, every_seconds=0.5)
    try:
        with pytest.raises(Transient, match=f"fallen silent \\({TOPICS[0]}:[0-9] at 0\\)"):
            consumer.run(threading.Event(), joined=lambda: consumer.kafka.pause(*consumer.kafka.assignment()))
    finally:
        consumer.close()


def test_a_client_that_stays_in_the_middle_of_a_join_is_given_up(kafka: str, relay: Relay, group: str) -> None:
    """Here because another member, which the broker waits for, never asks again."""
    other = KafkaConsumer(*TOPICS, bootstrap_servers=kafka, group_id=group, max_poll_interval_ms=300_000)
    other.poll(timeout_ms=5_000)
    consumer = Consumer(kafka, group, TOPICS, {Counted: on_counted})
    consumer.watchdog = Watchdog(consumer.kafka, every_seconds=0.5)
    try:
        with pytest.raises(Transient, match="fallen silent \\(member <rebalancing>"):
            consumer.run(threading.Event())
    finally:
        other.close(autocommit=False)  # first: the broker then answers the join that it held back
        consumer.close()


def test_a_client_to_which_nothing_is_owed_is_left_alone(kafka: str, relay: Relay, group: str) -> None:
    announce(Counted(name="a", amount=1))
    relay.publish_pending()
    consumer = Consumer(kafka, group, TOPICS, {Counted: on_counted})
    consumer.watchdog = Watchdog(consumer.kafka, every_seconds=0.1)
    stop = threading.Event()
    threading.Timer(2.0, stop.set).start()
    consumer.run(stop)
    consumer.close()
    assert amounts() == [1]

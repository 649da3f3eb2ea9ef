"""Promise 6: a database that was set back is noticed, changes nothing, and is recovered from its own topic."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer

from chassis import standing
from chassis.bus.ahead import examine, told_to_kafka
from chassis.bus.announced import because_of
from chassis.bus.consumer import Consumer
from chassis.bus.event import envelope_of, headers_of
from chassis.bus.losses import restore
from chassis.bus.outbox import Outbox, append
from chassis.bus.parking import Parked
from chassis.bus.positions import Positions, how_far
from chassis.bus.recovery import recover
from chassis.bus.relay import Relay
from chassis.database import database, rows_of, run_transaction
from chassis.standing import SetBack
from chassis.strands import Strands
from tests.support.bus import SOURCES, TOPICS, amounts, announce, consume_until, lose, on_counted, until
from tests.support.words import Counted

Copy = dict[str, list[dict[str, Any]]]


def copied() -> Copy:
    return {name: list(database()[name].find()) for name in database().list_collection_names()}


def set_back(copy: Copy) -> None:
    for name in database().list_collection_names():
        database()[name].delete_many({})
        if copy.get(name):
            database()[name].insert_many(copy[name])
    standing.look_again()


def counted(n: int, name: str = "a") -> Counted:
    return Counted(name=name, amount=n)


def publish(relay: Relay, *numbers: int) -> None:
    for n in numbers:
        announce(counted(n))
    relay.publish_pending()


def recovered(kafka: str, group: str) -> None:
    with pytest.raises(SetBack):
        examine(kafka, group, TOPICS, SOURCES)
    assert standing.ask("operator")
    assert not standing.ask("operator")
    recover(kafka, group, TOPICS, SOURCES)
    examine(kafka, group, TOPICS, SOURCES)


def published(kafka: str) -> list[tuple[str, int]]:
    reader = KafkaConsumer(*TOPICS, bootstrap_servers=kafka, auto_offset_reset="earliest", consumer_timeout_ms=1_500)
    found = [envelope_of(one.headers) for one in reader]
    reader.close(autocommit=False)
    return sorted({(one.id, one.seq) for one in found}, key=lambda pair: pair[1])


def test_a_sound_service_stays_sound(kafka: str, relay: Relay, group: str) -> None:
    publish(relay, 1, 2)
    consume_until(kafka, group, lambda: amounts() == [1, 2])
    announce(counted(3))  # committed and not published yet
    examine(kafka, group, TOPICS, SOURCES)


def test_what_kafka_took_and_the_relay_could_not_mark_is_no_set_back(kafka: str, relay: Relay, group: str) -> None:
    publish(relay, 1, 2)
    database()["outbox"].update_many({}, {"$set": {"due": True}})
    database()["acknowledged"].delete_many({})
    examine(kafka, group, TOPICS, SOURCES)


def test_a_topic_ahead_of_the_database_stops_the_relay(kafka: str, relay: Relay) -> None:
    publish(relay, 1)
    copy = copied()
    publish(relay, 2, 3)
    set_back(copy)
    announce(counted(9))
    with pytest.raises(SetBack, match="unknown here"):
        relay.publish_pending()
    with pytest.raises(SetBack):
        relay.publish_pending()
    assert len(published(kafka)) == 3


def test_an_empty_database_behind_a_full_topic_was_set_back(kafka: str, relay: Relay, group: str) -> None:
    publish(relay, 1, 2)
    set_back({})
    recovered(kafka, group)
    assert [row["seq"] for row in rows_of(Outbox, {"forgotten": True}, sort=[("seq", 1)])] == [1, 2]


def test_what_was_announced_is_neither_announced_twice_nor_its_number_given_twice(
    kafka: str, relay: Relay, group: str
) -> None:
    publish(relay, 1)
    copy = copied()
    publish(relay, 2, 3)
    before = published(kafka)
    set_back(copy)
    recovered(kafka, group)
    publish(relay, 3, 4, 2)
    assert rows_of(Outbox, {"forgotten": True}) == []
    assert "forgotten" not in rows_of(Strands, {})[0]
    assert published(kafka)[:3] == before
    assert [seq for _, seq in published(kafka)] == [1, 2, 3, 4]
    consume_until(kafka, group, lambda: amounts() == [1, 2, 3, 4])


def test_what_is_submitted_again_and_comes_to_something_else_takes_the_place_of_what_was_said(
    kafka: str, relay: Relay, group: str
) -> None:
    publish(relay, 1)
    copy = copied()
    run_transaction(lambda: append(counted(2), "sheet:7"))
    relay.publish_pending()
    [said] = rows_of(Outbox, {"cause": "sheet:7"})
    set_back(copy)
    recovered(kafka, group)
    run_transaction(lambda: append(counted(5), "sheet:7"))
    relay.publish_pending()
    then, now = rows_of(Outbox, {"cause": "sheet:7"}, sort=[("seq", 1)])
    assert (then["_id"], then["superseded"], "forgotten" in then) == (said["_id"], now["_id"], False)
    assert "forgotten" not in rows_of(Strands, {"_id": said["key"]})[0]
    assert [one["_id"] for one in because_of(["sheet:7"], ["Counted"])] == [now["_id"]]

    set_back(copy)  # once more, to before either of them
    recovered(kafka, group)
    assert len(rows_of(Outbox, {"forgotten": True})) == 2
    run_transaction(lambda: append(counted(5), "sheet:7"))
    relay.publish_pending()
    then, again = rows_of(Outbox, {"cause": "sheet:7"}, sort=[("seq", 1)])
    assert (then["superseded"], again["_id"]) == (now["_id"], now["_id"])
    assert rows_of(Outbox, {"forgotten": True}) == []


def test_of_two_records_with_one_number_the_first_is_ours(kafka: str, relay: Relay, group: str) -> None:
    publish(relay, 1)
    row = rows_of(Outbox, {})[0]
    for name in ("forged-a", "forged-b"):
        said = row | {"_id": name, "seq": 2}
        relay._producer.send(TOPICS[0], key=row["key"].encode(), value=bytes(row["body"]), headers=headers_of(said))
    relay._producer.flush(timeout=10)
    recovered(kafka, group)
    assert [(one["_id"], one["seq"]) for one in rows_of(Outbox, {"forgotten": True})] == [("forged-a", 2)]
    publish(relay, 5)
    assert [seq for _, seq in published(kafka)] == [1, 2, 2, 3]


def test_what_was_announced_since_the_set_back_gets_the_next_numbers(kafka: str, relay: Relay, group: str) -> None:
    publish(relay, 1)
    copy = copied()
    publish(relay, 2)
    set_back(copy)
    announce(counted(7), counted(8), counted(5, "b"))
    recovered(kafka, group)
    relay.publish_pending()
    consume_until(kafka, group, lambda: amounts() == [1, 2, 7, 8] and amounts("b") == [5])
    assert rows_of(Parked, {}) == []


def test_what_was_announced_again_under_another_number_keeps_the_one_it_had(
    kafka: str, relay: Relay, group: str
) -> None:
    publish(relay, 1)
    copy = copied()
    run_transaction(lambda: append(counted(2), cause="sheet:2"))
    run_transaction(lambda: append(counted(3), cause="sheet:3"))
    relay.publish_pending()
    before = published(kafka)
    set_back(copy)
    run_transaction(lambda: append(counted(3), cause="sheet:3"))  # the same id, with the other's number
    recovered(kafka, group)
    relay.publish_pending()
    assert published(kafka) == before


def test_a_recovery_that_was_cut_off_is_done_again(kafka: str, relay: Relay, group: str) -> None:
    copy = copied()
    publish(relay, 1, 2, 3)
    set_back(copy)
    with pytest.raises(SetBack):
        examine(kafka, group, TOPICS, SOURCES)
    standing.ask("operator")
    recover(kafka, group, TOPICS, SOURCES)
    database()["acknowledged"].delete_many({})  # as if it had ended before it was noted
    recover(kafka, group, TOPICS, SOURCES)
    assert standing.row()["adopted"] == {"Counted": 3}
    assert [row["seq"] for row in rows_of(Outbox, {}, sort=[("seq", 1)])] == [1, 2, 3]


def test_what_follows_from_an_event_again_is_the_same_even_with_other_words(
    kafka: str, relay: Relay, group: str
) -> None:
    cause = "0f0e0d0c-0b0a-0908-0706-050403020100"
    copy = copied()
    run_transaction(lambda: append(counted(1), cause=cause))
    relay.publish_pending()
    set_back(copy)
    recovered(kafka, group)
    run_transaction(lambda: append(counted(11), cause=cause))
    assert rows_of(Outbox, {"due": True}) == []


def test_a_reader_that_was_set_back_is_noticed_by_what_it_told_kafka(kafka: str, relay: Relay, group: str) -> None:
    publish(relay, 1)
    consume_until(kafka, group, lambda: amounts() == [1])
    copy = copied()
    publish(relay, 2, 3)
    consume_until(kafka, group, lambda: amounts() == [1, 2, 3])
    told = {name: database()[name] for name in ("positions", "strands", "sums")}
    for name, collection in told.items():
        collection.delete_many({})
        collection.insert_many(copy[name])
    with pytest.raises(SetBack, match="was read up to"):
        examine(kafka, group, TOPICS, SOURCES)
    standing.ask("operator")
    recover(kafka, group, TOPICS, SOURCES)
    examine(kafka, group, TOPICS, SOURCES)
    assert standing.again_before() > standing.NEVER
    consume_until(kafka, group, lambda: amounts() == [1, 2, 3])


def test_a_reader_whose_database_is_set_back_while_it_runs_stops(kafka: str, relay: Relay, group: str) -> None:
    publish(relay, 1)
    consume_until(kafka, group, lambda: amounts() == [1])
    copy = copied()
    publish(relay, 2)

    def go_back_once_read() -> bool:
        if amounts() == [1, 2]:
            set_back(copy)
            send_from_elsewhere(kafka)
        return False

    with pytest.raises(SetBack):
        consume_until(kafka, group, go_back_once_read)
    assert amounts() == [1]


def send_from_elsewhere(kafka: str) -> None:
    row = {"_id": "x", "key": "thing:a", "seq": 1, "type": "Counted", "source": "elsewhere", "cause": "test"}
    producer = KafkaProducer(bootstrap_servers=kafka)
    headers = headers_of(row | {"time": datetime.now(UTC)})
    producer.send(TOPICS[0], key=b"thing:a", value=b'{"name":"z","amount":78}', headers=headers).get(timeout=20)
    producer.close()


def test_a_worker_that_outlived_a_wiped_kafka_is_no_witness(kafka: str, relay: Relay, group: str) -> None:
    publish(relay, 1, 2, 3)
    survivor = Consumer(kafka, group, TOPICS, {Counted: on_counted})
    until(lambda: survivor.handle(survivor.poll()) or amounts() == [1, 2, 3])
    lose(kafka)
    publish(relay, 4)
    consume_until(kafka, f"{group}.new", lambda: amounts() == [1, 2, 3, 4])
    survivor.close()
    assert (0, 3) in told_to_kafka(kafka, group, TOPICS).values()
    assert [how_far(row) for row in rows_of(Positions, {})] == [(1, 1)]
    examine(kafka, group, TOPICS, SOURCES)


def test_a_reader_that_was_set_back_to_an_earlier_turn_is_noticed(kafka: str, relay: Relay, group: str) -> None:
    publish(relay, 1, 2, 3)
    consume_until(kafka, group, lambda: amounts() == [1, 2, 3])
    copy = copied()
    lose(kafka)
    publish(relay, 4)
    consume_until(kafka, group, lambda: amounts() == [1, 2, 3, 4])
    database()["positions"].delete_many({})
    database()["positions"].insert_many(copy["positions"])
    with pytest.raises(SetBack, match="was read up to 1, the database knows of 3"):
        examine(kafka, group, TOPICS, SOURCES)


def test_a_reader_that_kafka_sends_back_begins_a_new_turn(kafka: str, relay: Relay, group: str) -> None:
    """A tail that is cut under a running reader leaves its offset out of range: the client goes to the earliest."""
    publish(relay, 1, 2, 3)
    reader = Consumer(kafka, group, TOPICS, {Counted: on_counted})
    until(lambda: reader.handle(reader.poll()) or amounts() == [1, 2, 3])
    reader.kafka.seek_to_beginning()
    until(lambda: reader.handle(reader.poll()) or reader.turns != dict.fromkeys(reader.turns, 0))
    reader.close()
    assert [how_far(row) for row in rows_of(Positions, {})] == [(1, 3)]
    assert amounts() == [1, 2, 3]


def test_losses_and_set_backs_are_not_mistaken_for_each_other(kafka: str, relay: Relay, group: str) -> None:
    publish(relay, 1, 2)
    assert restore(kafka) == 0
    examine(kafka, group, TOPICS, SOURCES)

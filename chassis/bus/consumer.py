"""The consumer: polls, hands batches to their transaction, and keeps its own positions in the service's database."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson.errors import InvalidDocument
from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata
from pymongo import UpdateOne
from pymongo.errors import WriteError

from chassis import standing
from chassis.bus import dead_letters
from chassis.bus.arrivals import Arrival, Misplaced, arrival_of, types_of
from chassis.bus.batches import count, take
from chassis.bus.event import envelope_of
from chassis.bus.handlers import Handlers
from chassis.bus.late import hand_on
from chassis.bus.positions import Positions, how_far
from chassis.bus.retrying import serve
from chassis.bus.topics import describe, must_be_cut_alike
from chassis.bus.unknown import Language
from chassis.bus.watchdog import Watchdog
from chassis.database import (
    Row,
    collection_of,
    comes_from_outside,
    is_conflict,
    rows_of,
    run_transaction,
    try_transaction,
)
from chassis.errors import Transient
from chassis.watch import (
    BATCH_CONFLICTS,
    BATCH_EVENTS,
    BATCH_SECONDS,
    EVENTS_DEAD,
    LAG,
    OLDEST_UNHANDLED,
    frames_of,
    log,
)

BATCH_RECORDS = 500
BATCH_SECONDS_LIMIT = 5.0
POLL_MS = 200
CONFLICT_PAUSE_SECONDS = 0.02
COMMIT_EVERY_SECONDS = 1.0
METADATA_SECONDS = 10.0
METADATA_AGE_MS = 10_000  # how long new partitions may go unread; a leader that finds them has the group join again
NO_EVENT = "-"  # stands for the id of a record that is no event
LETTERS_EVERY_SECONDS = 1.0
LETTERS_AT_ONCE = 20
FATES_KEPT = 200
DEFECTS_LIMIT = 20  # of those; more is no bad event but bad code, which must not drain a topic into dead letters
METADATA_PAUSE_SECONDS = 0.05
CLOSE_MS = 2_000


class StaleError(Exception):
    """Another worker has moved a position: what was polled is not ours any more."""


class ConsumerStopped(Exception):
    """Too many defects stopped the consumer; the message names the last event."""


@dataclass
class Position:
    next_offset: int
    last_event: str
    turn: int = 0


@dataclass(frozen=True)
class Record:
    """A polled record with where it stood."""

    place: str
    offset: int
    headers: Sequence[tuple[str, bytes | None]]
    payload: bytes


class Consumer:
    """One member of the service's group; every effect of a batch and its positions are one transaction.

    `language`: the types that are announced at all; events of others are kept. None: it knows every type.
    """

    def __init__(
        self, kafka: str, group: str, topics: Sequence[str], handlers: Handlers, language: Language = None
    ) -> None:
        self.handlers = handlers
        self.language = language
        self.types = types_of(handlers)
        self.positions: dict[str, Position] = {}
        self.turns: dict[str, int] = {}  # place → the turn of what is read now
        self.checking: dict[str, str] = {}  # place → id the record before our position must have
        self.lags: dict[str, int] = {}
        self.rebalanced = threading.Event()
        self.was_assigned = threading.Event()
        self._joined: Callable[[], None] = lambda: None
        self.size = BATCH_RECORDS
        described = describe(kafka, topics)
        must_be_cut_alike(described)
        self.topic_ids = {name: topic_id for name, (topic_id, _) in described.items()}
        self.kafka = KafkaConsumer(
            bootstrap_servers=kafka,
            group_id=group,
            client_id=group,
            enable_auto_commit=False,  # positions live in our database; Kafka's only show lag
            auto_offset_reset="earliest",  # an offset Kafka lost sends us to the earliest record; strands drop repeats
            max_poll_records=BATCH_RECORDS,
            max_poll_interval_ms=120_000,
            session_timeout_ms=10_000,  # a killed worker's partitions move on after ten seconds
            heartbeat_interval_ms=3_000,
            fetch_max_wait_ms=100,
            fetch_min_bytes=1,
            max_partition_fetch_bytes=1_048_576,
            partition_assignment_strategy=(RangePartitionAssignor,),  # the same partition of every topic to one worker
            isolation_level="read_uncommitted",
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=10_000,
            request_timeout_ms=30_000,
            metadata_max_age_ms=METADATA_AGE_MS,
        )
        self.kafka.subscribe(list(topics), listener=_OnRebalance(self.rebalanced, self.was_assigned))
        self._know_partitions(topics)
        self.watchdog = Watchdog(self.kafka)
        self._commit_at = 0.0
        self._letters_at = 0.0
        self._may_have_kept = False
        self._fates: deque[bool] = deque(maxlen=FATES_KEPT)  # whether each of the last events became a dead letter

    def _know_partitions(self, topics: Sequence[str]) -> None:
        """Have the client know every topic before it joins; `Transient` when it does not learn them in time.

        A leader that does not know a topic assigns none of its partitions, and one that learns of it later joins again,
        which kafka-python 3.0.12 may forget half-way. `topics` always asks the broker, and so after subscribing.
        """
        deadline = time.monotonic() + METADATA_SECONDS
        while missing := set(topics) - {one for one in self.kafka.topics() if self.kafka.partitions_for_topic(one)}:
            if time.monotonic() > deadline:
                self.kafka.close(autocommit=False)
                raise Transient(f"Kafka does not tell the partitions of {', '.join(sorted(missing))}")
            time.sleep(METADATA_PAUSE_SECONDS)

    def run(self, stop: threading.Event, joined: Callable[[], None] = lambda: None) -> None:
        """Consume until told to stop; `ConsumerStopped` on a defect, `Transient` or a driver's error from outside.

        `joined` is called whenever partitions were assigned.
        """
        self._joined = joined
        while not stop.is_set():
            standing.must_be_sound()
            records = self.poll()
            self.watchdog.look(bool(records))
            self._report(records)
            self._hand_on_kept()
            self.handle(records)
            self._serve_letters()
            self._show_lag()

    def poll(self) -> list[Record]:
        """What came since, from our own positions; nothing while partitions are changing hands."""
        began = time.monotonic()
        polled = self.kafka.poll(timeout_ms=POLL_MS)
        if not polled and not self.kafka.assignment():  # with nothing assigned, poll does not wait by itself
            time.sleep(max(POLL_MS / 1000 - (time.monotonic() - began), 0))
        if self.rebalanced.is_set():
            self.rebalanced.clear()
            has_joined = self.was_assigned.is_set()
            self.assigned(sorted(self.kafka.assignment()))
            if has_joined:
                self._joined()
            return []
        return [record for at, found in polled.items() for record in self._fresh(f"{at.topic}:{at.partition}", found)]

    def handle(self, records: Sequence[Record]) -> None:
        """Have the effect of records, in batches whose size falls with conflicts and grows back."""
        rest = list(records)
        try:
            while rest:
                rest = rest[self._try(rest[: self.size]) :]
        except StaleError:
            log.info("positions moved elsewhere, reading them again")
            self._must_not_be_set_back()
            self.assigned(sorted(self.kafka.assignment()))

    def _try(self, batch: Sequence[Record]) -> int:
        """Handle a batch; how many of it are done: all, or none when a smaller batch has to be tried."""
        began = time.monotonic()
        try:
            self._transact(batch)
        except StaleError:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever a handler raises is sorted by kind, none is dropped
            return self._shrink_or_bury(error, batch)
        took = time.monotonic() - began
        BATCH_SECONDS.observe(took)
        BATCH_EVENTS.observe(len(batch))
        self._fates.extend([False] * len(batch))
        self.size = max(1, len(batch) // 2) if took > BATCH_SECONDS_LIMIT else min(self.size * 2, BATCH_RECORDS)
        return len(batch)

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Go to our own position in each partition, to the record before it, which must be the one we knew."""
        self._must_be_cut_alike()
        places = {f"{one.topic}:{one.partition}": one for one in partitions}
        known = {row["_id"]: row for row in rows_of(Positions, {"_id": {"$in": list(places)}})}
        ends = self.kafka.end_offsets(list(partitions)) if partitions else {}
        begins = self.kafka.beginning_offsets(list(partitions)) if partitions else {}
        self.positions, self.turns, self.checking, self.lags = {}, {}, {}, {}
        self._may_have_kept = True
        log.info("partitions assigned", count=len(places))
        for place, partition in places.items():
            row = known.get(place)
            self.positions[place] = (
                Position(row["next_offset"], row["last_event"], row.get("turn", 0)) if row else Position(0, "")
            )
            self.turns[place] = self.positions[place].turn
            self._seek(place, partition, row or {}, begins[partition], ends[partition])

    def _must_not_be_set_back(self) -> None:
        """Positions only grow: where one is below what this worker has moved it to, the database was set back."""
        for row in rows_of(Positions, {"_id": {"$in": list(self.positions)}}):
            here = self.positions[row["_id"]]
            if how_far(row) < (here.turn, here.next_offset):
                standing.note_set_back(
                    [f"{row['_id']} was read up to {here.next_offset}, the database knows of {row['next_offset']}"]
                )

    def _must_be_cut_alike(self) -> None:
        """`Transient` while more partitions have reached some topics only; `topics` always asks the broker."""
        self.kafka.topics()
        there = {name: self.kafka.partitions_for_topic(name) or () for name in self.topic_ids}
        must_be_cut_alike({name: (self.topic_ids[name], len(partitions)) for name, partitions in there.items()})

    def close(self) -> None:
        """Leave the group, and tell Kafka how far we are: should the database be set back, that is a witness."""
        try:
            self.kafka.commit(self._offsets(), timeout_ms=CLOSE_MS)
        except KafkaError as error:
            log.info("Kafka was not told our offsets", error=str(error))
        self.kafka.close(autocommit=False)

    def _seek(self, place: str, partition: TopicPartition, row: Mapping[str, Any], begin: int, end: int) -> None:
        offset = row.get("next_offset", 0)
        same_topic = row.get("topic_id") == self.topic_ids.get(partition.topic)
        if not row or not same_topic or end < offset:
            if row:
                self._begin_turn(place, "the topic is not the one that was read before")
            self.kafka.seek(partition, begin)
        elif offset - 1 >= begin:
            self.checking[place] = row["last_event"]
            self.kafka.seek(partition, offset - 1)
        else:
            self.kafka.seek(partition, max(offset, begin))

    def _begin_turn(self, place: str, why: str) -> None:
        """The records are others than those that were read: what is moved from now on belongs to the next turn."""
        self.turns[place] = self.positions[place].turn + 1
        log.warning(f"{why}, starting at its earliest record", place=place)

    def _fresh(self, place: str, polled: Sequence[Any]) -> Iterator[Record]:
        """Records to handle; the one re-read after an assignment is checked and left out."""
        for one in polled:
            expected = self.checking.pop(place, None)
            if self._is_new(place, one):
                yield Record(place, one.offset, one.headers, one.value or b"")
            elif expected is None:
                self._begin_turn(place, "the topic has lost what was read last")
                yield Record(place, one.offset, one.headers, one.value or b"")
            elif _id_in(one.headers) != expected:
                self._begin_turn(place, "another record stands in the topic where ours stood")
                self.kafka.seek_to_beginning(TopicPartition(one.topic, one.partition))
                return

    def _is_new(self, place: str, one: Any) -> bool:
        """Whether a record stands after our position, or comes in a new turn."""
        position = self.positions[place]
        return one.offset >= position.next_offset or self.turns[place] > position.turn

    def _transact(self, batch: Sequence[Record], is_alone: bool = False) -> None:
        arrivals = [self._arrival(record) for record in batch]
        moved = self._moved(batch)
        due = try_transaction(lambda: self._effect(arrivals, moved, is_alone))
        self.positions.update(moved)
        count(due, self.language)

    def _effect(self, arrivals: Sequence[Arrival], moved: Mapping[str, Position], is_alone: bool) -> list[Arrival]:
        due = take(arrivals, self.handlers, is_alone, self.language)
        self._move(moved)
        return due

    def _moved(self, batch: Sequence[Record]) -> dict[str, Position]:
        """The positions after these records."""
        last = {record.place: record for record in batch}
        return {
            place: Position(record.offset + 1, _id_in(record.headers), self.turns[place])
            for place, record in last.items()
        }

    def _move(self, moved: Mapping[str, Position]) -> None:
        """Compare-and-set: a worker that lost its partitions cannot move them."""
        operations = []
        for place, to in moved.items():
            before = self.positions[place]
            where = {"_id": place, "next_offset": before.next_offset, "last_event": before.last_event}
            change = {
                "turn": to.turn,
                "next_offset": to.next_offset,
                "last_event": to.last_event,
                "topic_id": self.topic_ids[place.rsplit(":", 1)[0]],
            }
            operations.append(UpdateOne(where, {"$set": change}, upsert=not before.last_event))
        result = collection_of(Positions).bulk_write(operations, ordered=True)
        if result.matched_count + result.upserted_count != len(operations):
            raise StaleError

    def _arrival(self, record: Record) -> Arrival:
        return arrival_of(record.headers, record.payload, self.types, record.place, record.offset)

    def _shrink_or_bury(self, error: Exception, batch: Sequence[Record]) -> int:
        """A conflict or a defect in company: try fewer. A defect alone makes a dead letter. How many are done."""
        if comes_from_outside(error):
            raise error
        if is_conflict(error):
            BATCH_CONFLICTS.inc()
            self.size = max(1, len(batch) // 2)
            time.sleep(random.uniform(0, CONFLICT_PAUSE_SECONDS))  # noqa: S311 -- jitter, not a secret
            return 0
        if len(batch) > 1:
            self.size = max(1, len(batch) // 2)
            return 0
        return self._bury_or_take_alone(batch[0])

    def _bury_or_take_alone(self, record: Record) -> int:
        """Who breaks without what waited behind it is the guilty one. How many are done: 1, or 0 on a conflict."""
        try:
            self._transact([record], is_alone=True)
        except StaleError:
            raise
        except Exception as error:
            if comes_from_outside(error):
                raise
            if not is_conflict(error):
                self._bury(record, error)
                return 1
            return 0
        return 1

    def _bury(self, record: Record, error: Exception) -> None:
        """Make a dead letter of a record; one that was seen or is a letter already is merely passed by."""
        try:
            letter = self._put_away(record, error, is_raw=isinstance(error, Misplaced))
        except (OverflowError, InvalidDocument, WriteError) as unkept:
            log.warning("a record can't be kept by its own names, it is kept as it came", kind=type(unkept).__name__)
            letter = self._put_away(record, error, is_raw=True)
        if letter is None:
            return
        EVENTS_DEAD.labels(letter["source"], letter["type"]).inc()
        log.error("an event became a dead letter", event_at=_name_of(record), frames=frames_of(error))
        self._fates.append(True)
        if sum(self._fates) >= DEFECTS_LIMIT:
            raise ConsumerStopped(
                f"{sum(self._fates)} of the last {len(self._fates)} events became dead letters, last {_name_of(record)}"
            ) from error

    def _put_away(self, record: Record, error: Exception, is_raw: bool = False) -> Row | None:
        """A dead letter, if it is a new one, and the position after it, in one transaction."""
        moved = self._moved([record])

        def body() -> Row | None:
            letter = dead_letters.bury(record.place, record.offset, record.headers, record.payload, error, is_raw)
            self._move(moved)
            return letter

        letter = run_transaction(body)
        self.positions.update(moved)
        return letter

    def _hand_on_kept(self) -> None:
        """Once for each assignment, before anything newer: what the owners before us kept and we know the type of."""
        if self._may_have_kept:
            hand_on(self.positions, self.handlers, self.language)
            self._may_have_kept = False

    def _serve_letters(self) -> None:
        """Once a second, do what operators asked for dead letters of our partitions."""
        if time.monotonic() < self._letters_at:
            return
        self._letters_at = time.monotonic() + LETTERS_EVERY_SECONDS
        for row in dead_letters.asked_of(self.positions, LETTERS_AT_ONCE):
            count(serve(row["_id"], self.handlers, self.language), self.language)
            self._letters_at = 0.0

    def _report(self, records: Sequence[Record]) -> None:
        for partition in self.kafka.assignment():
            end = self.kafka.highwater(partition)
            place = f"{partition.topic}:{partition.partition}"
            if end is not None and place in self.positions:
                self.lags[place] = max(end - self.positions[place].next_offset, 0)
        OLDEST_UNHANDLED.set(max(time.time() - record_time(records[0]), 0) if records else 0)

    def _show_lag(self) -> None:
        """Once a second, tell Kafka and the metrics how far we are."""
        if time.monotonic() < self._commit_at:
            return
        self._commit_at = time.monotonic() + COMMIT_EVERY_SECONDS
        topics = dict.fromkeys(self.topic_ids, 0)  # of a topic that went to other workers whole, nothing is ours
        for place, lag in self.lags.items():
            topics[place.rsplit(":", 1)[0]] += lag
        for topic, lag in topics.items():
            LAG.labels(topic).set(lag)
        try:
            self.kafka.commit_async(self._offsets())
        except KafkaError as error:
            log.info("Kafka was not told our offsets", error=str(error))

    def _offsets(self) -> dict[TopicPartition, OffsetAndMetadata]:
        return {
            TopicPartition(*_split(place)): OffsetAndMetadata(at.next_offset, str(at.turn), -1)
            for place, at in self.positions.items()
            if at.last_event
        }


class _OnRebalance(ConsumerRebalanceListener):
    """Partitions come and go whole (eager). This runs on the client's own thread, where nothing may block."""

    def __init__(self, rebalanced: threading.Event, was_assigned: threading.Event) -> None:
        self.rebalanced = rebalanced
        self.was_assigned = was_assigned

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:  # noqa: ARG002 -- the library names it
        self.rebalanced.set()

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:  # noqa: ARG002
        self.was_assigned.set()
        self.rebalanced.set()


def record_time(record: Record) -> float:
    """When a record's event was announced, in seconds; now when it does not say."""
    try:
        return envelope_of(record.headers).time.timestamp()
    except ValueError:
        return time.time()


def _id_in(headers: Sequence[tuple[str, bytes | None]]) -> str:
    return (dict(headers).get("ce_id") or b"").decode(errors="replace") or NO_EVENT


def _name_of(record: Record) -> str:
    try:
        envelope = envelope_of(record.headers)
    except ValueError:
        return f"record at {record.place}, offset {record.offset}"
    what = f"{envelope.type} {envelope.id} ({envelope.source}, {envelope.key}, number {envelope.seq})"
    return f"{what} at {record.place}, offset {record.offset}"


def _split(place: str) -> tuple[str, int]:
    topic, partition = place.rsplit(":", 1)
    return topic, int(partition)

"""The relay: what the outbox has and Kafka has not, in order per key, marked only when acknowledged."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from pymongo import UpdateMany

from chassis import standing
from chassis.bus.ahead import must_not_have_announced_more
from chassis.bus.event import headers_of
from chassis.bus.losses import CHECK_SECONDS, known_offsets, remember, restore
from chassis.bus.outbox import SHARDS, Outbox
from chassis.bus.topics import topic_of
from chassis.database import Row, on_commit, rows_of, write
from chassis.errors import Transient
from chassis.leases import HOLDER, hold, holders, release, renew_all
from chassis.watch import EVENTS_PUBLISHED, log

FLIGHT_ROWS = 1_000
LEASE_SECONDS = 10.0
RENEW_SECONDS = 2.0
SHORTEST_PAUSE_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 0.2
ACKNOWLEDGE_SECONDS = 20.0
SHARD_LEASE = "relay-shard:"
PRESENCE_LEASE = "relay-presence:"


class Relay:
    """Publishes the shards it holds leases for; several relays share the shards among themselves."""

    def __init__(self, kafka: str, sources: Sequence[str], holder: str = HOLDER) -> None:
        self.kafka = kafka
        self.sources = sources
        self.holder = holder
        self.awake = threading.Event()
        self.shards: list[int] = []
        self._good_until = 0.0
        self._renew_at = 0.0
        self._check_at = 0.0
        self._acknowledged: dict[str, int] = {}  # by place, the highest offset that was acknowledged here
        self._after: tuple[int, str] = (-1, "")
        self._producer = KafkaProducer(
            bootstrap_servers=kafka,
            client_id=f"onex-relay-{holder}",
            enable_idempotence=True,  # a retry inside the client neither doubles nor reorders
            acks="all",  # promise 2: acknowledged is kept
            max_in_flight_requests_per_connection=5,  # what idempotence allows
            linger_ms=200,  # a flight is sent in whole batches: its flush ends the waiting
            batch_size=262_144,
            max_request_size=1_048_576,  # above the outbox's own 512 KB
            delivery_timeout_ms=15_000,  # below ACKNOWLEDGE_SECONDS: a future always ends before we stop waiting
            request_timeout_ms=10_000,
            max_block_ms=10_000,
            bootstrap_timeout_ms=10_000,
            metadata_max_age_ms=60_000,  # new partitions are written to when consumers have found them
            allow_auto_create_topics=False,  # topics come from the stack's one list
            compression_type="lz4",  # sending costs a quarter less than with gzip; what was sent so is read as before
        )

    def run(self, stop: threading.Event) -> None:
        """Publish until told to stop, and look now and then whether Kafka still has what it acknowledged."""
        on_commit(self.awake.set)
        pause = SHORTEST_PAUSE_SECONDS
        while not stop.is_set():
            self._look_for_losses()
            published = self.publish_pending()
            pause = SHORTEST_PAUSE_SECONDS if published else min(pause * 2, LONGEST_PAUSE_SECONDS)
            if published < FLIGHT_ROWS and self.awake.wait(pause):
                pause = SHORTEST_PAUSE_SECONDS
            self.awake.clear()

    def _look_for_losses(self) -> None:
        if time.monotonic() >= self._check_at:
            self._compare()

    def _compare(self) -> None:
        """`SetBack` when the topic has more of ours than the database; publish again what the topic has lost."""
        must_not_have_announced_more(self.kafka, self.sources)
        restore(self.kafka)
        self._acknowledged = known_offsets()
        self._check_at = time.monotonic() + CHECK_SECONDS

    def _must_know_what_was_acknowledged(self) -> None:
        """A database that knows of less than was acknowledged here was set back, or its topic began anew."""
        standing.must_be_sound()
        known = known_offsets()
        if any(known.get(place, -1) < offset for place, offset in self._acknowledged.items()):
            self._compare()

    def publish_pending(self) -> int:
        """One flight: send what is due, wait for all of it, mark what was acknowledged; how many.

        `Transient` when Kafka did not take all of it; what it did take stays marked.
        """
        self._keep_leases()
        rows = self._due()
        if not rows:
            return 0
        self._must_know_what_was_acknowledged()
        flight = [(row, self._send(row)) for row in rows]
        self._producer.flush(timeout=ACKNOWLEDGE_SECONDS)
        acknowledged = [(row, future.value) for row, future in flight if future.succeeded()]
        self._mark(acknowledged)
        if failed := len(flight) - len(acknowledged):
            raise Transient(f"Kafka did not acknowledge {failed} of {len(flight)} events")
        return len(flight)

    def close(self) -> None:
        """Give the shards to others at once."""
        self._producer.close(timeout=5)
        for shard in self.shards:
            release(f"{SHARD_LEASE}{shard}", self.holder)
        release(f"{PRESENCE_LEASE}{self.holder}", self.holder)

    def _send(self, row: Row) -> Any:
        try:
            return self._producer.send(
                topic_of(row["source"]), key=row["key"].encode(), value=bytes(row["body"]), headers=headers_of(row)
            )
        except KafkaError as error:
            raise Transient("Kafka takes nothing at the moment") from error

    def _due(self) -> list[Row]:
        """A page of due rows, by key and number, going round so that no key waits for ever behind others."""
        if not self.shards or time.monotonic() > self._good_until:
            return []
        shard, key = self._after
        ahead = {
            "due": True,
            "shard": {"$in": self.shards},
            "$or": [{"shard": {"$gt": shard}}, {"shard": shard, "key": {"$gt": key}}],
        }
        order = [("shard", 1), ("key", 1), ("seq", 1)]
        rows = rows_of(
            Outbox, ahead if key else {"due": True, "shard": {"$in": self.shards}}, sort=order, limit=FLIGHT_ROWS
        )
        self._after = (rows[-1]["shard"], rows[-1]["key"]) if len(rows) == FLIGHT_ROWS else (-1, "")
        return rows

    def _mark(self, acknowledged: Sequence[tuple[Row, Any]]) -> None:
        if not acknowledged:
            return
        last: dict[str, Row] = {}
        for row, place in acknowledged:
            name = f"{place.topic}:{place.partition}"
            last[name] = {"offset": place.offset, "event": row["_id"]}
        remember(last)
        self._acknowledged |= {name: one["offset"] for name, one in last.items()}
        ids = [row["_id"] for row, _ in acknowledged]
        write(Outbox, [UpdateMany({"_id": {"$in": ids}}, {"$unset": {"due": ""}})])
        EVENTS_PUBLISHED.inc(len(acknowledged))

    def _keep_leases(self) -> None:
        """Hold a fair share of the shards; a lease counts only as long as this process knows it is good."""
        asked = time.monotonic()
        if asked < self._renew_at:
            return
        hold(f"{PRESENCE_LEASE}{self.holder}", LEASE_SECONDS, self.holder)
        held = renew_all(SHARD_LEASE, LEASE_SECONDS, self.holder)
        share = math.ceil(SHARDS / max(len(holders(PRESENCE_LEASE)), 1))
        for name in sorted(held)[share:]:
            release(name, self.holder)
            held.discard(name)
        wanted = [f"{SHARD_LEASE}{shard}" for shard in range(SHARDS) if f"{SHARD_LEASE}{shard}" not in held]
        for name in wanted:
            if len(held) < share and hold(name, LEASE_SECONDS, self.holder):
                held.add(name)
        if len(held) != len(self.shards):
            log.info("relay holds shards", shards=len(held), of=SHARDS)
        self.shards = sorted(int(name.removeprefix(SHARD_LEASE)) for name in held)
        self._good_until = asked + LEASE_SECONDS * 0.8
        self._renew_at = asked + RENEW_SECONDS

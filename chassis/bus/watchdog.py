"""Tells when the Kafka client has fallen silent, which it does not notice by itself."""

from __future__ import annotations

import time

from kafka import KafkaConsumer
from kafka.structs import MemberState

from chassis.errors import Transient
from chassis.watch import CONSUMER_REBUILT

LOOK_SECONDS = 10.0  # longer than a killed member holds up its group, and than a batch takes
POSITION_MS = 1_000


class Watchdog:
    """Looks now and then, when nothing came, whether something should have come.

    One cause in kafka-python 3.0.12: a join that the metadata asked for is forgotten when `poll` runs out of time
    between its two requests; the member stays half-joined, neither beats nor fetches, and `poll` returns nothing.
    """

    def __init__(self, kafka: KafkaConsumer, every_seconds: float = LOOK_SECONDS) -> None:
        self.kafka = kafka
        self.every_seconds = every_seconds
        self._look_at = time.monotonic() + every_seconds
        self._suspected = ""

    def look(self, something_came: bool) -> None:
        """After each poll: `Transient`, and so a new consumer, when two looks in a row saw the same silence."""
        if something_came:
            self._look_at = time.monotonic() + self.every_seconds
            self._suspected = ""
        elif time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + self.every_seconds
            suspicion = self._suspicion()
            if suspicion and suspicion == self._suspected:
                CONSUMER_REBUILT.inc()
                raise Transient(f"the Kafka client has fallen silent ({suspicion}); the consumer is built again")
            self._suspected = suspicion

    def _suspicion(self) -> str:
        """What does not move and should; nothing when all that Kafka holds of our partitions has come."""
        member = self.kafka.group_metadata()
        if member.state is not MemberState.STABLE:
            return f"member {member.state} since generation {member.generation_id}"
        mine = sorted(self.kafka.assignment())
        ends = self.kafka.end_offsets(mine) if mine else {}
        at = {one: self.kafka.position(one, timeout_ms=POSITION_MS) or 0 for one in mine}
        return ", ".join(f"{one.topic}:{one.partition} at {at[one]}" for one in mine if at[one] < ends[one])

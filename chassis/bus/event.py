"""An announcement, and the event that carries it: CloudEvents 1.0 in Kafka's binary binding."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from chassis.clock import UTC

NAMES = uuid.UUID("8b0f1c52-5a0e-5d0c-9d51-0e4f6f6e2019")
MAX_BODY_BYTES = 512 * 1024


class Announcement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a service tells the others. Subclasses are the published language in `contracts/`.

    Readers ignore fields they do not know; a field once published is never renamed or removed.
    """

    source: ClassVar[str]

    def keys(self) -> tuple[str, ...]:
        """The strands it belongs to; one copy is announced on each."""
        raise NotImplementedError


Body = TypeVar("Body", bound=Announcement)


class Event(msgspec.Struct, Generic[Body], frozen=True, kw_only=True):
    """One announcement on one key, numbered by its publisher's strand."""

    id: str
    source: str
    key: str
    seq: int
    cause: str
    time: datetime
    body: Body

    @property
    def type(self) -> str:
        return type(self.body).__name__


def event_id(cause: str, type_name: str, key: str, n: int) -> str:
    """The name an event has each time the same cause makes it again."""
    return str(uuid.uuid5(NAMES, f"{cause}\n{type_name}\n{key}\n{n}"))


def encode_body(body: Announcement) -> bytes:
    """The body as it travels."""
    return msgspec.json.encode(body)


def headers_of(row: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """The CloudEvents headers of an outbox row."""
    time: datetime = row["time"]
    values = {
        "ce_specversion": "1.0",
        "ce_id": row["_id"],
        "ce_source": row["source"],
        "ce_type": row["type"],
        "ce_time": time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "ce_partitionkey": row["key"],
        "ce_sequence": str(row["seq"]),
        "ce_cause": row["cause"],
        "content-type": "application/json",
    }
    return [(name, value.encode()) for name, value in values.items()]


class Envelope(msgspec.Struct, frozen=True):
    """The headers of a record, before anyone looks into its body."""

    id: str
    source: str
    type: str
    key: str
    seq: int
    cause: str
    time: datetime


def envelope_of(headers: Iterable[tuple[str, bytes]]) -> Envelope:
    """Read the headers of a record; KeyError or ValueError when one is missing or malformed."""
    values = {name: value.decode() for name, value in headers}
    return Envelope(
        id=values["ce_id"],
        source=values["ce_source"],
        type=values["ce_type"],
        key=values["ce_partitionkey"],
        seq=int(values["ce_sequence"]),
        cause=values["ce_cause"],
        time=datetime.fromisoformat(values["ce_time"]),
    )


def event_of(envelope: Envelope, payload: bytes, body_type: type[Body]) -> Event[Body]:
    """Decode a record's payload; `msgspec.ValidationError` when it breaks the contract."""
    return Event(
        id=envelope.id,
        source=envelope.source,
        key=envelope.key,
        seq=envelope.seq,
        cause=envelope.cause,
        time=envelope.time,
        body=msgspec.json.decode(payload, type=body_type),
    )

"""An announcement, and the event that carries it: CloudEvents 1.0 in Kafka's binary binding."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from chassis.clock import UTC

NAMES = uuid.UUID("8b0f1c52-5a0e-5d0c-9d51-0e4f6f6e2019")
MAX_BODY_BYTES = 512 * 1024
SOURCE = re.compile(r"[a-z][a-z0-9-]{0,62}")  # it names a field of every strand
FIRST_YEAR = 1970
LAST_NUMBER = 2**53 - 1  # what JSON readers keep exactly
NAMED = ("ce_id", "ce_source", "ce_type", "ce_cause")
NEEDED = ("ce_sequence", *NAMED, "ce_partitionkey", "ce_time")
SPECIFICATION = b"1.0"
SPECVERSION = ("ce_specversion", SPECIFICATION)
CONTENT_TYPE = ("content-type", b"application/json")


class Announcement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a service tells the others. Subclasses are the published language in `contracts/`.

    Readers ignore fields they do not know; a field once published is never renamed or removed.
    """

    source: ClassVar[str]
    replaces: ClassVar[tuple[str, ...]] = ()  # types of which it says, for its key, all there is to say now

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


def topic_of(source: str) -> str:
    """The topic of a publisher."""
    return f"onex.{source}.v1"


def event_id(cause: str, type_name: str, key: str, n: int) -> str:
    """The name an event has each time the same cause makes it again."""
    return str(uuid.uuid5(NAMES, f"{cause}\n{type_name}\n{key}\n{n}"))


def encode_body(body: Announcement) -> bytes:
    """The body as it travels."""
    return msgspec.json.encode(body)


def decode_body(payload: bytes, body_type: type[Body]) -> Body:
    """A body that travelled; `msgspec.ValidationError` when it breaks the contract."""
    return msgspec.json.decode(payload, type=body_type)


def headers_of(row: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """The CloudEvents headers of an outbox row."""
    time: datetime = row["time"]
    return [
        SPECVERSION,
        ("ce_id", row["_id"].encode()),
        ("ce_source", row["source"].encode()),
        ("ce_type", row["type"].encode()),
        ("ce_time", time.astimezone(UTC).isoformat().replace("+00:00", "Z").encode()),
        ("ce_partitionkey", row["key"].encode()),
        ("ce_sequence", b"%d" % row["seq"]),
        ("ce_cause", row["cause"].encode()),
        CONTENT_TYPE,
    ]


class Envelope(msgspec.Struct, frozen=True):
    """The headers of a record, before anyone looks into its body."""

    id: str
    source: str
    type: str
    key: str
    seq: int
    cause: str
    time: datetime


def envelope_of(headers: Iterable[tuple[str, bytes | None]]) -> Envelope:
    """Read the headers of a record; ValueError when one is missing or malformed."""
    values = dict(headers)
    sequence, name, source, type_name, cause, key, time = [_text(values, header) for header in NEEDED]
    seq = int(sequence)
    if not 1 <= seq <= LAST_NUMBER or SOURCE.fullmatch(source) is None:
        raise ValueError("a number or source that nobody gives")
    if not key or "\0" in key:
        raise ValueError("a key that nobody gives")
    if values.get("ce_specversion") != SPECIFICATION:
        raise ValueError("ce_specversion is not 1.0, the one read here")
    return Envelope(name, source, type_name, key, seq, cause, _instant(time))


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("ce_time has no zone")
    if found.year < FIRST_YEAR:
        raise ValueError("ce_time lies before all clocks")
    try:
        return found.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("ce_time lies beyond the last year") from error


def _text(values: Mapping[str, bytes | None], name: str) -> str:
    """A header's text; other clients send headers without a value."""
    if name not in values:
        raise ValueError(f"there is no {name}")
    value = values[name]
    if value is None:
        raise ValueError(f"{name} has no value")
    return value.decode()


def event_of(envelope: Envelope, payload: bytes, body_type: type[Body]) -> Event[Body]:
    """Decode a record's payload; `msgspec.ValidationError` when it breaks the contract."""
    return Event(
        id=envelope.id,
        source=envelope.source,
        key=envelope.key,
        seq=envelope.seq,
        cause=envelope.cause,
        time=envelope.time,
        body=decode_body(payload, body_type),
    )

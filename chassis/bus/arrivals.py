"""An arrival: a record as it came, its envelope read, its body too when somebody here handles its type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from chassis.bus.event import Announcement, Envelope, Event, envelope_of, event_of, topic_of
from chassis.bus.handlers import Handlers
from chassis.errors import Defect


class Misplaced(Defect):
    """A record stands in a topic that is not its publisher's: whoever wrote it there, its number counts for nothing."""


@dataclass(frozen=True)
class Arrival:
    """`event`: None when no handler knows its type; `place` and `offset`: where the record stood."""

    envelope: Envelope
    payload: bytes
    event: Event[Any] | None
    place: str = ""
    offset: int = -1

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys it touches: its own first."""
        own = self.envelope.key
        return (own, *(key for key in (self.event.body.keys() if self.event else ()) if key != own))


def arrival_of(
    headers: Iterable[tuple[str, bytes | None]],
    payload: bytes,
    types: Mapping[str, type[Announcement]],
    place: str = "",
    offset: int = -1,
) -> Arrival:
    """Read a record; `Defect` when it breaks the envelope or its contract."""
    try:
        envelope = envelope_of(headers)
    except ValueError as error:
        raise Defect(f"{type(error).__name__}: {error}") from error
    if place and (topic := place.rsplit(":", 1)[0]) != topic_of(envelope.source):
        raise Misplaced(f"it says it is from {envelope.source} and stands in {topic}")
    return arrival_in(envelope, payload, types, place, offset)


def arrival_in(
    envelope: Envelope, payload: bytes, types: Mapping[str, type[Announcement]], place: str = "", offset: int = -1
) -> Arrival:
    """A record whose envelope is read already; `Defect` when its body breaks its contract."""
    body_type = types.get(envelope.type)
    try:
        event = event_of(envelope, payload, body_type) if body_type else None
    except (ValueError, msgspec.DecodeError) as error:
        raise Defect(f"{type(error).__name__}: {error}") from error
    return Arrival(envelope, payload, event, place, offset)


def types_of(handlers: Handlers) -> dict[str, type[Announcement]]:
    """The announcements handled, by the name they travel under."""
    return {body_type.__name__: body_type for body_type in handlers}

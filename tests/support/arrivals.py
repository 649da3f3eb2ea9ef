"""Arrivals made by hand: what a consumer would have polled."""

from __future__ import annotations

from datetime import datetime

from chassis.bus.arrivals import Arrival, arrival_of
from chassis.bus.event import Announcement, encode_body, event_id, headers_of
from chassis.clock import UTC

ANNOUNCED = datetime(2021, 3, 1, 8, 0, tzinfo=UTC)


def arrival(body: Announcement, seq: int, key: str = "", cause: str = "test", handled: bool = True) -> Arrival:
    """The body as event number `seq` of its key; `handled`: some handler knows its type."""
    on = key or body.keys()[0]
    name = type(body).__name__
    row = {
        "_id": event_id(f"{cause}:{seq}", name, on, 0),
        "key": on,
        "seq": seq,
        "type": name,
        "source": body.source,
        "cause": cause,
        "time": ANNOUNCED,
    }
    return arrival_of(headers_of(row), encode_body(body), {name: type(body)} if handled else {})

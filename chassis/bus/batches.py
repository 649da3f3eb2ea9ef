"""Batches: what arrived is deduplicated, ordered per key, cut into waves and handled in one transaction."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chassis.bus.arrivals import Arrival, types_of
from chassis.bus.event import Event
from chassis.bus.handlers import Handler, Handlers
from chassis.bus.parking import in_order
from chassis.bus.unknown import Language, is_unknown, keep
from chassis.strands import name_keys
from chassis.watch import EVENT_AGE_SECONDS, EVENTS_HANDLED, EVENTS_UNHANDLED, EVENTS_UNKNOWN


def take(
    arrivals: Sequence[Arrival], handlers: Handlers, is_alone: bool = False, language: Language = None
) -> list[Arrival]:
    """Have each arrival's effect exactly once, in the open transaction.

    Every event moves its key's `seen`, handled or not; one that was seen is dropped; one that comes after a gap is
    parked, and drained in order as soon as the missing one arrives (`is_alone`: drained one by one, later). Returns
    those whose turn it was.
    """
    name_keys(key for arrival in arrivals for key in arrival.keys)
    due = list(in_order(arrivals, types_of(handlers), is_alone))
    handle(due, handlers, language)
    return due


def handle(due: Sequence[Arrival], handlers: Handlers, language: Language = None) -> None:
    """Hand those whose turn it is to their handlers, in waves, in the open transaction; keep those of unknown types."""
    name_keys(key for arrival in due for key in arrival.keys)
    keep(due, language)
    events = [arrival for arrival in due if arrival.event]
    for wave in waves(events, handlers):
        for handler, handled in wave:
            handler(handled)


def waves(arrivals: Sequence[Arrival], handlers: Handlers) -> Iterator[list[tuple[Handler, list[Event[Any]]]]]:
    """Cut events into waves: within a wave a key belongs to one handler, and keeps its order.

    An event joins its key's latest wave if that wave's handler for the key is its own, else the next; an event that
    names several keys goes into the wave after the latest of each.
    """
    latest: dict[str, tuple[int, Handler]] = {}
    cut: list[dict[int, tuple[Handler, list[Event[Any]]]]] = []
    for arrival in arrivals:
        event = arrival.event
        if event is None:
            continue
        handler = handlers[type(event.body)]
        index = _wave_for(arrival.keys, handler, latest)
        while len(cut) <= index:
            cut.append({})
        cut[index].setdefault(id(handler), (handler, []))[1].append(event)
        latest.update(dict.fromkeys(arrival.keys, (index, handler)))
    for wave in cut:
        yield list(wave.values())


def _wave_for(keys: tuple[str, ...], handler: Handler, latest: Mapping[str, tuple[int, Handler]]) -> int:
    before = [latest[key] for key in keys if key in latest]
    if not before:
        return 0
    index, last = max(before, key=lambda one: one[0])
    return index if len(keys) == 1 and last is handler else index + 1


def count(arrivals: Sequence[Arrival], language: Language = None) -> None:
    """Have the metrics know of these, once they are committed."""
    now = time.time()
    for arrival in arrivals:
        envelope = arrival.envelope
        if is_unknown(arrival, language):
            EVENTS_UNKNOWN.labels(envelope.source).inc()  # its type may be anything, and a label is for ever
        elif arrival.event is None:
            EVENTS_UNHANDLED.labels(envelope.source, envelope.type).inc()
        else:
            EVENTS_HANDLED.labels(envelope.source, envelope.type).inc()
            EVENT_AGE_SECONDS.labels(envelope.type).observe(max(now - envelope.time.timestamp(), 0))

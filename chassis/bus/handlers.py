"""The handler table: which verb an announcement leads to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chassis.bus.event import Announcement, Event

Handler = Callable[[Sequence[Event[Any]]], None]
Handlers = Mapping[type[Announcement], Handler]

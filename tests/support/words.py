"""A small language of announcements for testing the chassis alone."""

from __future__ import annotations

from typing import ClassVar

from chassis.bus.event import Announcement


class Counted(Announcement, frozen=True, kw_only=True):
    source: ClassVar[str] = "north"
    name: str
    amount: int

    def keys(self) -> tuple[str, ...]:
        return (f"thing:{self.name}",)


class Named(Announcement, frozen=True, kw_only=True):
    source: ClassVar[str] = "north"
    name: str

    def keys(self) -> tuple[str, ...]:
        return (f"thing:{self.name}",)


class Joined(Announcement, frozen=True, kw_only=True):
    source: ClassVar[str] = "north"
    name: str
    other: str

    def keys(self) -> tuple[str, ...]:
        return (f"thing:{self.name}", f"thing:{self.other}")


class FromSouth(Announcement, frozen=True, kw_only=True):
    source: ClassVar[str] = "south"
    name: str

    def keys(self) -> tuple[str, ...]:
        return (f"thing:{self.name}",)

"""Feeding a new or rebuilt read model from the publishers' outboxes, at the terminal."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from onex.operator import Operator
from onex.stack.addresses import Running
from onex.stack.trouble import Trouble

LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.5, 10.0  # the lease of a replay is longer
PATIENCE_SECONDS = 120.0  # without any progress
SOUND = "sound"


class Replay:
    """One service of a stack and those it listens to, over their own APIs."""

    def __init__(self, running: Running, service: str, console: Console) -> None:
        self.operator = Operator(running)
        self.service = service
        self.console = console
        self.path = f"/replays/{uuid.uuid4()}"

    def run(self, sources: Sequence[str], again: bool) -> None:
        """Have everything published once more, have it handled, and say how far that is until it is done."""
        for name in {self.service, *sources}:
            self._must_be_sound(name)
        try:
            heard = sorted(self._go_on(sources)["handled"])
            self._feed(heard, again)
        finally:
            self.operator.delete(self.service, self.path)

    def _feed(self, sources: Sequence[str], again: bool) -> None:
        for name in sources:
            self._must_be_sound(name)
        wanted = {name: int(self.operator.get(name, "/outbox")["rows"]) for name in sources}
        if again:
            self._take_back(sources)
        for name in sources:
            self._publish(name, wanted[name])
        self._wait(wanted)
        self.console.print(f"{self.service} has handled all that was announced to it.")
        self.console.print("What was announced before is told to nobody outside; what is held: onex held-mails list")

    def _must_be_sound(self, name: str) -> None:
        found = self.operator.get(name, "/recovery")
        if found["state"] != SOUND:
            raise Trouble(f"The database of {name} was set back. Say first: onex recover {name}")

    def _go_on(self, sources: Sequence[str], **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.operator.send(
            self.service, "PUT", self.path, json={"sources": list(sources), **more}
        )
        return found

    def _take_back(self, sources: Sequence[str]) -> None:
        after: str | None = ""
        keys = 0
        with self.console.status(f"{self.service} takes back what it has seen") as shown:
            while after is not None:
                page = self._go_on(sources, again=True, after=after)
                keys, after = keys + page["taken_back"], page["next"]
                shown.update(f"{self.service} takes back what it has seen: {keys:,} keys")
        self.console.print(f"{self.service} has taken back what it had seen of {', '.join(sources)}: {keys:,} keys.")

    def _publish(self, name: str, rows: int) -> None:
        place: dict[str, Any] | None = {}
        count = 0
        with self.console.status(f"{name} publishes again") as shown:
            while place is not None:
                page = self.operator.post(name, "/outbox/republications", place)
                count, place = count + page["count"], page["next"]
                shown.update(f"{name} publishes again: {count:,} of {rows:,}")
                self._go_on([name])  # this replay is still the one under way
        self.console.print(f"{name} publishes all of its {count:,} announcements again.")

    def _wait(self, wanted: dict[str, int]) -> None:
        """Until the service is through with all that there was when the replay began."""
        looking = Looking(self.service)
        with self.console.status(f"{self.service} handles") as shown:
            while left := _left(wanted, (found := self._go_on(list(wanted)))["handled"]):
                shown.update(f"{self.service} handles: {left:,} of {sum(wanted.values()):,} are left")
                looking.pause(left, found)
        self.console.print(f"{self.service} is through with {', '.join(f'{n} {c:,}' for n, c in wanted.items())}.")


class Looking:
    """Patience that begins anew with each progress, and pauses that grow without it."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.before = -1
        self.until = self.seconds = 0.0

    def pause(self, left: int, found: dict[str, Any]) -> None:
        """Wait a little; `Trouble` when nothing has happened for long."""
        if left != self.before:
            self.before, self.seconds, self.until = left, LOOK_SECONDS, time.monotonic() + PATIENCE_SECONDS
        if time.monotonic() > self.until:
            raise Trouble(
                f"{self.service} has not gone on for {PATIENCE_SECONDS:.0f} s, {left:,} announcements before the end "
                f"({found['parked']:,} wait behind a gap, {found['dead_letters']:,} dead letters). Does its worker "
                "run? What is published comes all the same; onex replay may be said again."
            )
        time.sleep(self.seconds)
        self.seconds = min(self.seconds * 1.5, LONGEST_LOOK_SECONDS)


def _left(wanted: dict[str, int], handled: dict[str, int]) -> int:
    return sum(max(rows - handled[name], 0) for name, rows in wanted.items())

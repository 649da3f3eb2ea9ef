"""Events of types that a service does not know yet, at the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from onex.operator import Operator
from onex.stack.addresses import SERVICES, Running


class UnknownEvents:
    """What one stack's services keep until a worker knows it, over their own APIs."""

    def __init__(self, running: Running, console: Console) -> None:
        self.operator = Operator(running)
        self.console = console

    def show_all(self, services: Sequence[str], kind: str) -> int:
        """Print them as a table, and what came beyond the bound; how many there are."""
        table = Table("service", "event", "type", "announced at", "fields", "attempts", "why it is still kept")
        count = 0
        for count, (name, one) in enumerate(self._kept(services, kind), start=1):  # noqa: B007 -- counted on the way
            why = one["why"] or "no worker here knows the type"
            told = (name, one["id"], one["type"], one["announced_at"], ", ".join(one["fields"]), str(one["attempts"]))
            table.add_row(*(escape(text) for text in (*told, why)))
        if count:
            self.console.print(table)
        self.console.print(f"{count} events of unknown types are kept.")
        for name in services or SERVICES:
            self._say_beyond(name)
        return count

    def _kept(self, services: Sequence[str], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        query = {"type": kind} if kind else {}
        for name in services or SERVICES:
            for one in self.operator.listed(name, "/unknown-events", **query):
                yield name, one

    def _say_beyond(self, name: str) -> None:
        """What is not kept is in its publisher's outbox alone."""
        figures = self.operator.get(name, "/unknown-event-figures")
        for one in figures["beyond"]:
            more = f"{one['count']} more from {escape(one['source'])} came beyond the bound of {figures['most']}"
            self.console.print(f"[yellow]{name}[/]: {more}; they are in that service's outbox.")

"""E-mails that may have left before notify's database was set back, at the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from onex.operator import Operator
from onex.stack.addresses import Running

AT_ONCE = 500
SERVICE = "notify"


class HeldMails:
    """One stack's held e-mails, over notify's API."""

    def __init__(self, running: Running, console: Console) -> None:
        self.operator = Operator(running)
        self.console = console

    def show_all(self) -> None:
        """Print them as a table."""
        table = Table("e-mail", "learner", "about", "scheme", "announced at")
        count = 0
        for count, one in enumerate(self._held(), start=1):  # noqa: B007 -- counted on the way
            texts = (one["id"], one["mailbox"], one["event"], one["scheme"], one["announced_at"])
            table.add_row(*(escape(text) for text in texts))
        if count:
            self.console.print(table)
        self.console.print(f"{count} e-mails are held.")

    def decide(self, word: str, ids: Sequence[str]) -> None:
        """`releases` or `drops` of these, or of all that are held."""
        wanted = iter(ids) if ids else (one["id"] for one in self._held())
        count = 0
        while part := list(islice(wanted, AT_ONCE)):
            count += self.operator.post(SERVICE, f"/held-mail-{word}", {"ids": part})["count"]
        self.console.print(f"{count} e-mails {'may leave' if word == 'releases' else 'will not leave'}.")

    def _held(self) -> Iterator[dict[str, Any]]:
        return self.operator.listed(SERVICE, "/held-mails")

"""The dead-letter workbench at the terminal: what failed and why, and a word on one letter or on all of a kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.markup import escape

from onex.operator import Operator
from onex.stack.addresses import SERVICES, Running

AT_ONCE = 100
Letter = dict[str, Any]


class Workbench:
    """One stack's dead letters, over the services' own APIs."""

    def __init__(self, running: Running, console: Console) -> None:
        self.operator = Operator(running)
        self.console = console

    def show_all(self, services: Sequence[str], **where: str) -> int:
        """Print the letters, two lines each, nothing cut: the other verbs want the ids whole. How many there are."""
        letters = [(name, one) for name in services or SERVICES for one in self.letters(name, **where)]
        for name, one in letters:
            stands = f"{one['state']}, attempts {one['attempts']}, waiting {one['waiting']}"
            stands += f", due on {one['due_on']}" if one["due_on"] else ""
            self.console.print(f"{name}  {escape(one['id'])}  {escape(one['type']) or '-'}  {stands}", soft_wrap=True)
            self.console.print(f"    {escape(one['why'])}", soft_wrap=True)
        keys = {(name, one["key"]) for name, one in letters if one["key"]}
        self.console.print(f"{len(letters)} dead letters, {len(keys)} keys wait behind them.")
        return len(letters)

    def show(self, service: str, letter_id: str) -> None:
        """Print all that is known of a letter; personal fields of its event are left out."""
        one = self.operator.get(service, f"/dead-letters/{quote(letter_id, safe='')}")
        self.console.print_json(data=one)

    def retry(self, service: str, ids: Sequence[str]) -> bool:
        """Have letters tried again, rehearsed first; whether all were accepted."""
        return self._word(service, "retries", ids, {})

    def discard(self, service: str, ids: Sequence[str], reason: str) -> bool:
        """Give letters up for a reason; whether all were accepted."""
        return self._word(service, "discards", ids, {"reason": reason})

    def letters(self, service: str, **where: str) -> Iterator[Letter]:
        """Every letter of a service, those that are not settled unless a state is asked for."""
        query = {name: value for name, value in where.items() if value}
        return self.operator.listed(service, "/dead-letters", **query)

    def _word(self, service: str, word: str, ids: Sequence[str], more: dict[str, str]) -> bool:
        counts: Counter[str] = Counter()
        for start in range(0, len(ids), AT_ONCE):
            body = {"ids": list(ids[start : start + AT_ONCE]), **more}
            for one in self.operator.post(service, f"/dead-letter-{word}", body):
                counts[one["status"]] += 1
                colour = "green" if one["status"] == "accepted" else "red"
                detail = escape(one["detail"] or "its partition's owner acts on it now")
                self.console.print(f"[{colour}]{one['status']}[/] {escape(one['id'])}: {detail}")
        self.console.print(f"{counts['accepted']} accepted, {counts['refused']} refused.")
        return not counts["refused"]

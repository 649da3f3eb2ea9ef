"""Recovering a service whose database was set back, at the terminal."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from onex.operator import Operator
from onex.stack.addresses import Running
from onex.stack.trouble import Trouble

LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 600.0
SOUND = "sound"
AT_ONCE = 200


class Recovery:
    """One service of a stack, over its own API."""

    def __init__(self, running: Running, service: str, console: Console) -> None:
        self.operator = Operator(running)
        self.service = service
        self.console = console

    def run(self) -> None:
        """Say what is ahead of the database, have it recovered, wait for that, and say what came of it."""
        found = self._standing()
        if found["state"] == SOUND:
            self.console.print(f"The database of {self.service} was not set back; there is nothing to recover.")
            self._say_forgotten(found)
            return
        for witness in found["witnesses"]:
            self.console.print(f"  {escape(witness)}")
        self.operator.post(self.service, "/recovery")
        self._wait()
        self._say_recovered(self._standing())

    def list_forgotten(self) -> None:
        """Print, one JSON document a line, what was announced and is not known to the service."""
        for one in self.operator.listed(self.service, "/recovery/forgotten"):
            self.console.print(json.dumps(one, ensure_ascii=False), markup=False, soft_wrap=True)

    def give_up(self, ids: Sequence[str], reason: str) -> bool:
        """Give up what nobody will send again, for a reason; whether all were accepted."""
        accepted = True
        for start in range(0, len(ids), AT_ONCE):
            body = {"ids": list(ids[start : start + AT_ONCE]), "reason": reason}
            for one in self.operator.post(self.service, "/recovery/forgotten/given-up", body):
                accepted &= one["status"] == "accepted"
                detail = one["detail"] or "nobody waits for it any more"
                self.console.print(f"{one['status']} {one['id']}: {detail}", markup=False, soft_wrap=True)
        return accepted

    def _standing(self) -> dict[str, Any]:
        found: dict[str, Any] = self.operator.get(self.service, "/recovery")
        return found

    def _wait(self) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        with self.console.status(f"{self.service} reads its own topic"):
            while self._standing()["state"] != SOUND:
                must_be_patient(self.service, until)

    def _say_recovered(self, found: dict[str, Any]) -> None:
        count = sum(found["adopted"].values())
        self.console.print(f"{self.service} is recovered: {count} announcements were learnt again from its topic.")
        self.console.print("It reads again what it had read since; nothing it had announced is announced twice.")
        if self.service == "notify":
            self.console.print("E-mails of the forgotten hours are held: onex held-mails list, release, drop.")
        self._say_forgotten(found)

    def _say_forgotten(self, found: dict[str, Any]) -> None:
        if not found["forgotten"]:
            return
        counts = Counter(
            (one["type"], one["comes_by_itself"]) for one in self.operator.listed(self.service, "/recovery/forgotten")
        )
        table = Table("announced and not known here", "how many", "how it comes back")
        for (kind, by_itself), count in sorted(counts.items()):
            table.add_row(
                kind, str(count), "by itself, from what is read again" if by_itself else "who sent it sends it again"
            )
        self.console.print(table)
        self.console.print(f"Each by name: onex recover {self.service} --forgotten")
        self.console.print(f"What nobody will send again: onex recover {self.service} --give-up ID --reason WHY")


def must_be_patient(service: str, until: float) -> None:
    """A pause; `Trouble` when there was patience enough."""
    if time.monotonic() > until:
        raise Trouble(f"No worker of {service} has recovered it within {PATIENCE_SECONDS:.0f} s. Does one run?")
    time.sleep(LOOK_SECONDS)

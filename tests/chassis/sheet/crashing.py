"""A worker that is killed before its n-th command to the database, for every n; run as a process of its own.

Forks before it ever connects, since the driver's threads do not survive a fork.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from pymongo import MongoClient, monitoring

from chassis.database import all_documents, collection_of, connect, ensure_indexes
from chassis.seal import new_key
from chassis.sheet.imports import ask_to_commit, found
from tests.chassis.sheet.library import Effects, counts, csv, lending, run_jobs, sheets_of, upload

ROWS = 600
MASTER = new_key()
SHEETS = sheets_of(master=MASTER)
LARGEST_N = 400


class Killer(monitoring.CommandListener):
    """Ends this process, as a power cut would, when a command is about to be sent."""

    def __init__(self) -> None:
        self.left = sys.maxsize

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing."""


KILLER = Killer()
monitoring.register(KILLER)


def in_child(deed: Callable[[], Any], url: str, name: str) -> int:
    """Do something in a process that connects for itself; its end as the system tells it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            connect(url, name)
            deed()
            status = 0
        except BaseException:  # noqa: BLE001 -- a child never returns into its parent's code
            traceback.print_exc()
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    return ended


def prepare() -> None:
    ensure_indexes(*all_documents())


def check(number: int, state: str, n: int) -> None:
    """All rows previewed or committed, each once."""
    row = found(number)
    figures = (row["state"], row["counts"], row["processed"], row["total"], row["pieces"])
    assert figures == (state, counts(new=ROWS), ROWS, ROWS, 2), (n, figures)
    effects = collection_of(Effects).count_documents({"_id": {"$regex": f"^import:library:{number}:"}})
    assert (row["done"], effects) == ((counts(new=ROWS), ROWS) if state == "committed" else (counts(), 0)), (n, effects)


def crash_everywhere(url: str, name: str, commit: bool) -> int:
    """Kill before command 1, 2, 3 … until a worker comes through; after each, another one finishes the import."""
    state = "committed" if commit else "previewed"
    for n in range(1, LARGEST_N):
        ended = in_child(lambda n=n: work_until_killed(n, commit), url, name)
        with MongoClient(url) as server:  # what the server does by itself when ten seconds are over
            server.admin.command("killAllSessions", [])
        assert in_child(lambda n=n: (run_jobs(SHEETS), check(n, state, n)), url, name) == 0
        if ended == 0:
            return n
    raise AssertionError("a worker never came through")


def work_until_killed(n: int, commit: bool) -> None:
    """An import of its own, worked on up to its n-th command."""
    number = upload(SHEETS, csv(lending(ROWS, start=n * ROWS)))
    if commit:
        run_jobs(SHEETS)
        ask_to_commit(number)
    KILLER.left = n
    run_jobs(SHEETS)


if __name__ == "__main__":
    where, base, what = sys.argv[1:]
    assert in_child(prepare, where, base) == 0
    print(crash_everywhere(where, base, what == "commit"))

"""Exporting a root: hold the journal against the last one, write every account's head, sign the tree over them.

Streams both; in steps of some thousand accounts, so that a worker does other work between.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

from prometheus_client import Gauge

from chassis.clock import CAMPUS
from chassis.watch import log
from services.creditbank.ledger import models
from services.creditbank.ledger.merkle import Head, Tree
from services.creditbank.ledger.roots import Root, RootBroken, Roots, fingerprint

STEP_ACCOUNTS = 5_000
COMPRESSION = 1  # hashes do not compress, ids and numbers do at once
REST_SECONDS = 3_600.0
NAMED = 20
CONTRADICTIONS = Gauge(
    "onex_ledger_contradictions",
    "Accounts whose journal contradicts the last exported root, or 1 when that root can't be believed.",
    multiprocess_mode="max",
)


class Contradicted(Exception):
    """The journal is not a continuation of what was signed; `faults` names accounts, `count` says how many."""

    def __init__(self, faults: list[str], count: int) -> None:
        super().__init__(
            f"{count} accounts contradict the last exported root: {'; '.join(faults[:3])}. Nothing was signed"
        )
        self.faults, self.count = faults, count


@dataclass
class Export:
    """One export under way; `reason` is why it is signed in spite of contradictions, and is signed with it."""

    roots: Roots
    reason: str = ""
    accounts: int = 0
    made: Root | None = None
    faults: list[str] = field(default_factory=list)
    faulty: int = 0
    _tree: Tree = field(default_factory=Tree)
    _entries: int = 0

    def steps(self) -> Iterator[int]:
        """Do it, with a pause after every some thousand accounts, which tells how many were looked at.

        Contradicted or RootBroken when nothing may be signed; nothing is left half done then.
        """
        before = self._before()
        if before and not self.reason:
            yield from self._compared(before)
            if self.faulty:
                raise Contradicted(self.faults, self.faulty)
        began_at = datetime.now(UTC)
        half = self.roots.half_file()
        with gzip.open(half, "wt", encoding="utf-8", compresslevel=COMPRESSION) as lines:
            for heads in _chunks(models.stream_heads()):
                lines.writelines(map(self._added, heads))
                yield self._tree.size
        name = self.roots.free_name(began_at.astimezone(CAMPUS).date())
        half.replace(self.roots.heads_file(name))
        self.made = self.roots.keep(name, self._says(began_at, before))

    def _before(self) -> Root | None:
        try:
            return self.roots.latest()
        except RootBroken:
            if self.reason:
                return None
            raise

    def _added(self, head: Head) -> str:
        line = head.line()
        self._tree.add(line)
        self._entries += head.entries
        return line + "\n"

    def _says(self, began_at: datetime, before: Root | None) -> dict[str, Any]:
        says = {
            "root": self._tree.root().hex(),
            "accounts": self._tree.size,
            "entries": self._entries,
            "began_at": began_at.isoformat(),
            "ended_at": datetime.now(UTC).isoformat(),
        }
        extra = {"previous": fingerprint(before) if before else "", "reason": self.reason}
        return says | {name: value for name, value in extra.items() if value}

    def _compared(self, before: Root) -> Iterator[int]:
        """Every head of the last root must stand in the journal still, where it stood."""
        for heads in _chunks(self.roots.heads(before)):
            found = models.hashes_at((one.learner_id, one.entries) for one in heads)
            wrong = [one for one in heads if found.get(one.learner_id) != one.hash]
            self.faulty += len(wrong)
            self.faults += [
                contradiction(one, one.learner_id not in found, before.name)
                for one in wrong[: NAMED - len(self.faults)]
            ]
            self.accounts += len(heads)
            yield self.accounts


def contradiction(head: Head, is_missing: bool, root_name: str) -> str:
    """How a journal contradicts a head that was signed."""
    how = "is missing; it stands" if is_missing else "is another than"
    return f"{head.learner_id}: entry {head.entries} {how} in the root of {root_name}"


def _chunks(heads: Iterator[Head]) -> Iterator[list[Head]]:
    while chunk := list(islice(heads, STEP_ACCOUNTS)):
        yield chunk


def export_root(roots: Roots, reason: str = "") -> Root:
    """Export a root now, in one go."""
    export = Export(roots, reason)
    for _ in export.steps():
        pass
    assert export.made is not None  # noqa: S101 -- steps end with it, or raise
    return export.made


def machine_day() -> date:
    """The day on campus by the machine's clock: a root testifies when it was there, which no set clock may move."""
    return datetime.now(UTC).astimezone(CAMPUS).date()


class DailyRoot:
    """A job: the first root of each day, a step each time it is run."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._steps: Iterator[int] | None = None
        self._rests_until = 0.0

    def __call__(self) -> bool:
        """Do a step; True while there is more. What contradicts is said, shown as a metric and looked at again."""
        if self._steps is None and (time.monotonic() < self._rests_until or self._roots.has(machine_day())):
            return False
        self._steps = self._steps or Export(self._roots).steps()
        try:
            if next(self._steps, None) is not None:
                return True
        except (Contradicted, RootBroken) as fault:
            self._rests_until = time.monotonic() + REST_SECONDS
            CONTRADICTIONS.set(fault.count if isinstance(fault, Contradicted) else 1)
            log.error("no root is signed: the journal contradicts the last one; onex ledger verify", fault=str(fault))
        except Exception:
            self._steps = None  # the next run begins anew; what was found contradictory stays shown
            raise
        else:
            CONTRADICTIONS.set(0)
        self._steps = None
        return False

"""One audit: every learner once, then a second and a third look at those of whom something did not agree.

Bounds: in memory are a page of each service (100 learners) and the ids of the doubtful, at most `MOST_DOUBTFUL`; beyond
them the first look is reported as it is. `MOST_NAMED` imbalances are listed by id, all are counted.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from onex.audit.comparison import Findings, Imbalance, Item, Person, compare
from onex.audit.kinds import KINDS
from onex.audit.reading import SERVICES, together

MOST_DOUBTFUL = 100_000
MOST_NAMED = 1_000
AT_ONCE = 50
LONGEST_MERGE = 20
LOOK_SECONDS = 2.0


class Reads(Protocol):
    """What an audit reads by."""

    def learners(self, service: str) -> Iterator[Item]: ...

    def named(self, service: str, learner_ids: Sequence[str]) -> list[Item]: ...


@dataclass
class Report:
    """What an audit came to."""

    at: datetime
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(KINDS, 0)))
    named: list[Imbalance] = field(default_factory=list)
    waiting: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)

    @property
    def is_balanced(self) -> bool:
        return not sum(self.counts.values())

    def note(self, imbalances: Sequence[Imbalance]) -> None:
        """Count imbalances, and list them as long as there is room."""
        self.counts.update(one.kind for one in imbalances)
        self.named += imbalances[: MOST_NAMED - len(self.named)]


@dataclass
class Auditor:
    """Reads the three services and compares. `pause` waits between looks."""

    reader: Reads
    grace: timedelta
    look_seconds: float = LOOK_SECONDS
    pause: Callable[[float], Any] = time.sleep

    def audit(self) -> Report:
        """Every learner of every service, and a report."""
        began = time.monotonic()
        report = Report(datetime.now(UTC))
        doubtful = self._first_look(report)
        looked: set[str] = set()
        for start in range(0, len(doubtful), AT_ONCE):
            left = [one for one in doubtful[start : start + AT_ONCE] if one not in looked]
            report.note(self._looked_again(left, looked))
        report.seconds = time.monotonic() - began
        return report

    def _first_look(self, report: Report) -> list[str]:
        """Compare everybody as they stream by; the learners of whom something did not agree."""
        doubtful: list[str] = []
        for person in together({service: self.reader.learners(service) for service in SERVICES}):
            report.compared["learners"] += 1
            found = self._compared(person)
            report.compared += found.compared
            report.waiting += found.waiting
            if found.imbalances and len(doubtful) < MOST_DOUBTFUL:
                doubtful.append(_first_id(person))
            else:
                report.note(found.imbalances)
        return doubtful

    def _looked_again(self, learner_ids: Sequence[str], looked: set[str]) -> list[Imbalance]:
        """What is still wrong at a second look, and at a third; the services are read one after the other, so what
        changes meanwhile may look wrong once."""
        second = self._look(learner_ids, looked)
        if not second:
            return []
        self.pause(self.look_seconds)
        third = self._look(sorted({one.learner_id for one in second}), looked)
        return sorted(second & third)

    def _look(self, learner_ids: Sequence[str], looked: set[str]) -> set[Imbalance]:
        """What is wrong with these learners now, each as one with all whom they were merged with."""
        found: set[Imbalance] = set()
        for members, person in self._persons(learner_ids):
            looked.update(members)
            found.update(self._compared(person).imbalances)
        return found

    def _persons(self, learner_ids: Sequence[str]) -> Iterator[tuple[list[str], Person]]:
        """Whole persons: the learners named, and those one with them by the bank's word."""
        accounts = self._accounts(learner_ids)
        others = {name: _by_learner(self.reader.named(name, sorted(accounts))) for name in ("assessment", "notify")}
        for members in _families(accounts):
            parts = {name: [found[one] for one in members if one in found] for name, found in others.items()}
            yield members, Person(creditbank=[accounts[one] for one in members], **parts)

    def _accounts(self, learner_ids: Sequence[str]) -> dict[str, Item]:
        """The bank's items of these learners and of whoever was merged with them."""
        known: dict[str, Item] = {}
        asked = set(learner_ids)
        for _ in range(LONGEST_MERGE):
            known |= _by_learner(self.reader.named("creditbank", sorted(asked)))
            asked = {one for item in known.values() for one in _kin(item)} - known.keys()
            if not asked:
                break
        return known

    def _compared(self, person: Person) -> Findings:
        return compare(person, datetime.now(UTC), self.grace)


def _first_id(person: Person) -> str:
    items = (*person.creditbank, *person.assessment, *person.notify)
    return str(items[0]["learner_id"])


def _kin(account: Item) -> list[str]:
    return [*account["merged_from"], *([account["merged_into"]] if account["merged_into"] else [])]


def _by_learner(items: Sequence[Item]) -> dict[str, Item]:
    return {str(item["learner_id"]): item for item in items}


def _families(accounts: dict[str, Item]) -> Iterator[list[str]]:
    """Learners in groups: those the bank has merged, directly or over others, together."""
    left = set(accounts)
    while left:
        family, reached = set[str](), {min(left)}
        while reached:
            family |= reached
            reached = {kin for one in reached for kin in _kin(accounts[one]) if kin in accounts} - family
        left -= family
        yield sorted(family)

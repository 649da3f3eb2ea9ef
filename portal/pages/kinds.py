"""Dead letters as an operator looks at them: by kind, and what each kind holds up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Letter = dict[str, Any]

OPEN = ("waiting", "asked", "discarding")
SETTLED = ("handled", "discarded")
OF_LEARNER = "learner:"
NO_DAY = "9999"  # after every day


class Blocked(NamedTuple):
    """How many letters there are, whom they block, and how many events wait behind them."""

    letters: int
    learners: int
    others: int
    waiting: int


@dataclass(frozen=True)
class Kind:
    """Letters of one service whose events are of one type and broke for one code."""

    service: str
    type: str
    code: str
    letters: list[Letter]

    @property
    def why(self) -> str:
        """What broke, in the sentence that most of them have."""
        return Counter(str(one["why"]) for one in self.letters).most_common(1)[0][0]

    @property
    def blocked(self) -> Blocked:
        """What these letters hold up."""
        return blocked({self.service: self.letters})


def kinds(letters: Mapping[str, Iterable[Letter]]) -> list[Kind]:
    """The letters of every service by kind, the largest kind first; in a kind the open ones, those of longest ago."""
    found: dict[tuple[str, str, str], list[Letter]] = defaultdict(list)
    for service, some in letters.items():
        for one in some:
            found[service, one["type"], one["code"] or ""].append(one)
    told = [Kind(*name, in_order(some)) for name, some in found.items()]
    return sorted(told, key=lambda kind: (-len(kind.letters), kind.service, kind.type, kind.code))


def in_order(letters: Iterable[Letter]) -> list[Letter]:
    """Open letters by their next deadline and when they first broke, then settled ones, the latest first."""
    newest_first = sorted(letters, key=lambda one: (one["last_at"], one["id"]), reverse=True)
    waiting = sorted(
        filter(is_open, newest_first), key=lambda one: (one["due_on"] or NO_DAY, one["first_at"], one["id"])
    )
    return waiting + [one for one in newest_first if not is_open(one)]


def is_open(letter: Letter) -> bool:
    """Whether a letter still holds its key up."""
    return letter["state"] in OPEN


def blocked(letters: Mapping[str, Iterable[Letter]]) -> Blocked:
    """What letters of several services hold up: a learner counts once, and so does what waits behind two letters."""
    named = [(service, one) for service, some in letters.items() for one in some]
    keys = {one["key"] for _, one in named if one["key"] and is_open(one)}
    behind = {(service, one["source"], one["key"]): one["waiting"] for service, one in named}
    learners = sum(key.startswith(OF_LEARNER) for key in keys)
    return Blocked(len(named), learners, len(keys) - learners, sum(behind.values()))

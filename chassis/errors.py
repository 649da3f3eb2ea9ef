"""The words in which every part of the house says no, waits, or breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

Language = Literal["zh", "en"]
Item = TypeVar("Item")
Value = TypeVar("Value")
GROUNDS: dict[str, Ground] = {}


@dataclass(frozen=True)
class Ground:
    """Why something is refused: a stable code, and what to do about it in two languages.

    The sentences are templates over the facts of one refusal. `status` is the HTTP status it has
    when a whole request is refused for it. Make one at module level and raise `GROUND(fact=...)`.
    """

    code: str
    en: str
    zh: str
    status: int = 422

    def __post_init__(self) -> None:
        known = GROUNDS.setdefault(self.code, self)
        if known != self:
            raise ValueError(f"two grounds share the code {self.code}")

    def __call__(self, **facts: Any) -> Refusal:
        return Refusal(self, facts)


class Refusal(Exception):
    """A rule says no to one thing. Answered or recorded, never retried."""

    def __init__(self, ground: Ground, facts: dict[str, Any]) -> None:
        super().__init__(ground.code)
        self.ground = ground
        self.facts = facts

    @property
    def code(self) -> str:
        return self.ground.code

    def sentence(self, language: Language) -> str:
        """What is wrong and what to do, for a person."""
        return (self.ground.zh if language == "zh" else self.ground.en).format(**self.facts)

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence('en')}"


class Transient(Exception):
    """Something outside did not answer in time; the same thing again may work."""


class Busy(Transient):
    """Others held the same keys for too long; the caller should come back later."""


class Defect(Exception):
    """Our own mistake. An event that meets one becomes a dead letter."""


NOT_FOUND = Ground(
    "not_found", en="There is no {what} {id}. Check the id.", zh="没有{what} {id}，请核对编号。", status=404
)
TOO_BUSY = Ground(
    "too_busy",
    en="Others are changing the same thing. Try again in a moment.",
    zh="他人正在修改同一内容，请稍后再试。",
    status=503,
)


@dataclass(frozen=True)
class Sifted(Generic[Item, Value]):
    """What a rule made of each item, in the items' order: (item, value) or (item, refusal)."""

    accepted: list[tuple[Item, Value]]
    refused: list[tuple[Item, Refusal]]


def sift(rule: Callable[[Item], Value], items: Iterable[Item]) -> Sifted[Item, Value]:
    """Judge items one by one: those the rule accepts with its value, those it refuses with why."""
    sifted: Sifted[Item, Value] = Sifted([], [])
    for item in items:
        try:
            sifted.accepted.append((item, rule(item)))
        except Refusal as refusal:
            sifted.refused.append((item, refusal))
    return sifted

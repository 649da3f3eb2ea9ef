"""What is acknowledged of results: the truth that a journal tells and a checker demands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.faults.college import Seat

PASS_AT = 60


@dataclass(frozen=True)
class Fact:
    """What is acknowledged of a result. `as_of` belongs to the marks."""

    result_id: str
    seat: Seat
    attempt: int
    theory: int
    practical: int
    as_of: str
    is_annulled: bool = False

    @property
    def is_pass(self) -> bool:
        if self.seat.is_weighted:
            return 40 * self.theory + 60 * self.practical >= PASS_AT * 100
        return min(self.theory, self.practical) >= PASS_AT

    def line(self) -> dict[str, Any]:
        """A line of the journal; `credit_points`: what it is worth by itself once publicity is over."""
        counts = self.is_pass and not self.is_annulled
        return {
            "fact": "result",
            "result_id": self.result_id,
            "learner_id": self.seat.learner_id,
            "scheme": self.seat.scheme,
            "level": self.seat.level,
            "verdict": "passed" if self.is_pass else "failed",
            "state": "annulled" if self.is_annulled else "final",
            "credit_points": self.seat.worth if counts else 0,
        }

    def sitting(self) -> dict[str, Any]:
        """An item of a submission."""
        return {
            "admission_number": self.seat.admission_number,
            "attempt": self.attempt,
            "theory": self.theory,
            "practical": self.practical,
            "as_of": self.as_of,
        }


def now() -> str:
    """This instant as a source writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def is_open(fact: Fact, found: Mapping[str, Any] | None) -> bool:
    """Whether a result still waits for the end of its publicity."""
    return found is not None and not fact.is_annulled and found["state"] == "publicised"


def is_as_told(fact: Fact, found: Mapping[str, Any] | None) -> bool:
    """Whether a result is shown with the marks that were acknowledged, annulled or not."""
    if found is None or (found["theory"], found["practical"]) != (fact.theory, fact.practical):
        return False
    return bool(fact.is_annulled == (found["state"] == "annulled"))

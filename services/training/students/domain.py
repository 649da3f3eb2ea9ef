"""What training knows of a student record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

REVIEW = "learner_review"  # what waits: a learner of whom something has changed that a room above judges


@dataclass(frozen=True, slots=True)
class StudentRecord:
    """学籍 as it was told of last."""

    learner_id: str
    college: str
    student_number: str
    programme: str
    entry_year: int
    told_at: datetime
    told_on: str = ""

    @property
    def place(self) -> str:
        return f"{self.college}:{self.student_number}"


def latest(known: Mapping[str, StudentRecord], arriving: Iterable[StudentRecord]) -> list[StudentRecord]:
    """Of each record what was told of last, where that is news; what arrives late changes nothing.

    What is told on one key arrives in its order; times decide between two keys alone.
    """
    news: dict[str, StudentRecord] = {}
    for one in arriving:
        before = news.get(one.place) or known.get(one.place)
        if before is None or one.told_on == before.told_on or one.told_at >= before.told_at:
            news[one.place] = one
    return list(news.values())


def student_fact(student_number: str) -> str:
    """The name of the fact a mark waits for whose student nobody knows yet."""
    return f"student:{student_number}"

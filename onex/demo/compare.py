"""Expected against found, number by number; a result that differs is named by its sheet and row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MOST_DIFFERENCES = 20


@dataclass(frozen=True)
class Figure:
    """One number, as it must be and as it is."""

    name: str
    expected: int
    found: int

    @property
    def is_met(self) -> bool:
        return self.expected == self.found


Found = Mapping[str, Any]
PLAIN = (
    "learners",
    "student_records",
    "applications",
    "approved",
    "places",
    "completed",
    "candidates",
    "final",
    "passes",
    "certificates",
)


def figures_of(expected: Mapping[str, Any], found: Found) -> list[Figure]:
    """Every number of the expectation beside what the services say."""
    return [
        *(Figure(name.replace("_", " "), expected[name], found[name]) for name in PLAIN),
        *counted("results", expected["results"], found["results"]),
        *counted("holdings", held(expected["points"], "holdings"), held(found["points"], "holdings")),
        *counted("points", held(expected["points"], "available_points"), held(found["points"], "available_points")),
        Figure("points in all", expected["points_total"], found["points_total"]),
        Figure("points still provisional", 0, found["provisional"]),
        *counted("notices", told(expected["notices"]), told(found["notices"])),
        Figure("sum of the books", 0, found["books_sum"]),
    ]


def counted(name: str, expected: Mapping[str, int], found: Mapping[str, int]) -> list[Figure]:
    """A family of numbers; what is found and not expected is a member too."""
    keys = [*expected, *(key for key in found if key not in expected)]
    return [Figure(f"{name} · {key}", expected.get(key, 0), found.get(key, 0)) for key in keys]


def held(rows: Iterable[Mapping[str, Any]], what: str) -> dict[str, int]:
    """A column of the points table, by scheme and level."""
    return {f"{row['scheme']} {row['level']}": row[what] for row in rows if row["available_points"]}


def told(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Notices by event and channel, whatever their state."""
    counts: dict[str, int] = {}
    for row in rows:
        name = f"{row['event']} · {row['channel']}"
        counts[name] = counts.get(name, 0) + row["count"]
    return counts


def result_key(row: Mapping[str, Any]) -> tuple[str, str, str, int]:
    """What names a result."""
    return (row["teo"], row["plan"], row["admission_number"], row["attempt"])


def result_differences(expected: Iterable[Mapping[str, Any]], found: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each result that is other than expected, missing, or too many."""
    have = {result_key(row): row for row in found}
    sentences = [sentence for row in expected if (sentence := difference(row, have.pop(result_key(row), None)))]
    return sentences + [f"{' '.join(map(str, key))}: a result that no sheet should have brought" for key in have]


def difference(row: Mapping[str, Any], found: Mapping[str, Any] | None) -> str:
    """What differs in one result, named by the sheet and row it stands in; empty when nothing does."""
    where = f"{row['sheet']} row {row['row']} ({row['plan']} {row['admission_number']})"
    if found is None:
        return f"{where}: expected {row['verdict']}, found no result"
    names = [name for name in ("theory", "practical", "verdict") if differs(row[name], found[name])]
    parts = [f"{name} expected {row[name]}, found {found[name]}" for name in names]
    return f"{where}: {'; '.join(parts)}" if parts else ""


def differs(expected: object, found: object) -> bool:
    """Whether a mark or verdict is other; a part that was not sat may show what is carried over."""
    return expected is not None and expected != found


def shortened(sentences: list[str]) -> list[str]:
    """The first of many sentences, and how many more there are."""
    rest = len(sentences) - MOST_DIFFERENCES
    return sentences if rest <= 0 else [*sentences[:MOST_DIFFERENCES], f"… and {rest} more"]

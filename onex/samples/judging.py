"""Marks, and what a pass rule makes of them: the witness's own reasoning."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from onex.samples.annex import Annex
from onex.samples.exams import Candidate

PASSED, FAILED, ABSENT, MALPRACTICE = "passed", "failed", "absent", "malpractice"


@dataclass(frozen=True)
class Sat:
    """One attempt of a candidate: the marks as they are sent, and the verdict. A part that was not sat has none."""

    candidate: Candidate
    attempt: int
    theory: int | None
    practical: int | None
    remark: str
    verdict: str


def first_attempts(rng: Random, annex: Annex, candidates: list[Candidate]) -> list[Sat]:
    """What everybody achieves at the session."""
    return [sat_first(rng, annex, n, candidate) for n, candidate in enumerate(candidates)]


def sat_first(rng: Random, annex: Annex, n: int, candidate: Candidate) -> Sat:
    """A first attempt: some are absent, two cheat, some land on the line."""
    theory, practical = mark_of(rng, candidate), mark_of(rng, candidate)
    if not candidate.application.person.is_star:
        if n % 37 == 20:
            return Sat(candidate, 1, None, None, "缺考", ABSENT)
        if n in (303, 704):
            return Sat(candidate, 1, None, None, "违纪", MALPRACTICE)
        theory, practical = on_the_line(n, theory, practical)
    rule = rule_of(annex, candidate)
    verdict = PASSED if is_pass(rule, theory, practical) else FAILED
    return Sat(candidate, 1, theory, practical, "", verdict)


def mark_of(rng: Random, candidate: Candidate) -> int:
    """A mark around the person's ability."""
    person = candidate.application.person
    return min(100, max(0, round(rng.gauss(88 if person.is_star else person.ability, 5 if person.is_star else 8))))


def on_the_line(n: int, theory: int, practical: int) -> tuple[int, int]:
    """Now and then exactly on the line, or a hair below it."""
    return {15: (60, 60), 48: (60, 59), 81: (54, 64), 114: (54, 63), 147: (100, 33), 180: (0, 100)}.get(
        n % 211, (theory, practical)
    )


def rule_of(annex: Annex, candidate: Candidate) -> dict[str, Any]:
    """The pass rule that a candidate's session falls under."""
    return annex.schemes[candidate.plan.scheme].rule_on(candidate.plan.session_date)


def is_pass(rule: dict[str, Any], theory: int, practical: int) -> bool:
    """Weighted: the weighted mean reaches the line. Each: both parts do."""
    if rule["kind"] == "weighted":
        return bool(theory * rule["theory"] + practical * rule["practical"] >= 100 * rule["pass_at"])
    return bool(min(theory, practical) >= rule["pass_at"])


def may_resit(annex: Annex, sat: Sat) -> bool:
    """One failed part of a scheme that demands each part may be sat again."""
    rule = rule_of(annex, sat.candidate)
    if rule["kind"] != "each" or sat.verdict != FAILED or sat.theory is None or sat.practical is None:
        return False
    return (sat.theory < int(rule["pass_at"])) != (sat.practical < int(rule["pass_at"]))


def failed_part(rule: dict[str, Any], sat: Sat) -> str:
    """Which part of a failed first attempt was below the line."""
    return "theory" if (sat.theory or 0) < rule["pass_at"] else "practical"


def second_attempts(rng: Random, annex: Annex, firsts: list[Sat]) -> list[Sat]:
    """The resits: the failed part alone is sat, the other is carried over."""
    return [sat_again(rng, annex, sat) for sat in firsts if may_resit(annex, sat) and rng.random() < 0.7]


def sat_again(rng: Random, annex: Annex, first: Sat) -> Sat:
    """A second attempt at the part that failed."""
    rule = rule_of(annex, first.candidate)
    new = min(100, max(0, round(rng.gauss(66, 8))))
    is_theory = failed_part(rule, first) == "theory"
    theory, practical = (new, first.practical or 0) if is_theory else (first.theory or 0, new)
    verdict = PASSED if is_pass(rule, theory, practical) else FAILED
    return Sat(first.candidate, 2, new if is_theory else None, None if is_theory else new, "", verdict)

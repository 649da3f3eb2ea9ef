"""Read everything back from the services, as the comparison wants it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from onex.demo.http import Speaker


def results_of(speaker: Speaker, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every result of a plan, with the plan's names."""
    path = f"/teos/{plan['teo']}/plans/{plan['plan']}/results"
    return [{**row, "teo": plan["teo"], "plan": plan["plan"]} for row in speaker.listed("assessment", path)]


def all_results(speaker: Speaker, plans: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every result of these plans."""
    return [row for plan in plans for row in results_of(speaker, plan)]


def found_in(speaker: Speaker, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The numbers of all five services."""
    enrolment, training = speaker.flow("enrolment"), speaker.flow("training")
    assessment = speaker.flow("assessment")
    points = speaker.get("creditbank", "/holdings/totals")
    return {
        **{name: enrolment[name] for name in ("learners", "student_records", "applications", "approved")},
        **{name: training[name] for name in ("places", "completed")},
        **{name: assessment[name] for name in ("candidates", "final", "certificates")},
        "passes": assessment["passed"],
        "results": dict(sorted(Counter(row["verdict"] for row in results).items())),
        "points": points,
        "points_total": sum(row["available_points"] for row in points),
        "provisional": sum(row["provisional_points"] for row in points),
        "notices": speaker.get("notify", "/notices/counts"),
        "books_sum": speaker.get("creditbank", "/books")["sum"],
    }


def holdings_due(
    results: Sequence[Mapping[str, Any]], plans: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, str], int]:
    """The highest level of each learner's final passes of a scheme."""
    by_plan = {(plan["teo"], plan["plan"]): plan for plan in plans}
    best: dict[tuple[str, str], int] = {}
    for row in results:
        plan = by_plan[row["teo"], row["plan"]]
        key = (row["learner_id"], plan["scheme"])
        if row["verdict"] == "passed" and row["state"] == "final":
            best[key] = max(best.get(key, 0), plan["level"])
    return best


def standing(speaker: Speaker) -> tuple[int, int]:
    """How many entries and how many notices there are."""
    notices = sum(row["count"] for row in speaker.get("notify", "/notices/counts"))
    return speaker.flow("creditbank")["entries"], notices

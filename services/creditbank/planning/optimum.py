"""The best choice among items under limits, exactly and always the same one, by HiGHS."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from chassis.errors import Defect

MOST_WEIGHT = 2**20  # sums of weights stay below: far from where a solver's floats stop telling whole numbers apart
HALF = 0.5
OPTIONS: dict[str, bool | int | float | str] = {
    "output_flag": False,  # a service's output is its log
    "threads": 1,  # small problems, many requests
    "parallel": "off",
    "random_seed": 0,
    "mip_rel_gap": 0.0,  # the optimum, not something near it
    "mip_abs_gap": 0.0,
    "mip_heuristic_run_feasibility_jump": False,  # this and the next two: searches that pay for large problems only
    "mip_heuristic_effort": 0.0,
    "mip_detect_symmetry": False,
    "mip_feasibility_tolerance": 1e-9,  # variables are 0 or 1, whatever they are multiplied by
    "time_limit": 10.0,  # seconds; a problem of a learner takes a hundredth of one
}
Weights = tuple[int, ...]


@dataclass(frozen=True)
class Limit:
    """At most so many points of its members together; `only_with`: only where this item is chosen."""

    members: tuple[int, ...]
    most: int
    only_with: int | None = None


@dataclass(frozen=True)
class Problem:
    """Items by number, with what each is worth in points; of two rivals one at most is chosen."""

    points: tuple[int, ...]
    rivals: tuple[tuple[int, int], ...] = ()
    limits: tuple[Limit, ...] = ()

    def allows(self, chosen: Sequence[int]) -> bool:
        """Whether a choice keeps to every limit; in whole numbers."""
        have = set(chosen)
        if any(one in have and other in have for one, other in self.rivals):
            return False
        binding = [limit for limit in self.limits if limit.only_with is None or limit.only_with in have]
        return all(sum(self.points[one] for one in limit.members if one in have) <= limit.most for limit in binding)


def best(problem: Problem) -> tuple[int, ...]:
    """The items to choose: the most points; of choices with as many the fewest items; of those the one that has the
    first item in which they differ. So there is one answer."""
    everything = tuple(range(len(problem.points)))
    if problem.allows(everything):
        return everything
    solver, solution = _loaded(problem), everything
    for weights in packed(problem.points):
        solution = _maximised(solver, weights)
        reached = sum(weights[one] for one in solution)
        solver.addRow(reached - HALF, highspy.kHighsInf, len(weights), *_sparse(dict(enumerate(weights))))
    if not problem.allows(solution):
        raise Defect(f"the solver chose {solution}, which the limits forbid")
    return solution


def packed(points: Sequence[int]) -> Iterator[Weights]:
    """What is maximised, one after the other: points, then few items, then the first items; as many of these together
    as there is room for, the earlier ones outweighing all later ones."""
    count, unit = len(points), math.gcd(*points)
    rows = [tuple(one // unit for one in points), (-1,) * count]
    rows += [tuple(int(place == one) for place in range(count)) for one in range(count)]
    packing = rows[0]
    for row in rows[1:]:
        room = sum(map(abs, row)) + 1
        wider = tuple(one * room + other for one, other in zip(packing, row, strict=True))
        if sum(map(abs, wider)) <= MOST_WEIGHT:
            packing = wider
            continue
        yield packing
        packing = row
    yield packing


def _loaded(problem: Problem) -> Any:
    """The solver with the problem's variables and rows."""
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    for name, value in OPTIONS.items():
        if solver.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise Defect(f"the solver does not know {name}={value}")
    count = len(problem.points)
    solver.addVars(count, np.zeros(count), np.ones(count))
    numbers = np.arange(count, dtype=np.int32)
    solver.changeColsIntegrality(count, numbers, np.full(count, highspy.HighsVarType.kInteger))
    for one, other in problem.rivals:
        solver.addRow(-highspy.kHighsInf, 1.0, 2, *_sparse({one: 1, other: 1}))
    for limit in problem.limits:
        row, most = _row_of(limit, problem.points)
        solver.addRow(-highspy.kHighsInf, float(most), len(row), *_sparse(row))
    return solver


def _row_of(limit: Limit, points: Sequence[int]) -> tuple[dict[int, int], int]:
    """A limit as coefficients and a right-hand side; one that binds with an item lets go of all points without it."""
    row = {one: points[one] for one in limit.members}
    if limit.only_with is None:
        return row, limit.most
    slack = max(sum(row.values()) - limit.most, 0)
    row[limit.only_with] = row.get(limit.only_with, 0) + slack
    return row, limit.most + slack


def _sparse(row: dict[int, int]) -> tuple[Any, Any]:
    return np.array(list(row), dtype=np.int32), np.array(list(row.values()), dtype=np.float64)


def _maximised(solver: Any, weights: Weights) -> tuple[int, ...]:
    count = len(weights)
    solver.changeColsCost(count, np.arange(count, dtype=np.int32), np.array(weights, dtype=np.float64))
    solver.changeObjectiveSense(highspy.ObjSense.kMaximize)
    solver.run()
    status = solver.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        raise Defect(f"the solver ends with {solver.modelStatusToString(status)}")
    return tuple(number for number, value in enumerate(solver.getSolution().col_value) if value > HALF)

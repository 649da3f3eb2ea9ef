"""The references keep what they say: *safe* the order of a key, and tables whether an aim is met."""

from __future__ import annotations

from typing import Any

import pytest

from bench import safe
from bench.pipelines import check
from bench.report import Line, lines


def event(number: int) -> safe.Event:
    return (f"e{number}", "k", number, "c", 200)


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (2, 1, 4, 3), (4, 3, 2, 1), (1, 1, 3, 3, 2, 2, 4, 1)])
def test_safe_has_each_event_once_and_in_order_whatever_the_order(order: tuple[int, ...]) -> None:
    strands: dict[str, dict[str, Any]] = {"k": {"_id": "k", "n": 1, "s": 0}}
    assert [one[2] for one in safe._in_order([event(one) for one in order], strands)] == [1, 2, 3, 4]
    assert not strands["k"].get("parked")


def test_safe_waits_for_what_is_missing() -> None:
    strands: dict[str, dict[str, Any]] = {"k": {"_id": "k", "n": 1, "s": 0}}
    assert list(safe._in_order([event(2)], strands)) == []
    assert [one[2] for one in safe._in_order([event(1)], strands)] == [1, 2]


@pytest.mark.parametrize(
    ("credited", "told"),
    [
        ([("a", 200)], ["a", "b"]),
        ([("a", 200), ("a", 200)], ["a", "b"]),
        ([("a", 200), ("b", 400)], ["a", "b"]),
        ([("a", 200), ("b", 200)], ["a", "a", "b"]),
        ([("a", 200), ("b", 200)], ["a"]),
    ],
)
def test_a_run_that_lost_or_doubled_something_counts_for_nothing(credited: Any, told: Any) -> None:
    check("right", [("a", 200), ("b", 200)], ["a", "b"], 2, 200)
    with pytest.raises(SystemExit):
        check("wrong", credited, told, 2, 200)


def test_an_aim_is_met_by_the_median() -> None:
    assert Line("a", "%", (0.5, 0.8, 0.9), aim=0.75).verdict == "≥ 75 %: met"
    assert Line("a", "×", (1.0, 2.5, 3.0), aim=2, at_most=True).verdict == "≤ 2.00 ×: missed"


def test_a_pipeline_that_was_left_out_has_no_line() -> None:
    run = {"onex": {"batches": {"per_second": 50.0}}, "safe": {"per_second": 100.0}, "celery": {"absent": "no redis"}}
    found = {line.name: line.median for line in lines({"runs": [run]})}
    assert found["OneX of safe"] == 0.5
    assert not [name for name in found if "Celery" in name]

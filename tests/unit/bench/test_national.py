"""The arithmetic of a national deployment, each figure against one worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import national
from bench.national import ANNOUNCED, BY_LEARNER, BY_RESULT, Inputs

INPUTS = Inputs(learners=1_000_000, results_per_1000=4.0, results_per_learner_year=0.5)
EVENTS = dict.fromkeys((name for types in ANNOUNCED.values() for name in types), 500)
DOCUMENTS = {
    f"{service}.{name}": 1_000.0
    for kinds in (BY_LEARNER, BY_RESULT)
    for service, counts in kinds.items()
    for name in counts
}


def test_the_busiest_day_brings_what_is_said() -> None:
    coming = national.busiest_day(INPUTS)
    assert sum(coming) == pytest.approx(4_000, rel=1e-3)
    morning = sum(coming[9 * 3600 : 11 * 3600])
    assert morning == pytest.approx(4_000 * (0.6 + 0.4 * 2 / 12), rel=1e-3)
    assert max(coming) == pytest.approx(2 * 4_000 * 0.6 / 7_200 + 4_000 * 0.4 / 43_200, rel=1e-3)


def test_a_results_day_brings_its_share_of_the_year_in_minutes() -> None:
    coming = national.results_day(INPUTS)
    assert sum(coming) == pytest.approx(100_000, rel=1e-3)
    assert sum(coming[9 * 3600 : 9 * 3600 + 600]) == pytest.approx(90_000 + 10_000 * 600 / 43_200, rel=1e-3)


def test_a_samples_bytes_are_its_headers_key_and_compact_body() -> None:
    sample = {"headers": {"ce_id": "ab", "ce_partitionkey": "k:1"}, "body": {"n": 1, "名": "甲"}}
    headers = (5 + 2 + 2) + (15 + 3 + 2)
    assert national.event_bytes(sample) == national.RECORD_BYTES + 3 + headers + len('{"n":1,"名":"甲"}'.encode())


def test_every_announcement_of_the_road_has_a_recorded_sample() -> None:
    sizes = national.measured_events()
    assert {name for types in ANNOUNCED.values() for name in types} <= set(sizes)
    assert all(300 < size < 2_000 for size in sizes.values())


def test_a_topic_holds_its_retention_in_all_copies() -> None:
    yearly = 500_000 * 4 * 500
    expected = yearly * 400 / 365 * 0.4 * 3 / 1e9
    assert national.topic_gb("assessment", INPUTS, EVENTS) == pytest.approx(expected)


def test_a_database_grows_with_learners_once_and_with_results_each_year() -> None:
    first, second, third = (national.database_gb("notify", INPUTS, DOCUMENTS, years) for years in (1, 2, 3))
    assert third - second == pytest.approx(second - first)
    assert second - first == pytest.approx(500_000 * 8 * 1_000 * 0.5 * 1.35 / 1e9)
    assert first - (second - first) == pytest.approx(1_000_000 * 2 * 1_000 * 0.5 * 1.35 / 1e9)


@pytest.mark.parametrize(
    ("workers", "expected"), [(1, 100.0), (4, 400.0), (5, 400.0), (6, 600.0), (12, 1_200.0), (50, 1_200.0)]
)
def test_partitions_are_dealt_out_whole(workers: int, expected: float) -> None:
    assert national.capacity(workers, 12, 100.0) == pytest.approx(expected)


def test_a_queue_keeps_what_it_cannot_take_and_loses_nothing() -> None:
    day, leaving = national.queue([5.0, 0.0, 1.0, 0.0, 0.0], 2.0)
    assert day.backlog == [3.0, 1.0, 0.0, 0.0, 0.0]
    assert day.lag == [1.5, 0.5, 0.0, 0.0, 0.0]
    assert leaving == [2.0, 2.0, 2.0, 0.0, 0.0]


def test_one_worker_less_would_be_too_few() -> None:
    crowded = replace(INPUTS, learners=2_000_000, rate=200.0)
    partitions = national.partitions_needed(crowded, EVENTS)
    needed = national.workers_needed(crowded, partitions)
    assert 1 < needed <= partitions
    coming, rate = national.results_day(crowded), crowded.rate * crowded.busy
    assert national.worst_lag(national.road(coming, needed, partitions, rate).values()) <= crowded.lag_seconds
    assert national.worst_lag(national.road(coming, needed - 1, partitions, rate).values()) > crowded.lag_seconds


def test_partitions_are_twelve_times_a_power_of_two_and_enough_for_twice_the_workers() -> None:
    assert national.partitions_needed(INPUTS, EVENTS) == 12
    crowded = replace(INPUTS, learners=100_000_000)
    partitions = national.partitions_needed(crowded, EVENTS)
    assert partitions in {12 * 2**n for n in range(1, 12)}
    peak = 2 * max(national.results_day(crowded))
    assert partitions * crowded.rate * crowded.busy >= 2 * peak > partitions / 2 * crowded.rate * crowded.busy


def test_what_cannot_be_kept_under_the_limit_is_said() -> None:
    with pytest.raises(ValueError, match="no number of workers up to 12"):
        national.workers_needed(replace(INPUTS, learners=1_000_000_000, rate=1.0), 12)

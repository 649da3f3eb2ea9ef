"""What the benchmarks beside the road have written down becomes tables; and copies of a college are another's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument

from bench import growth, report, road
from bench.report import Line

MACHINE = {"cpus": 2, "memory_mb": 1, "on": "Linux", "load": 1.5, "at": "2026-11-27"}


def deed(wall: float) -> dict[str, float]:
    return {"wall": wall, "processor": wall / 2, "memory": 100.0, "seen": 7}


def named(lines: list[Line]) -> dict[str, Line]:
    return {line.name: line for line in lines}


def test_verifying_is_told_beside_reading_with_its_aim() -> None:
    walls = {"read": 10.0, "verify": 25.0, "root": 5.0, "rebuild": 40.0}
    found = named(report.ledger_lines({"runs": [{name: deed(wall) for name, wall in walls.items()}]}))
    assert (found["verify of read"].median, found["verify of read"].verdict) == (2.5, "≤ 3.00 ×: met")
    assert (found["rebuild of read"].median, found["rebuild of read"].verdict) == (4.0, "")
    assert found["verify: memory"].cells()[1] == "100 MB"


def test_each_simulation_is_told_beside_what_it_looks_at() -> None:
    walls = {"read": 2.0, "recognition": 9.0, "facts": 20.0, "conversion": 30.0}
    found = named(report.simulator_lines({"runs": [{name: deed(wall) for name, wall in walls.items()}]}))
    assert (found["recognition of read"].median, found["conversion of facts"].median) == (4.5, 1.5)


def grown(examined: float, journal: float, rate: float) -> dict[str, float]:
    return {
        "examined": examined, "keys": 10.0, "written": 12.0, "journal": journal, "disk": 5_000.0, "per_second": rate,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("many", "verdicts"),
    [
        (grown(30.9, 8_100.0, 950.0), ("met", "met", "met")),
        (grown(29.1, 7_900.0, 899.0), ("met", "met", "missed")),
        (grown(31.6, 8_000.0, 1_100.0), ("missed", "met", "met")),
        (grown(28.4, 8_500.0, 1_000.0), ("missed", "missed", "met")),
    ],
)
def test_growth_may_neither_cost_more_nor_less(many: dict[str, float], verdicts: tuple[str, ...]) -> None:
    said = {"few": 10_000, "many": 1_000_000, "runs": [{"few": grown(30.0, 8_000.0, 1_000.0), "many": many}]}
    found = named(report.growth_lines(said))
    judged = (
        "documents examined: how far apart",
        "bytes of the journal: how far apart",
        "results a second: many of few",
    )
    assert tuple(found[name].verdict.rpartition(": ")[2] for name in judged) == verdicts
    assert found["results a second, 1,000,000 accounts"].median == many["per_second"]


def test_what_was_not_measured_says_how_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MEASURED", tmp_path)
    assert report.section("growth", report.growth_lines, "results") == "Not measured yet: `make bench-growth`."
    assert report.plotted() == []
    walls = {"read": 2.0, "recognition": 9.0, "facts": 20.0, "conversion": 30.0}
    runs = [{name: deed(wall * factor) for name, wall in walls.items()} for factor in (1.0, 1.5, 2.0)]
    (tmp_path / "simulator.json").write_text(json.dumps({"machine": MACHINE, "accounts": 100_000, "runs": runs}))
    told = report.section("simulator", report.simulator_lines, "accounts")
    assert "3 runs of 100,000 accounts each, 2026-11-27" in told
    assert "| recognition of read | 4.50 × | 4.50 × | 4.50 × |  |" in told
    [(name, bars, title)] = report.plotted()
    assert (name, list(bars), title) == ("simulator", ["read", "recognition", "facts", "conversion"], "seconds")
    assert bars["read"].median == 3.0


def test_every_section_of_the_page_is_filled_by_what_was_measured() -> None:
    page = (report.ROOT / "bench" / "benchmarks.head.md").read_text()
    for name in ("planner", "simulator", "ledger", "growth"):
        assert f"{{{name}}}" in page


# --- copies ----------------------------------------------------------------------------------------------------------
def copy_of(document: dict[str, Any], other: int) -> dict[str, Any]:
    original = growth.original_of(bson.encode(document))
    assert original
    raw = original.copy(other)
    assert len(raw) == len(bson.encode(document))
    return dict(RawBSONDocument(raw))


def test_a_copy_is_about_another_learner_and_the_same_else() -> None:
    entry = {"_id": "L00000500:3", "learner_id": "L00000500", "seat": "ZK00000500", "points": 200, "hash": b"L0000050"}
    other = {"_id": "L00000507:3", "learner_id": "L00000507", "seat": "ZK00000507", "points": 200, "hash": b"L0000050"}
    assert copy_of(entry, 7) == other


def test_a_name_that_tells_no_learner_becomes_another_one() -> None:
    row = {"_id": "0b5e7d52-1111-5222-8333-444455556666", "key": "learner:L00000500", "seq": 1}
    first, second = copy_of(row, 1), copy_of(row, 2)
    assert len({row["_id"], first["_id"], second["_id"]}) == 3
    assert (first["key"], second["key"], first["seq"]) == ("learner:L00000501", "learner:L00000502", 1)
    by_object = {"_id": bson.ObjectId(), "mailbox": "L00000500"}
    assert copy_of(by_object, 1)["_id"] != by_object["_id"]


@pytest.mark.parametrize(
    "document",
    [
        {"_id": "smart-finance:1", "versions": []},
        {"_id": "91110000000000043U:many:ZK00000500", "learner_id": "L00000500"},
        {"_id": "91110000000000043U:warm-many:ZK00000500", "learner_id": "L00000500"},
        {"_id": "aL00000500", "hash": "L000005001"},
    ],
)
def test_rules_and_seats_to_be_taken_are_not_copied(document: dict[str, Any]) -> None:
    assert growth.original_of(bson.encode(document)) is None


def test_the_others_lie_between_the_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(road, "_apart", 1)
    road.spread(100)
    assert [road.learner(number) for number in (0, 1, 5)] == ["L00000000", "L00000100", "L00000500"]
    assert road.admission_number(5) == "ZK00000500"
    phases = growth.phases_of(10_000)
    halves = [(phases[name].first, phases[name].end) for name in ("warm-few", "few", "warm-many", "many")]
    assert halves == [(0, 1_000), (1_000, 5_000), (5_000, 6_000), (6_000, 10_000)]

"""Rates and latencies of the road of a result, beside pipelines that promise less: `python -m bench.run [--results N]`.

Prints a table and writes bench/results/road.json; `bench/report.py` makes docs/benchmarks.md of it. Each run starts
engines of its own; each figure is the median of the runs, with the least and the greatest, and each ratio is of one
run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from bench import pipelines, report
from bench.processes import ROOT, Bench
from onex.stack.engines import kafka_jars, start_kafka, start_mongod
from onex.stack.ports import free_port

RESULTS = ROOT / "bench" / "results" / "road.json"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="workers per service, measured against one")
    parser.add_argument("--profile", action="store_true", help="only OneX, profiled: where the time goes")
    parser.add_argument("--only", default="", help="bare, safe or onex alone; nothing is written")
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    kafka_jars()
    if given.only:
        tell(list(runs(given.runs, lambda bench: only(bench, given.only, given.results))))
    elif given.profile:
        profile(given.results, given.json)
    else:
        measure(given)


def only(bench: Bench, who: str, results: int) -> dict[str, Any]:
    """One pipeline alone, while it is worked on."""
    from pymongo import MongoClient  # noqa: PLC0415

    client: Any = MongoClient(bench.mongo, readConcernLevel="majority")
    pipelines.topics(bench)
    if who == "onex":
        return pipelines.run_onex(bench, client, results, 1, 300)["batches"]
    return {"bare": pipelines.run_bare, "safe": pipelines.run_safe}[who](bench, client, results)


def tell(figures: list[dict[str, Any]]) -> None:
    for one in figures:
        rates = f"{one['per_second']:.0f}/s (submitted {one['submitted_per_second']:.0f}/s)"
        print(rates, {name: round(value) for name, value in one["processor_us"].items()})


def measure(given: argparse.Namespace) -> None:
    """Every pipeline, run after run; what was measured is kept after each run."""
    found: list[dict[str, Any]] = []
    for figures in runs(given.runs, lambda bench: pipelines.one_run(bench, given.results, given.workers)):
        found.append(figures)
        keep(given.json, {"machine": machine(), "results": given.results, "workers": given.workers, "runs": found})
    Console().print(report.table(report.lines(json.loads(given.json.read_text()))))
    report.write(given.json)


def profile(results: int, file: Path) -> None:
    """Profile OneX and keep the functions that took longest, by process and thread."""
    with tempfile.TemporaryDirectory(prefix="onex-prof-") as folder:
        for _ in runs(1, lambda bench: pipelines.profile_run(bench, results, Path(folder))):
            keep(file, {"profile": report.profiles(Path(folder)), "profiled_results": results})
    report.write(file)


def keep(file: Path, more: dict[str, Any]) -> None:
    """Add to what the file says."""
    file.parent.mkdir(parents=True, exist_ok=True)
    said = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**said, **more}, indent=1) + "\n")


def machine() -> dict[str, Any]:
    return {
        "cpus": psutil.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 1_000_000,
        "on": platform.platform(),
        "python": platform.python_version(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": os.getloadavg()[0],
    }


def runs(count: int, deed: Callable[[Bench], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Do a deed time and again, each time with new engines."""
    for _ in range(count):
        with bench_of() as bench:
            yield deed(bench)


@contextmanager
def bench_of() -> Iterator[Bench]:
    """Engines in a folder that goes away; with ONEX_BENCH_KEEP it stays, to read the logs."""
    folder = Path(tempfile.mkdtemp(prefix="onex-bench-"))
    mongod = start_mongod(folder, free_port())
    try:
        kafka = start_kafka(folder, free_port(), free_port())
        bench = Bench(folder, mongod.mongo_url, kafka.kafka, {"mongod": mongod.process.pid, "kafka": kafka.process.pid})
        try:
            yield bench
        finally:
            bench.stop()
            kafka.stop()
    finally:
        mongod.stop()
        if "ONEX_BENCH_KEEP" not in os.environ:
            _remove(folder)


def _remove(folder: Path) -> None:
    import shutil  # noqa: PLC0415

    shutil.rmtree(folder)


if __name__ == "__main__":
    main()

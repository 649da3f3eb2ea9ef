"""Start and idle memory of the whole stack, beside Kafka and mongod alone: `python bench/start.py [--runs 3]`.

Each figure is the median of the runs, with the least and the greatest. A cold start begins with an empty state
(engines fetched, storage not formatted, no database); a warm one finds its state. Idle memory is PSS after half a
minute of rest.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from onex.stack import status, up
from onex.stack.engines import kafka_jars, start_kafka, start_mongod
from onex.stack.home import Home
from onex.stack.ports import free_port

IDLE_SECONDS = 30.0
MB = 1_000_000
Figures = dict[str, list[float]]


def main() -> None:
    """Measure, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path(".onex/bench-start.json"))
    wanted = parser.parse_args()
    kafka_jars()
    figures: Figures = {}
    for _ in range(wanted.runs):
        one_run(figures)
    wanted.json.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cpus": psutil.cpu_count(), "memory_mb": psutil.virtual_memory().total // MB, "on": platform.platform()}
    wanted.json.write_text(json.dumps({"machine": machine, "figures": figures}, indent=1) + "\n")
    show(figures)


def one_run(figures: Figures) -> None:
    """Engines alone, cold and warm; then the stack, cold and warm, in folders that go away."""
    with tempfile.TemporaryDirectory(prefix="onex-bench-") as folder:
        engines, home = Path(folder) / "engines", Home(Path(folder) / "home")
        engines.mkdir()
        for heat in ("cold", "warm"):
            seconds, memory = alone(engines)
            note(figures, f"{heat} start, engines alone (s)", seconds)
            note(figures, f"idle memory, engines alone, {heat} (MB)", memory)
        for heat in ("cold", "warm"):
            measure_stack(figures, home, heat)


def note(figures: Figures, name: str, value: float) -> None:
    figures.setdefault(name, []).append(round(value, 2))


def alone(folder: Path) -> tuple[float, float]:
    """Seconds until both engines are ready, one after the other, and their memory at rest."""
    began = time.monotonic()
    mongod = start_mongod(folder, free_port())
    kafka = start_kafka(folder, free_port(), free_port())
    seconds = time.monotonic() - began
    time.sleep(IDLE_SECONDS)
    memory = sum(psutil.Process(one.process.pid).memory_full_info().pss for one in (mongod, kafka)) / MB
    kafka.stop()
    mongod.stop()
    return seconds, memory


def measure_stack(figures: Figures, home: Home, heat: str) -> None:
    began = time.monotonic()
    up.up(home, {"DEMO": "1"}, free_port() % 5_000 + 20_000, lambda _sentence: None)
    note(figures, f"{heat} start, whole stack (s)", time.monotonic() - began)
    time.sleep(IDLE_SECONDS)
    seen = status.status(home)
    note(figures, f"idle memory, whole stack, {heat} (MB)", seen.all_mb)
    note(figures, f"idle memory, engines in the stack, {heat} (MB)", seen.engines_mb)
    began = time.monotonic()
    up.down(home, lambda _sentence: None)
    note(figures, f"stop after a {heat} start (s)", time.monotonic() - began)


def show(figures: Figures) -> None:
    """The medians as a table, with least and greatest."""
    table = Table("figure", "median", "least", "greatest")
    for name, values in figures.items():
        table.add_row(name, f"{statistics.median(values):.1f}", f"{min(values):.1f}", f"{max(values):.1f}")
    Console().print(table)
    starts = [statistics.median(figures[f"warm start, {what} (s)"]) for what in ("whole stack", "engines alone")]
    Console().print(f"A warm start of the stack takes {starts[0] - starts[1]:.1f} s more than the engines alone.")


if __name__ == "__main__":
    main()

"""What a national deployment needs: `python bench/national.py [--learners 10000000] [--rate 600] [--backup FOLDER]`.

Pure arithmetic and a queue model, no engine: events are as large as the recorded samples of `tests/contract/samples`,
documents as large as in `national_sizes.json`, which `--backup` measures again in a backup of any stack.
How fast a worker is comes from `make bench` and is an argument; so is every assumption, and each is printed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "tests" / "contract" / "samples"
SIZES = Path(__file__).parent / "national_sizes.json"
RECORD_BYTES = 20  # of Kafka's own around a record in a batch: lengths, offset and time deltas
DAY_SECONDS, OFFICE_SECONDS, NINE_O_CLOCK = 86_400, 12 * 3600, 9 * 3600
GB = 1_000_000_000
MOST_WORKERS = 2_000

# What one passed result makes on its road (ARCHITECTURE.md): announcements by source, documents by collection.
ANNOUNCED = {
    "enrolment": {"EnrolmentApproved": 1},
    "training": {"TrainingCompleted": 1},
    "assessment": {"CandidateRegistered": 1, "ResultPublicised": 1, "ResultFinalised": 1, "CertificateIssued": 1},
    "creditbank": {"CreditPosted": 2},
}
BY_RESULT = {
    "enrolment": {"applications": 1.0, "outbox": 1.0},
    "training": {"places": 1.0, "completions": 1.0, "outbox": 1.0},
    "assessment": {"entitlements": 1.0, "candidates": 1.0, "results": 1.0, "certificates": 1.0, "outbox": 4.0},
    "creditbank": {"entries": 2.0, "outcomes": 1.0, "outbox": 2.0},
    "notify": {"notices": 8.0},
}
BY_LEARNER = {
    "enrolment": {
        "learners": 1.0,
        "documents": 1.0,
        "keys": 1.0,
        "student_records": 1.0,
        "outbox": 2.0,
        "strands": 1.0,
    },
    "training": {"strands": 1.0},
    "assessment": {"strands": 1.0},
    "creditbank": {"accounts": 1.0, "strands": 1.0},
    "notify": {"contacts": 1.0, "strands": 1.0},
}
STAGES = (("assessment", 1.0), ("creditbank", 1.0), ("notify", 2.0))  # announcements a result makes each stage handle


@dataclass(frozen=True)
class Inputs:
    """Every figure that is assumed; each can be given on the command line under its name."""

    learners: int = 10_000_000
    results_per_1000: float = 4.0  # on the busiest day of the year
    results_per_learner_year: float = 0.25
    years: int = 5
    morning_share: float = 0.6  # of the busiest day's results that come within the morning
    morning_hours: float = 2.0
    release_share: float = 0.2  # of a year's results that one results day brings
    release_minutes: float = 10.0  # within which nine tenths of them come
    rate: float = 600.0  # announcements a second that one worker of a service handles alone
    lag_seconds: float = 60.0
    busy: float = 0.6  # of a worker's rate that may be planned with: rebalances, backups and bad days have the rest
    partition_mb: float = 1.0  # a second that one partition is planned for
    brokers_copies: int = 3
    database_copies: int = 3
    kafka_compression: float = 0.4  # of the bytes that gzip leaves
    database_compression: float = 0.5  # of the bytes that snappy leaves
    index_share: float = 0.35  # of the documents' bytes
    retention_days: int = 400
    shard_gb: float = 2_000.0  # of data on one shard
    price_cpu_month: float = 25.0
    price_gb_month: float = 0.1


@dataclass(frozen=True)
class Event:
    """One announcement as Kafka carries it."""

    type: str
    bytes: int


@dataclass
class Day:
    """A simulated day, a figure a second."""

    backlog: list[float] = field(default_factory=list)
    lag: list[float] = field(default_factory=list)


def event_bytes(sample: Mapping[str, object]) -> int:
    """A recorded sample's bytes in a topic, before compression: key, headers, body, and what is around them."""
    headers, body = sample["headers"], sample["body"]
    assert isinstance(headers, dict)
    told = sum(len(name) + len(str(value).encode()) + 2 for name, value in headers.items())
    key = len(str(headers["ce_partitionkey"]))
    return RECORD_BYTES + key + told + len(json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode())


def measured_events(folder: Path = SAMPLES) -> dict[str, int]:
    """By type, the bytes of its first sample."""
    files = sorted(file for file in folder.glob("*/*.json") if file.name.count(".") == 1)
    return {file.stem: event_bytes(json.loads(file.read_text())) for file in files}


def measured_documents(backup: Path) -> dict[str, float]:
    """By `service.collection`, the mean bytes of a document in a backup."""
    parts = [one for one in json.loads((backup / "manifest.json").read_text())["files"] if one["documents"]]
    return {
        f"{one['database'].rpartition('_')[2]}.{one['collection']}": _bytes_in(backup / one["file"]) / one["documents"]
        for one in parts
    }


def _bytes_in(file: Path) -> int:
    with gzip.open(file) as content:
        return sum(_lengths(content))


def _lengths(content: gzip.GzipFile) -> Iterator[int]:
    while head := content.read(4):
        length = struct.unpack("<i", head)[0]
        content.seek(length - 4, 1)
        yield length


def results_on_peak_day(inputs: Inputs) -> float:
    return inputs.learners / 1000 * inputs.results_per_1000


def results_per_year(inputs: Inputs) -> float:
    return inputs.learners * inputs.results_per_learner_year


def announcements_per_result(source: str) -> int:
    return sum(ANNOUNCED[source].values())


def topic_bytes_per_result(source: str, events: Mapping[str, int]) -> int:
    return sum(count * events[name] for name, count in ANNOUNCED[source].items())


def topic_gb(source: str, inputs: Inputs, events: Mapping[str, int]) -> float:
    """What a topic holds when its retention is full, all copies."""
    yearly = results_per_year(inputs) * topic_bytes_per_result(source, events)
    return yearly * inputs.retention_days / 365 * inputs.kafka_compression * inputs.brokers_copies / GB


def database_gb(service: str, inputs: Inputs, documents: Mapping[str, float], years: float) -> float:
    """What a service's database holds after so many years, one copy, with indexes."""
    per_learner = sum(count * documents[f"{service}.{name}"] for name, count in BY_LEARNER[service].items())
    per_result = sum(count * documents[f"{service}.{name}"] for name, count in BY_RESULT[service].items())
    raw = inputs.learners * per_learner + years * results_per_year(inputs) * per_result
    return raw * (inputs.database_compression + inputs.index_share * inputs.database_compression) / GB


def busiest_day(inputs: Inputs) -> list[float]:
    """Results a second, most of them in the morning, on the day of which `results_per_1000` tells."""
    return arriving(results_on_peak_day(inputs), inputs.morning_share, inputs.morning_hours * 3600)


def results_day(inputs: Inputs) -> list[float]:
    """Results a second on a day on which everybody's results are released at nine."""
    return arriving(results_per_year(inputs) * inputs.release_share, 0.9, inputs.release_minutes * 60)


def arriving(results: float, share: float, seconds: float) -> list[float]:
    """A share of the day's results from nine o'clock on, rising and falling; the rest between eight and twenty."""
    flat, height = results * (1 - share) / OFFICE_SECONDS, 2 * results * share / seconds
    return [
        (flat if 0 <= since + 3600 < OFFICE_SECONDS else 0.0) + height * max(1 - abs(since / seconds * 2 - 1), 0.0)
        for since in (second + 0.5 - NINE_O_CLOCK for second in range(DAY_SECONDS))
    ]


def capacity(workers: int, partitions: int, rate: float) -> float:
    """Announcements a second of a group: partitions are dealt out whole, so the fullest worker sets the pace."""
    return rate * partitions / math.ceil(partitions / workers) if workers < partitions else rate * partitions


def queue(coming: Sequence[float], per_second: float) -> tuple[Day, list[float]]:
    """A fluid queue, second by second: its day, and what leaves it."""
    day, leaving, backlog = Day(), [], 0.0
    for arriving in coming:
        done = min(backlog + arriving, per_second)
        backlog += arriving - done
        day.backlog.append(backlog)
        day.lag.append(backlog / per_second)
        leaving.append(done)
    return day, leaving


def road(coming: Sequence[float], workers: int, partitions: int, rate: float) -> dict[str, Day]:
    """A day through the stages, each with so many workers; what leaves one stage comes to the next."""
    days = {}
    for stage, factor in STAGES:
        handled = [one * factor for one in coming]
        days[stage], leaving = queue(handled, capacity(workers, partitions, rate))
        coming = [one / factor for one in leaving]
    return days


def worst_lag(days: Iterable[Day]) -> float:
    """The longest that a result waited on its whole road."""
    return max(map(sum, zip(*(day.lag for day in days), strict=True)))


def workers_needed(inputs: Inputs, partitions: int) -> int:
    """The fewest workers of each service that keep the whole road's lag under the limit."""
    coming, rate = results_day(inputs), inputs.rate * inputs.busy
    for workers in range(1, min(partitions, MOST_WORKERS) + 1):
        if worst_lag(road(coming, workers, partitions, rate).values()) <= inputs.lag_seconds:
            return workers
    raise ValueError(f"no number of workers up to {partitions} keeps the lag under {inputs.lag_seconds:.0f} s")


def partitions_needed(inputs: Inputs, events: Mapping[str, int]) -> int:
    """Twelve times a power of two: for the peak's bytes, and for twice the workers that its announcements need."""
    peak = max(results_day(inputs))
    most_bytes = max(topic_bytes_per_result(source, events) for source in ANNOUNCED) * peak
    most_handled = max(factor for _, factor in STAGES) * peak
    by_bytes = most_bytes / (inputs.partition_mb * 1_000_000)
    by_workers = 2 * most_handled / (inputs.rate * inputs.busy)
    doublings: int = max(math.ceil(math.log2(max(by_bytes, by_workers, 1.0) / 12)), 0)
    return int(12 * 2**doublings)


def main() -> None:
    """Compute, print tables, write JSON and a plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backup", type=Path, help="Measure the documents' sizes in this backup, and keep them.")
    parser.add_argument("--json", type=Path, default=ROOT / ".onex" / "bench-national.json")
    parser.add_argument("--plot", type=Path, default=ROOT / "docs" / "national.svg")
    for one in fields(Inputs):
        parser.add_argument(f"--{one.name.replace('_', '-')}", type=type(one.default), default=one.default)
    given = parser.parse_args()
    if given.backup:
        SIZES.write_text(json.dumps(measured_documents(given.backup), indent=1, sort_keys=True) + "\n")
    inputs = Inputs(**{one.name: getattr(given, one.name) for one in fields(Inputs)})
    found = figures(inputs, measured_events(), json.loads(SIZES.read_text()))
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps({"inputs": asdict(inputs), **found}, indent=1) + "\n")
    show(inputs, found, Console())
    given.plot.write_text(plotted(inputs, int(found["partitions"]), int(found["workers"])))


def figures(inputs: Inputs, events: Mapping[str, int], documents: Mapping[str, float]) -> dict[str, Any]:
    """Everything that is printed."""
    partitions = partitions_needed(inputs, events)
    workers = workers_needed(inputs, partitions)
    topics = {source: topic_gb(source, inputs, events) for source in ANNOUNCED}
    by_year = {
        year: {service: database_gb(service, inputs, documents, year) for service in BY_LEARNER}
        for year in range(1, inputs.years + 1)
    }
    data = sum(by_year[inputs.years].values()) * inputs.database_copies + sum(topics.values())
    cpus = len(BY_LEARNER) * workers + inputs.brokers_copies * 4 + inputs.database_copies * 8
    rate, counts = inputs.rate * inputs.busy, sorted({1, 2, 4, workers})
    days = {"busiest_day": busiest_day(inputs), "results_day": results_day(inputs)}
    lags = {
        f"worst_lag_seconds_{name}": {
            count: round(worst_lag(road(coming, count, partitions, rate).values()), 1) for count in counts
        }
        for name, coming in days.items()
    }
    return {
        **{f"peak_results_per_second_{name}": round(max(coming), 1) for name, coming in days.items()},
        "partitions": partitions,
        "workers": workers,
        **lags,
        "topics_gb": {source: round(gb, 1) for source, gb in topics.items()},
        "databases_gb_by_year": {year: {s: round(gb, 1) for s, gb in one.items()} for year, one in by_year.items()},
        "shards": {s: math.ceil(gb / inputs.shard_gb) for s, gb in by_year[inputs.years].items()},
        "price_month": round(cpus * inputs.price_cpu_month + data * inputs.price_gb_month),
        "cpus": cpus,
    }


def show(inputs: Inputs, found: Mapping[str, Any], console: Console) -> None:
    """The inputs, then what follows from them."""
    given = Table("assumed", "", title="inputs")
    for name, value in asdict(inputs).items():
        given.add_row(name.replace("_", " "), f"{value:,}")
    console.print(given)
    table = Table("computed", "", title="a national deployment")
    for name, value in found.items():
        for part, one in value.items() if isinstance(value, dict) else [("", value)]:
            told = ", ".join(f"{k} {v:,}" for k, v in one.items()) if isinstance(one, dict) else f"{one:,}"
            table.add_row(f"{name.replace('_', ' ')} {part}", told)
    console.print(table)


def plotted(inputs: Inputs, partitions: int, workers: int) -> str:
    """The lag over a results day for a few numbers of workers, as SVG; a logarithmic axis of seconds."""
    lines: list[str] = []
    colours = ("#b3261e", "#c77700", "#1a6e3c")
    for colour, count in zip(colours, sorted({1, max(workers // 2, 1), workers}), strict=False):
        days = road(results_day(inputs), count, partitions, inputs.rate * inputs.busy)
        total = [sum(lags) for lags in zip(*(day.lag for day in days.values()), strict=True)]
        points = " ".join(
            f"{60 + second / DAY_SECONDS * 700:.1f},{260 - 60 * math.log10(max(total[second], 0.01) * 100) / 1.5:.1f}"
            for second in range(0, DAY_SECONDS, 300)
        )
        at = 30 + 16 * len(lines) // 2
        lines += [
            f'<polyline fill="none" stroke="{colour}" points="{points}"/>',
            f'<text x="620" y="{at}" fill="{colour}">{count} workers a service</text>',
        ]
    for exponent in range(-2, 6):
        y = 260 - 60 * (exponent + 2) / 1.5
        if y > 0:
            lines.append(f'<text x="4" y="{y + 4:.0f}">{10.0**exponent:g} s</text>')
            lines.append(f'<path d="M60 {y:.0f}H760" stroke="#ddd"/>')
    hours = "".join(f'<text x="{60 + hour / 24 * 700:.0f}" y="280">{hour}:00</text>' for hour in range(0, 24, 3))
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 290" font-family="sans-serif" font-size="11">'
    return "\n".join([head, *lines, hours, "</svg>\n"])


if __name__ == "__main__":
    main()

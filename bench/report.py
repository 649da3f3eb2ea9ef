"""Tables, plots and docs/benchmarks.md, all from what a run has written: `python -m bench.report`."""

from __future__ import annotations

import json
import pstats
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
PLOTS = ROOT / "docs" / "benchmarks"
MEASURED = ROOT / "bench" / "results"
TOP = 12
LEAST_SHARE = 0.02  # threads that took less of a profile are left out
Row = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """A figure of all runs. `aim`: at least, or with `at_most` at most, that median."""

    name: str
    unit: str
    values: tuple[float, ...]
    aim: float | None = None
    at_most: bool = False

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        if self.aim is None:
            return ""
        is_met = self.median <= self.aim if self.at_most else self.median >= self.aim
        sign = "≤" if self.at_most else "≥"
        return f"{sign} {shown(self.aim, self.unit)}: {'met' if is_met else 'missed'}"

    def cells(self) -> tuple[str, ...]:
        spread = (self.median, min(self.values), max(self.values))
        return (self.name, *(shown(value, self.unit) for value in spread), self.verdict)


def shown(value: float, unit: str) -> str:
    """A number with its unit, as short as it may be."""
    if unit == "%":
        return f"{100 * value:.0f} %"
    digits = 2 if unit in ("×", "s") else 1 if unit in ("ms", "") else 0
    return f"{value:,.{digits}f} {unit}".rstrip()


def lines(said: Row) -> list[Line]:
    """Every figure with its reference and its aim (DESIGN.md section 9)."""
    runs = said["runs"]
    return [*_rates(runs), *_single(runs), *_paced(runs), *_workers(runs), *_documents(runs)]


def _line(name: str, unit: str, runs: Iterable[Row], figure: Callable[[Row], float | None], **aim: Any) -> list[Line]:
    values = tuple(value for run in runs if (value := figure(run)) is not None)
    return [Line(name, unit, values, **aim)] if values else []


PATHS = {"bare": ("bare",), "safe": ("safe",), "OneX": ("onex", "batches"), "Celery": ("celery", "batches")}


def _figure(what: str, *path: str) -> Callable[[Row], float | None]:
    """What a run says, at the end of a path."""

    def figure(run: Row) -> float | None:
        for name in path:
            run = run.get(name, {})
        return run.get(what)

    return figure


def _rate(*path: str) -> Callable[[Row], float | None]:
    return _figure("per_second", *path)


def _ratio(one: Callable[[Row], float | None], other: Callable[[Row], float | None]) -> Callable[[Row], float | None]:
    def figure(run: Row) -> float | None:
        above, below = one(run), other(run)
        return above / below if above is not None and below else None

    return figure


BARE, SAFE, PAIRS, CELERY = _rate("bare"), _rate("safe"), _rate("pairs"), _rate("celery", "batches")
ONEX, FINAL, SINGLE, WORKERS = (_rate("onex", what) for what in ("batches", "final", "single", "workers"))


def _rates(runs: list[Row]) -> list[Line]:
    return [
        *_line("OneX: submitted → credited → told", "/s", runs, ONEX),
        *_line("safe", "/s", runs, SAFE),
        *_line("bare", "/s", runs, BARE),
        *_line("Celery with Redis", "/s", runs, CELERY),
        *_line("OneX of safe", "%", runs, _ratio(ONEX, SAFE), aim=0.75),
        *_line("OneX of bare", "%", runs, _ratio(ONEX, BARE), aim=0.35),
        *_line("bare of safe (is the reference fast enough?)", "×", runs, _ratio(BARE, SAFE), aim=1.5),
        *_line("OneX of Celery", "×", runs, _ratio(ONEX, CELERY)),
        *_line("OneX, final at once (twice the road for each result)", "/s", runs, FINAL),
        *_line("OneX, final at once, of safe", "%", runs, _ratio(FINAL, SAFE)),
    ]


def _single(runs: list[Row]) -> list[Line]:
    return [
        *_line("OneX, one result at a time", "/s", runs, SINGLE),
        *_line("raw two-document transactions", "/s", runs, PAIRS),
        *_line("OneX one at a time, of raw pairs", "%", runs, _ratio(SINGLE, PAIRS), aim=0.4),
    ]


def _paced(runs: list[Row]) -> list[Line]:
    found = _line("pace of the next lines (30 % of one at a time)", "/s", runs, lambda run: run["onex"].get("rate"))
    for name, path in (("OneX", ("onex", "paced")), ("chain", ("chain",)), ("Celery", ("celery", "paced"))):
        for quantile in ("p50", "p99", "max"):
            found += _line(f"{name}: pass → credit, {quantile}", "ms", runs, _figure(f"{quantile}_ms", *path))
    onex, chain = _figure("p99_ms", "onex", "paced"), _figure("p99_ms", "chain")
    return found + _line("OneX p99 of the chain's p99", "×", runs, _ratio(onex, chain), aim=2, at_most=True)


def _workers(runs: list[Row]) -> list[Line]:
    return [
        *_line("OneX, more workers per service", "/s", runs, WORKERS),
        *_line("more workers of one", "×", runs, _ratio(WORKERS, ONEX)),
    ]


def _documents(runs: list[Row]) -> list[Line]:
    found: list[Line] = []
    for who, path in PATHS.items():
        found += _line(f"documents written for a result: {who}", "", runs, _figure("documents", *path))
    return found


def processor(said: Row) -> list[Line]:
    """Processor time for a result, by pipeline and process."""
    found: list[Line] = []
    for who, path in PATHS.items():
        of_run = [used for run in said["runs"] if (used := _used(run, path))]
        found += [Line(f"{who}: all", "µs", tuple(sum(used.values()) for used in of_run))] if of_run else []
        for name in of_run[0] if of_run else ():
            values = tuple(used.get(name, 0) for used in of_run)
            found.append(Line(f"{who}: {name.removeprefix(f'{who.lower()} ')}", "µs", values))
    return found


def _used(run: Row, path: tuple[str, ...]) -> Mapping[str, float]:
    for name in path:
        run = run.get(name, {})
    used: Mapping[str, float] = run.get("processor_us", {})
    return used


def table(found: Iterable[Line]) -> Table:
    """Figures for a terminal."""
    shown_table = Table("figure", "median", "least", "greatest", "aim")
    for line in found:
        shown_table.add_row(*line.cells())
    return shown_table


# --- profiles --------------------------------------------------------------------------------------------------------
def profiles(folder: Path) -> list[Row]:
    """The threads that were profiled, each with the functions in which it spent most."""
    found = []
    for file in sorted(folder.glob("*.prof")):
        stats: Any = pstats.Stats(str(file))
        working = {name: row for name, row in stats.stats.items() if not _is_no_work(name)}
        seconds = sum(row[2] for row in working.values())
        ranked = sorted(working.items(), key=lambda one: one[1][2], reverse=True)[:TOP]
        top = [{"function": _named(name), "calls": row[0], "own": row[2], "all": row[3]} for name, row in ranked]
        ours = [(name, row) for name, row in working.items() if _is_ours(name[0])]
        deeds = sorted(ours, key=lambda one: one[1][3], reverse=True)[: 2 * TOP]
        inside = [{"function": _named(name), "calls": row[0], "all": row[3]} for name, row in deeds]
        _, service, rest = file.stem.split(".", 2)
        thread = rest.removeprefix("worker.")
        found.append({"service": service, "thread": thread, "seconds": seconds, "top": top, "ours": inside})
    most = sum(one["seconds"] for one in found)
    return [one for one in found if one["seconds"] > LEAST_SHARE * most]


WAITS = ("acquire", "'poll' of", "select.epoll", "time.sleep", "recv_into", "select.select", "'recv' of", "'send")
STARTS = ("marshal.loads", "builtins.compile", "__build_class__", "open_code", "posix.stat", "builtins.exec")


def _is_no_work(name: tuple[str, int, str]) -> bool:
    """Whether a function merely waits, for a lock, a socket, the clock, or belongs to starting: imports, patterns."""
    return any(one in name[2] for one in (*WAITS, *STARTS)) or any(one in name[0] for one in ("/re/", "importlib"))


def _is_ours(file: str) -> bool:
    return any(f"/{part}/" in file for part in ("chassis", "services", "contracts"))


def _named(name: tuple[str, int, str]) -> str:
    """A function by its last folders."""
    file, line, function = name
    return function if file == "~" else f"{'/'.join(Path(file).parts[-3:])}:{line} {function}"


# --- the page --------------------------------------------------------------------------------------------------------
def write(file: Path) -> None:
    """Write docs/benchmarks.md and its plots."""
    said = json.loads(file.read_text())
    if "runs" not in said:
        return
    PLOTS.mkdir(parents=True, exist_ok=True)
    plots(said)
    PAGE.write_text(page(said))


def page(said: Row) -> str:
    machine, found = said["machine"], lines(said)
    others = [line for name, figures in BESIDE.items() if (more := beside(name)) for line in figures(more)]
    missed = [line for line in [*found, *others] if line.verdict.endswith("missed")]
    told = [f"- {line.name}: {shown(line.median, line.unit)}, where the aim is {line.verdict[:-8]}." for line in missed]
    head = (ROOT / "bench" / "benchmarks.head.md").read_text()
    filled = {
        "results": f"{said['results']:,}", "runs": str(len(said["runs"])), "workers": str(said["workers"]),
        "cpus": str(machine["cpus"]), "memory": f"{machine['memory_mb']:,}", "on": machine["on"],
        "python": machine["python"], "at": machine["at"], "load": f"{machine['load']:.1f}",
        "figures": markdown(found, ("figure", "median", "least", "greatest", "aim")),
        "processor": markdown(processor(said), ("process", "median", "least", "greatest", "")),
        "missed": "\n".join(told) or "None.",
        "why": why(said),
        "absent": said["runs"][-1]["celery"].get("absent", ""),
        "profile": profile_text(said),
        **{name: section(name, figures, COUNTED_IN[name]) for name, figures in BESIDE.items()},
    }  # fmt: skip
    for name, text in filled.items():
        head = head.replace(f"{{{name}}}", text)
    return head


DRAWN = ("simulator", "ledger", "growth")


def beside(name: str) -> Row | None:
    """What another benchmark has written down; None where it was not run."""
    file = MEASURED / f"{name}.json"
    found: Row | None = json.loads(file.read_text()) if file.exists() else None
    return found


def section(name: str, figures: Callable[[Row], list[Line]], counted: str) -> str:
    """What `make bench-<name>` has written down, as a table under its own circumstances."""
    said = beside(name)
    if said is None:
        return f"Not measured yet: `make bench-{name}`."
    machine = said["machine"]
    told = f"{len(said['runs'])} runs of {said[counted]:,} {counted} each"
    told += f", {machine['at']}; {machine['load']} processes wanted the {machine['cpus']} processors."
    drawn = f"\n\n![{name}](benchmarks/{name}.svg)" if name in DRAWN else ""
    return f"{told}\n\n{markdown(figures(said), ('figure', 'median', 'least', 'greatest', 'aim'))}{drawn}"


def planner_lines(said: Row) -> list[Line]:
    """A learner's plan beside reading what it rests on."""
    runs = said["runs"]
    units = {name: "×" if " / " in name else "" if name == "choices" else "ms" for name in runs[0]}
    return [Line(name, unit, tuple(run[name] for run in runs)) for name, unit in units.items()]


def ledger_lines(said: Row) -> list[Line]:
    """Verifying the ledger beside reading it."""
    found = _deeds(said["runs"], ("read", "verify", "root", "rebuild"))
    found += [_beside(said["runs"], "verify", "read", aim=3, at_most=True)]
    return found + [_beside(said["runs"], deed, "read") for deed in ("root", "rebuild")]


def simulator_lines(said: Row) -> list[Line]:
    """Simulations beside reading what they look at."""
    found = _deeds(said["runs"], ("read", "recognition", "facts", "conversion"))
    return [*found, _beside(said["runs"], "recognition", "read"), _beside(said["runs"], "conversion", "facts")]


def _deeds(runs: list[Row], deeds: Iterable[str]) -> list[Line]:
    """Seconds and memory of deeds, each a process of its own."""
    found: list[Line] = []
    for deed in deeds:
        for what, unit in (("wall", "s"), ("processor", "s"), ("memory", "MB")):
            found.append(Line(f"{deed}: {what}", unit, tuple(run[deed][what] for run in runs)))
    return found


def _beside(runs: list[Row], deed: str, other: str, **aim: Any) -> Line:
    return Line(f"{deed} of {other}", "×", tuple(run[deed]["wall"] / run[other]["wall"] for run in runs), **aim)


GROWTH_DRIFT, GROWTH_RATE = 0.05, 0.9  # DESIGN.md section 9
COUNTED = {"examined": "documents examined", "keys": "keys examined", "written": "documents written"}
WEIGHED = {"journal": "bytes of the journal", "disk": "bytes written to disk"}


def growth_lines(said: Row) -> list[Line]:
    """A result among few accounts and among many."""
    runs, few, many = said["runs"], f"{said['few']:,} accounts", f"{said['many']:,} accounts"
    found: list[Line] = []
    for name, word in {**COUNTED, **WEIGHED, "per_second": "results"}.items():
        unit = "/s" if name == "per_second" else ""
        for size, accounts in (("few", few), ("many", many)):
            figure = f"{word} a second" if unit else f"{word} a result"
            found.append(Line(f"{figure}, {accounts}", unit, tuple(run[size][name] for run in runs)))
    for name in ("examined", "journal"):
        drift = tuple(abs(run["many"][name] / run["few"][name] - 1) for run in runs)
        found.append(
            Line(f"{COUNTED.get(name) or WEIGHED[name]}: how far apart", "%", drift, GROWTH_DRIFT, at_most=True)
        )
    for name in ("keys", "written", "disk"):
        word = COUNTED.get(name) or WEIGHED[name]
        found.append(Line(f"{word}: many of few", "×", tuple(run["many"][name] / run["few"][name] for run in runs)))
    rates = tuple(run["many"]["per_second"] / run["few"]["per_second"] for run in runs)
    return [*found, Line("results a second: many of few", "%", rates, GROWTH_RATE)]


BESIDE = {"planner": planner_lines, "simulator": simulator_lines, "ledger": ledger_lines, "growth": growth_lines}
COUNTED_IN = {"planner": "learners", "simulator": "accounts", "ledger": "entries", "growth": "results"}


def why(said: Row) -> str:
    """What bounds the rate: the processor time that a result takes, by kind of process, beside the reference's."""
    cpus = said["machine"]["cpus"]
    parts = {name: line.median for line in processor(said) for name in [line.name]}
    told = []
    for who, rate in (("OneX", ONEX), ("safe", SAFE)):
        whole = parts[f"{who}: all"]
        engines = {engine: parts[f"{who}: {engine}"] for engine in ("mongod", "kafka")}
        median = statistics.median(value for run in said["runs"] if (value := rate(run)))
        told.append(
            f"- {who}: {whole:,.0f} µs for a result, of them mongod {engines['mongod']:,.0f}, Kafka "
            f"{engines['kafka']:,.0f}, Python {whole - sum(engines.values()):,.0f}. {cpus} processors do "
            f"{cpus * 1e6 / whole:,.0f} such results a second at most; measured {median:,.0f}, "
            f"{median * whole / (cpus * 1e6):.0%} of that."
        )
    return "\n".join(told)


def markdown(found: Iterable[Line], head: tuple[str, ...]) -> str:
    rows = [head, ("---", "--:", "--:", "--:", "---"), *(line.cells() for line in found)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def profile_text(said: Row) -> str:
    """Where the time goes, by process and thread."""
    parts = [f"{said.get('profiled_results', 0):,} results, every thread profiled by cProfile (which itself slows)."]
    for one in said.get("profile", []):
        parts.append(f"\n**{one['service']}, {one['thread']}**: {one['seconds']:.1f} s of work\n")
        parts.append("| own s | calls | function |\n| --: | --: | --- |")
        parts += [f"| {row['own']:.2f} | {row['calls']:,} | `{row['function']}` |" for row in one["top"]]
        parts.append("\nOf OneX's own code, with all it calls:\n")
        parts.append("| all s | calls | function |\n| --: | --: | --- |")
        parts += [f"| {row['all']:.2f} | {row['calls']:,} | `{row['function']}` |" for row in one["ours"]]
    return "\n".join(parts)


def plots(said: Row) -> None:
    """Rates, latencies and processor time as pictures."""
    import matplotlib as mpl  # noqa: PLC0415 -- comes with make bench alone

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    found = {line.name: line for line in lines(said)}
    names = {
        "bare": "bare", "safe": "safe", "OneX": "OneX: submitted → credited → told",
        "OneX, more workers": "OneX, more workers per service", "Celery": "Celery with Redis",
    }  # fmt: skip
    bars = {name: found[key] for name, key in names.items() if key in found}
    _bars(plt, bars, "results a second, end to end", PLOTS / "rates.svg")
    quantiles = [(who, q) for who in ("chain", "OneX", "Celery") for q in ("p50", "p99")]
    bars = {f"{who} {q}": line for who, q in quantiles if (line := found.get(f"{who}: pass → credit, {q}"))}
    _bars(plt, bars, "milliseconds, pass → credit, at 30 % of the single rate", PLOTS / "latency.svg", log=True)
    used = {line.name: line for line in processor(said) if not line.name.endswith(": all")}
    _bars(plt, used, "processor µs a result", PLOTS / "processor.svg")
    for name, bars, title in plotted():
        _bars(plt, bars, title, PLOTS / f"{name}.svg")


def plotted() -> list[tuple[str, dict[str, Line], str]]:
    """The pictures of the benchmarks beside the road that were run: name, bars, and what their length is."""
    found = []
    for name, figures in (("ledger", ledger_lines), ("simulator", simulator_lines)):
        if said := beside(name):
            bars = {line.name.removesuffix(": wall"): line for line in figures(said) if line.name.endswith(": wall")}
            found.append((name, bars, "seconds"))
    if said := beside("growth"):
        ratios = {
            word: Line(word, "%", tuple(run["many"][name] / run["few"][name] for run in said["runs"]))
            for name, word in {**COUNTED, **WEIGHED, "per_second": "results a second"}.items()
        }
        found.append(("growth", ratios, f"with {said['many']:,} accounts, of the same with {said['few']:,}"))
    return found


def _bars(plt: Any, bars: Mapping[str, Line], title: str, file: Path, log: bool = False) -> None:
    figure, axes = plt.subplots(figsize=(8, 0.6 + 0.34 * len(bars)))
    names, values = list(bars), list(bars.values())
    spread = [[line.median - min(line.values) for line in values], [max(line.values) - line.median for line in values]]
    axes.barh(names, [line.median for line in values], xerr=spread, color="#4477aa", ecolor="#222222", capsize=2)
    axes.invert_yaxis()
    axes.set_xlabel(f"{title} (median; least and greatest)")
    if log:
        axes.set_xscale("log")
    figure.savefig(file, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "bench" / "results" / "road.json")

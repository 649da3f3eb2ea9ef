"""Single faults that issue 4 wants shown, each under the steady flow, with the counts that belong to it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPException
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.faults.arena import Arena, arena
from tests.faults.breaking import DEAR, Fault, Step
from tests.faults.run import LOGS, Breaker, Log, Outcome, flowing, judge, logs_kept

DEFAULT_MINUTES = 10.0
WARM_UP_SECONDS = 30.0
LOAD_SECONDS = 20.0
SET_BACK_SECONDS = 45.0
METRIC_SECONDS = 5.0
COUNTED = {
    "onex_events_published_again_total": "published again",
    "onex_events_repeated_total": "dropped as repeat",
    "onex_events_dead_total": "dead letters",
}
Counts = dict[str, Counter[str]]
Scenario = Callable[[Breaker, int, float], None]


def counted(of: Arena) -> Counts:
    """What each worker has counted since it started."""
    return {name: of.patiently(lambda name=name: _counted_by(of, name)) for name in of.workers}  # type: ignore[misc]


def _counted_by(of: Arena, worker: str) -> Counter[str]:
    port = of.programs[worker].service.environment["WORKER_PORT"]
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=METRIC_SECONDS) as answer:
            text = answer.read().decode()
    except HTTPException as error:
        raise ConnectionError(worker) from error
    found: Counter[str] = Counter()
    for sample in (one for family in text_string_to_metric_families(text) for one in family.samples):
        if word := COUNTED.get(sample.name):
            found[word] += int(sample.value)
    return found


def mongo_outage(breaker: Breaker, seed: int, minutes: float) -> None:
    """MongoDB answers nobody for so many minutes: stopped for the first half, and away for the second."""
    of, log = breaker.of, breaker.log
    breaker.done["mongo outage"] += 1
    with of.holding("mongo"):
        pid = of.some_pid("mongo")
        os.kill(pid, signal.SIGSTOP)
        log(f"mongo, pid {pid}, stands still for {minutes / 2:.1f} minutes")
        breaker.over.wait(minutes * 30)
        os.kill(pid, signal.SIGCONT)
        of.stop("mongo")
        log(f"mongo, pid {pid}, is stopped for {minutes / 2:.1f} minutes")
        breaker.over.wait(minutes * 30)
        of.start("mongo")
    log("mongo is started again; nobody does anything else")
    _until_well(breaker)
    letters = sum(of.client[f"onex_{name}"]["dead_letters"].count_documents({}) for name in of.running.urls)
    log(f"dead letters: {letters}")
    if letters:
        breaker.findings.append(f"an outage made {letters} dead letters")


def _until_well(breaker: Breaker) -> None:
    of, began = breaker.of, time.monotonic()
    of.until_well(*of.programs)
    breaker.log(f"all processes are well, {time.monotonic() - began:.1f} s later, without a hand")


def of_fault(kind: str, target: str) -> Scenario:
    """One fault of the table, under load."""
    fault: Fault = next(one for one in DEAR if one.kind == kind)

    def applied(breaker: Breaker, seed: int, minutes: float) -> None:
        before = counted(breaker.of)
        breaker.break_once(Step(0.0, kind, target, SET_BACK_SECONDS, seed), fault)
        breaker.over.wait(LOAD_SECONDS)
        breaker.log(f"{kind}: {told_of(before, counted(breaker.of))}")

    return applied


def told_of(before: Counts, after: Counts) -> str:
    """What was counted since, in words; who was started again has counted from nothing."""
    grown: Counter[str] = Counter()
    for worker, count in after.items():
        known = before.get(worker, Counter())
        grown += count if any(count[word] < known[word] for word in known) else count - known
    return ", ".join(f"{grown[word]} {word}" for word in COUNTED.values())


SCENARIOS: dict[str, Scenario] = {
    "mongo-outage": mongo_outage,
    "kafka-wiped": of_fault("kafka wiped", "kafka"),
    "kafka-tail-cut": of_fault("tail cut", "assessment"),
    "set-back": of_fault("set back", "assessment"),
    "set-back-creditbank": of_fault("set back", "creditbank"),
    "set-back-notify": of_fault("set back", "notify"),
}


def run(name: str, seed: int, minutes: float) -> Outcome:
    """Show one scenario on a stack of its own, and judge what is left."""
    if name not in SCENARIOS:
        raise SystemExit(f"SCENARIO={name}: there are {', '.join(SCENARIOS)}.")
    log = Log(LOGS / f"{name}.log")
    log(f"SCENARIO={name} SEED={seed}; the log is {log.file}")
    journal = log.file.with_suffix(".journal")
    journal.unlink(missing_ok=True)
    pause = threading.Event()
    with arena(log) as of:
        breaker = Breaker(of, log)
        with logs_kept(of, log, breaker), flowing(of, seed, journal, log) as going:
            pause.wait(WARM_UP_SECONDS)
            SCENARIOS[name](breaker, seed, minutes)
            pause.wait(LOAD_SECONDS)
            outcome = judge(of, breaker, going, journal, log)
        log(f"in all, by workers as they run now: {told_of({}, counted(of))}")
    return outcome

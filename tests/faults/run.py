"""`make faults`: a stack under a steady flow is broken at random, then judged by a checker that shares no code with it.

The same seed makes the same plan of faults. Exit code 1 when the checker, or anything on the way, has a finding.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from onex.stack.home import ROOT
from onex.stack.trouble import Trouble
from tests.faults.arena import Arena, arena
from tests.faults.breaking import KILLS, OTHERS, TARGET, Fault, Step
from tests.faults.checker import POCKETS, Picture, check, expected, is_news, is_quiet, read_journal
from tests.faults.flow import Flow

LOGS = ROOT / ".onex" / "faults"
PAUSE_SECONDS = (0.5, 2.5)  # between two faults
KILLS_BETWEEN = 5  # kills between two faults of other kinds
AT_ONCE = 64
FINISH_SECONDS = 300.0
QUIET_SECONDS = 600.0
LOOK_SECONDS = 2.0
SAY_SECONDS = 15.0
BREATH_SECONDS = 0.05  # between two submissions
DEFAULT_KILLS = 200
Dealt = tuple[Step, Fault]


# --- the plan -----------------------------------------------------------------------------------------------------
def plan(seed: int, of: Arena, others: Sequence[Fault] = OTHERS, between: int = KILLS_BETWEEN) -> Iterator[Step]:
    """Faults without end: kills, and after every few of them one of another kind, each kind as often as its weight."""
    chance = random.Random(seed)
    deck: list[Fault] = []
    while True:
        for _ in range(between):
            yield _step(chance, chance.choices(KILLS, [one.weight for one in KILLS])[0], of)
        if not deck:
            deck = [one for one in others for _ in range(one.weight)]
            chance.shuffle(deck)
        if deck:
            yield _step(chance, deck.pop(), of)


def _step(chance: random.Random, fault: Fault, of: Arena) -> Step:
    return Step(
        after_seconds=chance.uniform(*PAUSE_SECONDS),
        kind=fault.kind,
        target=chance.choice(fault.targets(of)),
        seconds=chance.uniform(*fault.seconds),
        seed=chance.getrandbits(32),
    )


# --- the log ------------------------------------------------------------------------------------------------------
class Log:
    """One line per fault, on the terminal and in a file."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file = file
        self.began = time.monotonic()
        self._one = threading.Lock()
        file.write_text("")

    def __call__(self, sentence: str) -> None:
        line = f"{datetime.now(UTC):%H:%M:%S} {time.monotonic() - self.began:7.1f} s  {sentence}"
        with self._one, self.file.open("a", encoding="utf-8") as out:
            out.write(line + "\n")
            print(line, flush=True)


# --- the flow -----------------------------------------------------------------------------------------------------
class Flowing:
    """The flow in a thread of its own, until it is told to stop."""

    def __init__(self, of: Arena, flow: Flow) -> None:
        self.of, self.flow = of, flow
        self.over = threading.Event()
        self.failure = ""
        self.thread = threading.Thread(target=self._run, name="flow")
        of.submit_again = lambda: flow.finish(FINISH_SECONDS, sends_again=True)
        flow.conversions.was_set_back = of.was_set_back

    def _run(self) -> None:
        try:
            while not self.over.wait(BREATH_SECONDS):
                self._step()
        except Exception:  # noqa: BLE001 -- it is a finding of this run
            self.failure = f"the flow broke: {traceback.format_exc(limit=-3)}"

    def _step(self) -> None:
        with self.of.flow:
            self.flow.step()

    def stop(self) -> None:
        """Have no more submitted."""
        self.over.set()
        self.thread.join()


# --- breaking -----------------------------------------------------------------------------------------------------
@dataclass
class Breaker:
    """Carries a plan out, and knows what became of it."""

    of: Arena
    log: Log
    over: threading.Event = field(default_factory=threading.Event)
    done: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    firsts: dict[str, Future[None]] = field(default_factory=dict)  # of each kind that lasts, the first

    def carry_out(self, steps: Iterator[Step], faults: Sequence[Fault], is_enough: Callable[[], bool]) -> None:
        """Apply one fault after the other until it is enough; then heal all."""
        by_kind = {fault.kind: fault for fault in faults}
        dealt = ((step, by_kind[step.kind]) for step in steps)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                self._deal(pool, dealt, is_enough)
            finally:
                self.over.set()

    def _deal(self, pool: ThreadPoolExecutor, dealt: Iterator[Dealt], is_enough: Callable[[], bool]) -> None:
        while not is_enough():
            step, fault = next(dealt)
            self.over.wait(step.after_seconds)
            self._begin(pool, step, fault)
        self.log("no more faults are begun; each kind is shown once at least")
        wait(self.firsts.values())
        self.log("what lasts is healed now")

    def _begin(self, pool: ThreadPoolExecutor, step: Step, fault: Fault) -> None:
        """A kill is made now, or not at all when its victim is in other hands; other faults wait for their turn."""
        names = {step.target if name == TARGET else name for name in fault.takes}
        if not fault.is_kill:
            self.done[step.kind] += 1
            what = f"{step.kind} {self.done[step.kind]}: {step.target}"
            begun = pool.submit(self._in_turn, step, fault, names, what)
            self.firsts.setdefault(step.kind, begun)
        elif self.of.try_hold(names):
            self.done[step.kind] += 1
            pool.submit(self._break_and_heal, step, fault, names, f"{step.kind} {self.done[step.kind]}: {step.target}")

    def _in_turn(self, step: Step, fault: Fault, names: set[str], what: str) -> None:
        self.of.hold(names)
        if self.over.is_set():
            self.done[step.kind] -= 1
            self.of.let_go(names)
        else:
            self._break_and_heal(step, fault, names, what)

    def break_once(self, step: Step, fault: Fault) -> None:
        """One fault, here and now, healed again."""
        self.done[step.kind] += 1
        names = {step.target if name == TARGET else name for name in fault.takes}
        self._in_turn(step, fault, names, f"{step.kind} {self.done[step.kind]}: {step.target}")

    def _break_and_heal(self, step: Step, fault: Fault, names: set[str], what: str) -> None:
        began = time.monotonic()
        try:
            what = self._apply(step, fault, names, what)
            self.of.until_well(*concerned(self.of, step))
        except Exception:  # noqa: BLE001 -- it is a finding of this run
            self.findings.append(f"{what} did not end well: {traceback.format_exc(limit=-4)}")
        finally:
            self.of.let_go(names)
        self.log(f"{what}: well again after {time.monotonic() - began:.1f} s")

    def _apply(self, step: Step, fault: Fault, names: set[str], what: str) -> str:
        """Apply, wait, heal; what was broken is free for others as soon as a kill is done."""
        with fault.deed(self.of, step) as told:
            what = f"{what}, {told}"
            if fault.is_kill:
                self.of.let_go(names)
                names.clear()
            elif step.seconds:
                self.log(f"{what}: begins")
                self.over.wait(step.seconds)
        return what


def concerned(of: Arena, step: Step) -> list[str]:
    """The processes that must be well before a fault is over."""
    if step.kind == "set back":
        return of.processes_of(step.target)
    name = step.target.partition("/")[0]
    is_of_process = step.kind in {"kill", "stop", "clock steps", "disk full"} or "/" in step.target
    return [name] if is_of_process and name in of.programs else []


# --- the verdict --------------------------------------------------------------------------------------------------
def settle(of: Arena, flow: Flow, log: Log, findings: list[str]) -> None:
    """Have the flow finished and the letters decided, and wait until nothing moves."""
    of.until_well(*of.programs)
    log("all processes are well")
    try:
        flow.finish(FINISH_SECONDS)
        log("every submission is acknowledged, every result final")
    except Exception:  # noqa: BLE001 -- it is a finding of this run
        findings.append(f"the flow did not end well: {traceback.format_exc(limit=-3)}")
    moving = wait_for_quiet(of, log)
    findings += [f"not quiet after {QUIET_SECONDS:.0f} s: {one}" for one in moving]


def wait_for_quiet(of: Arena, log: Log) -> list[str]:
    """Wait until nothing moves any more, as operators who look after dead letters; what still moves."""
    deadline, say_at, pause = time.monotonic() + QUIET_SECONDS, 0.0, threading.Event()
    while True:
        of.attend_to_letters()
        moving = of.patiently(lambda: is_quiet(of.mongo))
        if not moving or time.monotonic() > deadline:
            return moving
        if time.monotonic() > say_at:
            log(f"still moving: {'; '.join(moving[:4])}{' …' if len(moving) > 4 else ''}")
            say_at = time.monotonic() + SAY_SECONDS
        pause.wait(LOOK_SECONDS)


def figures(of: Arena, journal: Path) -> dict[str, int]:
    """What went through, and of what the journal demands, how much is not there or there twice."""
    count: dict[str, tuple[str, str, dict[str, Any]]] = {
        "results submitted": ("assessment", "results", {}),
        "of them final": ("assessment", "results", {"state": "final"}),
        "entries in the ledger": ("creditbank", "entries", {}),
        "of them credited": ("creditbank", "entries", {"postings.0": {"$exists": True}}),
        "applications for exemption": ("creditbank", "conversion_applications", {}),
        "of them granted": ("creditbank", "conversion_applications", {"state": "granted"}),
        "of them fallen": ("creditbank", "conversion_applications", {"state": "fallen"}),
        "decisions undone": ("creditbank", "conversion_applications", {"acts.what": "undone"}),
        "exemptions exported": ("creditbank", "conversion_applications", {"export_state": "taken"}),
        "told in mailboxes": ("notify", "notices", {"channel": "mailbox"}),
    }
    found = {
        name: of.client[f"onex_{service}"][kind].count_documents(where)
        for name, (service, kind, where) in count.items()
    }
    return found | balance(Picture(of.client, journal=read_journal(journal)))


def balance(picture: Picture) -> dict[str, int]:
    """Points that were to be credited and news that were to be told: how many, and how many lost or double."""
    due = {place: points for place, (_, points) in expected(picture.results.values()).items()}
    holdings = [(learner, one) for learner, account in picture.accounts.items() for one in account["holdings"]]
    have = {(learner, one["scheme"]): sum(one.get(name, 0) for name in POCKETS) for learner, one in holdings}
    rows = [row for outbox in picture.outboxes.values() for row in outbox if is_news(row)]
    news = [picture.mailbox[row["_id"], row["key"].removeprefix("learner:")] for row in rows]
    return {
        "credit points due": sum(due.values()),
        "credit points shown": sum(have.values()),
        "points lost": sum(max(points - have.get(place, 0), 0) for place, points in due.items()),
        "points double": sum(max(points - due.get(place, 0), 0) for place, points in have.items()),
        "news due": len(news),
        "news lost": sum(count == 0 for count in news),
        "news double": sum(count > 1 for count in news),
    }


def verdict(breaker: Breaker, told: dict[str, int], findings: Sequence[str]) -> Table:
    """The closing table."""
    table = Table("", "", title="what was broken, and what came of it", title_justify="left")
    table.columns[1].justify = "right"
    for kind, count in sorted(breaker.done.items()):
        table.add_row(kind, str(count))
    table.add_section()
    for name, count in told.items():
        table.add_row(name, str(count))
    table.add_section()
    table.add_row("findings", str(len(findings)))
    return table


# --- a run --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    done: Counter[str]
    told: dict[str, int]
    findings: list[str]


@contextmanager
def flowing(of: Arena, seed: int, journal: Path, log: Log) -> Iterator[Flowing]:
    """The steady flow, prepared and under way."""
    flow = Flow(of.running.urls, seed, journal, of.running.clients_key)
    going = Flowing(of, flow)
    with closing(flow.addresses):
        flow.prepare()
        log(f"the college is prepared: {len(flow.seats)} seats")
        going.thread.start()
        try:
            yield going
        finally:
            going.stop()


def run(
    seed: int, kills: int, others: Sequence[Fault] = OTHERS, between: int = KILLS_BETWEEN, name: str = ""
) -> Outcome:
    """Break a stack of its own until so many kills were made, and judge what is left."""
    log = Log(LOGS / f"{name or f'seed-{seed}'}.log")
    log(f"SEED={seed} KILLS={kills}; the log is {log.file}")
    with arena(log) as of:
        journal = log.file.with_suffix(".journal")
        journal.unlink(missing_ok=True)
        breaker = Breaker(of, log)
        with logs_kept(of, log, breaker), flowing(of, seed, journal, log) as going:
            steps = plan(seed, of, others, between)
            breaker.carry_out(steps, [*KILLS, *others], lambda: breaker.done["kill"] >= kills or bool(going.failure))
            return judge(of, breaker, going, journal, log)


def judge(of: Arena, breaker: Breaker, going: Flowing, journal: Path, log: Log) -> Outcome:
    """Have everything settle, and hold it against the journal."""
    going.stop()
    going.flow.note_set_back(of.was_set_back)
    findings = breaker.findings
    findings += [going.failure] if going.failure else []
    settle(of, going.flow, log, findings)
    findings += [f"a dead letter that was no poison: {name}: {why}" for name, why in of.strange_letters.items()]
    findings += check(of.mongo, journal)
    told = figures(of, journal)
    for one in findings:
        log(f"finding: {one}")
    console = Console(width=100)
    with console.capture() as captured:
        console.print(verdict(breaker, told, findings))
    log("\n" + captured.get())
    return Outcome(breaker.done, told, findings)


@contextmanager
def logs_kept(of: Arena, log: Log, breaker: Breaker) -> Iterator[None]:
    """Keep the logs of all processes when a run has findings, or does not come to its end."""
    try:
        yield
    except BaseException:
        keep_logs(of, log)
        raise
    if breaker.findings:
        keep_logs(of, log)


def keep_logs(of: Arena, log: Log) -> None:
    """Copy the logs of all processes beside the run's own."""
    kept = log.file.with_suffix(".processes")
    kept.mkdir(exist_ok=True)
    for file in of.home.logs.glob("*.log*"):
        (kept / file.name).write_bytes(file.read_bytes())
    log(f"the logs of all processes are kept in {kept}")


def main() -> int:
    """Run what the environment asks for: SEED, KILLS, SCENARIO, MINUTES."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
    if scenario := os.environ.get("SCENARIO"):
        from tests.faults import scenarios  # noqa: PLC0415 -- they stand on this module

        outcome = scenarios.run(scenario, seed, float(os.environ.get("MINUTES") or scenarios.DEFAULT_MINUTES))
    else:
        outcome = run(seed, int(os.environ.get("KILLS") or DEFAULT_KILLS))
    return 1 if outcome.findings else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        sys.exit("\n".join([f"onex: {trouble}", *trouble.lines]))

"""Simulations beside reading what they look at: `python bench/simulator.py [--accounts 100000]`; `make bench-simulator`

Accounts with a scheme's results at one to three levels, student records of six programmes and two course results each,
written straight into a real mongod as the service would have. Read: every outcome as a document, by learner, and no
more. Recognition: what a draft of a recognition rule would change for every account. Facts: what plans rest on, of
every student. Conversion: what a draft of a policy document would change for every student. Each deed is a process of
its own; each ratio is of one run; told are the median, the least and the greatest.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path

import psutil
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import ledger, report
from bench.processes import most_memory_mb
from chassis.database import all_documents, connect, database, ensure_indexes
from contracts.terms import CourseKind, Level, StudyStatus, Verdict
from onex.stack.engines import start_mongod
from onex.stack.ports import free_port
from services.creditbank.conversion import commands as conversion
from services.creditbank.conversion.domain import ConversionRule, Policy, SchemeLevels, Target, Window
from services.creditbank.curricula import models as curricula
from services.creditbank.curricula import queries as records
from services.creditbank.curricula.commands import keep_curricula
from services.creditbank.curricula.domain import Course, CourseResult, Curriculum, StudentRecord
from services.creditbank.ledger.domain import Worth
from services.creditbank.planning.reading import read_files
from services.creditbank.proposals import commands as proposals
from services.creditbank.proposals import queries as proposed
from services.creditbank.proposals.domain import VersionDraft
from services.creditbank.recognition import models as recognition
from services.creditbank.recognition.commands import publish_rule
from services.creditbank.recognition.domain import Outcome, OutcomeState
from services.creditbank.recognition.domain import Policy as Document
from services.creditbank.simulations import commands as simulations
from services.creditbank.simulations import queries as simulated
from services.creditbank.simulations.domain import Draft, Subject

NAME = "bench_simulator"
SCHEME, TEO, COLLEGE, TERM = "cloud-ops", "91110108700000000A", "4144012345", "2020-2021-1"
PROGRAMMES, COURSES, ENTRY_YEAR = 6, 12, 2019
FIRST, LAST = date(2019, 4, 1), date(2199, 12, 31)
TOLD_AT = datetime(2020, 12, 1, tzinfo=UTC)
CHUNK, PAGE = 2_000, 500
MB = 1_000_000
RESULTS = Path(__file__).parent / "results" / "simulator.json"
POLICY = Policy(
    "measures", 0, "学分转换办法", "", FIRST, FIRST, LAST, 1_200, windows=(Window(TERM, FIRST, LAST),),
    is_folklore_default=True,
)  # fmt: skip
Figures = dict[str, float]


def main() -> None:
    """Measure, print a table and write JSON; with `--deed`, do one deed and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--deed", choices=DEEDS, help=argparse.SUPPRESS)
    parser.add_argument("--mongo", default="", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.deed:
        print(json.dumps(measured(wanted.deed, wanted.mongo)))
        return
    runs = all_runs(wanted.accounts, wanted.runs)
    machine = {"cpus": psutil.cpu_count(), "memory_mb": psutil.virtual_memory().total // MB, "on": platform.platform()}
    machine |= {"load": round(psutil.getloadavg()[0], 1), "at": f"{datetime.now(UTC):%Y-%m-%d}"}
    document = {"machine": machine, "accounts": wanted.accounts, "runs": runs}
    wanted.json.parent.mkdir(parents=True, exist_ok=True)
    wanted.json.write_text(json.dumps(document, indent=1) + "\n")
    Console().print(report.table(report.simulator_lines(document)))


def all_runs(accounts: int, count: int) -> list[dict[str, Figures]]:
    """One bank, each deed time and again."""
    with tempfile.TemporaryDirectory(prefix="onex-bench-") as folder:
        mongod = start_mongod(Path(folder), free_port())
        try:
            fill(mongod.mongo_url, accounts)
            in_a_process("read", mongod.mongo_url)  # once unmeasured: what follows finds the same cache
            return [{deed: in_a_process(deed, mongod.mongo_url) for deed in DEEDS} for _ in range(count)]
        finally:
            mongod.stop()


def in_a_process(deed: str, mongo: str) -> Figures:
    """Do a deed in a process of its own."""
    command = [sys.executable, __file__, "--deed", deed, "--mongo", mongo]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def measured(deed: str, mongo: str) -> Figures:
    """Wall and processor seconds of a deed, the most memory its process ever had, and how much it looked at."""
    connect(mongo, NAME)
    began, spent = time.monotonic(), time.process_time()
    seen = DEEDS[deed]()
    return {
        "wall": time.monotonic() - began,
        "processor": time.process_time() - spent,
        "memory": most_memory_mb(),
        "seen": seen,
    }


# --- deeds -----------------------------------------------------------------------------------------------------------
def read() -> int:
    """Every outcome as a document, by learner."""
    outcomes = database()["outcomes"].find({}, batch_size=recognition.SPAN_ROWS).sort("learner_id", 1)
    return sum(1 for row in outcomes if len(row))


def recognise() -> int:
    """What a draft of a recognition rule would change for every account."""
    points = 401 + database()["recognition_proposals"].estimated_document_count()
    draft = VersionDraft(SCHEME, 2, points, FIRST, LAST, Document("bench", "认定办法", "1"))
    number = proposals.draft(draft, "bench").number
    proposals.ask_simulation(number, "bench")
    while proposals.simulate_some():
        pass
    told = proposed.simulation_of(number)
    if not told["finished_at"] or not told["totals"]["gainers"]:
        raise SystemExit(f"Recognition was not simulated: {told}")
    return int(told["seen"])


def read_facts() -> int:
    """What plans rest on, of every student, as many at a time as a simulation looks at."""
    seen = 0
    for programme in range(PROGRAMMES):
        after = ""
        while page := records.records_after(f"prog-{programme}", ENTRY_YEAR, None, after, PAGE):
            files = read_files([one.learner_id for one in page])
            seen += sum(1 for one in page if files.facts(one.learner_id).account.holdings)
            after = page[-1].place
    return seen


def convert() -> int:
    """What a draft of a policy document would change for every student."""
    drafted = conversion.draft_policy(replace(POLICY, most_points_per_certificate=300, is_folklore_default=False), "b")
    number = simulations.ask_simulation(Draft(Subject.POLICY, "measures", drafted.version), "bench").number
    while simulations.simulate_some():
        pass
    told = simulated.simulation_of(number)
    if told["state"] != "finished" or not told["totals"]["taken"]:
        raise SystemExit(f"Conversion was not simulated: {told}")
    return int(told["students"])


DEEDS: dict[str, Callable[[], int]] = {
    "read": read,
    "recognition": recognise,
    "facts": read_facts,
    "conversion": convert,
}


# --- the bank --------------------------------------------------------------------------------------------------------
def fill(mongo: str, accounts: int) -> None:
    """Rules, then accounts with all that simulations look at."""
    connect(mongo, NAME)
    ensure_indexes(*all_documents())
    for level in Level:
        publish_rule(SCHEME, level, credit_points=200 * level, sessions_from=FIRST)
    conversion.keep_schemes([SchemeLevels(SCHEME, SCHEME, tuple(Level))])
    conversion.draft_policy(POLICY, "bench")
    keep_curricula([curriculum(f"prog-{number}") for number in range(PROGRAMMES)])
    for number in range(PROGRAMMES):
        conversion.draft_rule(rule(f"prog-{number}"), "bench")
    serials = iter(range(accounts))
    while some := list(islice(serials, CHUNK)):
        keep(some)


def keep(serials: list[int]) -> None:
    """Accounts with entries and announcements, outcomes, student records and course results."""
    worths = tuple(Worth(0, 200 * level) for level in Level)
    ledger.keep([(learner(serial), worths[: levels(serial)]) for serial in serials])
    recognition.keep_outcomes((one for serial in serials for one in outcomes(serial)), ())
    curricula.keep(StudentRecord, [record(serial) for serial in serials])
    curricula.keep(CourseResult, [one for serial in serials for one in results(serial)])


def learner(serial: int) -> str:
    return f"{serial:032x}"


def levels(serial: int) -> int:
    """How many levels a learner has passed."""
    return 1 + serial % len(Level)


def programme(serial: int) -> str:
    return f"prog-{serial % PROGRAMMES}"


def outcomes(serial: int) -> Iterator[Outcome]:
    """What a learner has passed, pinned to the rule's first version."""
    for level in range(1, levels(serial) + 1):
        name = f"{TEO}:2020-11:{serial:08}:{level}"
        yield Outcome(
            learner(serial), name, SCHEME, level, 2, OutcomeState.FINAL, Verdict.PASSED, date(2020, 11, 21),
            f"{serial:032x}-{level}", "ResultFinalised", rule_version=1, credit_points=200 * level,
        )  # fmt: skip


def record(serial: int) -> StudentRecord:
    return StudentRecord(
        learner(serial), COLLEGE, f"{ENTRY_YEAR}{serial:08}", programme(serial), ENTRY_YEAR, "学院", "01",
        StudyStatus.ENROLLED, FIRST, None, TOLD_AT,
    )  # fmt: skip


def results(serial: int) -> Iterator[CourseResult]:
    """One course passed and one failed."""
    for course, mark in ((f"C{serial % COURSES:02}", 80), (f"C{(serial + 1) % COURSES:02}", 50)):
        yield CourseResult(
            f"{serial}:{course}", learner(serial), f"{ENTRY_YEAR}{serial:08}", programme(serial), ENTRY_YEAR, course,
            TERM, mark, "", mark >= 60, 200, 1, False,
        )  # fmt: skip


def curriculum(code: str) -> Curriculum:
    courses = tuple(
        Course(f"C{number:02}", f"课程{number}", 200 * (1 + number % 2), CourseKind.CORE, 1 + number // 4)
        for number in range(COURSES)
    )
    return Curriculum(code, code, ENTRY_YEAR, 1, 14_000, courses, TOLD_AT)


def rule(code: str) -> ConversionRule:
    """Six courses by the intermediate and advanced levels."""
    targets = tuple(Target(f"C{number:02}", 200 * (1 + number % 2), "免修") for number in range(COURSES // 2))
    return ConversionRule(
        code, 0, "measures", code, ENTRY_YEAR, SCHEME, (Level(2), Level(3)), targets, FIRST, LAST,
        is_folklore_default=True,
    )  # fmt: skip


if __name__ == "__main__":
    main()

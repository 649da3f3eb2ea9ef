"""A learner's plan beside reading what it rests on: `python bench/planner.py [--learners 1000]` (`make bench-planner`).

Learners at random, by the bank's own verbs in a real mongod: programmes with two dozen courses and up to twelve
conversion rules, certificates at several levels, final and provisional, courses passed and failed, applications that
stand. Of each learner, one after the other: *read*, the facts that a plan rests on; *answer*, all that the plan's route
makes of them: the optimum, what each choice forecloses, and the sentences; *optimum*, the best set alone. Told are the
mean and the worst learner, in milliseconds and as a ratio to reading in the same run, as the median of the runs with
the least and the greatest; each run has a bank and learners of its own.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import psutil
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from chassis import clock
from chassis.database import all_documents, connect, ensure_indexes
from chassis.errors import Refusal
from contracts.terms import CourseKind, Level, StudyStatus, Verdict
from onex.stack.engines import start_mongod
from onex.stack.ports import free_port
from services.creditbank.conversion.applying import Wish, apply
from services.creditbank.conversion.commands import draft_policy, draft_rule, keep_schemes
from services.creditbank.conversion.domain import ConversionRule, Policy, SchemeLevels, Share, Target, Window
from services.creditbank.curricula.commands import keep_course_results, keep_curricula, keep_student_records
from services.creditbank.curricula.domain import Course, CourseModule, CourseResult, Curriculum, StudentRecord
from services.creditbank.ledger.commands import open_accounts
from services.creditbank.papers.commands import name_schemes
from services.creditbank.planning.planner import plan
from services.creditbank.planning.queries import answer_of, plan_of
from services.creditbank.planning.reading import read_files
from services.creditbank.recognition.commands import publish_rule, settle
from services.creditbank.recognition.domain import Outcome, OutcomeState

NAME, CHUNK = "bench_planner", 100
PROGRAMMES, COURSES, RULES, SCHEMES = 6, 24, 12, 5
WARM = 25  # learners planned for before anything is measured
CODES = tuple(f"scheme-{number}" for number in range(SCHEMES))
MB = 1_000_000
RESULTS = Path(__file__).parent / "results" / "planner.json"
Figures = dict[str, float]
Found = TypeVar("Found")


def main() -> None:
    """Measure, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learners", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=2021)
    parser.add_argument("--json", type=Path, default=RESULTS)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="onex-bench-") as folder:
        mongod = start_mongod(Path(folder), free_port())
        try:
            seeds = range(wanted.seed, wanted.seed + wanted.runs)
            runs = [one_run(mongod.mongo_url, wanted.learners, seed) for seed in seeds]
        finally:
            mongod.stop()
    machine = {"cpus": psutil.cpu_count(), "memory_mb": psutil.virtual_memory().total // MB, "on": platform.platform()}
    machine |= {"load": round(psutil.getloadavg()[0], 1), "at": f"{datetime.now(UTC):%Y-%m-%d}"}
    wanted.json.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine, "learners": wanted.learners, "runs": runs}
    wanted.json.write_text(json.dumps(document, indent=1) + "\n")
    show(runs)


def one_run(mongo: str, learners: int, seed: int) -> Figures:
    """A bank of its own with learners at random, and what planning for each of them takes."""
    connect(mongo, f"{NAME}_{seed}")
    ensure_indexes(*all_documents())
    College(random.Random(seed)).fill(learners)
    for number in range(min(WARM, learners)):
        plan_of(learner(number), None, None)
    return figures_of([dict(_of(learner(number))) for number in range(learners)])


def figures_of(took: Sequence[Figures]) -> Figures:
    """The mean and the worst of each deed, in milliseconds, and their ratios to reading."""
    figures: Figures = {"choices": statistics.mean(one["choices"] for one in took)}
    for deed in ("read", "answer", "optimum"):
        values = [one[deed] for one in took]
        figures |= {f"{deed} mean": statistics.mean(values), f"{deed} worst": max(values)}
    for deed in ("answer", "optimum"):
        for which in ("mean", "worst"):
            figures[f"{deed} / read, {which}"] = figures[f"{deed} {which}"] / figures[f"read {which}"]
    return figures


def _of(learner_id: str) -> Iterator[tuple[str, float]]:
    took, facts = _timed(lambda: read_files([learner_id]).facts(learner_id))
    yield "read", took
    yield "answer", _timed(lambda: answer_of(facts, None, None))[0]
    took, found = _timed(lambda: plan(facts))
    yield "optimum", took
    yield "choices", len(found.choices)


def _timed(deed: Callable[[], Found]) -> tuple[float, Found]:
    """How many milliseconds a deed took, and what came of it."""
    began = time.perf_counter()
    found = deed()
    return (time.perf_counter() - began) * 1_000, found


def learner(number: int) -> str:
    return f"{number:032x}"


class College:
    """What the bank knows, at random but the same each time."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.today = chance, clock.today()
        year = timedelta(days=365)
        self.first, self.last = self.today - year, self.today + year
        self.entry_year = self.today.year - 2
        self.curricula = [self.curriculum(f"prog-{number}") for number in range(PROGRAMMES)]
        self.wishes: dict[str, list[Wish]] = {}

    def curriculum(self, programme: str) -> Curriculum:
        courses = tuple(self.course(number) for number in range(COURSES))
        told_at = datetime(2021, 1, 1, tzinfo=UTC)
        return Curriculum(programme, programme, self.entry_year, 1, 9_000, courses, told_at)

    def course(self, number: int) -> Course:
        points = self.chance.choice((200, 400, 600))
        modules = (CourseModule("M1", "上", points // 2), CourseModule("M2", "下", points // 2))
        return Course(f"C{number:02}", f"课程{number}", points, CourseKind.CORE, 1 + number // 4, modules=modules)

    def fill(self, learners: int) -> None:
        """Rules first, then learners with what they have."""
        keep_schemes([SchemeLevels(code, code, tuple(Level)) for code in CODES])
        name_schemes({code: (code, "") for code in CODES})
        for code in CODES:
            for level in Level:
                publish_rule(code, level, credit_points=200 * level, sessions_from=date(2019, 4, 1))
        keep_curricula(self.curricula)
        for code, most, percent in (("loose", 1_200, None), ("narrow", 800, 12)):
            draft_policy(self.policy(code, most, percent), "bench")
        for curriculum in self.curricula:
            self.publish(curriculum)
        for start in range(0, learners, CHUNK):
            self.enrol(range(start, min(start + CHUNK, learners)))

    def policy(self, code: str, most: int, percent: int | None) -> Policy:
        shares = (Share("学生", percent),) if percent else ()
        windows = (Window("2020-2021-2", self.first, self.last),)
        days = self.first, self.first, self.last
        return Policy(code, 0, "学分转换办法", "", *days, most, shares, windows=windows, is_folklore_default=True)

    def publish(self, curriculum: Curriculum) -> None:
        """Twelve rules, but those that would overlap another."""
        wishes = self.wishes.setdefault(curriculum.programme, [])
        for number in range(RULES):
            code = f"{curriculum.programme}-{number}"
            found = {self.target(curriculum): None for _ in range(self.chance.randint(1, 3))}
            targets = {(one.course, one.module): one for one in found}
            rule = ConversionRule(
                code, 0, self.chance.choice(("loose", "narrow")), curriculum.programme, self.entry_year,
                self.chance.choice(CODES), (self.chance.choice(list(Level)),), tuple(targets.values()),
                self.first, self.last, is_folklore_default=True,
            )  # fmt: skip
            with suppress(Refusal):
                draft_rule(rule, "bench")
                wishes += [Wish(code, one.course, one.module) for one in rule.targets]

    def target(self, curriculum: Curriculum) -> Target:
        course = self.chance.choice(curriculum.courses)
        if self.chance.random() < 0.7:
            return Target(course.code, course.credit_points, "免修")
        module = self.chance.choice(course.modules)
        return Target(course.code, module.credit_points, "免修", module=module.code)

    def enrol(self, numbers: range) -> None:
        people = [(learner(number), self.chance.choice(self.curricula)) for number in numbers]
        open_accounts([learner_id for learner_id, _ in people])
        keep_student_records([self.record(*one) for one in people])
        keep_course_results([result for one in people for result in self.results(*one)])
        settle([outcome for learner_id, _ in people for outcome in self.outcomes(learner_id)])
        for learner_id, curriculum in people:
            with suppress(Refusal):
                apply(learner_id, self.chance.choice(self.wishes[curriculum.programme]), "bench")

    def record(self, learner_id: str, curriculum: Curriculum) -> StudentRecord:
        return StudentRecord(
            learner_id, "4144012345", learner_id[-10:], curriculum.programme, self.entry_year, "学院", "01",
            StudyStatus.ENROLLED, self.first, None, datetime(2021, 1, 1, tzinfo=UTC),
        )  # fmt: skip

    def results(self, learner_id: str, curriculum: Curriculum) -> Iterator[CourseResult]:
        for course in self.chance.sample(curriculum.courses, 10):
            passed = self.chance.random() < 0.8
            yield CourseResult(
                f"{learner_id}:{course.code}", learner_id, learner_id[-10:], curriculum.programme, self.entry_year,
                course.code, "2020-2021-1", 80 if passed else 50, "", passed, course.credit_points, 1, False,
            )  # fmt: skip

    def outcomes(self, learner_id: str) -> Iterator[Outcome]:
        for scheme in self.chance.sample(CODES, 4):
            for level in self.chance.sample(list(Level), 2):
                state = self.chance.choice((OutcomeState.FINAL, OutcomeState.FINAL, OutcomeState.PUBLICISED))
                name = f"{learner_id}:{scheme}:{int(level)}"
                yield Outcome(
                    learner_id,
                    name,
                    scheme,
                    int(level),
                    2,
                    state,
                    Verdict.PASSED,
                    self.first,
                    f"cause:{name}",
                    "Result",
                )


def show(runs: list[Figures]) -> None:
    """The medians as a table, with least and greatest."""
    table = Table("figure", "median", "least", "greatest")
    for name in runs[0]:
        values = [run[name] for run in runs]
        table.add_row(name, *(f"{value:.2f}" for value in (statistics.median(values), min(values), max(values))))
    Console().print(table)


if __name__ == "__main__":
    main()

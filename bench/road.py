"""OneX itself on the bench: a college of learners made ready, and assessment's verb that submits their results.

`python -m bench.road --database … --plan A --first 0 --results 1000` calls `record_results` as the app does, in a
process of its own; the workers are the services' own (`bench/pipelines.py` starts them).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from chassis import clock
from chassis.database import all_documents, connect, ensure_indexes, run_transaction
from chassis.errors import Refusal
from chassis.strands import name_keys
from contracts.terms import Level
from contracts.workdays import Year
from services.assessment.catalogue.commands import keep_calendar, put_scheme, put_teo
from services.assessment.catalogue.domain import Scheme, Teo, Weighted
from services.assessment.plans.domain import Candidate, Plan
from services.assessment.plans.models import save_candidates, save_plan
from services.assessment.results.commands import record_results
from services.assessment.results.domain import Marks, Sitting
from services.creditbank.ledger.commands import open_accounts
from services.creditbank.recognition.commands import publish_rule
from services.notify.contacts.commands import keep_contacts
from services.notify.contacts.domain import Contact
from services.notify.notices.commands import name_schemes

TEO_CODE = "91110000000000043U"
SCHEME = "smart-finance"
SESSION = date(2021, 1, 9)
AS_OF = datetime(2021, 1, 9, 10, tzinfo=UTC)
CHUNK = 1_000
BATCH = 500


@dataclass(frozen=True)
class Phase:
    """Learners `first` to `end` sit in a plan of their own; `publicity_days`: 0 makes their results final at once."""

    plan: str
    first: int
    end: int
    level: Level = Level.ELEMENTARY
    publicity_days: int = 5


_apart = 1  # how far the numbers of two learners lie apart


def spread(apart: int) -> None:
    """Leave room between learners, for others whose names lie between theirs."""
    global _apart  # noqa: PLW0603 -- one process prepares one college
    _apart = apart


def learner(number: int) -> str:
    return f"L{number * _apart:08d}"


def prepare(mongo: str, prefix: str, phases: list[Phase]) -> None:
    """Schemes, rules, plans, and for each learner what a running college has: candidate, account, contact, strands."""
    ends = max(phase.end for phase in phases)
    with_database(mongo, prefix, "assessment")
    put_teo(Teo(TEO_CODE, "中联集团教育科技有限公司"))
    put_scheme(
        Scheme(
            SCHEME, "智能财税", TEO_CODE, (Level(1), Level(2), Level(3)),
            (Weighted(1, date(2019, 4, 1), theory=40, practical=60, pass_at=60),),
        )
    )  # fmt: skip
    today = clock.today()
    years = {today.year, (today + timedelta(days=60)).year}
    run_transaction(lambda: keep_calendar([(year, Year(frozenset(), frozenset())) for year in sorted(years)]))
    for phase in phases:
        _seat(phase)
    _in_chunks(ends, lambda _ids: None)
    with_database(mongo, prefix, "creditbank")
    for level in (1, 2, 3):
        publish_rule(SCHEME, Level(level), 200 * level, date(2019, 4, 1))
    _in_chunks(ends, open_accounts)
    with_database(mongo, prefix, "notify")
    run_transaction(lambda: name_schemes({SCHEME: "智能财税"}))
    _in_chunks(ends, lambda ids: keep_contacts([Contact(one, one) for one in ids]))


def apart() -> int:
    """How far the numbers of two learners lie apart."""
    return _apart


def with_database(mongo: str, prefix: str, service: str) -> None:
    """Connect to a service's database and make its indexes."""
    connect(mongo, f"{prefix}_{service}")
    own = (f"services.{service}.", "chassis.")
    ensure_indexes(*(one for one in all_documents() if one.__module__.startswith(own)))


def _seat(phase: Phase) -> None:
    plan = plan_of(phase)
    save_plan(plan)
    for numbers in _chunks(phase.first, phase.end):
        seats = [Candidate(plan.id, admission_number(number), learner(number)) for number in numbers]
        save_candidates([(seat, plan, {"cause": "bench"}) for seat in seats])


def plan_of(phase: Phase) -> Plan:
    count = phase.end - phase.first
    return Plan(TEO_CODE, phase.plan, SCHEME, phase.level, SESSION, count, phase.publicity_days)


def _in_chunks(ends: int, deed: Callable[[list[str]], object]) -> None:
    """Do a deed for learners, in transactions that name their keys, so that each has a strand."""
    for numbers in _chunks(0, ends):
        ids = [learner(number) for number in numbers]

        def body(ids: list[str] = ids) -> None:
            name_keys(f"learner:{one}" for one in ids)
            deed(ids)

        run_transaction(body)


def _chunks(first: int, end: int) -> Iterator[range]:
    return (range(one, min(one + CHUNK, end)) for one in range(first, end, CHUNK))


def admission_number(number: int) -> str:
    return f"ZK{number * _apart:08d}"


def main() -> None:
    """Submit results of a phase, a batch at a time; with a rate, each at its scheduled time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", required=True)
    parser.add_argument("--plan", required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--results", type=int, required=True)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--apart", type=int, default=1)
    given = parser.parse_args()
    spread(given.apart)
    connect(os.environ["MONGO"], given.database)
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.time()
    for first in range(0, given.results, given.batch):
        if given.rate:
            time.sleep(max(began + first / given.rate - time.time(), 0))
        numbers = range(given.first + first, given.first + min(first + given.batch, given.results))
        _submit(given.plan, numbers)
    print(f"recorded {began} {time.time()}", flush=True)


def _submit(plan: str, numbers: range) -> None:
    sittings = [Sitting(f"{TEO_CODE}:{plan}", admission_number(one), Marks(80, 70), AS_OF) for one in numbers]
    for judged in record_results(sittings):
        if isinstance(judged, Refusal):
            raise SystemExit(f"A result was refused: {judged}.")


if __name__ == "__main__":
    main()

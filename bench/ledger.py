"""Verifying the ledger beside merely reading it: `python bench/ledger.py [--entries 1000000]` (`make bench-ledger`).

A journal as results make it, three entries an account, with its accounts, announcements and a signed root, in a real
mongod. Read: every entry as a document, in order, and no more. Verify: what `onex ledger verify` does, which also reads
accounts, announcements and the root's heads. Each deed is a process of its own; each ratio is of one run; told are the
median, the least and the greatest. Beside them: exporting the root, and rebuilding all accounts.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import platform
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
from pymongo import InsertOne
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.processes import most_memory_mb
from chassis.bus.event import encode_body, event_id
from chassis.bus.outbox import Outbox
from chassis.database import all_documents, connect, database, ensure_indexes, write
from contracts.creditbank import CreditPosted
from contracts.terms import Level
from onex.stack.engines import start_mongod
from onex.stack.ports import free_port
from services.creditbank.ledger import models
from services.creditbank.ledger.audit import rebuild, verify
from services.creditbank.ledger.domain import Account, Entry, Reason, Settlement, Worth, settled
from services.creditbank.ledger.export import export_root
from services.creditbank.ledger.roots import Roots

NAME = "bench_ledger"
DEEDS = ("read", "verify", "root", "rebuild")
WORTHS = (Worth(200, 0), Worth(0, 200), Worth(200, 200))
CHUNK = 2_000
MB = 1_000_000
RESULTS = Path(__file__).parent / "results" / "ledger.json"
Figures = dict[str, float]


def main() -> None:
    """Measure, print a table and write JSON; with `--deed`, do one deed and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--profile", action="store_true", help="say where verify spends its time, once")
    parser.add_argument("--deed", choices=DEEDS, help=argparse.SUPPRESS)
    parser.add_argument("--mongo", default="", help=argparse.SUPPRESS)
    parser.add_argument("--roots", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.deed:
        print(json.dumps(measured(wanted.deed, wanted.mongo, Roots(wanted.roots, b"b" * 32), wanted.profile)))
        return
    runs = all_runs(wanted.entries, wanted.runs, wanted.profile)
    wanted.json.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cpus": psutil.cpu_count(), "memory_mb": psutil.virtual_memory().total // MB, "on": platform.platform()}
    machine |= {"load": round(psutil.getloadavg()[0], 1), "at": f"{datetime.now(UTC):%Y-%m-%d}"}
    document = {"machine": machine, "entries": wanted.entries, "runs": runs}
    wanted.json.write_text(json.dumps(document, indent=1) + "\n")
    show(runs)


def all_runs(entries: int, count: int, profile: bool) -> list[dict[str, Figures]]:
    """One ledger, each deed time and again."""
    with tempfile.TemporaryDirectory(prefix="onex-bench-") as folder:
        mongod = start_mongod(Path(folder), free_port())
        try:
            fill(mongod.mongo_url, entries, Roots(Path(folder) / "roots", b"b" * 32))
            given = ["--mongo", mongod.mongo_url, "--roots", f"{folder}/roots", *(["--profile"] if profile else [])]
            in_a_process("read", given)  # once unmeasured: what follows finds the same cache
            return [{deed: in_a_process(deed, given) for deed in DEEDS} for _ in range(count)]
        finally:
            mongod.stop()


def in_a_process(deed: str, given: list[str]) -> Figures:
    command = [sys.executable, __file__, "--deed", deed, *given]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def measured(deed: str, mongo: str, roots: Roots, profile: bool) -> Figures:
    """Wall and processor seconds of a deed, and the most memory its process ever had."""
    connect(mongo, NAME)
    began, spent = time.monotonic(), time.process_time()
    verb = {"read": read, "verify": verified, "root": export_root, "rebuild": rebuilt}[deed]
    (profiled if profile and deed == "verify" else _plainly)(verb, roots)
    return {
        "wall": time.monotonic() - began,
        "processor": time.process_time() - spent,
        "memory": most_memory_mb(),
    }


def _plainly(verb: Any, roots: Roots) -> None:
    verb(roots)


def profiled(verb: Any, roots: Roots) -> None:
    """The deed under cProfile, its costliest functions on standard error."""
    profiler = cProfile.Profile()
    profiler.runcall(verb, roots)
    pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(25)


def read(_roots: Roots) -> None:
    """Every entry as a document, in order."""
    for row in database()["entries"].find({}, batch_size=models.PAGE_ROWS).sort("_id", 1):
        len(row)


def verified(roots: Roots) -> None:
    audit = verify(roots)
    if audit.faulty or not audit.root:
        raise SystemExit(f"The ledger is not right: {audit}")


def rebuilt(roots: Roots) -> None:
    """Every account anew."""
    database()["accounts"].update_many({}, {"$set": {"available_points": -1}})
    audit = rebuild(roots)
    if audit.faulty or audit.restored != audit.accounts:
        raise SystemExit(f"The ledger was not rebuilt: {audit}")


def fill(mongo: str, entries: int, roots: Roots) -> None:
    """The ledger: entries, accounts, what was announced of them, and a root over all."""
    connect(mongo, NAME)
    ensure_indexes(*all_documents())
    learners = iter(range(entries // len(WORTHS)))
    while some := list(islice(learners, CHUNK)):
        keep([(f"{serial:032x}", WORTHS) for serial in some])
    export_root(roots)


def keep(some: list[tuple[str, tuple[Worth, ...]]]) -> None:
    """Accounts with what was earned on each, one entry after the other."""
    accounts, made = [], []
    for learner, worths in some:
        account = Account(learner)
        made += [_entered(account, number, earned) for number, earned in enumerate(worths)]
        accounts.append(account)
    models.add_accounts(accounts)
    models.add_entries(made)
    write(Outbox, list(_announced(made)))


def _entered(account: Account, number: int, earned: Worth) -> Entry:
    result = f"91110108700000000A:2020-11:{account.learner_id[-8:]}:{number}"
    reason = Reason(f"{account.learner_id[:8]}-{number}", "ResultFinalised", "cloud-ops", 2, result, number + 1, 1)
    entry = settled(account, Settlement(account.learner_id, reason, earned, 2))
    assert entry is not None
    return entry


def _announced(entries: list[Entry]) -> Iterator[InsertOne[dict[str, Any]]]:
    at = datetime(2020, 12, 1, tzinfo=UTC)
    for one in entries:
        body = CreditPosted(
            learner_id=one.learner_id, entry_number=one.number, entry_hash=one.hash.hex(), what=one.body["what"],
            scheme="cloud-ops", level=Level(2), provisional_points=0, available_points=200,
            provisional_balance=0, available_balance=200,
        )  # fmt: skip
        key, cause = f"learner:{one.learner_id}", one.body["cause"]
        row = {
            "_id": event_id(f"{cause}{one.learner_id}", "CreditPosted", key, 0), "key": key, "seq": one.number,
            "type": "CreditPosted", "source": "creditbank", "cause": cause, "time": at, "body": encode_body(body),
            "shard": 0, "due": False,
        }  # fmt: skip
        yield InsertOne(row)


def show(runs: list[dict[str, Figures]]) -> None:
    """The medians as a table, with least and greatest."""
    table = Table("figure", "median", "least", "greatest")
    for deed in DEEDS:
        for what, unit in (("wall", "s"), ("processor", "s"), ("memory", "MB")):
            line(table, f"{deed}: {what} ({unit})", [run[deed][what] for run in runs])
    for deed in DEEDS[1:]:
        line(table, f"{deed} / read, wall (×)", [run[deed]["wall"] / run["read"]["wall"] for run in runs])
    Console().print(table)


def line(table: Table, name: str, values: list[float]) -> None:
    table.add_row(name, *(f"{value:.2f}" for value in (statistics.median(values), min(values), max(values))))


if __name__ == "__main__":
    main()

"""A result among few accounts and among many: `python -m bench.growth [--many 1000000]` (`make bench-growth`).

Few learners have gone the road of a first result, by the services' own workers. Some of them get a second one, which is
measured. Then what stands about them is copied under the names of others, who lie between them in every index, until
there are many; and as many of the few, who had one result as well, get their second one. Measured from MongoDB's own
counters: documents and keys it examined, documents it wrote, bytes of its journal (what the writes themselves weigh)
and bytes written to disk (whole pages, so also how far apart they lie). Before each measurement the workers are started
anew and warmed, dirty pages are flushed, and what is done once a day is over. Each run starts engines of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.errors import BulkWriteError
from rich.console import Console

from bench import pipelines, report, road
from bench.pipelines import OneX
from bench.processes import ROOT, Bench, until
from bench.run import machine, runs
from contracts.terms import Level

RESULTS = ROOT / "bench" / "results" / "growth.json"
FEW, MANY = 10_000, 1_000_000
WARMING = 5  # one of so many results warms and is not measured
INSERTED = 5_000  # copies at a time
DAILY_SECONDS = 300.0
LEARNER = re.compile(rb"(?<![0-9A-Za-z])(L|ZK)(\d{8})(?!\d)")
TO_COME = (b":warm-many", b":many")  # seats of who is measured among many: nobody else sits there
Row = dict[str, Any]


def main() -> None:
    """Measure, print a table and write JSON; what was measured is kept after each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=FEW)
    parser.add_argument("--many", type=int, default=MANY)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    found: list[Row] = []
    for figures in runs(given.runs, lambda bench: one_run(bench, given.few, given.many)):
        found.append(figures)
        on = machine() | {"at": f"{datetime.now(UTC):%Y-%m-%d}"}
        on["load"] = round(on["load"], 1)
        sizes = {"few": given.few, "many": given.many, "results": figures["few"]["results"]}
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps({"machine": on, **sizes, "runs": found}, indent=1) + "\n")
    Console().print(report.table(report.growth_lines(json.loads(given.json.read_text()))))


def one_run(bench: Bench, few: int, many: int) -> Row:
    """What a result costs, before and after the others came."""
    client: MongoClient[Row] = MongoClient(bench.mongo, readConcernLevel="majority")
    pipelines.topics(bench)
    road.spread(many // few)
    phases = phases_of(few)
    road.prepare(bench.mongo, "onex", list(phases.values()))
    onex = OneX(bench, client)
    onex.start_workers()
    onex.submit(phases["first"])
    until(lambda: daily_work_is_over(bench, client), DAILY_SECONDS, "the work of a day was over")
    bench.stop()
    figures: Row = {"few": second_results(onex, client, phases["warm-few"], phases["few"])}
    began = time.monotonic()
    figures["copied"] = copied(MongoClient(bench.mongo, document_class=RawBSONDocument, w=1, journal=False), few, many)
    figures["copying_seconds"] = time.monotonic() - began
    figures["many"] = second_results(onex, client, phases["warm-many"], phases["many"])
    client.close()
    return figures


def phases_of(few: int) -> dict[str, road.Phase]:
    """A first result for everybody, and a second one for each half, of which a part warms."""
    half = few // 2
    warming = half // WARMING
    return {
        "first": road.Phase("first", 0, few),
        "warm-few": road.Phase("warm-few", 0, warming, Level(2)),
        "few": road.Phase("few", warming, half, Level(2)),
        "warm-many": road.Phase("warm-many", half, half + warming, Level(2)),
        "many": road.Phase("many", half + warming, 2 * half, Level(2)),
    }


def daily_work_is_over(bench: Bench, client: MongoClient[Row]) -> bool:
    """Whether the root of the day is exported and the nightly comparison has ended: they look at every account."""
    is_rooted = any((bench.folder / "roots").glob("*.json"))
    return is_rooted and not client["onex_creditbank"]["reconciliation_runs"].count_documents({"finished_at": None})


def second_results(onex: OneX, client: MongoClient[Row], warming: road.Phase, phase: road.Phase) -> Row:
    """Submit second results; what they cost each."""
    onex.start_workers()
    onex.submit(warming)
    client.admin.command("fsync")
    before = counters(client)
    figures = onex.submit(phase)
    client.admin.command("fsync")  # what was written is written to disk, too
    after = counters(client)
    onex.bench.stop()
    results = figures["results"]
    each = {name: (after[name] - before[name]) / results for name in after}
    return each | {name: figures[name] for name in ("results", "seconds", "per_second", "processor_us")}


def counters(client: MongoClient[Row]) -> dict[str, int]:
    """What MongoDB has done since it started."""
    status = client.admin.command("serverStatus")
    queries, documents, engine = status["metrics"]["queryExecutor"], status["metrics"]["document"], status["wiredTiger"]
    return {
        "examined": queries["scannedObjects"],
        "keys": queries["scanned"],
        "written": sum(documents[name] for name in ("inserted", "updated", "deleted")),
        "journal": engine["log"]["log bytes of payload data"],
        "disk": engine["block-manager"]["bytes written"],
    }


# --- the others ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Original:
    """A document about one learner; `name`: its `_id`, where that does not tell which."""

    raw: bytes
    name: bytes | None

    def copy(self, other: int) -> bytes:
        """The same about another learner, whose name is as long and lies behind the first one's; under a name of its
        own."""
        copy = LEARNER.sub(lambda found: b"%s%08d" % (found[1], int(found[2]) + other), self.raw)
        return copy if self.name is None else copy.replace(self.name, renamed(self.name, other))


def renamed(name: bytes, other: int) -> bytes:
    """Another name of the same length, in hexadecimal digits where it is text."""
    digest = hashlib.sha256(name + b"%d" % other)
    return (digest.hexdigest().encode() if name.isascii() else digest.digest())[: len(name)]


def original_of(raw: bytes) -> Original | None:
    """What is to be copied; None for what is about no learner, or is a seat that is still to be taken."""
    if LEARNER.search(raw) is None or any(plan in raw for plan in TO_COME):
        return None
    name = RawBSONDocument(raw)["_id"]
    written = name.encode() if isinstance(name, str) else name.binary if isinstance(name, ObjectId) else bytes(name)
    return Original(raw, None if LEARNER.search(written) else written)


def copied(client: MongoClient[Any], few: int, many: int) -> int:
    """Copy what stands about the few under the names of others, until there are many; how many documents that made."""
    collections = [
        client[f"onex_{service}"][name]
        for service in pipelines.SERVICES
        for name in sorted(client[f"onex_{service}"].list_collection_names())
    ]
    return sum(_copied(collection, many // few) for collection in collections)


def _copied(collection: Any, times: int) -> int:
    originals = [one for row in collection.find() if (one := original_of(row.raw))]
    copies = (RawBSONDocument(one.copy(other)) for other in range(1, times) for one in originals)
    made = 0
    while batch := list(islice(copies, INSERTED)):
        made += _inserted(collection, batch)
    return made


def _inserted(collection: Any, batch: list[RawBSONDocument]) -> int:
    """Insert copies; SystemExit when a rule of the collection is against it, with the first that it refused."""
    try:
        collection.insert_many(batch, ordered=False)
    except BulkWriteError as error:
        raise SystemExit(f"{collection.full_name}: {error.details['writeErrors'][0]['errmsg']}") from error
    return len(batch)


if __name__ == "__main__":
    main()

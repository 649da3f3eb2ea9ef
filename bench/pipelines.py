"""One run of every pipeline on the same engines: rates, latencies, processor time, each checked in the end."""

from __future__ import annotations

import base64
import os
import shutil
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from kafka import KafkaAdminClient
from pymongo import MongoClient
from pymongo.collection import Collection

from bench import road, safe
from bench.processes import ROOT, Bench, is_ready, measured, until
from contracts.terms import Level
from onex.stack.ports import free_port

Row = dict[str, Any]
PARTITIONS = 6
SHARE = 0.3  # of the single rate, for paced latency
PACED_SECONDS = 15.0
FASTEST_PACE = 200.0  # a second; at more it takes less time
CELERY_SHARE = 10  # it is slow: a tenth of the results
SERVICES = ("assessment", "creditbank", "notify")
REDIS_ABSENT = "left out: redis-server is not installed (apt-get install redis-server)"


def topics(bench: Bench) -> None:
    """OneX's topics as they are described, and those of the others, cut alike."""
    wanted = yaml.safe_load((ROOT / "deploy" / "topics.yaml").read_text())
    names = [*wanted["topics"], *(f"{who}.{hop}" for who in ("bare", "safe", "chain") for hop in ("record", "deposit"))]
    admin = KafkaAdminClient(bootstrap_servers=bench.kafka)
    admin.create_topics({name: {"num_partitions": PARTITIONS, "replication_factor": 1} for name in names})
    admin.close()


# --- checks ----------------------------------------------------------------------------------------------------------
def check(who: str, credited: Iterable[tuple[str, int]], told: Iterable[str], results: int, points: int) -> None:
    """Each learner was credited the points once, and told once; SystemExit otherwise."""
    given, notices = list(credited), Counter(told)
    wrong = [one for one in given if one[1] != points]
    if len({learner for learner, _ in given}) != results or len(given) != results or wrong:
        raise SystemExit(f"{who}: {len(given)} credits for {results} results, {len(wrong)} of other points.")
    if len(notices) != results or max(notices.values()) != 1:
        raise SystemExit(f"{who}: {sum(notices.values())} notices to {len(notices)} learners for {results} results.")


# --- the references --------------------------------------------------------------------------------------------------
def run_bare(bench: Bench, client: MongoClient[Row], results: int) -> Row:
    for stage, reads, topic in (("deposit", "bare.record", "bare.deposit"), ("notify", "bare.deposit", "-")):
        bench.started(f"bare {stage}", *_of("bare", stage, bench), "--reads", reads, "--topic", topic)
    submitter = bench.started(
        "bare record", *_of("bare", "record", bench), "--topic", "bare.record", "--results", str(results)
    )
    notices = client["bare_notify"]["notices"]
    figures = measured(bench, submitter, results, lambda: notices.estimated_document_count() >= results)
    bench.stop()
    deposits = ((row["learner"], row["points"]) for row in client["bare_deposit"]["deposits"].find())
    check("bare", deposits, (row["learner"] for row in notices.find()), results, 200)
    return figures


def run_safe(bench: Bench, client: MongoClient[Row], results: int) -> Row:
    safe.prepare(client, "safe", results)
    for hop in ("record", "deposit"):
        at = _at(bench, f"safe_{hop}")
        bench.started(f"safe relay of {hop}", "bench.safe", "relay", *at, "--topic", f"safe.{hop}")
    for stage, reads in (("deposit", "safe.record"), ("notify", "safe.deposit")):
        bench.started(f"safe {stage}", *_of("safe", stage, bench), "--reads", reads)
    submitter = bench.started("safe record", *_of("safe", "record", bench), "--results", str(results))
    positions = client["safe_notify"]["positions"]
    figures = measured(bench, submitter, results, lambda: sum(row["next"] for row in positions.find()) >= results)
    bench.stop()
    accounts = ((row["_id"], row["points"]) for row in client["safe_deposit"]["accounts"].find())
    check("safe", accounts, (row["learner"] for row in client["safe_notify"]["notices"].find()), results, 200)
    for hop in ("record", "deposit"):
        if left := client[f"safe_{hop}"]["outbox"].count_documents({"due": True}):
            raise SystemExit(f"safe: {left} announcements were not published.")
    return figures


def _of(who: str, stage: str, bench: Bench) -> tuple[str, ...]:
    return (f"bench.{who}", stage, *_at(bench, f"{who}_{stage}"))


def _at(bench: Bench, database: str) -> tuple[str, ...]:
    return ("--mongo", bench.mongo, "--kafka", bench.kafka, "--database", database)


# --- latency ---------------------------------------------------------------------------------------------------------
@contextmanager
def seen_in(collection: Collection[Row]) -> Iterator[list[tuple[Any, float]]]:
    """What is inserted, by id, and when it could be seen: by a change stream, which shows what a majority has."""
    seen: list[tuple[Any, float]] = []
    over = threading.Event()
    stream = collection.watch([{"$match": {"operationType": "insert"}}], max_await_time_ms=200)

    def look() -> None:
        while not over.is_set():
            change = stream.try_next()
            if change is not None:
                seen.append((change["fullDocument"], time.time()))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
        stream.close()


def latencies(numbered: Iterable[tuple[int, float]], began: float, rate: float) -> Row:
    """Milliseconds from when each was to be sent until it could be seen."""
    took = sorted(1_000 * (at - (began + number / rate)) for number, at in numbered)
    quantiles = statistics.quantiles(took, n=100)
    return {"count": len(took), "p50_ms": quantiles[49], "p99_ms": quantiles[98], "max_ms": took[-1]}


# --- OneX ------------------------------------------------------------------------------------------------------------
class OneX:
    """The services' own workers, each a process."""

    def __init__(self, bench: Bench, client: MongoClient[Row], profiles: Path | None = None) -> None:
        self.bench = bench
        self.client = client
        self.profiles = profiles
        secret = base64.urlsafe_b64encode(b"k" * 32).decode()
        self.environment = {
            "MONGO": bench.mongo, "KAFKA": bench.kafka, "PORTAL_URL": "http://127.0.0.1:9", "CLIENT_SECRET": "bench",
            "SEAL_KEY": secret, "ENROLMENT_URL": "http://127.0.0.1:9", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": "9",
            "MAIL_FROM": "onex@example.edu.cn", "LOG_LEVEL": "WARNING", "DEMO": "", "MALLOC_ARENA_MAX": "2",
            "ROOTS_FOLDER": str(bench.folder / "roots"),
        }  # fmt: skip

    def start_workers(self, count: int = 1) -> None:
        """Start so many more workers of each service, and wait until they are ready."""
        ports = []
        for service in SERVICES:
            for number in range(count):
                ports.append(free_port())
                module = f"services.{service}.worker"
                command = ("bench.profiled", str(self.profiles), module) if self.profiles else (module,)
                own = {"DATABASE": f"onex_{service}", "WORKER_PORT": str(ports[-1])}
                name = f"{service} worker" + (f" {number + 2}" if self._has(service) else "")
                self.bench.start(name, *command, environment={**self.environment, **own})
        until(lambda: all(is_ready(port) for port in ports), 60, "OneX's workers were ready")

    def _has(self, service: str) -> bool:
        return any(stage.name.startswith(service) for stage in self.bench.stages)

    def submit(self, phase: road.Phase, batch: int = 500, rate: float = 0) -> Row:
        """Submit a phase's results and wait until the last is credited and told."""
        results = phase.end - phase.first
        passes = 1 if phase.publicity_days else 2
        before = self._read()
        submitter = self.bench.started(
            "submitting", "bench.road", "--database", "onex_assessment", "--plan", phase.plan,
            *("--first", str(phase.first), "--results", str(results), "--batch", str(batch), "--rate", str(rate)),
            *("--apart", str(road.apart())), environment=self.environment,
        )  # fmt: skip
        wanted = {topic: before[topic] + passes * results for topic in ("assessment", "creditbank")}
        figures = measured(self.bench, submitter, results, lambda: self._has_read(wanted))
        self._check(phase, results)
        return figures

    def paced(self, phase: road.Phase, rate: float) -> Row:
        """Latency from the scheduled submission until the credit can be seen."""
        with seen_in(self.client["onex_creditbank"]["entries"]) as seen:
            figures = self.submit(phase, batch=1, rate=rate)
            until(lambda: len(seen) >= phase.end - phase.first, 30, "every credit was seen")
        numbered = [(int(row["_id"][1:9]) - phase.first, at) for row, at in seen]
        return latencies(numbered, figures["began"], rate)

    def _has_read(self, wanted: dict[str, int]) -> bool:
        read = self._read()
        return all(read[topic] >= end for topic, end in wanted.items())

    def _read(self) -> dict[str, int]:
        """How far notify has read what the two others announce."""
        read = dict.fromkeys(("assessment", "creditbank"), 0)
        for row in self.client["onex_notify"]["positions"].find():
            source = row["_id"].split(".")[1]
            if source in read:
                read[source] += row["next_offset"]
        return read

    def _check(self, phase: road.Phase, results: int) -> None:
        """One credit of the level's worth, and one notice with it, for each result."""
        plan = f"{road.TEO_CODE}:{phase.plan}:"
        credited: Counter[str] = Counter()
        for row in self.client["onex_creditbank"]["entries"].find({"result_id": {"$gt": plan, "$lt": plan[:-1] + ";"}}):
            learner = row["_id"].split(":")[0]
            credited[learner] += sum(one["points"] for one in row["postings"] if one["from"] == "issued")
            credited[learner] -= sum(one["points"] for one in row["postings"] if one["to"] == "issued")
        event = "ResultPublicised" if phase.publicity_days else "CreditPosted"
        learners = {"$gte": road.learner(phase.first), "$lt": road.learner(phase.end)}
        where = {"event": event, "level": int(phase.level), "mailbox": learners}
        told = [row["mailbox"] for row in self.client["onex_notify"]["notices"].find(where)]
        check(f"OneX, plan {phase.plan}", credited.items(), told, results, 200)


def run_onex(bench: Bench, client: MongoClient[Row], results: int, workers: int, single: int) -> Row:
    """Every figure of OneX, one after the other on the same databases; each with learners and a plan of its own."""
    paced_from = results + single
    paced_to = paced_from + paced_count(FASTEST_PACE)
    phases = {
        "batches": road.Phase("A", 0, results),
        "final": road.Phase("B", 0, results, Level(2), publicity_days=0),
        "single": road.Phase("C", results, paced_from),
        "paced": road.Phase("D", paced_from, paced_to),
        "workers": road.Phase("E", paced_to, paced_to + results),
    }
    road.prepare(bench.mongo, "onex", list(phases.values()))
    onex = OneX(bench, client)
    onex.start_workers()
    figures: Row = {"batches": onex.submit(phases["batches"]), "final": onex.submit(phases["final"])}
    figures["single"] = onex.submit(phases["single"], batch=1)
    rate = SHARE * figures["single"]["per_second"]
    figures["paced"] = onex.paced(road.Phase("D", paced_from, paced_from + paced_count(rate)), rate)
    figures["rate"] = rate
    if workers > 1:
        onex.start_workers(workers - 1)
        figures["workers"] = onex.submit(phases["workers"])
    bench.stop()
    return figures


def paced_count(rate: float) -> int:
    return max(int(min(rate, FASTEST_PACE) * PACED_SECONDS), 200)


# --- the small references --------------------------------------------------------------------------------------------
def run_pairs(bench: Bench, client: MongoClient[Row], results: int) -> Row:
    """Raw two-document transactions, one after the other."""
    command = ("bench.chain", "pairs", "--mongo", bench.mongo, "--database", "pairs", "--results", str(results))
    submitter = bench.started("pairs", *command)
    done = client["pairs"]["outbox"]
    figures = measured(bench, submitter, results, lambda: done.estimated_document_count() >= results)
    bench.stop()
    return figures


def run_chain(bench: Bench, client: MongoClient[Row], rate: float) -> Row:
    """The smallest chain with the same durable commits, at the same pace."""
    results = paced_count(rate)
    at = (*_at(bench, "chain"), "--topic", "chain.record")
    bench.started("chain taking", "bench.chain", "take", *at)
    pace = ("--results", str(results), "--rate", str(rate))
    submitter = bench.started("chain sending", "bench.chain", "send", *at, *pace)
    entries = client["chain"]["entries"]
    entries.insert_one({"_id": -1})
    with seen_in(entries) as seen:
        figures = measured(bench, submitter, results, lambda: entries.estimated_document_count() > results)
        until(lambda: len(seen) >= results, 30, "every credit of the chain was seen")
    bench.stop()
    return latencies(((row["_id"], at) for row, at in seen), float(figures["began"]), rate)


# --- Celery ----------------------------------------------------------------------------------------------------------
def run_celery(bench: Bench, client: MongoClient[Row], results: int, rate: float) -> Row:
    """Celery's rate and paced latency, or why they are left out."""
    server = shutil.which("redis-server")
    if server is None:
        return {"absent": REDIS_ABSENT}
    port = free_port()
    log = (bench.folder / "redis.log").open("ab")
    redis = subprocess.Popen(
        [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(bench.folder)],
        stdout=log, stderr=log,
    )  # fmt: skip
    try:
        return _run_celery(bench, client, results, rate, f"redis://127.0.0.1:{port}/0", redis.pid)
    finally:
        bench.stop()
        redis.terminate()
        redis.wait()
        log.close()


def _run_celery(bench: Bench, client: MongoClient[Row], results: int, rate: float, redis: str, pid: int) -> Row:
    environment = {"REDIS": redis, "MONGO": bench.mongo, "DATABASE": "celery"}
    bench.engines = {**bench.engines, "redis": pid}
    bench.start(
        "celery worker", "celery", "-A", "bench.celery_pipeline", "worker", "--concurrency", "2", "-l", "WARNING",
        environment=environment,
    )  # fmt: skip
    submitted, notices = 0, client["celery"]["notices"]

    def submit(count: int, *more: str) -> Row:
        nonlocal submitted
        command = ("bench.celery_pipeline", "--first", str(submitted), "--results", str(count), *more)
        submitter = bench.started("submitting to celery", *command, environment=environment)
        submitted += count
        return measured(bench, submitter, count, lambda: notices.estimated_document_count() >= submitted)

    submit(20)  # warm: its processes are connected
    figures: Row = {"batches": submit(results)}
    with seen_in(client["celery"]["entries"]) as seen:
        first, count = submitted, paced_count(rate)
        paced = submit(count, "--rate", str(rate))
        until(lambda: len(seen) >= count, 30, "every credit of celery was seen")
    figures["paced"] = latencies(((row["_id"] - first, at) for row, at in seen), paced["began"], rate)
    credited = ((row["learner"], row["points"]) for row in client["celery"]["entries"].find())
    check("celery", credited, (row["learner"] for row in notices.find()), submitted, 200)
    return figures


# --- a run -----------------------------------------------------------------------------------------------------------
def one_run(bench: Bench, results: int, workers: int) -> Row:
    """Every pipeline once."""
    client: MongoClient[Row] = MongoClient(bench.mongo, readConcernLevel="majority")
    topics(bench)
    single = max(min(results // 10, 2_000), 300)
    figures: Row = {"bare": run_bare(bench, client, results), "safe": run_safe(bench, client, results)}
    figures["onex"] = run_onex(bench, client, results, workers, single)
    figures["pairs"] = run_pairs(bench, client, single)
    figures["chain"] = run_chain(bench, client, figures["onex"]["rate"])
    figures["celery"] = run_celery(bench, client, max(results // CELERY_SHARE, 500), figures["onex"]["rate"])
    figures["load"] = os.getloadavg()[0]
    client.close()
    return figures


def profile_run(bench: Bench, results: int, profiles: Path) -> Row:
    """OneX alone with every thread profiled: slower, but it says where the time goes."""
    client: MongoClient[Row] = MongoClient(bench.mongo, readConcernLevel="majority")
    topics(bench)
    phase = road.Phase("A", 0, results)
    road.prepare(bench.mongo, "onex", [phase])
    onex = OneX(bench, client, profiles)
    onex.start_workers()
    figures = onex.submit(phase)
    bench.stop()
    client.close()
    return figures

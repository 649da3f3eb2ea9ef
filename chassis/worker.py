"""The worker: one process that consumes, relays and runs what time brings."""

from __future__ import annotations

import gc
import json
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kafka.errors import KafkaError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pymongo.errors import PyMongoError

from chassis import resending, standing, waiters
from chassis.bus import outbox, unknown
from chassis.bus.ahead import examine
from chassis.bus.consumer import Consumer, ConsumerStopped
from chassis.bus.dead_letters import OPEN, DeadLetters
from chassis.bus.handlers import Handlers
from chassis.bus.parking import Parked
from chassis.bus.recovery import recover
from chassis.bus.relay import Relay
from chassis.bus.topics import topics_of
from chassis.bus.unknown import Language
from chassis.database import all_documents, collection_of, connect, ensure_indexes
from chassis.errors import Busy, Transient
from chassis.jobs import Job as Job
from chassis.leases import hold, kept, release_all
from chassis.resending import Asker
from chassis.settings import Settings
from chassis.watch import (
    CONSUMER_STOPPED,
    DEAD_LETTERS,
    EVENTS_PARKED,
    JOB_FAILURES,
    JOB_SECONDS,
    frames_of,
    log,
    start_logging,
)

WAITED_OUT = (Transient, PyMongoError, KafkaError, OSError)
YOUNG_OBJECTS = 50_000
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
JOB_LEASE_SECONDS = 10.0  # how long a job stands still after its worker was killed
CLOSE_SECONDS = 8.0
REPORT = "report"  # the job that every worker runs, whatever its service's standing
RECOVERY = "recovery"
RECOVERY_LEASE_SECONDS = 30.0


@dataclass
class Health:
    """What is wrong now, by part; a worker is ready when nothing is."""

    troubles: dict[str, str] = field(default_factory=dict)

    def well(self, part: str) -> None:
        self.troubles.pop(part, None)

    def trouble(self, part: str, why: str) -> None:
        self.troubles[part] = why


def run(name: str, settings: Settings, handlers: Handlers, jobs: Sequence[Job], language: Language) -> None:
    """Run a service's worker until SIGTERM: consume what `handlers` know, relay the outbox, run the jobs.

    `language`: the types that are announced at all; an event of another type is kept until a worker knows it.
    """
    start_logging(f"{name}-worker", settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    topics = topics_of(body.source for body in handlers)
    health = Health({"start": "starting"} | ({"consumer": "has not joined its group yet"} if topics else {}))
    serve_health(settings.worker_port, health)
    connect(settings.mongo, settings.database)
    _wait_out("start", health, stop, lambda: _begin(name, settings, topics))
    gc.freeze()  # what was imported stays: later collections need not look at it
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)  # a batch makes thousands of objects, none of them in a circle
    threads = [
        threading.Thread(
            target=_wait_out,
            args=("relay", health, stop, lambda: _relay(name, settings, topics, health, stop)),
            name="relay",
        ),
        threading.Thread(target=_run_jobs, args=(_all_jobs(name, settings, jobs), health, stop), name="jobs"),
    ]
    for thread in threads:
        thread.start()
    _wait_out("consumer", health, stop, lambda: _consume(name, settings, handlers, topics, language, health, stop))
    stop.wait()
    for thread in threads:
        thread.join(CLOSE_SECONDS)
    _give_up_leases()
    log.info("worker ends", name=name)


def _wait_out(part: str, health: Health, stop: threading.Event, deed: Callable[[], None]) -> None:
    """Run a part again after every trouble from outside, with growing pauses, without end; a defect ends it."""
    pause = FIRST_PAUSE_SECONDS
    while not stop.is_set():
        began = time.monotonic()
        try:
            deed()
            health.well(part)
            return
        except ConsumerStopped as stopped:
            CONSUMER_STOPPED.set(1)
            health.trouble(part, f"stopped: {stopped}")
            defect = stopped.__cause__ or stopped
            log.critical(
                "too many events broke, the consumer stopped; mend the code and start the worker again",
                at=str(stopped),
                frames=frames_of(defect),
            )
            return
        except Exception as error:  # noqa: BLE001 -- no part may die in silence: it is said, seen in readiness, built again
            _say_trouble(part, error, health)
            lasted = time.monotonic() - began > LONGEST_PAUSE_SECONDS
            pause = FIRST_PAUSE_SECONDS if lasted else min(pause * 2, LONGEST_PAUSE_SECONDS)
            stop.wait(pause)


def _say_trouble(part: str, error: Exception, health: Health) -> None:
    """Trouble from outside is expected and waited out; anything else is our own mistake and comes with its frames."""
    health.trouble(part, said(error))
    if isinstance(error, WAITED_OUT):
        log.warning("waiting for a part outside", part=part, error=said(error))
    else:
        log.error("a part broke and is built again", part=part, error=said(error), frames=frames_of(error))


def said(error: BaseException) -> str:
    """An error in a line. What the database says may quote values, so of it the kind and code alone."""
    if isinstance(error, PyMongoError):
        return f"{type(error).__name__} {getattr(error, 'code', None) or ''}".strip()
    if isinstance(error, WAITED_OUT):
        return f"{type(error).__name__}: {str(error)[:200]}"
    return type(error).__name__


def _begin(name: str, settings: Settings, topics: Sequence[str]) -> None:
    """Nothing is done before it is known that nobody knows more of this service than its database."""
    ensure_indexes(*all_documents())
    _recover_if_asked(name, settings, topics)
    examine(settings.kafka, group_of(name), topics, [name])


def _recover_if_asked(name: str, settings: Settings, topics: Sequence[str]) -> None:
    """Do what an operator asked for, one worker alone; `SetBack` as long as nobody asked or another is at it."""
    if standing.look_again()["state"] == standing.Standing.ASKED and hold(RECOVERY, RECOVERY_LEASE_SECONDS):
        with kept(RECOVERY, RECOVERY_LEASE_SECONDS):
            recover(settings.kafka, group_of(name), topics, [name])
    standing.must_be_sound()


def group_of(name: str) -> str:
    """The group in which a service's workers share its partitions."""
    return f"onex.{name}"


def _relay(name: str, settings: Settings, topics: Sequence[str], health: Health, stop: threading.Event) -> None:
    _recover_if_asked(name, settings, topics)
    relay = Relay(settings.kafka, [name])
    try:
        health.well("relay")
        relay.run(stop)
    finally:
        relay.close()


def _consume(
    name: str,
    settings: Settings,
    handlers: Handlers,
    topics: Sequence[str],
    language: Language,
    health: Health,
    stop: threading.Event,
) -> None:
    if not topics:
        return
    consumer = Consumer(settings.kafka, group_of(name), topics, handlers, language)
    try:
        consumer.run(stop, joined=lambda: health.well("consumer"))
    finally:
        consumer.close()


def _all_jobs(name: str, settings: Settings, jobs: Sequence[Job]) -> list[Job]:
    ask = Job("gaps", Asker(name, settings), resending.EVERY_SECONDS)
    return [*jobs, ask, Job(REPORT, _report, 5.0)]


def _report() -> None:
    """Figures that are read from the database now and then."""
    outbox.report_oldest()
    outbox.report_forgotten()
    waiters.report_oldest()
    unknown.report()
    EVENTS_PARKED.set(collection_of(Parked).estimated_document_count())
    DEAD_LETTERS.set(collection_of(DeadLetters).count_documents({"state": {"$in": OPEN}}))


def _run_jobs(jobs: Sequence[Job], health: Health, stop: threading.Event) -> None:
    """Run each job at its interval, at once again when it has more to do; one thread, so jobs stay small."""
    due = dict.fromkeys((job.name for job in jobs), 0.0)
    while not stop.is_set():
        for job in (job for job in jobs if not stop.is_set() and due[job.name] <= time.monotonic()):
            due[job.name] = _run_job(job, health) + time.monotonic()
        stop.wait(max(min(due.values()) - time.monotonic(), 0.01))


def _run_job(job: Job, health: Health) -> float:
    """Run a job once; in how many seconds it is due again. What was away is asked again soon, also by a daily job."""
    part, lease, lease_seconds = f"job {job.name}", f"job:{job.name}", max(JOB_LEASE_SECONDS, 2 * job.every_seconds)
    try:
        if job.name != REPORT and not _may_run(lease, lease_seconds):
            health.well(part)  # another worker does it now: whatever stopped us is no trouble of ours any more
            return job.every_seconds
        with kept(lease, lease_seconds), JOB_SECONDS.labels(job.name).time():
            more = bool(job.verb())
        health.well(part)
        return 0 if more else job.every_seconds
    except Busy:
        return 0
    except WAITED_OUT as error:
        health.trouble(part, said(error))
        log.warning("a job waits for a part outside", job=job.name, error=said(error))
        return min(job.every_seconds, LONGEST_PAUSE_SECONDS)
    except Exception as error:  # noqa: BLE001 -- a job's defect ends no other; it is counted, logged, seen in readiness
        JOB_FAILURES.labels(job.name).inc()
        health.trouble(part, "broke, see the log")
        log.error("a job broke", job=job.name, error=said(error), frames=frames_of(error))
    return job.every_seconds


def _may_run(lease: str, lease_seconds: float) -> bool:
    standing.must_be_sound()
    return hold(lease, lease_seconds)


def _give_up_leases() -> None:
    try:
        release_all()
    except PyMongoError as error:
        log.info("leases are left to run out", error=type(error).__name__)


def serve_health(port: int, health: Health) -> ThreadingHTTPServer:
    """Answer /healthz, /readyz and /metrics on a port of the worker's own."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = _answer(self.path, health)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Probes are not news."""

    server = ThreadingHTTPServer(("127.0.0.1" if port == 0 else "0.0.0.0", port), Answers)  # noqa: S104 -- a container's probe comes from outside
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server


def _answer(path: str, health: Health) -> tuple[int, str, bytes]:
    if path == "/metrics":
        return 200, CONTENT_TYPE_LATEST, generate_latest()
    if path == "/healthz":
        return 200, "application/json", b'{"status": "alive"}'
    if path == "/readyz":
        troubles = dict(health.troubles)
        body = json.dumps({"status": "waiting" if troubles else "ready", "troubles": troubles}).encode()
        return 503 if troubles else 200, "application/json", body
    return 404, "application/json", b'{"status": "not found"}'

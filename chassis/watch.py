"""Being seen: structured logs without personal values, metrics, and the cause of what happens now."""

from __future__ import annotations

import contextlib
import logging
import math
import re
import sys
import time
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram

ROOT = f"{Path(__file__).parents[1]}/"  # what we wrote lies below it

log: structlog.stdlib.BoundLogger = structlog.get_logger("onex")
_cause: ContextVar[str] = ContextVar("cause", default="")

# Eighteen characters that look like an identity number never reach a log, whoever wrote them into a message.
IDENTITY_LIKE = re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)")

SELDOM_SECONDS = 30.0
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
EVENTS_HANDLED = Counter("onex_events_handled_total", "Events that had their effect here.", ["source", "type"])
EVENTS_REPEATED = Counter("onex_events_repeated_total", "Events dropped because they had been seen.", ["source"])
EVENTS_UNHANDLED = Counter(
    "onex_events_unhandled_total", "Events of a known type that this service does not listen to.", ["source", "type"]
)
EVENTS_UNKNOWN = Counter(
    "onex_events_unknown_total", "Events of a type the published language does not have here.", ["source"]
)
UNKNOWN_KEPT = Gauge(
    "onex_unknown_events_kept", "Events of unknown types, kept until a worker knows them.", multiprocess_mode="max"
)
UNKNOWN_BEYOND = Gauge(
    "onex_unknown_events_beyond", "Events of unknown types that were too many to be kept.", multiprocess_mode="max"
)
EVENTS_PARKED = Gauge(
    "onex_events_parked", "Events waiting behind a gap in their key's numbers.", multiprocess_mode="max"
)
RESENDS_ASKED = Counter("onex_resends_asked_total", "Keys whose missing events were asked for again.", ["source"])
EVENTS_DEAD = Counter("onex_events_dead_total", "Events that became dead letters.", ["source", "type"])
DEAD_LETTERS = Gauge("onex_dead_letters", "Dead letters that wait for an operator.", multiprocess_mode="max")
EVENTS_PUBLISHED = Counter("onex_events_published_total", "Outbox rows Kafka has acknowledged.")
EVENTS_PUBLISHED_AGAIN = Counter("onex_events_published_again_total", "Outbox rows that Kafka had and lost.")
SET_BACK = Gauge(
    "onex_set_back", "1 while the database was set back and waits to be recovered.", multiprocess_mode="max"
)
FORGOTTEN = Gauge(
    "onex_forgotten_announcements",
    "What was announced and is not known here since the database was set back.",
    multiprocess_mode="max",
)
BATCH_SECONDS = Histogram("onex_batch_seconds", "One batch: strands, handlers, commit.", buckets=SECONDS)
BATCH_EVENTS = Histogram("onex_batch_events", "Events in a batch.", buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500))
BATCH_CONFLICTS = Counter("onex_batch_conflicts_total", "Batches run again because others held a key.")
EVENT_AGE_SECONDS = Histogram("onex_event_age_seconds", "From announcement to effect here.", ["type"], buckets=SECONDS)
LAG = Gauge("onex_lag_events", "Events not yet read, by topic.", ["topic"], multiprocess_mode="max")
OLDEST_UNPUBLISHED = Gauge(
    "onex_oldest_unpublished_seconds", "Age of the oldest outbox row Kafka does not have.", multiprocess_mode="max"
)
OLDEST_UNHANDLED = Gauge(
    "onex_oldest_unhandled_seconds", "Age of the last event read, when it was read.", multiprocess_mode="max"
)
OLDEST_WAITER = Gauge(
    "onex_oldest_waiter_seconds", "Age of what has waited longest for another fact.", ["kind"], multiprocess_mode="max"
)
JOB_SECONDS = Histogram("onex_job_seconds", "One run of a job.", ["job"], buckets=SECONDS)
JOB_FAILURES = Counter("onex_job_failures_total", "Runs of a job that broke.", ["job"])
CONSUMER_REBUILT = Counter("onex_consumer_rebuilt_total", "Consumers built again by the watchdog.")
CONSUMER_STOPPED = Gauge(
    "onex_consumer_stopped", "1 when too many defects stopped the consumer.", multiprocess_mode="max"
)


def _mask_identity(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
    return {
        name: IDENTITY_LIKE.sub("[identity]", value) if isinstance(value, str) else value
        for name, value in line.items()
    }


class Seldom(logging.Filter):
    """Lets each place in a library's code speak once in a while; how often it wanted to is said the next time.

    A client that has lost its engine says so many times a second, for as long as the engine is away.
    """

    def __init__(self, libraries: tuple[str, ...], every_seconds: float) -> None:
        super().__init__()
        self._libraries = libraries
        self._every_seconds = every_seconds
        self._spoken: dict[tuple[str, int], tuple[float, int]] = {}  # by file and line: when last, how often since

    def filter(self, record: logging.LogRecord) -> bool:
        """False for what the same line has said a short while ago."""
        if not record.name.startswith(self._libraries):
            return True
        place = (record.pathname, record.lineno)
        last, unsaid = self._spoken.get(place, (-math.inf, 0))
        if time.monotonic() - last < self._every_seconds:
            self._spoken[place] = (last, unsaid + 1)
            return False
        self._spoken[place] = (time.monotonic(), 0)
        if unsaid:
            record.msg, record.args = f"{record.getMessage()} (and {unsaid} times more since)", ()
        return True


def start_logging(service: str, level: str = "INFO") -> None:
    """Write one JSON object a line to standard error, from our code and from libraries alike."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask_identity,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Seldom(("kafka", "pymongo"), SELDOM_SECONDS))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("onex").disabled = False  # a library that configured logging before us silences what it found
    for noisy in ("kafka", "pymongo", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(service=service)


@contextlib.contextmanager
def cause(text: str) -> Iterator[None]:
    """Name what causes everything that is written and announced inside."""
    token = _cause.set(text)
    try:
        yield
    finally:
        _cause.reset(token)


def frames_of(error: BaseException) -> list[str]:
    """Where an error came from, by files below the project, without what it says: its message may quote values."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{one.filename.removeprefix(ROOT)}:{one.lineno} {one.name}" for one in frames][-12:]


def current_cause() -> str:
    """What causes what happens now; empty when nobody said."""
    return _cause.get()

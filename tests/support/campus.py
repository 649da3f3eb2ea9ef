"""Five services in one process, a database each, and a pump from every outbox to every handler: no broker at all."""

from __future__ import annotations

import importlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import mongoengine

from chassis.bus.arrivals import Arrival, arrival_of, types_of
from chassis.bus.batches import take
from chassis.bus.event import headers_of
from chassis.bus.handlers import Handlers
from chassis.bus.outbox import Outbox
from chassis.database import (
    CLIENT_OPTIONS,
    Row,
    all_documents,
    connect,
    database,
    ensure_indexes,
    rows_of,
    run_transaction,
)
from chassis.watch import cause
from tests.support.engines import empty

SERVICES = ("enrolment", "training", "assessment", "creditbank", "notify")
Result = TypeVar("Result")
SPARE: dict[str, list[str]] = defaultdict(list)  # by mongod, the prefixes of campuses that are empty and have no user
INDEXED: dict[str, set[str]] = defaultdict(set)  # by prefix, the models whose indexes are there: making them is slow


def is_of(document: type[mongoengine.Document], service: str) -> bool:
    """Whether a model belongs to a service, or to the chassis and so to each."""
    return document.__module__.startswith((f"services.{service}.", "chassis."))


class Campus:
    """The services' commands are called at their service; what they announce is delivered by `pump`."""

    def __init__(self, mongo_url: str, prefix: str) -> None:
        self.mongo_url = mongo_url
        self.prefix = prefix = SPARE[mongo_url].pop() if SPARE[mongo_url] else prefix
        self.handlers: Mapping[str, Handlers] = {
            name: importlib.import_module(f"services.{name}.handlers").HANDLERS for name in SERVICES
        }
        self.sweeps: dict[str, Sequence[Callable[[], Any]]] = {}
        # One client for all: a connection under another alias with the same options is shared by mongoengine.
        mongoengine.connect(f"{prefix}_kept", alias=prefix, host=mongo_url, **CLIENT_OPTIONS)
        for name in SERVICES:
            with self.at(name):
                self._make_indexes(name)

    def _make_indexes(self, service: str) -> None:
        """The indexes of the service's models that are not there yet."""
        there = INDEXED[f"{self.prefix}_{service}"]
        missing = [one for one in all_documents() if is_of(one, service) and str(one) not in there]
        ensure_indexes(*missing)
        there |= {str(one) for one in missing}

    @contextmanager
    def at(self, service: str) -> Iterator[None]:
        """Work in one service's database."""
        connect(self.mongo_url, f"{self.prefix}_{service}")
        yield

    def do(self, service: str, verb: Callable[[], Result], because: str = "test") -> Result:
        """A command of a service, as its HTTP door would call it."""
        with self.at(service), cause(because):
            return run_transaction(verb)

    def announced(self) -> list[Row]:
        """Every announcement of every service, each service's in its own order."""
        rows: list[Row] = []
        for name in SERVICES:
            with self.at(name):
                rows += rows_of(Outbox, {}, sort=[("time", 1), ("key", 1), ("seq", 1)])
        return rows

    def pump(self) -> None:
        """Deliver what is due, sweep what waits, until all is quiet."""
        while self._deliver_due() or self._sweep():
            pass

    def deliver_again(self, chance: random.Random) -> None:
        """Deliver everything once more, to everyone, in an order of chance."""
        rows = self.announced()
        chance.shuffle(rows)
        for name in SERVICES:
            self.hear(name, rows)
        self.pump()

    def drop(self) -> None:
        """Forget all that happened here; the next campus has its empty databases."""
        for name in SERVICES:
            with self.at(name):
                empty(database())
        SPARE[self.mongo_url].append(self.prefix)
        mongoengine.disconnect()
        mongoengine.disconnect(self.prefix)

    def _deliver_due(self) -> bool:
        due: list[Row] = []
        for name in SERVICES:
            with self.at(name):
                due += rows_of(Outbox, {"due": True}, sort=[("time", 1), ("key", 1), ("seq", 1)])
                database()["outbox"].update_many({"due": True}, {"$unset": {"due": ""}})
        for name in SERVICES:
            self.hear(name, due)
        return bool(due)

    def hear(self, service: str, rows: Sequence[Row]) -> None:
        """Have one service take these rows, as its consumer would."""
        handlers = self.handlers[service]
        heard = {body.source for body in handlers}
        arrivals = [self._arrival(row, handlers) for row in rows if row["source"] in heard]
        with self.at(service):
            for start in range(0, len(arrivals), 100):
                part = arrivals[start : start + 100]
                run_transaction(lambda part=part: take(part, handlers))  # type: ignore[misc]

    def _arrival(self, row: Row, handlers: Handlers) -> Arrival:
        return arrival_of(headers_of(row), bytes(row["body"]), types_of(handlers))

    def _sweep(self) -> bool:
        """Run what time brings, as if its time had come; whether anything was announced by it."""
        for name, verbs in self.sweeps.items():
            with self.at(name):
                _run_all(verbs)
        return any(self._has_due(name) for name in SERVICES)

    def _has_due(self, service: str) -> bool:
        with self.at(service):
            return bool(rows_of(Outbox, {"due": True}, limit=1))


def _run_all(verbs: Sequence[Callable[[], Any]]) -> None:
    database()["waiters"].update_many({}, {"$set": {"woken": True}})
    for verb in verbs:
        verb()

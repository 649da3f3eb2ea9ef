"""What can break, as a table: each fault is applied up to its `yield`, and healed after it."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pymongo.client_session import ClientSession

from tests.faults import records
from tests.faults.arena import ENGINES, SERVICES, Arena, kafka_command
from tests.faults.proxy import Mode

TARGET = "target"
HISTORY = "history"  # what Kafka and the outboxes remember: only one of them loses its memory at a time
LOOK_AGAIN_SECONDS = 3.0
HELD_UP_SECONDS = 3.0
SHARDS = 16
FULL_BYTES = 0
POISON = b'{"verdict": "passed"}'  # no field of a ResultFinalised else, and no news to anybody
MOST_SKEWED_SECONDS = 300  # clocks of two workers may stand ten minutes apart (chassis.bus.losses)
Snapshot = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Step:
    """One fault of a plan: what, to whom, for how long, with which luck."""

    after_seconds: float
    kind: str
    target: str
    seconds: float
    seed: int

    @property
    def chance(self) -> random.Random:
        return random.Random(self.seed)


Deed = Callable[[Arena, Step], AbstractContextManager[str]]


@dataclass(frozen=True)
class Fault:
    """`seconds`: how long it lasts, from and to; `takes`: what nobody else may break meanwhile."""

    kind: str
    weight: int
    targets: Callable[[Arena], list[str]]
    deed: Deed
    seconds: tuple[float, float] = (0.0, 0.0)
    takes: frozenset[str] = frozenset({TARGET})
    is_kill: bool = False


# --- processes ----------------------------------------------------------------------------------------------------
@contextmanager
def killed(arena: Arena, step: Step) -> Iterator[str]:
    """SIGKILL; the supervisor starts it again."""
    yield f"pid {arena.kill(step.target)}"


@contextmanager
def stopped(arena: Arena, step: Step) -> Iterator[str]:
    """SIGSTOP for longer than its session and its leases last, then SIGCONT: it believes itself in office."""
    pid = arena.some_pid(step.target)
    os.kill(pid, signal.SIGSTOP)
    yield f"pid {pid} for {step.seconds:.0f} s"
    os.kill(pid, signal.SIGCONT)


@contextmanager
def clock_stepped(arena: Arena, step: Step) -> Iterator[str]:
    """The clock of one worker steps, and the others' do not; later it steps back."""
    skew = step.chance.choice([-1, 1]) * step.chance.randint(30, MOST_SKEWED_SECONDS)
    file = arena.home / "steps" / arena.programs[step.target].service.environment["WORKER_PORT"]
    file.write_text(str(skew))
    yield f"by {skew:+d} s for {step.seconds:.0f} s"
    file.write_text("0")


@contextmanager
def disk_full(arena: Arena, step: Step) -> Iterator[str]:
    """A running engine's writes fail, by a limit for files: EFBIG where a full disk says ENOSPC.

    One that is started again has room: at a full disk writes within a file succeed, under the limit they do not, and
    mongod's recovery spoils its own files by that.
    """
    arena.until_well(step.target)
    pid = arena.some_pid(step.target)
    _limit(pid, FULL_BYTES)
    yield f"pid {pid} for {step.seconds:.0f} s"
    _limit(pid, resource.RLIM_INFINITY)


def _limit(pid: int, most_bytes: int) -> None:
    try:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))
    except ProcessLookupError:
        return


# --- the network --------------------------------------------------------------------------------------------------
def network(mode: Mode) -> Deed:
    """A gate is turned, and turned back."""

    @contextmanager
    def turned(arena: Arena, step: Step) -> Iterator[str]:
        delay_seconds = step.chance.uniform(0.05, 0.6) if mode is Mode.DELAY else 0.0
        gate = arena.gates[step.target]
        arena.network.turn(gate, mode, delay_seconds)
        by = f" by {delay_seconds * 1000:.0f} ms" if delay_seconds else ""
        yield f"{mode}{by} for {step.seconds:.0f} s, pid {arena.pid(step.target.partition('/')[0])}"
        arena.network.turn(gate, Mode.PASS)

    return turned


# --- records ------------------------------------------------------------------------------------------------------
@contextmanager
def sent_twice(arena: Arena, step: Step) -> Iterator[str]:
    """Every message of a topic comes once more."""
    known = _each_once(arena, step.target)
    yield f"{records.send(arena.kafka, known)} messages"


@contextmanager
def reordered(arena: Arena, step: Step) -> Iterator[str]:
    """Every message of a topic comes once more, in an order of chance or backwards."""
    known = _each_once(arena, step.target)
    if step.chance.random() < 0.5:
        known.reverse()
    else:
        step.chance.shuffle(known)
    yield f"{records.send(arena.kafka, known)} messages"


def _each_once(arena: Arena, service: str) -> list[Any]:
    found = arena.patiently(lambda: records.all_records(arena.kafka, records.topic_of(service)))
    return list({records.id_of(one): one for one in reversed(found)}.values())[::-1]


@contextmanager
def no_event(arena: Arena, step: Step) -> Iterator[str]:
    """A record that is no event."""
    topic, garbage = records.topic_of(step.target), step.chance.randbytes(step.seed % 400 + 1)
    arena.garbage.add(garbage)
    place = arena.patiently(lambda: records.send_garbage(arena.kafka, topic, garbage))
    yield f"at {place}"
    arena.attend_to_letters()


@contextmanager
def broken_body(arena: Arena, step: Step) -> Iterator[str]:
    """An event of a learner that breaks its contract, published as any other: its later ones wait behind it."""
    letter = arena.patiently(lambda: _poison(arena, step))
    yield letter
    readers = ("creditbank", "notify")
    arena.until(lambda: all(_is_letter(arena, one, letter) for one in readers), f"{letter} is no dead letter")
    _nothing_is_spent(arena, letter.split("|")[1].removeprefix("learner:"))
    arena.attend_to_letters()


def _nothing_is_spent(arena: Arena, learner_id: str) -> None:
    """While news about a learner is held up the flow goes on for a while, and nothing is held or spent of theirs."""
    before = arena.patiently(lambda: _spendings(arena, learner_id))
    threading.Event().wait(HELD_UP_SECONDS)
    if new := arena.patiently(lambda: _spendings(arena, learner_id)) - before:
        raise AssertionError(f"spent while news about {learner_id} was held up: {sorted(new)}")


def _spendings(arena: Arena, learner_id: str) -> set[str]:
    where = {"_id": {"$gt": f"{learner_id}:", "$lt": f"{learner_id};"}, "what": {"$in": ["hold", "spend"]}}
    return {row["_id"] for row in arena.client["onex_creditbank"]["entries"].find(where, {"_id": 1})}


def _poison(arena: Arena, step: Step) -> str:
    """Announce it as a defective publisher would, in a transaction with its learner's strand; its letter's name."""
    found = list(arena.client["onex_assessment"]["results"].find({}, {"learner_id": 1}).sort("_id", 1))
    key = f"learner:{step.chance.choice(found)['learner_id']}"
    with arena.client.start_session() as session:
        letter = session.with_transaction(lambda one: _announce(arena, one, key, step.seed))
    arena.poisons.add(letter)
    return letter


def _announce(arena: Arena, session: ClientSession, key: str, seed: int) -> str:
    database = arena.client["onex_assessment"]
    row: dict[str, Any] = {"_id": f"poison-{seed}", "key": key, "type": "ResultFinalised", "source": "assessment"}
    if there := database["outbox"].find_one({"_id": row["_id"]}, session=session):
        return f"assessment|{key}|{there['seq']}"
    seq = (database["strands"].find_one({"_id": key}, session=session) or {})["next_seq"]
    database["strands"].update_one({"_id": key}, {"$inc": {"next_seq": 1, "version": 1}}, session=session)
    row |= {"seq": seq, "cause": "poison", "time": datetime.now(UTC), "body": POISON, "due": True}
    database["outbox"].insert_one(row | {"shard": zlib.crc32(key.encode()) % SHARDS}, session=session)
    return f"assessment|{key}|{seq}"


def _is_letter(arena: Arena, service: str, letter: str) -> bool:
    return arena.client[f"onex_{service}"]["dead_letters"].find_one({"_id": letter}) is not None


# --- what Kafka forgets -------------------------------------------------------------------------------------------
@contextmanager
def kafka_wiped(arena: Arena, step: Step) -> Iterator[str]:
    """Kafka begins with an empty disk; the topics are made again and filled from the outboxes."""
    pid = arena.pid("kafka")
    arena.stop("kafka")
    shutil.rmtree(arena.home / "kafka" / "log")
    ports = (int(arena.running.variables[name]) for name in ("KAFKA_PORT", "KAFKA_CONTROLLER_PORT"))
    kafka_command(arena.gates, arena.home / "kafka", *ports)
    arena.start("kafka")
    yield f"pid {pid}"
    arena.until(lambda: arena.is_well("kafka"), "kafka does not come back")
    arena.make_topics()
    until_remembered(arena)


@contextmanager
def tail_cut(arena: Arena, step: Step) -> Iterator[str]:
    """A partition's newest segment loses its end while Kafka is down, as after a crash of its machine."""
    pid = arena.pid("kafka")
    arena.stop("kafka")
    log = arena.home / "kafka" / "log"
    partitions = [one for one in sorted(log.glob(f"onex.{step.target}.v1-*")) if _newest(one).stat().st_size]
    what = "nothing to cut"
    if partitions:
        segment = _newest(step.chance.choice(partitions))
        before = segment.stat().st_size
        os.truncate(segment, left := int(before * step.chance.uniform(0.2, 0.95)))
        what = f"{segment.parent.name} from {before} to {left} bytes"
    for name in (".kafka_cleanshutdown", "recovery-point-offset-checkpoint"):
        (log / name).unlink(missing_ok=True)
    arena.start("kafka")
    yield f"{what}, pid {pid}"
    arena.until(lambda: arena.is_well("kafka"), "kafka does not come back")
    until_remembered(arena)


def _newest(partition: Path) -> Path:
    return max(partition.glob("*.log"))


def until_remembered(arena: Arena) -> None:
    """Wait until the topics have again what the outboxes have announced by now."""
    announced = arena.patiently(lambda: {name: announced_by(arena, name) for name in SERVICES})
    pause = threading.Event()
    deadline = time.monotonic() + arena.patience_seconds
    while lacking := [name for name in SERVICES if arena.patiently(lambda name=name: _lacks(arena, name, announced))]:  # type: ignore[misc]
        if time.monotonic() > deadline:
            raise AssertionError(f"the topics of {', '.join(lacking)} do not have what was announced")
        pause.wait(LOOK_AGAIN_SECONDS)


def announced_by(arena: Arena, service: str) -> set[str]:
    """The ids of all that a service has announced."""
    return {row["_id"] for row in arena.client[f"onex_{service}"]["outbox"].find({}, {"_id": 1})}


def _lacks(arena: Arena, service: str, announced: dict[str, set[str]]) -> set[str]:
    found = {records.id_of(one) for one in records.all_records(arena.kafka, records.topic_of(service))}
    return announced[service] - found


# --- what a service forgets ---------------------------------------------------------------------------------------
@contextmanager
def set_back(arena: Arena, step: Step) -> Iterator[str]:
    """A service's database becomes what it was some time ago; an operator recovers it as the runbook says."""
    service = step.target
    snapshot = arena.patiently(lambda: snapshot_of(arena, service))
    yield f"by {step.seconds:.0f} s, {sum(map(len, snapshot.values()))} documents"
    with arena.flow if service == "assessment" else nullcontext():  # what it forgot could be refused until it is told
        with arena.holding("mongo", *arena.processes_of(service)):
            arena.was_set_back.add(service)
            put_back(arena, service, snapshot)
        arena.until(lambda: _is_known(arena, service), f"{service} does not notice that it was set back")
        said = arena.onex("recover", service).splitlines()
        arena.tell(f"onex recover {service}: {' '.join(line.strip() for line in said if line[:1].isalpha())}")
        if service == "notify":
            arena.onex("held-mails", "drop", "--all")
        if service == "assessment":
            arena.submit_again()


def snapshot_of(arena: Arena, service: str) -> Snapshot:
    """All that a service's database holds, at one instant."""
    database = arena.client[f"onex_{service}"]
    names = sorted(database.list_collection_names())
    with arena.client.start_session(snapshot=True) as session:
        return {name: list(database[name].find({}, session=session)) for name in names}


def put_back(arena: Arena, service: str, snapshot: Snapshot) -> None:
    """Restore it while the service's processes are stopped, and start them."""
    for name in arena.processes_of(service):
        arena.stop(name)
    database = arena.client[f"onex_{service}"]
    for name in sorted(database.list_collection_names()):
        arena.patiently(lambda name=name: _refill(database[name], snapshot.get(name, [])))  # type: ignore[misc]
    for name in arena.processes_of(service):
        arena.start(name)


def _refill(collection: Any, documents: list[dict[str, Any]]) -> None:
    collection.delete_many({})
    if documents:
        collection.insert_many(documents)


def _is_known(arena: Arena, service: str) -> bool:
    """Whether it waits for the operator, or has found nothing that knows more than it."""
    row = arena.client[f"onex_{service}"]["standing"].find_one({"_id": "service"})
    return (row is not None and row["state"] == "set_back") or arena.is_well(f"{service}-worker")


# --- the table ----------------------------------------------------------------------------------------------------
def _services(*names: str) -> Callable[[Arena], list[str]]:
    return lambda arena: list(names or SERVICES)


def _gates(arena: Arena) -> list[str]:
    return list(arena.gates)


def _workers(arena: Arena) -> list[str]:
    return arena.workers


def _kill(weight: int, targets: Callable[[Arena], list[str]]) -> Fault:
    return Fault("kill", weight, targets, killed, is_kill=True)


KAFKA, MEMORY = frozenset({"kafka"}), frozenset({HISTORY, "kafka"})
READ = _services("enrolment", "assessment", "creditbank")
CREDITED = _services("assessment", "creditbank")
CREDITED_TOLD = _services("assessment", "creditbank", "notify")

KILLS = (
    _kill(12, _workers),
    _kill(5, lambda arena: arena.applications),
    _kill(2, lambda arena: ["mongo"]),
    _kill(1, lambda arena: ["kafka"]),
)
CHEAP = (
    Fault("stop", 2, _workers, stopped, (12, 25)),
    Fault("network delayed", 2, _gates, network(Mode.DELAY), (4, 15)),
    Fault("network cut", 2, _gates, network(Mode.CUT), (2, 12)),
    Fault("network half-open", 2, _gates, network(Mode.HALF_OPEN), (5, 30)),
    Fault("messages twice", 1, READ, sent_twice, takes=KAFKA),
    Fault("messages reordered", 1, CREDITED, reordered, takes=KAFKA),
    Fault("record no event", 1, READ, no_event, (1, 4), takes=frozenset()),
    Fault("body broken", 1, _services("assessment"), broken_body, (1, 6), takes=frozenset({HISTORY})),
    Fault("clock steps", 1, _workers, clock_stepped, (5, 20)),
)
DEAR = (
    Fault("disk full", 1, lambda arena: list(ENGINES), disk_full, (2, 6)),
    Fault("tail cut", 1, CREDITED, tail_cut, takes=MEMORY),
    Fault("kafka wiped", 1, lambda arena: ["kafka"], kafka_wiped, takes=MEMORY),
    Fault("set back", 1, CREDITED_TOLD, set_back, (15, 60), takes=frozenset({HISTORY})),
)
OTHERS = (*CHEAP, *DEAR)

"""What waits for another fact: kept by name, woken when the fact arrives, and tried again for ever in any case."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import mongoengine as me
from pymongo import DeleteMany, DeleteOne, UpdateMany, UpdateOne

from chassis.database import Row, collection_of, comes_from_outside, rows_of, run_transaction, write
from chassis.watch import OLDEST_WAITER, current_cause

SWEEP_ROWS = 500
FIRST_PAUSE_SECONDS = 5
LONGEST_PAUSE_SECONDS = 300


class Waiters(me.Document):
    """`fact`: what it waits for; `tries`, `next_try`: the sweep's own pace; `woken`: the fact has arrived."""

    meta = {
        "collection": "waiters",
        "auto_create_index": False,
        "strict": False,
        "indexes": [("kind", "-woken", "next_try"), ("fact", "name"), ("kind", "since")],
    }
    name = me.StringField(primary_key=True)
    kind = me.StringField()
    item = me.StringField()
    fact = me.StringField()
    cause = me.StringField()
    since = me.DateTimeField()
    next_try = me.DateTimeField()
    tries = me.IntField()
    woken = me.BooleanField()


class Waking(me.Document):
    """A fact that has arrived, of which more wait than are woken in one transaction; `after`: the last one woken."""

    meta = {"collection": "waking", "auto_create_index": False, "strict": False}
    fact = me.StringField(primary_key=True)
    after = me.StringField()


def wait(kind: str, item: str, fact: str, cause: str = "") -> None:
    """Keep an item waiting for a fact, in the open transaction; waiting already, it only changes what it waits for."""
    wait_all(kind, [(item, fact, cause)])


def wait_all(kind: str, waiting: Sequence[tuple[str, str, str]]) -> None:
    """Keep many waiting at once: (item, fact, cause) each."""
    now = datetime.now(UTC)
    first = now + timedelta(seconds=FIRST_PAUSE_SECONDS)
    write(
        Waiters,
        [
            UpdateOne(
                {"_id": f"{kind}:{item}"},
                {
                    "$set": {"fact": fact},
                    "$setOnInsert": {
                        "kind": kind, "item": item, "cause": cause or current_cause(), "since": now,
                        "next_try": first, "tries": 0, "woken": False,
                    },
                },
                upsert=True,
            )
            for item, fact, cause in waiting
        ],
    )  # fmt: skip


def due_all(kind: str, due: Sequence[tuple[str, str]]) -> None:
    """Have many tried soon, whatever they wait for: (item, cause) each. Of one that waits already the first cause
    stays.

    It always writes, so that it conflicts with a sweep under way.
    """
    now = datetime.now(UTC)
    write(
        Waiters,
        [
            UpdateOne(
                {"_id": f"{kind}:{item}"},
                {
                    "$set": {"woken": True},
                    "$inc": {"wakes": 1},
                    "$setOnInsert": {
                        "kind": kind, "item": item, "fact": "", "cause": cause or current_cause(), "since": now,
                        "next_try": now, "tries": 0,
                    },
                },
                upsert=True,
            )
            for item, cause in due
        ],
    )  # fmt: skip


def done(kind: str, items: Sequence[str]) -> None:
    """They wait no more."""
    if items:
        write(Waiters, [DeleteMany({"_id": {"$in": [f"{kind}:{item}" for item in items]}})])


def waiting(kind: str, fact: str | None = None) -> int:
    """How many of a kind wait, for one fact or for any."""
    return collection_of(Waiters).count_documents({"kind": kind} | ({"fact": fact} if fact else {}))


def facts_of(kind: str, items: Sequence[str]) -> dict[str, Row]:
    """By item, what each of these waits for, since when and because of what."""
    rows = rows_of(Waiters, {"_id": {"$in": [f"{kind}:{item}" for item in items]}}, ["item", "fact", "since", "cause"])
    return {row["item"]: row for row in rows}


def waiting_within(kind: str, facts: Sequence[tuple[str, str]], behind: Row, limit: int) -> list[Row]:
    """What waits for facts in some ranges, the first included and the last not, by fact and name, behind a place."""
    ranges = [{"fact": {"$gte": low, "$lt": high}} for low, high in facts]
    where = {"$and": [{"kind": kind}, {"$or": ranges}, behind]}
    return rows_of(Waiters, where, ["item", "fact"], sort=[("fact", 1), ("_id", 1)], limit=limit) if ranges else []


def wake(fact: str) -> None:
    """The fact has arrived: have everything that waits for it tried soon, 500 a transaction, by the sweep."""
    wake_all([fact])


def wake_all(facts: Sequence[str]) -> None:
    """Several facts have arrived at once: what waits for them is woken now or, where it is very much, by the sweep.

    It always writes, so that it conflicts with a sweep under way.
    """
    names = _waiting_for({"fact": {"$in": list(facts)}})
    if len(names) < SWEEP_ROWS:
        _wake(names)
    else:
        begun = {"$set": {"after": ""}}
        write(Waking, [UpdateOne({"_id": fact}, begun, upsert=True) for fact in dict.fromkeys(facts)])


def _waiting_for(where: Row, sort: Sequence[tuple[str, int]] | None = None) -> list[str]:
    """What waits for facts, as many as are woken in one transaction at most."""
    return [row["_id"] for row in rows_of(Waiters, where, ["_id"], sort=sort, limit=SWEEP_ROWS)]


def _wake(names: Sequence[str]) -> None:
    woken = {"$set": {"woken": True}, "$inc": {"wakes": 1}}
    write(Waiters, [UpdateMany({"_id": {"$in": list(names)}}, woken)] if names else [])


def _wake_on() -> bool:
    """Wake the next 500 of what waits for a fact that has arrived; True when there may be more."""
    begun = rows_of(Waking, {}, sort=[("_id", 1)], limit=2)
    if not begun:
        return False
    fact, after = begun[0]["_id"], begun[0]["after"]
    names = _waiting_for({"fact": fact, "_id": {"$gt": after}}, sort=[("_id", 1)])
    _wake(names)
    is_last = len(names) < SWEEP_ROWS
    on = DeleteOne({"_id": fact}) if is_last else UpdateOne({"_id": fact}, {"$set": {"after": names[-1]}})
    write(Waking, [on])
    return len(begun) > 1 or not is_last


def sweep(kind: str, verb: Callable[[list[str]], None]) -> bool:
    """Try again what waits, woken ones first, at most 500 in one transaction; True when there is more to do now.

    The verb ends the waiting of those that went through with `done`; what still waits is tried later, ever more
    slowly, without end.
    """
    now = datetime.now(UTC)
    more = run_transaction(_wake_on)
    due = rows_of(Waiters, {"kind": kind, "woken": True}, limit=SWEEP_ROWS)
    if len(due) < SWEEP_ROWS:
        due += rows_of(Waiters, {"kind": kind, "woken": False, "next_try": {"$lte": now}}, limit=SWEEP_ROWS - len(due))
    _try_some(due, verb, now)
    return more or len(due) == SWEEP_ROWS


def _try_some(due: list[Row], verb: Callable[[list[str]], None], now: datetime) -> None:
    """Try in one transaction; when it breaks, in halves, so that one that cannot be tried holds up no other.

    The guilty one rests like the others do, and its error is raised in the end.
    """
    if not due:
        return
    try:
        run_transaction(lambda: _try_again(due, verb, now))
    except Exception as error:
        if comes_from_outside(error):
            raise
        if len(due) == 1:
            run_transaction(lambda: _rest(due, now))
            raise
        _try_halves(due, verb, now)


def _try_halves(due: list[Row], verb: Callable[[list[str]], None], now: datetime) -> None:
    middle = len(due) // 2
    try:
        _try_some(due[:middle], verb, now)
    finally:
        _try_some(due[middle:], verb, now)


def _try_again(due: list[Row], verb: Callable[[list[str]], None], now: datetime) -> None:
    _rest(due, now)
    verb([row["item"] for row in due])


def _rest(due: list[Row], now: datetime) -> None:
    """When each is tried next by itself: ever later."""
    operations = []
    for row in due:
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(row["tries"], 10), LONGEST_PAUSE_SECONDS)
        change = {"$set": {"woken": False, "next_try": now + timedelta(seconds=pause)}, "$inc": {"tries": 1}}
        operations.append(UpdateOne({"_id": row["_id"]}, change))
    write(Waiters, operations)


def report_oldest() -> None:
    """Set the metric of the oldest waiter of each kind."""
    for row in collection_of(Waiters).aggregate([{"$group": {"_id": "$kind", "since": {"$min": "$since"}}}]):
        OLDEST_WAITER.labels(row["_id"]).set(time.time() - row["since"].timestamp())

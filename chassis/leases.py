"""Leases: who may do a thing alone for a while, by the database's clock."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import mongoengine as me
from pymongo.errors import DuplicateKeyError, PyMongoError

from chassis.database import collection_of
from chassis.watch import log

HOLDER = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"

LONGEST_KEPT_SECONDS = 300.0  # what is not done by then is stuck, and others may try it


class Leases(me.Document):
    meta = {"collection": "leases", "auto_create_index": False, "strict": False}
    name = me.StringField(primary_key=True)
    holder = me.StringField()
    until = me.DateTimeField()


def hold(name: str, seconds: float, holder: str = HOLDER) -> bool:
    """Take or renew a lease; False when another holds it."""
    leases = collection_of(Leases)
    until = [{"$set": {"holder": holder, "until": {"$add": ["$$NOW", int(seconds * 1000)]}}}]
    mine_or_over = {"_id": name, "$or": [{"holder": holder}, {"$expr": {"$lte": ["$until", "$$NOW"]}}]}
    if leases.update_one(mine_or_over, until).matched_count:
        return True
    try:
        return leases.update_one({"_id": name, "holder": holder}, until, upsert=True).acknowledged
    except DuplicateKeyError:
        return False


def renew_all(prefix: str, seconds: float, holder: str = HOLDER) -> set[str]:
    """Renew every lease of this holder under a prefix; the names still held."""
    mine = {"_id": {"$regex": f"^{prefix}"}, "holder": holder, "$expr": {"$gt": ["$until", "$$NOW"]}}
    leases = collection_of(Leases)
    leases.update_many(mine, [{"$set": {"until": {"$add": ["$$NOW", int(seconds * 1000)]}}}])
    return {row["_id"] for row in leases.find(mine, {"_id": 1})}


def renew(name: str, seconds: float, holder: str = HOLDER) -> bool:
    """Renew a lease; False when it is not held any more."""
    mine = {"_id": name, "holder": holder, "$expr": {"$gt": ["$until", "$$NOW"]}}
    until = [{"$set": {"until": {"$add": ["$$NOW", int(seconds * 1000)]}}}]
    return bool(collection_of(Leases).update_one(mine, until).matched_count)


@contextmanager
def kept(name: str, seconds: float, holder: str = HOLDER) -> Iterator[None]:
    """Renew a lease that is held until the block ends, for five minutes at most."""
    over = threading.Event()
    threading.Thread(target=_renew_until, args=(over, name, seconds, holder), name="lease", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _renew_until(over: threading.Event, name: str, seconds: float, holder: str) -> None:
    stuck_at = time.monotonic() + LONGEST_KEPT_SECONDS
    held = True
    while held and not over.wait(seconds / 3) and time.monotonic() < stuck_at:
        try:
            held = renew(name, seconds, holder)
        except PyMongoError as error:
            log.warning("a lease could not be renewed", lease=name, error=type(error).__name__)


def holders(prefix: str) -> set[str]:
    """Who holds a live lease under a prefix."""
    live = {"_id": {"$regex": f"^{prefix}"}, "$expr": {"$gt": ["$until", "$$NOW"]}}
    return {row["holder"] for row in collection_of(Leases).find(live, {"holder": 1})}


def release(name: str, holder: str = HOLDER) -> None:
    """Give one lease up."""
    collection_of(Leases).delete_one({"_id": name, "holder": holder})


def release_all(holder: str = HOLDER) -> None:
    """Give up everything at a clean stop, so that nobody waits for it to run out."""
    collection_of(Leases).delete_many({"holder": holder})

"""How a service stands: sound, or with a database that was set back, which knows less than it has announced and read.

A service that was set back changes nothing until an operator has it recovered (ADR 9).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import mongoengine as me
from pymongo.collection import Collection

from chassis.database import MAJORITY, Row, collection_of
from chassis.errors import Ground, Transient
from chassis.watch import SET_BACK, log

LOOK_SECONDS = 1.0
NAME = "service"
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
RECOVERY_NEEDED = Ground(
    "recovery_needed",
    en="The service's database was set back to an earlier state. An operator has to recover it first: onex recover.",
    zh="该服务的数据库已回退到较早状态，须先由运维人员恢复（onex recover）。",
    status=503,
)


class Standing(StrEnum):
    SOUND = "sound"
    SET_BACK = "set_back"  # waits for an operator
    ASKED = "asked"  # to be recovered by a worker


class SetBack(Transient):
    """The database knows less than the service has announced or read: an operator has to say `onex recover`."""


class Standings(me.Document):
    """One row. `witnesses`: what is ahead of the database, in sentences; `accepted`: by place, turn and offset told to
    Kafka that a recovery took note of; `again_before`: what was announced before it may have had outward effects."""

    meta = {"collection": "standing", "auto_create_index": False, "strict": False}
    name = me.StringField(primary_key=True)
    state = me.StringField()
    since = me.DateTimeField()
    witnesses = me.ListField(me.StringField())
    asked_by = me.StringField()
    accepted = me.DictField()
    again_before = me.DateTimeField()
    adopted = me.DictField()


class _Seen:
    """What this process saw last, for a second."""

    row: Row = {}
    until = 0.0


def row() -> Row:
    """How the service stands, read again at most once a second."""
    if time.monotonic() >= _Seen.until:
        look_again()
    return _Seen.row


def look_again() -> Row:
    """How the service stands now."""
    found: Row = dict(collection_of(Standings).find_one({"_id": NAME}) or {"state": Standing.SOUND})
    _Seen.row, _Seen.until = found, time.monotonic() + LOOK_SECONDS
    SET_BACK.set(0 if found["state"] == Standing.SOUND else 1)
    return found


def must_be_sound() -> None:
    """`SetBack` while the service waits for its recovery."""
    if row()["state"] != Standing.SOUND:
        raise SetBack(f"the database was set back: {'; '.join(row()['witnesses'])}. Say: onex recover")


def note_set_back(witnesses: Sequence[str]) -> None:
    """Have the service change nothing until an operator had it recovered; raises `SetBack`."""
    log.critical("the database was set back, nothing is changed until it is recovered", witnesses=list(witnesses))
    now = {"state": Standing.SET_BACK, "since": datetime.now(UTC), "witnesses": list(witnesses)}
    if look_again()["state"] == Standing.SOUND:
        _change(now)
    must_be_sound()


def ask(by: str) -> bool:
    """An operator's word that a worker shall recover the database; False when it needs none."""
    where = {"_id": NAME, "state": Standing.SET_BACK}
    return _change({"state": Standing.ASKED, "asked_by": by}, where)


def recovered(accepted: Mapping[str, Sequence[int]], adopted: Mapping[str, int]) -> None:
    """The service goes on; of what was announced before, nobody outside is told without an operator's word."""
    _change(
        {
            "state": Standing.SOUND,
            "since": datetime.now(UTC),
            "again_before": datetime.now(UTC),
            "accepted": dict(accepted),
            "adopted": dict(adopted),
        }
    )


def hold_back(before: datetime) -> None:
    """Have no outward effect follow, without an operator's word, from what was announced before an instant."""
    change = {"$max": {"again_before": before}, "$setOnInsert": {"state": Standing.SOUND}}
    _standings().update_one({"_id": NAME}, change, upsert=True)
    look_again()


def again_before() -> datetime:
    """What was announced before this instant may have had its outward effects already; by the database, as of now."""
    found: datetime = look_again().get("again_before") or NEVER
    return found


def _change(change: Mapping[str, Any], where: Mapping[str, Any] | None = None) -> bool:
    changed = _standings().update_one(dict(where or {"_id": NAME}), {"$set": dict(change)}, upsert=where is None)
    look_again()
    return bool(changed.matched_count or changed.upserted_id)


def _standings() -> Collection[Row]:
    return collection_of(Standings).with_options(write_concern=MAJORITY)

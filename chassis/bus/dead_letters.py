"""Dead letters: events that broke their handling, kept here until an operator has them tried again or discards them.

A dead letter's key and source stay where they were: its number is not `seen`, so what comes after it waits behind the
gap, in order, while everyone else goes on. Only the worker that owns the partition tries again, discards and drains;
an operator's word merely asks for it. The letters live in the service's own database (ADR 8).
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import mongoengine as me
import msgspec
from bson import Binary
from pymongo import ReplaceOne, UpdateOne

from chassis.bus.arrivals import Arrival, arrival_in, arrival_of
from chassis.bus.event import Announcement, Envelope, envelope_of
from chassis.database import Row, rows_of, write
from chassis.errors import GROUNDS, Defect, Ground, Language, Refusal
from chassis.strands import strand
from chassis.watch import ROOT, frames_of

RECORD_BROKEN = Ground(
    "record_broken",
    en="The record breaks its contract: {what}.",
    zh="记录不符合约定：{what}。",
)
HANDLING_BROKE = Ground(
    "handling_broke",
    en="Handling it broke: {kind} at {at}.",
    zh="处理时出错：{kind}，位置 {at}。",
)


class LetterState(StrEnum):
    WAITING = "waiting"  # for an operator
    ASKED = "asked"  # to be tried again by the partition's owner
    DISCARDING = "discarding"  # to be given up by the partition's owner
    HANDLED = "handled"
    DISCARDED = "discarded"


OPEN = (LetterState.WAITING, LetterState.ASKED, LetterState.DISCARDING)


class DeadLetters(me.Document):
    """`place`: topic and partition, whose owner decides; `envelope`: empty when the record is no event, then `headers`
    has what it came with; `problem`: code and facts of the last attempt; `decided`: each operator's word, in order."""

    meta = {
        "collection": "dead_letters",
        "auto_create_index": False,
        "strict": False,
        "indexes": [("place", "state"), ("state", "first_at"), ("type", "state"), ("key",)],
    }
    id = me.StringField(primary_key=True)
    place = me.StringField()
    offset = me.IntField()
    source = me.StringField()
    key = me.StringField()
    seq = me.IntField()
    type = me.StringField()
    envelope = me.BinaryField()
    headers = me.ListField(me.ListField())
    body = me.BinaryField()
    state = me.StringField()
    attempts = me.IntField()
    first_at = me.DateTimeField()
    last_at = me.DateTimeField()
    problem = me.DictField()
    frames = me.ListField(me.StringField())
    decided = me.ListField(me.DictField())


def bury(
    place: str,
    offset: int,
    headers: Sequence[tuple[str, bytes | None]],
    payload: bytes,
    error: BaseException,
    is_raw: bool = False,
) -> Row | None:
    """Make a dead letter of a record that broke its handling, in the open transaction; its key waits behind it.

    `is_raw`: keep it as it came, whatever its envelope says. None for one that was seen, or is a letter already.
    """
    envelope = None if is_raw else _envelope(headers)
    if envelope is None:
        row = _letter(f"{place}|{offset}", place, offset, payload) | {
            "headers": [[name, Binary(value or b"")] for name, value in headers]
        }
    else:
        held = strand(envelope.key)
        if envelope.seq <= held.seen.get(envelope.source, 0) or envelope.seq in held.dead.get(envelope.source, []):
            return None
        held.dead.setdefault(envelope.source, []).append(envelope.seq)
        row = _letter(name_of(envelope), place, offset, payload) | _told(envelope)
    write(DeadLetters, [ReplaceOne({"_id": row["_id"]}, row | _broke(error) | {"attempts": 1}, upsert=True)])
    return row


def hand_over(row: Row) -> None:
    """Make a letter, to be tried at once, of a parked event whose turn has come, in the open transaction.

    So an event that may be guilty is tried alone, and not together with the one that went before it.
    """
    envelope = msgspec.json.decode(row["envelope"], type=Envelope)
    strand(envelope.key).dead.setdefault(envelope.source, []).append(envelope.seq)
    letter = _letter(row["_id"], row["place"], row["offset"], row["body"]) | _told(envelope)
    letter |= {"state": LetterState.ASKED, "attempts": 0, "problem": {}, "frames": []}
    write(DeadLetters, [ReplaceOne({"_id": row["_id"]}, letter, upsert=True)])


def asked_of(places: Iterable[str], limit: int) -> list[Row]:
    """The letters that the owner of these places has to try or give up, the oldest first."""
    states = [LetterState.ASKED, LetterState.DISCARDING]
    where = {"place": {"$in": sorted(places)}, "state": {"$in": states}}
    return rows_of(DeadLetters, where, sort=[("first_at", 1), ("seq", 1)], limit=limit)


def lift(row: Row) -> None:
    """Take a letter off its key, in the open transaction: what happens to it now counts."""
    if row["key"]:
        held = strand(row["key"])
        seqs = [seq for seq in held.dead.get(row["source"], []) if seq != row["seq"]]
        held.dead.pop(row["source"], None)
        if seqs:
            held.dead[row["source"]] = seqs


def settle(row: Row, state: LetterState) -> None:
    """A letter's end, in the open transaction; its body goes, what was said about it stays."""
    change = {"state": state, "last_at": datetime.now(UTC), "body": Binary(b""), "headers": []}
    write(DeadLetters, [UpdateOne({"_id": row["_id"]}, {"$set": change})])


def broke_again(row: Row, error: BaseException) -> None:
    """It waits for an operator again, with what went wrong this time."""
    write(DeadLetters, [UpdateOne({"_id": row["_id"]}, {"$set": _broke(error), "$inc": {"attempts": 1}})])


def arrival_again(row: Row, types: Mapping[str, type[Announcement]]) -> Arrival:
    """A letter as it once came; `Defect` when its record still breaks the contract."""
    place, offset, body = row["place"], row["offset"], bytes(row["body"])
    if row["envelope"]:
        return arrival_in(msgspec.json.decode(row["envelope"], type=Envelope), body, types, place, offset)
    return arrival_of([(name, bytes(value)) for name, value in row["headers"]], body, types, place, offset)


def name_of(envelope: Envelope) -> str:
    """What an event is kept under while it waits: its key's number is there once."""
    return f"{envelope.source}|{envelope.key}|{envelope.seq}"


def sentence(row: Row, language: Language) -> str:
    """What went wrong, for a person; empty before the first attempt."""
    return refusal_of(row["problem"]).sentence(language) if row["problem"] else ""


def refusal_of(problem: Mapping[str, Any]) -> Refusal:
    """A kept problem as the refusal that says it."""
    return GROUNDS[problem["code"]](**problem["facts"])


def problem_of(error: BaseException) -> dict[str, Any]:
    """An error as code and facts. Its own words may quote values, so only ours are kept."""
    if isinstance(error, Defect):
        return {"code": RECORD_BROKEN.code, "facts": {"what": str(error)[:300]}}
    frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename.startswith(ROOT)]
    ours = [one for one in frames if "site-packages" not in one.filename]
    at = f"{ours[-1].filename.removeprefix(ROOT)}:{ours[-1].lineno} {ours[-1].name}" if ours else "?"
    return {"code": HANDLING_BROKE.code, "facts": {"kind": type(error).__name__, "at": at}}


def _broke(error: BaseException) -> Row:
    return {
        "state": LetterState.WAITING,
        "last_at": datetime.now(UTC),
        "problem": problem_of(error),
        "frames": frames_of(error),
    }


def _letter(name: str, place: str, offset: int, payload: bytes) -> Row:
    now = datetime.now(UTC)
    about = {"source": "", "key": "", "seq": 0, "type": "", "envelope": Binary(b""), "headers": []}
    about |= {"body": Binary(payload), "first_at": now, "last_at": now, "decided": []}
    return {"_id": name, "place": place, "offset": offset} | about


def _told(envelope: Envelope) -> Row:
    return {
        "source": envelope.source,
        "key": envelope.key,
        "seq": envelope.seq,
        "type": envelope.type,
        "envelope": Binary(msgspec.json.encode(envelope)),
    }


def _envelope(headers: Sequence[tuple[str, bytes | None]]) -> Envelope | None:
    try:
        return envelope_of(headers)
    except ValueError:
        return None

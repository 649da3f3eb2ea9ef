"""Replay: a new or rebuilt read model is fed from the publishers' outboxes, since Kafka forgets and they do not.

The publisher's side publishes everything again, a page at a time. The reader's side takes back, when its read model was
dropped, what it has `seen` of a source, so that it handles all of it again, in order. Nothing outward follows (ADR 12).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from marshmallow import fields, validate
from pymongo import UpdateMany

from chassis import standing
from chassis.bus.dead_letters import OPEN, DeadLetters
from chassis.bus.event import LAST_NUMBER
from chassis.bus.handlers import Handlers
from chassis.bus.outbox import Outbox
from chassis.bus.parking import Parked
from chassis.database import collection_of, rows_of, transactional, write
from chassis.errors import Ground
from chassis.leases import hold, release, renew
from chassis.strands import Strands, name_keys, strand
from chassis.watch import log
from chassis.web.access import allow, caller
from chassis.web.blueprint import Blueprint
from chassis.web.schemas import Schema

LEASE, LEASE_SECONDS = "replay", 60.0
KEYS_AT_ONCE, ROWS_AT_ONCE = 500, 5_000
MOST_SOURCES = 20
RUNNING = Ground(
    "replay_running",
    en="Another replay of this service is under way. Wait for it; one that was cut off gives way after a minute.",
    zh="该服务的另一次重放正在进行，请等待其完成；若已中断，一分钟后可重新开始。",
    status=409,
)
UNHEARD = Ground(
    "replay_source_unheard",
    en="This service does not listen to {source}. It listens to: {heard}.",
    zh="该服务不接收 {source} 的事件，其接收的来源为：{heard}。",
    status=422,
)


class WishSchema(Schema):
    """`sources`: of whom; none means all it listens to. `again`: take back what was seen, from the key `after` on."""

    sources = fields.List(
        fields.String(validate=validate.Length(1, 63)), load_default=[], validate=validate.Length(0, MOST_SOURCES)
    )
    again = fields.Boolean(load_default=False)
    after = fields.String(load_default="", validate=validate.Length(0, 300))


class ProgressSchema(Schema):
    """`next`: the key after which to go on; `handled`: by source, how many announcements it is through with."""

    taken_back = fields.Integer(required=True)
    next = fields.String(required=True, allow_none=True)
    handled = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    parked = fields.Integer(required=True)
    dead_letters = fields.Integer(required=True)


class RowSchema(Schema):
    """The row after which to go on; an empty key is the beginning."""

    key = fields.String(load_default="", validate=validate.Length(0, 300))
    seq = fields.Integer(load_default=0, validate=validate.Range(0, LAST_NUMBER))


class RepublishedSchema(Schema):
    """How many rows this page had, and where the next one begins."""

    count = fields.Integer(required=True)
    next = fields.Nested(RowSchema, required=True, allow_none=True)


class OutboxSchema(Schema):
    """How much was announced in all, and how much of it is still to be published."""

    rows = fields.Integer(required=True)
    due = fields.Integer(required=True)


def replaying(handlers: Handlers, deciders: Collection[StrEnum]) -> Blueprint:
    """The routes of both sides, for those who may decide."""
    blp = Blueprint("replay", __name__, description="A read model is fed again from the publishers' outboxes.")

    @blp.route("/outbox")
    @allow(*deciders)
    @blp.response(200, OutboxSchema)
    def get_outbox() -> dict[str, int]:
        """Tell how much was announced, and how much of it is to be published."""
        outbox = collection_of(Outbox)
        return {"rows": outbox.count_documents({}), "due": outbox.count_documents({"due": True})}

    @blp.route("/outbox/republications", methods=["POST"])
    @allow(*deciders, whole_college=True)
    @blp.arguments(RowSchema)
    @blp.response(200, RepublishedSchema)
    def republish(body: dict[str, Any]) -> dict[str, Any]:
        """Publish the next page of everything once more; readers drop what they have seen."""
        return publish_page(body["key"], body["seq"])

    @blp.route("/replays/<replay_id>", methods=["PUT"])
    @allow(*deciders, whole_college=True)
    @blp.arguments(WishSchema)
    @blp.response(200, ProgressSchema)
    def go_on(body: dict[str, Any], replay_id: str) -> dict[str, Any]:
        """Begin a replay or go on with it: take back a page of what was seen, if wanted; tell how far it is."""
        sources = heard_of(handlers, body["sources"])
        begin_or_go_on(replay_id)
        taken, after = take_back(sources, body["after"]) if body["again"] else (0, None)
        if taken:
            log.warning("what was seen is taken back", keys=taken, sources=sources, by=caller().subject)
        return {"taken_back": taken, "next": after, **progress(sources)}

    @blp.route("/replays/<replay_id>", methods=["DELETE"])
    @allow(*deciders, whole_college=True)
    @blp.response(204)
    def end_replay(replay_id: str) -> None:
        """End a replay, so that another may begin; one that is not known has ended already."""
        release(LEASE, replay_id)

    return blp


def heard_of(handlers: Handlers, wanted: Sequence[str]) -> list[str]:
    """The sources wanted, or all that are listened to; refused when one is not."""
    heard = sorted({body.source for body in handlers})
    for source in wanted:
        if source not in heard:
            raise UNHEARD(source=source, heard=", ".join(heard))
    return sorted(set(wanted)) or heard


def begin_or_go_on(replay_id: str) -> None:
    """Keep others away; of what was announced before it begins, nobody outside is told without an operator's word."""
    if renew(LEASE, LEASE_SECONDS, replay_id):
        return
    if not hold(LEASE, LEASE_SECONDS, replay_id):
        raise RUNNING()
    standing.hold_back(datetime.now(UTC))


@transactional
def take_back(sources: Sequence[str], after: str) -> tuple[int, str | None]:
    """Have the next keys count nothing of these sources as seen; how many keys, and after which to go on."""
    rows = rows_of(Strands, {"_id": {"$gt": after}}, ["_id"], sort=[("_id", 1)], limit=KEYS_AT_ONCE)
    keys = [row["_id"] for row in rows]
    name_keys(keys)
    for key in keys:
        held = strand(key)
        held.seen = {source: seq for source, seq in held.seen.items() if source not in sources}
    return len(keys), keys[-1] if len(keys) == KEYS_AT_ONCE else None


def progress(sources: Sequence[str]) -> dict[str, Any]:
    """How far a service is: a key's announcements are numbered without gaps, so what was seen last says how many."""
    sums = {source: {"$sum": f"$seen.{source}"} for source in sources}
    found: list[Mapping[str, Any]] = list(collection_of(Strands).aggregate([{"$group": {"_id": None, **sums}}]))
    return {
        "handled": {source: found[0][source] if found else 0 for source in sources},
        "parked": collection_of(Parked).count_documents({"source": {"$in": list(sources)}}),
        "dead_letters": collection_of(DeadLetters).count_documents({"state": {"$in": OPEN}}),
    }


def publish_page(key: str, seq: int) -> dict[str, Any]:
    """Have the relay publish once more the rows that follow one, by key and number; it sends them in that order."""
    beyond = {"$or": [{"key": {"$gt": key}}, {"key": key, "seq": {"$gt": seq}}]}
    rows = rows_of(Outbox, beyond, ["key", "seq"], sort=[("key", 1), ("seq", 1)], limit=ROWS_AT_ONCE)
    write(Outbox, [UpdateMany({"_id": {"$in": [row["_id"] for row in rows]}}, {"$set": {"due": True}})] if rows else [])
    last = {"key": rows[-1]["key"], "seq": rows[-1]["seq"]} if len(rows) == ROWS_AT_ONCE else None
    return {"count": len(rows), "next": last}

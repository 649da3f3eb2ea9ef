"""What is missing is asked for again: a gap in a key's numbers parks what came after it, and its publisher has it all.

The outbox is the record (ADR 2), so a publisher can always publish again; who has seen it drops the repeat.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from marshmallow import fields, validate
from pymongo import UpdateMany

from chassis.bus.event import LAST_NUMBER
from chassis.bus.outbox import Outbox
from chassis.bus.parking import Parked
from chassis.database import Row, collection_of, rows_of, transactional
from chassis.settings import Settings
from chassis.strands import Strands
from chassis.watch import RESENDS_ASKED, log
from chassis.web.access import allow
from chassis.web.blueprint import Blueprint
from chassis.web.client import Client
from chassis.web.schemas import Schema

PATIENCE_SECONDS = 30.0  # what is only late comes by itself
EVERY_SECONDS = 10.0
ANSWER_SECONDS = 5.0  # the worker has other jobs too
MOST_KEYS, MOST_NUMBERS = 200, 1_000
Gap = dict[str, Any]  # key, first, last


class GapSchema(Schema):
    """Numbers of a key that a reader lacks."""

    key = fields.String(required=True, validate=validate.Length(1, 300))
    first = fields.Integer(required=True, validate=validate.Range(1, LAST_NUMBER))
    last = fields.Integer(required=True, validate=validate.Range(1, LAST_NUMBER))


class GapsSchema(Schema):
    gaps = fields.List(fields.Nested(GapSchema), required=True, validate=validate.Length(1, MOST_KEYS))


class ResentSchema(Schema):
    """How many of them exist and are published again."""

    count = fields.Integer(required=True)


def resending(askers: Collection[StrEnum]) -> Blueprint:
    """The publisher's side: POST /outbox/resend."""
    blp = Blueprint("outbox", __name__, description="What was announced, for readers who lack it.")

    @blp.route("/outbox/resend", methods=["POST"])
    @allow(*askers)
    @blp.arguments(GapsSchema)
    @blp.response(200, ResentSchema)
    def resend(body: dict[str, Any]) -> dict[str, int]:
        """Publish these numbers of these keys again, at most a thousand of a key; readers drop what they have seen."""
        return {"count": publish_again(body["gaps"])}

    return blp


@transactional
def publish_again(gaps: Collection[Gap]) -> int:
    """Have the relay publish these rows once more; how many there are."""
    changes = []
    for gap in gaps:
        last = min(gap["last"], gap["first"] + MOST_NUMBERS - 1)
        where = {"key": gap["key"], "seq": {"$gte": gap["first"], "$lte": last}}
        changes.append(UpdateMany(where, {"$set": {"due": True}}))
    return int(collection_of(Outbox).bulk_write(changes).matched_count)


class Asker:
    """The reader's side: a job that asks each publisher for what its gaps lack."""

    def __init__(self, name: str, settings: Settings, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience = timedelta(seconds=patience_seconds)
        self._clients = {
            peer: Client(url, peer, settings.portal_url, name, settings.client_secret, answer_seconds=ANSWER_SECONDS)
            for peer, url in settings.addresses().items()
        }

    def __call__(self) -> bool:
        """Ask for the gaps that have stood for a while; True when there were more than one request holds."""
        found = gaps(datetime.now(UTC) - self._patience)
        for source, lacking in found.items():
            if client := self._clients.get(source):
                count = client.post("/outbox/resend", {"gaps": lacking})["count"]
                RESENDS_ASKED.labels(source).inc(len(lacking))
                log.warning(
                    "asked for events that are missing", source=source, keys=len(lacking), published_again=count
                )
        return any(len(lacking) == MOST_KEYS for lacking in found.values())


def gaps(before: datetime) -> dict[str, list[Gap]]:
    """By source, the numbers missing before what has been parked since `before`; a dead letter's is not missing."""
    first = {"_id": {"key": "$key", "source": "$source"}, "seq": {"$min": "$seq"}, "since": {"$min": "$since"}}
    steps: list[dict[str, Any]] = [{"$match": {"since": {"$lt": before}}}, {"$group": first}, {"$sort": {"since": 1}}]
    parked = list(collection_of(Parked).aggregate(steps))
    strands = {row["_id"]: row for row in rows_of(Strands, {"_id": {"$in": [one["_id"]["key"] for one in parked]}})}
    found: dict[str, list[Gap]] = defaultdict(list)
    for one in parked:
        key, source = one["_id"]["key"], one["_id"]["source"]
        gap = _gap(key, strands.get(key, {}), source, one["seq"])
        if gap and len(found[source]) < MOST_KEYS:
            found[source].append(gap)
    return {source: lacking for source, lacking in found.items() if lacking}


def _gap(key: str, strand: Mapping[str, Any] | Row, source: str, seq: int) -> Gap | None:
    first, last = strand.get("seen", {}).get(source, 0) + 1, seq - 1
    dead = strand.get("dead", {}).get(source, [])
    while first in dead:
        first += 1
    while last in dead:
        last -= 1
    return {"key": key, "first": first, "last": min(last, first + MOST_NUMBERS - 1)} if first <= last else None

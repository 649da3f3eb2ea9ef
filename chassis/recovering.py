"""Recovery over HTTP, the same in each service: how its database stands, an operator's word that it be recovered, and
what was announced and is not known any more, since outside parties have to send it again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any

import msgspec
from marshmallow import fields, validate
from pymongo import UpdateOne

from chassis import standing
from chassis.bus.outbox import MISSED, Outbox, follows_from_event
from chassis.database import Row, collection_of, rows_of, transactional, write
from chassis.errors import NOT_FOUND, Ground
from chassis.standing import Standing
from chassis.strands import name_keys
from chassis.watch import log
from chassis.web.access import allow, caller
from chassis.web.blueprint import Blueprint
from chassis.web.health import SEALED_FIELDS
from chassis.web.operators import WordSchema, word_on
from chassis.web.paging import after, page, paged
from chassis.web.schemas import Schema

STATES = [state.value for state in Standing]
MOST_AT_ONCE = 200
COMES_BY_ITSELF = Ground(
    "announcement_comes_by_itself",
    en="{type} follows from an event that is read again. Wait until the service has read what lies before it.",
    zh="{type} 由会被重新读取的事件产生，请等待服务读完此前的事件。",
    status=409,
)
HOLDS_UP = Ground(
    "announcement_holds_up",
    en="{type} can't be given up: others act on it, and {service} has to know it again. Have it done again there.",
    zh="{type} 不能放弃：其他服务已据此处理，{service} 必须重新得知，请在该服务重新办理。",
    status=409,
)


class StandingSchema(Schema):
    """`witnesses`: what is ahead of the database; `adopted`: what the last recovery learnt from the topic, by type;
    `forgotten`: how much of it nothing here has announced anew; `again_before`: what was announced before is told to
    nobody outside without an operator's word."""

    state = fields.String(required=True, validate=validate.OneOf(STATES))
    since = fields.AwareDateTime(required=True, allow_none=True)
    witnesses = fields.List(fields.String(), required=True)
    asked_by = fields.String(required=True, allow_none=True)
    adopted = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    forgotten = fields.Integer(required=True)
    again_before = fields.AwareDateTime(required=True, allow_none=True)


class GiveUpSchema(Schema):
    ids = fields.List(
        fields.String(validate=validate.Length(1, 400)), required=True, validate=validate.Length(1, MOST_AT_ONCE)
    )
    reason = fields.String(required=True, validate=validate.Length(1, 500))


class ForgottenSchema(Schema):
    """An announcement that the topic alone knew. `comes_by_itself`: it follows from an event that is read again."""

    id = fields.String(required=True)
    type = fields.String(required=True)
    key = fields.String(required=True)
    seq = fields.Integer(required=True)
    cause = fields.String(required=True)
    time = fields.AwareDateTime(required=True)
    comes_by_itself = fields.Boolean(required=True)
    event = fields.Dict(keys=fields.String(), required=True)


def recovering(
    readers: Collection[StrEnum], deciders: Collection[StrEnum], holding_up: Collection[str] = ()
) -> Blueprint:
    """The routes, for those who may look and those who may decide; of the types `holding_up` nothing is given up."""
    blp = Blueprint("recovery", __name__, description="A database that was set back, and what it forgot.")

    @blp.route("/recovery")
    @allow(*readers)
    @blp.response(200, StandingSchema)
    def get_standing() -> Any:
        """Tell how the service's database stands."""
        return _shown(standing.look_again())

    @blp.route("/recovery", methods=["POST"])
    @allow(*deciders, while_set_back=True, whole_college=True)
    @blp.response(202, StandingSchema)
    def ask_for_recovery() -> Any:
        """Have a worker recover the database from the service's own topic; one that was not set back stays as it is."""
        if standing.ask(caller().subject):
            log.warning("a recovery was asked for", by=caller().subject)
        return _shown(standing.row())

    @blp.route("/recovery/forgotten")
    @allow(*readers)
    @paged(ForgottenSchema)
    def list_forgotten(query: dict[str, Any]) -> Any:
        """List, by key and number, what was announced, nothing here has announced anew, and nobody gave up."""
        where = MISSED | after(query["cursor"], "key", "seq")
        rows = rows_of(Outbox, where, sort=[("key", 1), ("seq", 1)], limit=query["limit"] + 1)
        return page([_forgotten(row) for row in rows], query["limit"], lambda one: [one["key"], one["seq"]])

    @blp.route("/recovery/forgotten/given-up", methods=["POST"])
    @allow(*deciders, whole_college=True)
    @blp.arguments(GiveUpSchema)
    @blp.response(200, WordSchema(many=True))
    def give_up(body: dict[str, Any]) -> list[dict[str, Any]]:
        """Give announcements up that nobody will send again, for a reason, which is kept; each gets its own verdict."""
        return [word_on(one, partial(_give_up, reason=body["reason"], holding_up=holding_up)) for one in body["ids"]]

    return blp


@transactional
def _give_up(name: str, reason: str, holding_up: Collection[str]) -> None:
    """Nothing announces it anew any more; should somebody send it again all the same, it is recognised still."""
    found = rows_of(Outbox, MISSED | {"_id": name})
    if not found:
        raise NOT_FOUND(what="forgotten announcement", id=name[:100])
    row = found[0]
    if row["type"] in holding_up:
        raise HOLDS_UP(type=row["type"], service=row["source"])
    if follows_from_event(row["cause"]):
        raise COMES_BY_ITSELF(type=row["type"])
    name_keys([row["key"]])
    word = {"by": caller().subject, "at": datetime.now(UTC), "reason": reason}
    write(Outbox, [UpdateOne(MISSED | {"_id": name}, {"$set": {"given_up": word}})])
    log.warning("a forgotten announcement was given up", id=name, type=row["type"], by=caller().subject)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "state": row["state"],
        "since": row.get("since"),
        "witnesses": row.get("witnesses", []),
        "asked_by": row.get("asked_by"),
        "adopted": row.get("adopted", {}),
        "forgotten": collection_of(Outbox).count_documents(MISSED),
        "again_before": row.get("again_before"),
    }


def _forgotten(row: Row) -> dict[str, Any]:
    event = msgspec.json.decode(bytes(row["body"]))
    shown = {name: value for name, value in event.items() if name not in SEALED_FIELDS}
    same = {name: row[name] for name in ("type", "key", "seq", "cause", "time")}
    return same | {"id": row["_id"], "comes_by_itself": follows_from_event(row["cause"]), "event": shown}

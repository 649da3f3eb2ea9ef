"""The dead-letter workbench over HTTP, the same in each service: what failed and why, what waits behind it, and an
operator's word on it. A retry is rehearsed first, in a transaction that is taken back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

import msgspec
from marshmallow import fields, validate
from pymongo import UpdateOne

from chassis.bus.dead_letters import OPEN, DeadLetters, LetterState, problem_of, refusal_of, sentence
from chassis.bus.event import Envelope
from chassis.bus.handlers import Handlers
from chassis.bus.parking import MOST_AHEAD, Parked
from chassis.bus.retrying import rehearse
from chassis.bus.unknown import MOST_KEPT, UnknownEvents, beyond, envelope_in, size_of_kept
from chassis.database import Row, collection_of, comes_from_outside, rows_of, transactional
from chassis.errors import NOT_FOUND, Ground
from chassis.strands import strand
from chassis.watch import log
from chassis.web.access import allow, caller
from chassis.web.blueprint import Blueprint
from chassis.web.health import SEALED_FIELDS
from chassis.web.operators import WordSchema, word_on
from chassis.web.paging import PageArgs, page, paged
from chassis.web.problems import language
from chassis.web.schemas import Schema

SOME = validate.Length(1, 100)
DueOf = Callable[[Collection[str]], Mapping[str, date]]  # by key, the next day on which something it holds up is due
MOST_NAMES = 100
STATES = [state.value for state in LetterState]
NOT_WAITING = Ground(
    "letter_not_waiting",
    en="Nothing is to be decided about this letter now: another's word came first, or it is settled.",
    zh="该死信已有处理意见或已了结，无需再处理。",
    status=409,
)


NOT_ITS_TURN = Ground(
    "letter_not_its_turn",
    en="{missing} events before this one are still missing and are asked for. Decide about it when they have come.",
    zh="该事件之前还缺 {missing} 个事件，系统正在补取。请待其到达后再处理。",
    status=409,
)


class LettersArgs(PageArgs):
    state = fields.String(load_default=None, validate=validate.OneOf(STATES))
    type = fields.String(load_default=None, validate=validate.Length(1, 100))


class DecisionSchema(Schema):
    at = fields.AwareDateTime(required=True)
    what = fields.String(required=True, validate=validate.OneOf(["retry", "discard"]))
    by = fields.String(required=True)
    reason = fields.String(required=True)


class LetterSchema(Schema):
    """A dead letter. `waiting`: how many later events of its key wait behind it; `due_on`: the next deadline among what
    it holds up; `why`: what broke, in a sentence."""

    id = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    type = fields.String(required=True)
    source = fields.String(required=True)
    key = fields.String(required=True)
    seq = fields.Integer(required=True)
    cause = fields.String(required=True)
    place = fields.String(required=True)
    offset = fields.Integer(required=True)
    attempts = fields.Integer(required=True)
    first_at = fields.AwareDateTime(required=True)
    last_at = fields.AwareDateTime(required=True)
    code = fields.String(required=True, allow_none=True)
    why = fields.String(required=True)
    waiting = fields.Integer(required=True)
    due_on = fields.Date(required=True, allow_none=True)
    decisions = fields.List(fields.Nested(DecisionSchema), required=True)


class WholeLetterSchema(LetterSchema):
    """With its event, personal fields left out (null when it is none or is settled), and where the error came from."""

    event = fields.Dict(keys=fields.String(), required=True, allow_none=True)
    frames = fields.List(fields.String(), required=True)


class RetriesSchema(Schema):
    ids = fields.List(fields.String(validate=validate.Length(1, 400)), required=True, validate=SOME)


class DiscardsSchema(RetriesSchema):
    reason = fields.String(required=True, validate=validate.Length(1, 500))


class UnknownArgs(PageArgs):
    type = fields.String(load_default=None, validate=validate.Length(1, 100))


class UnknownEventSchema(Schema):
    """An event of a type that nobody here knows, kept until a worker does. `fields`: its body's names without values,
    since nobody knows which are personal; `why`: what broke when it was handed to its handler, once it had one."""

    id = fields.String(required=True)
    type = fields.String(required=True)
    source = fields.String(required=True)
    key = fields.String(required=True)
    seq = fields.Integer(required=True)
    cause = fields.String(required=True)
    place = fields.String(required=True)
    offset = fields.Integer(required=True)
    announced_at = fields.AwareDateTime(required=True)
    kept_at = fields.AwareDateTime(required=True)
    size = fields.Integer(required=True)
    fields_ = fields.List(fields.String(), required=True, data_key="fields")
    attempts = fields.Integer(required=True)
    why = fields.String(required=True)


class BeyondSchema(Schema):
    source = fields.String(required=True)
    count = fields.Integer(required=True)


class UnknownFiguresSchema(Schema):
    """How many are kept of at most how many; by source, how many came beyond that and are in the outbox there alone."""

    kept = fields.Integer(required=True)
    most = fields.Integer(required=True)
    size = fields.Integer(required=True)
    beyond = fields.List(fields.Nested(BeyondSchema), required=True)


def nothing_due(_keys: Collection[str]) -> Mapping[str, date]:
    """What a service says that knows no deadlines."""
    return {}


def workbench(
    handlers: Handlers, readers: Collection[StrEnum], deciders: Collection[StrEnum], due_of: DueOf = nothing_due
) -> Blueprint:
    """The routes of the workbench, for those who may look and those who may decide."""
    blp = Blueprint(
        "dead-letters",
        __name__,
        description="Events that could not be handled and what waits behind them; events of types nobody here knows.",
    )
    _looking(blp, readers, due_of)
    _unknown(blp, readers)
    _deciding(blp, handlers, deciders)
    return blp


def _looking(blp: Blueprint, readers: Collection[StrEnum], due_of: DueOf) -> None:
    @blp.route("/dead-letters")
    @allow(*readers)
    @paged(LetterSchema, LettersArgs)
    def list_letters(query: dict[str, Any]) -> Any:
        """List dead letters by id; those that are not settled, or those in one state."""
        rows = rows_of(
            DeadLetters, _wanted(query), {"body": 0, "headers": 0}, sort=[("_id", 1)], limit=query["limit"] + 1
        )
        behind, due = _behind(rows), due_of(_held_up(rows))
        return page([_shown(row, behind, due) for row in rows], query["limit"], lambda one: [one["id"]])

    @blp.route("/dead-letters/<path:letter_id>")
    @allow(*readers)
    @blp.response(200, WholeLetterSchema)
    def get_letter(letter_id: str) -> Any:
        """Show a dead letter with its event, personal fields left out."""
        row = _found(letter_id)
        return _shown(row, _behind([row]), due_of(_held_up([row]))) | {"event": _event(row), "frames": row["frames"]}


def _unknown(blp: Blueprint, readers: Collection[StrEnum]) -> None:
    @blp.route("/unknown-events")
    @allow(*readers)
    @paged(UnknownEventSchema, UnknownArgs)
    def list_unknown_events(query: dict[str, Any]) -> Any:
        """List events of types that nobody here knows, by id; they are handed on by a worker that knows them."""
        where = {"type": query["type"]} if query["type"] else {}
        if query["cursor"]:
            where["_id"] = {"$gt": str(query["cursor"][0])}
        rows = rows_of(UnknownEvents, where, sort=[("_id", 1)], limit=query["limit"] + 1)
        return page([_shown_unknown(row) for row in rows], query["limit"], lambda one: [one["id"]])

    @blp.route("/unknown-event-figures")
    @allow(*readers)
    @blp.response(200, UnknownFiguresSchema)
    def get_unknown_event_figures() -> dict[str, Any]:
        """Say how many events of unknown types are kept, of at most how many, and how many came beyond."""
        count, size = size_of_kept()
        more = [{"source": source, "count": number} for source, number in beyond().items()]
        return {"kept": count, "most": MOST_KEPT, "size": size, "beyond": more}


def _shown_unknown(row: Row) -> dict[str, Any]:
    same = ("type", "source", "key", "seq", "place", "offset", "kept_at", "size", "attempts")
    envelope = envelope_in(row)
    return {name: row[name] for name in same} | {
        "id": row["_id"],
        "cause": envelope.cause,
        "announced_at": envelope.time,
        "fields_": _names_in(row["body"]),
        "why": sentence(row, language()),
    }


def _names_in(body: bytes) -> list[str]:
    """The names of a body's fields; none when it is no JSON object."""
    try:
        return sorted(msgspec.json.decode(body, type=dict[str, msgspec.Raw]))[:MOST_NAMES]
    except msgspec.DecodeError:
        return []


def _deciding(blp: Blueprint, handlers: Handlers, deciders: Collection[StrEnum]) -> None:
    @blp.route("/dead-letter-retries", methods=["POST"])
    @allow(*deciders, whole_college=True)
    @blp.arguments(RetriesSchema)
    @blp.response(200, WordSchema(many=True))
    def retry_letters(body: dict[str, Any]) -> list[dict[str, Any]]:
        """Have letters tried again, each rehearsed first; one that would break again is refused with the reason."""
        return [word_on(one, lambda name: _retry(_found(name), handlers)) for one in body["ids"]]

    @blp.route("/dead-letter-discards", methods=["POST"])
    @allow(*deciders, whole_college=True)
    @blp.arguments(DiscardsSchema)
    @blp.response(200, WordSchema(many=True))
    def discard_letters(body: dict[str, Any]) -> list[dict[str, Any]]:
        """Give letters up for a reason, which is kept; what waited behind them goes on."""
        return [word_on(one, lambda name: _discard(_found(name), body["reason"])) for one in body["ids"]]


def _wanted(query: Mapping[str, Any]) -> dict[str, Any]:
    where: dict[str, Any] = {"state": query["state"] or {"$in": OPEN}}
    if query["type"]:
        where["type"] = query["type"]
    if query["cursor"]:
        where["_id"] = {"$gt": str(query["cursor"][0])}
    return where


def _found(letter_id: str) -> Row:
    row = collection_of(DeadLetters).find_one({"_id": letter_id})
    if row is None:
        raise NOT_FOUND(what="dead letter", id=letter_id[:100])
    return dict(row)


def _held_up(rows: Sequence[Row]) -> list[str]:
    """The keys of those letters that still hold something up."""
    return sorted({row["key"] for row in rows if row["key"] and row["state"] in OPEN})


def _behind(rows: Sequence[Row]) -> dict[tuple[str, str], int]:
    """How many wait by key and source, of those letters that still hold something up."""
    keys = _held_up(rows)
    count = {"_id": {"key": "$key", "source": "$source"}, "waiting": {"$sum": 1}}
    found = collection_of(Parked).aggregate([{"$match": {"key": {"$in": keys}}}, {"$group": count}])
    return {(one["_id"]["key"], one["_id"]["source"]): one["waiting"] for one in found}


def _shown(row: Row, behind: Mapping[tuple[str, str], int], due: Mapping[str, date]) -> dict[str, Any]:
    same = ("state", "type", "source", "key", "seq", "place", "offset", "attempts", "first_at", "last_at")
    envelope = msgspec.json.decode(row["envelope"], type=Envelope) if row["envelope"] else None
    return {name: row[name] for name in same} | {
        "id": row["_id"],
        "cause": envelope.cause if envelope else "",
        "code": row["problem"].get("code"),
        "why": sentence(row, language()),
        "waiting": behind.get((row["key"], row["source"]), 0) if row["state"] in OPEN else 0,
        "due_on": due.get(row["key"]) if row["state"] in OPEN else None,
        "decisions": row["decided"],
    }


def _event(row: Row) -> dict[str, Any] | None:
    try:
        body = msgspec.json.decode(row["body"])
    except msgspec.DecodeError:
        return None
    return {name: one for name, one in body.items() if name not in SEALED_FIELDS} if isinstance(body, dict) else None


def _retry(row: Row, handlers: Handlers) -> None:
    _must_wait(row)
    try:
        rehearse(row["_id"], handlers)
    except Exception as error:
        if comes_from_outside(error):
            raise
        log.info("a rehearsal broke", letter=row["_id"], kind=type(error).__name__)
        raise refusal_of(problem_of(error)) from error
    _decide(row, "retry", "")


@transactional
def _discard(row: Row, reason: str) -> None:
    """What comes before it must have come, else its number would be asked for again; not if it is no gap at all."""
    if row["key"]:
        missing = row["seq"] - strand(row["key"]).seen.get(row["source"], 0) - 1
        if 0 < missing < MOST_AHEAD:
            raise NOT_ITS_TURN(missing=missing)
    _decide(row, "discard", reason)


def _must_wait(row: Row) -> None:
    if row["state"] != LetterState.WAITING:
        raise NOT_WAITING()


@transactional
def _decide(row: Row, what: str, reason: str) -> None:
    """Write an operator's word down; another's that came first stands."""
    _must_wait(row)
    state = LetterState.ASKED if what == "retry" else LetterState.DISCARDING
    word = {"at": datetime.now(UTC), "what": what, "by": caller().subject, "reason": reason}
    where = {"_id": row["_id"], "state": LetterState.WAITING}
    change = UpdateOne(where, {"$set": {"state": state}, "$push": {"decided": word}})
    if collection_of(DeadLetters).bulk_write([change]).modified_count == 0:
        raise NOT_WAITING()

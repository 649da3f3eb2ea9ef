"""Notices at rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import mongoengine as me
from pymongo import DeleteMany, InsertOne, ReplaceOne, UpdateMany, UpdateOne

from chassis.database import Row, collection_of, rows_of, write
from contracts.terms import Level
from services.notify.notices.domain import Channel, News, Notice, NoticeState, pause_seconds

EARLY_POINTS_DAYS = 90
DROPPED = "told_before_the_set_back"


class Notices(me.Document):
    """`due_at`: when a queued one may be sent next, or its claim ends; `claim` names the round that is sending it;
    `attempts` counts such rounds, `hang_ups` those that ended with the mail server hanging up on it; `decided_by`: the
    operator who released or dropped a held one."""

    meta = {
        "collection": "notices",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["cause"]},
            {
                "fields": ["mailbox", "-queued_at", "-id"],
                "partialFilterExpression": {"channel": "mailbox"},
                "name": "mailbox_newest",
            },
            {"fields": ["due_at"], "partialFilterExpression": {"state": "queued"}, "name": "due"},
            {"fields": ["state", "event"]},
            {"fields": ["state", "id"], "partialFilterExpression": {"state": "held"}, "name": "held"},
        ],
    }
    id = me.StringField(primary_key=True)
    cause = me.StringField()
    event = me.StringField()
    channel = me.StringField()
    state = me.StringField()
    recipient = me.StringField()
    mailbox = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    facts = me.DictField()
    points = me.IntField()
    announced_at = me.DateTimeField()
    queued_at = me.DateTimeField()
    read_at = me.DateTimeField()
    due_at = me.DateTimeField()
    sent_at = me.DateTimeField()
    refused_at = me.DateTimeField()
    attempts = me.IntField()
    hang_ups = me.IntField()
    claim = me.StringField()
    decided_by = me.StringField()
    reason = me.StringField()


class EarlyPoints(me.Document):
    """Provisional points that arrived before the result they belong to, by the result's event."""

    meta = {
        "collection": "early_points",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["at"], "expireAfterSeconds": EARLY_POINTS_DAYS * 86_400}],
    }
    cause = me.StringField(primary_key=True)
    points = me.IntField()
    at = me.DateTimeField()


class SchemeNames(me.Document):
    """What schemes are called."""

    meta = {"collection": "schemes", "auto_create_index": False, "strict": False}
    code = me.StringField(primary_key=True)
    name = me.StringField()


def keep_scheme_names(names: Mapping[str, str]) -> None:
    """Keep what schemes are called now."""
    rows = [{"_id": code, "name": name} for code, name in names.items()]
    write(SchemeNames, [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows])


def scheme_names() -> dict[str, str]:
    """Names by code."""
    return {row["_id"]: row["name"] for row in rows_of(SchemeNames, {})}


def add(notices: Sequence[Notice], now: datetime) -> None:
    """Write those that are not there yet."""
    present = set(_ids(rows_of(Notices, {"_id": {"$in": [one.id for one in notices]}}, {"_id": 1})))
    fresh = {one.id: one for one in notices if one.id not in present}
    write(Notices, [InsertOne(_row(one, now)) for one in fresh.values()])


def _row(one: Notice, now: datetime) -> Row:
    news = one.news
    row = {
        "_id": one.id,
        "cause": news.cause,
        "event": news.event,
        "channel": one.channel,
        "state": one.state,
        "recipient": news.recipient,
        "mailbox": news.mailbox,
        "scheme": news.scheme,
        "level": int(news.level) if news.level else None,
        "facts": dict(news.facts),
        "announced_at": news.announced_at,
        "queued_at": now,
    }
    extra = {"points": one.points, "due_at": one.due_at}
    return row | {name: value for name, value in extra.items() if value is not None}


def _ids(rows: Iterable[Row]) -> list[str]:
    return [row["_id"] for row in rows]


def news_of(row: Row) -> News:
    """The news a stored notice tells."""
    return News(
        cause=row["cause"],
        event=row["event"],
        recipient=row["recipient"],
        mailbox=row["mailbox"],
        scheme=row["scheme"],
        level=Level(row["level"]) if row["level"] else None,
        announced_at=row.get("announced_at") or row["queued_at"],
        facts=row["facts"],
    )


def waiting_rows(notice_ids: Iterable[str]) -> list[Row]:
    """Those of these that still wait."""
    return rows_of(Notices, {"_id": {"$in": list(notice_ids)}, "state": NoticeState.WAITING})


def queue(due: Mapping[str, datetime]) -> None:
    """Let waiting e-mails be sent from these instants on."""
    operations = []
    for one, due_at in due.items():
        queued = {"$set": {"state": NoticeState.QUEUED, "due_at": due_at}}
        operations.append(UpdateOne({"_id": one, "state": NoticeState.WAITING}, queued))
    write(Notices, operations)


def remove(notice_ids: Sequence[str]) -> None:
    """Remove notices that turned out to have no address."""
    if notice_ids:
        write(Notices, [DeleteMany({"_id": {"$in": list(notice_ids)}})])


def told_of(causes: Iterable[str]) -> list[Row]:
    """The notices that told these events."""
    wanted = sorted(set(causes))
    return rows_of(Notices, {"cause": {"$in": wanted}}) if wanted else []


def add_points(points: Mapping[str, int], rows: Iterable[Row], now: datetime) -> None:
    """Write points into the notices of their results; an e-mail that waited for them may leave."""
    operations = []
    for row in rows:
        change: Row = {"points": points[row["cause"]]}
        if row["state"] == NoticeState.QUEUED and not row.get("claim"):
            change["due_at"] = now
        operations.append(UpdateOne({"_id": row["_id"]}, {"$set": change}))
    write(Notices, operations)


def keep_early_points(points: Mapping[str, int], now: datetime) -> None:
    """Keep points for results that nobody has told yet."""
    rows = [{"_id": cause, "points": value, "at": now} for cause, value in points.items()]
    write(EarlyPoints, [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows])


def early_points_of(causes: Iterable[str]) -> dict[str, int]:
    """Points that arrived before their result."""
    wanted = sorted(set(causes))
    if not wanted:
        return {}
    return {row["_id"]: row["points"] for row in rows_of(EarlyPoints, {"_id": {"$in": wanted}})}


def drop_early_points(causes: Sequence[str]) -> None:
    """Forget points that have found their result."""
    if causes:
        write(EarlyPoints, [DeleteMany({"_id": {"$in": list(causes)}})])


def give_to(survivor_id: str, merged_id: str) -> None:
    """Put the merged learner's notices into the survivor's mailbox."""
    write(Notices, [UpdateMany({"mailbox": merged_id}, {"$set": {"mailbox": survivor_id}})])


def emails_of(mailbox: str) -> list[str]:
    """The e-mails to a person that still wait for something."""
    return _ids(rows_of(Notices, {"mailbox": mailbox, "state": NoticeState.WAITING}, {"_id": 1}))


def erase(mailbox: str) -> None:
    """Blank what the notices of a mailbox tell, and stop e-mails that have not left."""
    unsent = {"mailbox": mailbox, "state": {"$in": [NoticeState.QUEUED, NoticeState.WAITING, NoticeState.HELD]}}
    stopped = _ended(NoticeState.REFUSED, reason="learner_erased", refused_at=datetime.now(UTC))
    blanked = {"$set": {"facts": {}}, "$unset": {"points": ""}}
    write(Notices, [UpdateMany(unsent, stopped), UpdateMany({"mailbox": mailbox}, blanked)], ordered=True)


def claim(round_id: str, limit: int, seconds: int) -> list[str]:
    """Take due e-mails for a round of sending; a round that dies gives them back when its claim ends."""
    now = datetime.now(UTC)
    due = {"state": NoticeState.QUEUED, "due_at": {"$lte": now}}
    chosen = _ids(rows_of(Notices, due, {"_id": 1}, sort=[("due_at", 1)], limit=limit))
    if chosen:
        taken = {"$set": {"claim": round_id, "due_at": now + timedelta(seconds=seconds)}, "$inc": {"attempts": 1}}
        write(Notices, [UpdateMany({"_id": {"$in": chosen}, **due}, taken)])
    return chosen


def claimed_rows(round_id: str, notice_ids: Sequence[str]) -> list[Row]:
    """Those of these that a round of sending has taken and may send."""
    return rows_of(Notices, {"_id": {"$in": list(notice_ids)}, "claim": round_id}, sort=[("_id", 1)])


def hold(before: datetime) -> None:
    """Hold e-mails about what was announced before an instant, but for those an operator has released."""
    where = {"state": NoticeState.QUEUED, "announced_at": {"$lt": before}, "decided_by": None}
    write(Notices, [UpdateMany(where, {"$set": {"state": NoticeState.HELD}, "$unset": {"due_at": "", "claim": ""}})])


def held_rows(where: Mapping[str, Any], limit: int) -> list[Row]:
    """Held e-mails by id."""
    return rows_of(Notices, {"state": NoticeState.HELD, **where}, sort=[("_id", 1)], limit=limit)


def release(notice_ids: Sequence[str], by: str) -> int:
    """Let held e-mails leave; how many were held."""
    change = {"state": NoticeState.QUEUED, "due_at": datetime.now(UTC), "decided_by": by}
    return _decide(notice_ids, {"$set": change})


def drop(notice_ids: Sequence[str], by: str) -> int:
    """Let held e-mails never leave; how many were held."""
    return _decide(notice_ids, _ended(NoticeState.REFUSED, reason=DROPPED, refused_at=datetime.now(UTC), decided_by=by))


def _decide(notice_ids: Sequence[str], change: Row) -> int:
    held = {"_id": {"$in": list(notice_ids)}, "state": NoticeState.HELD}
    return int(collection_of(Notices).update_many(held, change).modified_count)


def mark_sent(round_id: str, notice_ids: Iterable[str]) -> None:
    """These have left."""
    ended = _ended(NoticeState.SENT, sent_at=datetime.now(UTC))
    write(Notices, [UpdateOne({"_id": one, "claim": round_id}, ended) for one in notice_ids])


def mark_refused(round_id: str, reasons: Mapping[str, str]) -> None:
    """These nobody will take, each for its reason."""
    operations = []
    for one, reason in reasons.items():
        ended = _ended(NoticeState.REFUSED, reason=reason, refused_at=datetime.now(UTC))
        operations.append(UpdateOne({"_id": one, "claim": round_id}, ended))
    write(Notices, operations)


def _ended(state: NoticeState, **fields: Any) -> Row:
    """The change after which an e-mail is not sent again."""
    return {"$set": {"state": state, **fields}, "$unset": {"due_at": "", "claim": ""}}


def put_back(round_id: str, rows: Iterable[Row], reason: str, hang_ups: int = 0) -> None:
    """Let e-mails rest and be tried again; `hang_ups`: how often the mail server hung up on each of them just now."""
    now = datetime.now(UTC)
    operations = []
    for row in rows:
        due_at = now + timedelta(seconds=pause_seconds(row["attempts"] - 1))
        change: Row = {"$set": {"due_at": due_at, "reason": reason}, "$unset": {"claim": ""}}
        change |= {"$inc": {"hang_ups": hang_ups}} if hang_ups else {}
        operations.append(UpdateOne({"_id": row["_id"], "claim": round_id}, change))
    write(Notices, operations)


def mailbox_rows(mailbox: str, before: tuple[datetime, str] | None, limit: int) -> list[Row]:
    """A mailbox, newest first, from the notice after the one named on."""
    where: dict[str, Any] = {"mailbox": mailbox, "channel": Channel.MAILBOX}
    if before:
        at, notice_id = before
        where["$or"] = [{"queued_at": {"$lt": at}}, {"queued_at": at, "_id": {"$lt": notice_id}}]
    return rows_of(Notices, where, sort=[("queued_at", -1), ("_id", -1)], limit=limit)


def mark_read(mailbox: str, notice_id: str) -> Row | None:
    """Note that a notice was read, the first time only; the notice as it is then."""
    mine = {"_id": notice_id, "mailbox": mailbox, "channel": Channel.MAILBOX}
    write(Notices, [UpdateOne({**mine, "read_at": None}, {"$set": {"read_at": datetime.now(UTC)}})])
    found = rows_of(Notices, mine)
    return found[0] if found else None


def rows_caused_by(cause: str) -> list[Row]:
    """The notices of one event."""
    return rows_of(Notices, {"cause": cause}, sort=[("queued_at", 1)], limit=100)


def audited_rows(mailbox: Mapping[str, Any], limit: int) -> list[Row]:
    """The notices in mailboxes, by mailbox."""
    where = {"mailbox": dict(mailbox), "channel": Channel.MAILBOX}
    return rows_of(Notices, where, AUDITED, sort=[("mailbox", 1)], limit=limit)


AUDITED = ["cause", "event", "channel", "state", "recipient", "mailbox", "reason", "queued_at", "sent_at"]


def counts() -> list[Row]:
    """How many notices of each event stand in each state, read off an index."""
    pipeline: list[Row] = [
        {"$match": {"state": {"$in": [state.value for state in NoticeState]}}},
        {"$group": {"_id": {"event": "$event", "state": "$state"}, "count": {"$sum": 1}}},
    ]
    return list(collection_of(Notices).aggregate(pipeline))

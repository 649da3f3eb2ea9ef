"""Mailboxes, and counts of what was told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response

from chassis.database import Row
from chassis.web.access import allow, caller
from chassis.web.blueprint import Blueprint
from chassis.web.bundles import BundleArgs, written
from chassis.web.health import Step
from chassis.web.paging import CURSOR_INVALID, Key, after, page, paged
from chassis.web.schemas import FlowSchema
from contracts.terms import Role
from services.notify.contacts.commands import prefer_language
from services.notify.contacts.domain import Language
from services.notify.contacts.queries import languages_of
from services.notify.notices import audit, commands, queries
from services.notify.notices.domain import Channel, NoticeState
from services.notify.notices.schemas import (
    AuditedLearnerSchema,
    DecidedSchema,
    HeldMailSchema,
    HeldMailsSchema,
    LanguageArgs,
    MailboxArgs,
    NoticeCountSchema,
    NoticeSchema,
    PreferenceSchema,
)

STAFF = (Role.REGISTRY, Role.DEPARTMENT, Role.TRAINER, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
READERS = (Role.LEARNER, Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_MILLISECONDS = 253_402_300_799_999  # the end of the year 9999

blp = Blueprint("notices", __name__, description="What learners were told.")


def mailbox_owner(learner_id: str, **_: str) -> dict[str, str]:
    """A mailbox belongs to its learner."""
    return {"learner": learner_id}


@blp.route("/mailboxes/<learner_id>/notices")
@allow(*READERS, owning=mailbox_owner)
@paged(NoticeSchema, MailboxArgs)
def list_notices(args: dict[str, Any], learner_id: str) -> dict[str, Any]:
    """A learner's notices, newest first, in the language asked for or else the learner's own."""
    language = Language(args["language"]) if args["language"] else None
    limit = args["limit"]
    shown = queries.mailbox_page(learner_id, _before(args["cursor"]), limit + 1, language)
    return page(shown, limit, key=lambda one: [milliseconds(one["queued_at"]), one["id"]])


def milliseconds(moment: datetime) -> int:
    """An instant as the database keeps it."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def _before(cursor: Key | None) -> tuple[datetime, str] | None:
    match cursor:
        case None:
            return None
        case [int(at), str(notice_id)] if 0 <= at <= LATEST_MILLISECONDS:
            return EPOCH + timedelta(milliseconds=at), notice_id
    raise CURSOR_INVALID()


@blp.route("/mailboxes/<learner_id>/notices/<notice_id>/read", methods=["POST"])
@allow(Role.LEARNER, owning=mailbox_owner)
@blp.arguments(LanguageArgs, location="query")
@blp.response(200, NoticeSchema)
def read_notice(args: dict[str, Any], learner_id: str, notice_id: str) -> Any:
    """Note that the learner has read a notice; the first time counts."""
    row = commands.mark_read(learner_id, notice_id)
    language = Language(args["language"]) if args["language"] else languages_of([learner_id])[learner_id]
    return queries.worded([row], language)[0]


@blp.route("/mailboxes/<learner_id>/preference")
@allow(*READERS, owning=mailbox_owner)
@blp.response(200, PreferenceSchema)
def get_preference(learner_id: str) -> Any:
    """In which language the learner is written to."""
    return {"language": languages_of([learner_id])[learner_id]}


@blp.route("/mailboxes/<learner_id>/preference", methods=["PUT"])
@allow(Role.LEARNER, Role.REGISTRY, owning=mailbox_owner)
@blp.arguments(PreferenceSchema)
@blp.response(200, PreferenceSchema)
def put_preference(preference: dict[str, str], learner_id: str) -> Any:
    """Choose the language in which the learner is written to from now on."""
    prefer_language(learner_id, Language(preference["language"]))
    return preference


@blp.route("/notices/counts")
@allow(*STAFF)
@blp.response(200, NoticeCountSchema(many=True))
def count_notices() -> Any:
    """How many notices of each event stand on each channel in each state."""
    return queries.notice_counts()


@blp.route("/flow")
@allow(*STAFF)
@blp.response(200, FlowSchema)
def flow() -> Any:
    """How many notices stand at each stage."""
    return {"stages": queries.stages()}


@blp.route("/held-mails")
@allow(Role.OPERATOR, Role.AUDITOR)
@paged(HeldMailSchema)
def list_held(query: dict[str, Any]) -> dict[str, Any]:
    """List e-mails that may have left before the database was set back, by id."""
    shown = queries.held_page(after(query["cursor"], "_id"), query["limit"] + 1)
    return page(shown, query["limit"], key=lambda one: [one["id"]])


@blp.route("/held-mail-releases", methods=["POST"])
@allow(Role.OPERATOR, whole_college=True)
@blp.arguments(HeldMailsSchema)
@blp.response(200, DecidedSchema)
def release_held(body: dict[str, Any]) -> dict[str, int]:
    """Have held e-mails sent, at the risk that some are sent twice."""
    return {"count": commands.release_held(body["ids"], caller().subject)}


@blp.route("/held-mail-drops", methods=["POST"])
@allow(Role.OPERATOR, whole_college=True)
@blp.arguments(HeldMailsSchema)
@blp.response(200, DecidedSchema)
def drop_held(body: dict[str, Any]) -> dict[str, int]:
    """Have held e-mails never sent; their notices stay in the mailboxes."""
    return {"count": commands.drop_held(body["ids"], caller().subject)}


@blp.route("/audit")
@allow(Role.AUDITOR, Role.OPERATOR)
@paged(AuditedLearnerSchema, BundleArgs)
def read_audit(query: dict[str, Any]) -> Response:
    """What every learner was told of results and credit, by learner; `owner` is a learner's id."""
    return written(audit.audited(query))


def life(cause: str) -> list[Step]:
    """What learners were told of an event, for the page that follows a cause."""
    return [step for row in queries.caused_by(cause) for step in steps_of(row)]


def steps_of(row: Row) -> list[Step]:
    """A notice in steps: put into the mailbox or the queue, and what became of an e-mail."""
    first = "notice delivered" if row["channel"] == Channel.MAILBOX else "e-mail queued"
    steps = [_step(row, first, row["queued_at"])]
    if row["state"] == NoticeState.SENT:
        steps.append(_step(row, "e-mail sent", row["sent_at"]))
    if row["state"] == NoticeState.REFUSED:
        steps.append(_step(row, "e-mail refused", row["refused_at"]))
    return steps


def _step(row: Row, what: str, at: datetime) -> Step:
    detail = {"event": row["event"], "state": row["state"], "attempts": row.get("attempts", 0)}
    return {
        "at": at,
        "service": "notify",
        "what": what,
        "id": row["_id"],
        "cause": row["cause"],
        "learner_id": row["mailbox"],
        "detail": detail | ({"reason": row["reason"]} if row.get("reason") else {}),
    }

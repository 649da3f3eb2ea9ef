"""The shape of mailboxes and counts."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from chassis.web.bundles import HeldUpSchema
from chassis.web.paging import PageArgs
from chassis.web.schemas import Schema
from services.notify.contacts.domain import Language
from services.notify.notices.domain import Channel, NoticeState

SCHEME = {"description": "empty, and no level, where the news is about the account as a whole"}


def _language(**options: Any) -> fields.String:
    return fields.String(validate=validate.OneOf([language.value for language in Language]), **options)


class MailboxArgs(PageArgs):
    language = _language(load_default=None, metadata={"description": "zh or en; else the learner's own"})


class NoticeSchema(Schema):
    """A notice as the mailbox shows it. `cause` is the event it tells of."""

    id = fields.String(required=True)
    event = fields.String(required=True)
    cause = fields.String(required=True)
    scheme = fields.String(required=True, metadata=SCHEME)
    level = fields.Integer(required=True, allow_none=True)
    title = fields.String(required=True)
    text = fields.String(required=True)
    queued_at = fields.AwareDateTime(required=True)
    read_at = fields.AwareDateTime(required=True, allow_none=True)


class LanguageArgs(Schema):
    language = _language(load_default=None, metadata={"description": "zh or en; else the learner's own"})


class NoticeCountSchema(Schema):
    event = fields.String(required=True)
    channel = fields.String(required=True, validate=validate.OneOf([channel.value for channel in Channel]))
    state = fields.String(required=True, validate=validate.OneOf([state.value for state in NoticeState]))
    count = fields.Integer(required=True)


class HeldMailSchema(Schema):
    """An e-mail that may have left before the database was set back. `cause` is the event it tells of."""

    id = fields.String(required=True)
    cause = fields.String(required=True)
    event = fields.String(required=True)
    mailbox = fields.String(required=True, metadata={"description": "the learner it is for"})
    scheme = fields.String(required=True, metadata=SCHEME)
    level = fields.Integer(required=True, allow_none=True)
    announced_at = fields.AwareDateTime(required=True)


class HeldMailsSchema(Schema):
    ids = fields.List(fields.String(validate=validate.Length(1, 100)), required=True, validate=validate.Length(1, 500))


class DecidedSchema(Schema):
    """How many of them were held; the others were decided about before."""

    count = fields.Integer(required=True)


class PreferenceSchema(Schema):
    """In which language a learner is written to."""

    language = _language(required=True)


class AuditedNoticeSchema(Schema):
    """A notice about credit or a result. `cause` is the event it tells of; `waiting_for` or `reason`: why an e-mail has
    not left."""

    id = fields.String(required=True)
    cause = fields.String(required=True)
    event = fields.String(required=True)
    channel = fields.String(required=True, validate=validate.OneOf([channel.value for channel in Channel]))
    state = fields.String(required=True, validate=validate.OneOf([state.value for state in NoticeState]))
    recipient = fields.String(required=True)
    waiting_for = fields.String(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)
    queued_at = fields.AwareDateTime(required=True)
    sent_at = fields.AwareDateTime(required=True, allow_none=True)


class AuditedLearnerSchema(Schema):
    """What a learner was told of results and credit."""

    learner_id = fields.String(required=True)
    held_up = fields.List(fields.Nested(HeldUpSchema), required=True)
    notices = fields.List(fields.Nested(AuditedNoticeSchema), required=True)

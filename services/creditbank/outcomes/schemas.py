"""The shape of outcomes over HTTP."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

from marshmallow import fields, post_load, validate

from chassis.web.paging import PageArgs
from chassis.web.schemas import Schema
from contracts.terms import OutcomeKind
from services.creditbank.outcomes.domain import Item, State

CAMPUS_OFFSET = timezone(timedelta(hours=8))
ON_ONE_LINE = validate.Regexp(r"[^\x00-\x1f\x7f]*\Z")
KINDS = [one.value for one in OutcomeKind if one is not OutcomeKind.CERTIFICATE]


def line(longest: int, shortest: int = 0, **more: Any) -> fields.String:
    """A text on one line."""
    return fields.String(validate=[validate.Length(shortest, longest), ON_ONE_LINE], **more)


class OutcomeItemSchema(Schema):
    """An outcome as its source has it; known by the external id, within its sender."""

    external_id = line(100, 1, required=True)
    kind = fields.Enum(OutcomeKind, by_value=fields.String, required=True)
    code = line(64, 1, required=True, metadata={"description": "what it is of: electrician, python-basics"})
    title = line(200, load_default="", metadata={"description": "what that is called; needed the first time"})
    level = line(40, load_default="", metadata={"description": "by its kind's words; of licences 五级 is the lowest"})
    learner_id = line(100, 1, required=True)
    day = fields.Date(required=True, metadata={"description": "when it was reached"})
    state = fields.Enum(State, by_value=fields.String, required=True)
    as_of = fields.AwareDateTime(
        required=True,
        default_timezone=CAMPUS_OFFSET,
        metadata={"description": "when it stood so at its source; without a zone it is campus time"},
    )
    evidence = line(
        500, load_default="", metadata={"description": "of prior learning: what shows it, or where it is found"}
    )

    @post_load
    def item(self, given: dict[str, Any], **_: Any) -> Item:
        """As the rules take it."""
        return Item(**given)


class SenderArgs(Schema):
    sender = line(64, 1, metadata={"description": "whose external ids these are; the college's own without it"})


class OutcomesArgs(PageArgs):
    learner_id = line(100, 1)
    kind = fields.String(validate=validate.OneOf(KINDS))
    scheme = line(80, 1, metadata={"description": "a source, <kind>.<code>"})
    state = fields.String(validate=validate.OneOf([one.value for one in State]))
    awaits_rule = fields.Boolean(
        load_default=False, metadata={"description": "those alone that wait for a rule; a page may have fewer of them"}
    )


class SubmittedOutcomeSchema(Schema):
    """An outcome as it was submitted last; while `waiting_for` says something it is not on the account yet."""

    id = fields.String(required=True)
    sender = fields.String(required=True)
    external_id = fields.String(required=True)
    scheme = fields.String(required=True, metadata={"description": "its source, <kind>.<code>"})
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    code = fields.String(required=True)
    level = fields.Integer(required=True, metadata={"description": "its kind's own code: of licences 1 is the highest"})
    level_name = fields.String(required=True)
    learner_id = fields.String(required=True)
    day = fields.Date(required=True)
    state = fields.String(required=True, validate=validate.OneOf([one.value for one in State]))
    as_of = fields.AwareDateTime(required=True)
    evidence = fields.String(required=True)
    revision = fields.Integer(required=True)
    is_old = fields.Boolean(required=True, metadata={"description": "told in a digest, not by a notice of its own"})
    submitted_by = fields.String(required=True, metadata={"description": "the cause of its values: see /lives"})
    waiting_for = fields.String(required=True, allow_none=True)


class SourceTitleSchema(Schema):
    """What a source is called, and the organisation whose licence it is."""

    title = line(200, 1, required=True)
    teo = line(64, load_default="", metadata={"description": "may submit outcomes of this licence"})


class OutcomeSourceSchema(Schema):
    """What outcomes come from."""

    scheme = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    code = fields.String(required=True)
    title = fields.String(required=True)
    teo = fields.String(required=True, allow_none=True)

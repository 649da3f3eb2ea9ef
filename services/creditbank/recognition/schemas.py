"""The shape of recognition rules."""

from __future__ import annotations

from marshmallow import fields, validate

from chassis.web.bundles import AnnouncedSchema, HeldUpSchema
from chassis.web.schemas import Schema
from contracts.terms import OutcomeKind

MAX_CREDIT_POINTS = 100_000


class RuleSchema(Schema):
    """What a scheme's level is worth for sessions from a date on."""

    credit_points = fields.Integer(
        required=True,
        validate=validate.Range(0, MAX_CREDIT_POINTS),
        metadata={"description": "100 are one credit"},
    )
    sessions_from = fields.Date(required=True)
    note = fields.String(load_default="", validate=validate.Length(max=500))
    is_folklore_default = fields.Boolean(
        load_default=False, metadata={"description": "a default nobody has decided: edit before real use"}
    )


class PolicyReferenceSchema(Schema):
    """The document that a decided rule rests on: its code here, and how people find it, by number or address."""

    code = fields.String(required=True, validate=validate.Length(1, 64))
    title = fields.String(required=True, validate=validate.Length(1, 200))
    number = fields.String(load_default="", validate=validate.Length(max=100), metadata={"description": "发文字号"})
    url = fields.String(load_default="", validate=validate.Length(max=500))


class RuleVersionSchema(Schema):
    """For sessions from one day to another; a folklore default has no end. `retired_from`: from then on it holds no
    more."""

    version = fields.Integer(required=True)
    credit_points = fields.Integer(required=True)
    sessions_from = fields.Date(required=True)
    sessions_until = fields.Date(required=True, allow_none=True)
    note = fields.String(required=True)
    policy = fields.Nested(PolicyReferenceSchema, required=True, allow_none=True)
    is_folklore_default = fields.Boolean(required=True)
    retired_from = fields.Date(required=True, allow_none=True)


class PublishedRuleSchema(RuleVersionSchema):
    """The version that holds for a session of today, and every version there was."""

    scheme = fields.String(required=True, metadata={"description": "an X scheme's code, or <kind>.<code>"})
    kind = fields.String(required=True, validate=validate.OneOf([one.value for one in OutcomeKind]))
    level = fields.Integer(required=True, metadata={"description": "its kind's own code: of licences 1 is the highest"})
    level_name = fields.String(required=True)
    versions = fields.List(fields.Nested(RuleVersionSchema), required=True)


class AuditedPostingSchema(Schema):
    """Points moved from one pocket to another; `issued` is the bank's side."""

    source = fields.String(required=True)
    target = fields.String(required=True)
    credit_points = fields.Integer(required=True)


class AuditedEntrySchema(Schema):
    """An entry of the journal; `announced` is its posting as it was told."""

    number = fields.Integer(required=True)
    cause = fields.String(required=True)
    what = fields.String(required=True)
    scheme = fields.String(required=True)
    result_id = fields.String(required=True, allow_none=True)
    revision = fields.Integer(required=True, allow_none=True)
    postings = fields.List(fields.Nested(AuditedPostingSchema), required=True)
    announced = fields.Nested(AnnouncedSchema, required=True, allow_none=True)


class AuditedOutcomeSchema(Schema):
    """A result as the bank knows it; while it waits it is on no account, and `waiting_for` says why."""

    result_id = fields.String(required=True)
    scheme = fields.String(required=True)
    level = fields.Integer(required=True)
    revision = fields.Integer(required=True)
    state = fields.String(required=True)
    verdict = fields.String(required=True)
    rule_version = fields.Integer(required=True, metadata={"description": "0: not recognised by a rule"})
    credit_points = fields.Integer(required=True)
    is_waiting = fields.Boolean(required=True)
    waiting_for = fields.String(required=True, allow_none=True)
    waiting_since = fields.AwareDateTime(required=True, allow_none=True)


class AuditedHoldingSchema(Schema):
    """What the account says that a scheme's pockets hold."""

    scheme = fields.String(required=True)
    provisional_points = fields.Integer(required=True)
    available_points = fields.Integer(required=True)
    held_points = fields.Integer(required=True)
    spent_points = fields.Integer(required=True)


class AuditedLearnerSchema(Schema):
    """What the bank has of a learner; `entry_count` is what the account says."""

    learner_id = fields.String(required=True)
    merged_into = fields.String(required=True, allow_none=True)
    merged_at = fields.AwareDateTime(required=True, allow_none=True)
    merged_from = fields.List(fields.String(), required=True)
    held_up = fields.List(fields.Nested(HeldUpSchema), required=True)
    entry_count = fields.Integer(required=True)
    holdings = fields.List(fields.Nested(AuditedHoldingSchema), required=True)
    outcomes = fields.List(fields.Nested(AuditedOutcomeSchema), required=True)
    entries = fields.List(fields.Nested(AuditedEntrySchema), required=True)

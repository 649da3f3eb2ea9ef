"""The shape of recognition rules."""

from __future__ import annotations

from marshmallow import fields, validate

from chassis.web.schemas import Schema

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


class RuleVersionSchema(Schema):
    version = fields.Integer(required=True)
    credit_points = fields.Integer(required=True)
    sessions_from = fields.Date(required=True)
    note = fields.String(required=True)
    is_folklore_default = fields.Boolean(required=True)


class PublishedRuleSchema(RuleVersionSchema):
    """The version that holds for a session of today, and every version there was."""

    scheme = fields.String(required=True)
    level = fields.Integer(required=True)
    versions = fields.List(fields.Nested(RuleVersionSchema), required=True)

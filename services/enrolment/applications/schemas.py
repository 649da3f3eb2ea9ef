"""The shape of applications over HTTP."""

from __future__ import annotations

from marshmallow import fields, validate

from chassis.web.paging import PageArgs
from chassis.web.schemas import Schema
from services.enrolment.applications.domain import MergeState, State

APPLICATION_ID = validate.Length(1, 200)
REASON = validate.Length(1, 500)


class ApplicationFilters(PageArgs):
    state = fields.String(load_default=None, validate=validate.OneOf(list(State)))
    scheme = fields.String(load_default=None, validate=validate.Length(1, 100))
    level = fields.Integer(load_default=None, validate=validate.OneOf([1, 2, 3]))


class ApplicationSchema(Schema):
    application_id = fields.String(required=True)
    learner_id = fields.String(required=True)
    scheme = fields.String(required=True)
    level = fields.Integer(required=True)
    state = fields.String(required=True, validate=validate.OneOf(list(State)))
    department = fields.String(required=True, metadata={"description": "empty for community learners"})
    applied_at = fields.AwareDateTime(required=True)
    changed_at = fields.AwareDateTime(required=True)


class ApprovalSchema(Schema):
    application_id = fields.String(required=True, validate=APPLICATION_ID)


class WithdrawalSchema(ApprovalSchema):
    reason = fields.String(required=True, validate=REASON)


class MergeSchema(Schema):
    survivor_id = fields.String(required=True, validate=validate.Length(1, 64))
    merged_id = fields.String(required=True, validate=validate.Length(1, 64))


class MergedSchema(MergeSchema):
    """`asked`: it waits for a second member of staff; `accepted`: the two are one now."""

    status = fields.String(required=True, validate=validate.OneOf(list(MergeState)))


class MergeRequestSchema(MergeSchema):
    """A merge that waits for a second member of staff."""

    asked_by = fields.String(required=True)
    asked_at = fields.AwareDateTime(required=True)

"""The shape of certificates over HTTP."""

from __future__ import annotations

from marshmallow import fields, validate

from chassis.web.paging import PageArgs
from chassis.web.schemas import Schema
from services.assessment.certificates.domain import State


class CertificateSchema(Schema):
    teo = fields.String(required=True)
    certificate_number = fields.String(required=True, attribute="number")
    learner_id = fields.String(required=True)
    scheme = fields.String(required=True)
    level = fields.Integer(required=True)
    result_id = fields.String(required=True)
    issued_on = fields.Date(required=True)
    state = fields.Enum(State, by_value=fields.String, required=True)
    submitted_by = fields.String(required=True, metadata={"description": "the cause that put it on record: see /lives"})


class OfLearnerArgs(PageArgs):
    learner_id = fields.String(required=True, validate=validate.Length(min=1, max=100))


class RevocationSchema(Schema):
    reason = fields.String(required=True, validate=validate.Length(min=1, max=500))

"""The shape of plans and candidates over HTTP."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from chassis.web.paging import PageArgs
from chassis.web.schemas import Schema
from contracts.terms import Level
from services.assessment.catalogue.domain import MAX_PUBLICITY_DAYS
from services.assessment.plans.domain import Plan


class PlanSchema(Schema):
    """`publicity_days`: working days; left out, the scheme's."""

    teo = fields.String(dump_only=True)
    plan = fields.String(dump_only=True, attribute="code")
    scheme = fields.String(required=True, validate=validate.Length(min=1, max=100))
    level = fields.Integer(required=True, validate=validate.OneOf([1, 2, 3]))
    session_date = fields.Date(required=True)
    site = fields.String(load_default="", validate=validate.Length(max=200))
    quota = fields.Integer(required=True, validate=validate.Range(min=0, max=1_000_000))
    publicity_days = fields.Integer(validate=validate.Range(min=0, max=MAX_PUBLICITY_DAYS))


class PlanFilters(PageArgs):
    scheme = fields.String(validate=validate.Length(max=100))
    level = fields.Integer(validate=validate.OneOf([1, 2, 3]))


class CandidateSchema(Schema):
    admission_number = fields.String(required=True)
    learner_id = fields.String(required=True)
    withdrawn = fields.Boolean(required=True)


def plan_of(teo: str, code: str, given: dict[str, Any], publicity_days: int) -> Plan:
    """The plan a request describes."""
    return Plan(
        teo=teo,
        code=code,
        scheme=given["scheme"],
        level=Level(given["level"]),
        session_date=given["session_date"],
        quota=given["quota"],
        publicity_days=given.get("publicity_days", publicity_days),
        site=given["site"],
    )

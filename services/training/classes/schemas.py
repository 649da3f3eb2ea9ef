"""The shape of classes and places."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from chassis.web.paging import PageArgs
from chassis.web.schemas import Schema
from contracts.terms import Level
from services.training.classes.domain import PlaceState

MOST_PLACES = 100_000
MOST_HOURS = 2_000
CODE = "^[A-Za-z0-9][A-Za-z0-9._-]*$"


def _code(**options: Any) -> fields.String:
    return fields.String(validate=[validate.Length(1, 64), validate.Regexp(CODE)], **options)


def _level(**options: Any) -> fields.Integer:
    return fields.Integer(validate=validate.OneOf([level.value for level in Level]), **options)


class ClassBodySchema(Schema):
    """A class as the registry plans it."""

    scheme = _code(required=True)
    level = _level(required=True)
    places = fields.Integer(required=True, validate=validate.Range(1, MOST_PLACES))
    starts_on = fields.Date(required=True)
    ends_on = fields.Date(required=True)
    class_hours = fields.Integer(required=True, validate=validate.Range(1, MOST_HOURS))


class ClassSchema(ClassBodySchema):
    """A class; `taken` counts the learners who hold a place in it, or completed it."""

    code = fields.String(required=True)
    taken = fields.Integer(required=True)


class ClassesArgs(PageArgs):
    scheme = fields.String(load_default="", validate=validate.Length(max=64))
    level = _level(load_default=0)


class PlaceSchema(Schema):
    application_id = fields.String(required=True)
    learner_id = fields.String(required=True)
    scheme = fields.String(required=True)
    level = fields.Integer(required=True)
    state = fields.String(required=True, validate=validate.OneOf([state.value for state in PlaceState]))
    class_code = fields.String(required=True)
    since = fields.AwareDateTime(required=True)

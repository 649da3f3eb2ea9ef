"""Schemas check shape: unknown fields are refused, and a type is that type."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from chassis.errors import Refusal
from chassis.web.problems import language

LARGEST = 2**53 - 1  # what JSON readers keep exactly
EARLIEST, LATEST = datetime(2, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)  # what every zone can show


class Schema(ma.Schema):
    """The base of every body and query: strict types, bounded numbers, no unknown field."""

    class Meta:
        unknown = ma.RAISE

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Tighten what marshmallow leaves loose."""
        _tighten(field_obj)
        super().on_bind_field(field_name, field_obj)


class Exactly(set[object]):
    """A set that holds one value and not what merely equals it: 1 is not true."""

    def __init__(self, only: bool) -> None:
        super().__init__((only,))

    def __contains__(self, value: object) -> bool:
        return any(value is one for one in self)


def _tighten(field: ma.fields.Field[Any]) -> None:
    if isinstance(field, fields.List):
        _tighten(field.inner)
    if isinstance(field, fields.Integer):
        field.strict = True
        if not any(isinstance(rule, validate.Range) for rule in field.validators):
            field.validators = [*field.validators, validate.Range(-LARGEST, LARGEST)]  # a copy shares its list
    if isinstance(field, fields.DateTime) and _near not in field.validators:
        field.validators = [*field.validators, _near]
    if isinstance(field, fields.Boolean):
        field.truthy, field.falsy = Exactly(True), Exactly(False)


def relaxed(schema: ma.Schema) -> ma.Schema:
    """The same schema for a query or a form, where every value arrives as text."""
    for field in schema.fields.values():
        field.allow_none = False  # a query has no null: what is not given has its default
        one = field.inner if isinstance(field, fields.List) else field
        if isinstance(one, fields.Integer):
            one.strict = False
        if isinstance(one, fields.Boolean):
            one.truthy, one.falsy = {"true"}, {"false"}
    return schema


def _near(moment: datetime) -> None:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not EARLIEST <= aware <= LATEST:
        raise ma.ValidationError("Too far from today.")


class Problem(Schema):
    """RFC 9457."""

    class FieldError(Schema):
        field = fields.String(required=True)
        detail = fields.String(required=True)

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True, metadata={"description": "stable; decide on this"})
    detail = fields.String(required=True, metadata={"description": "for a person, in the language of Accept-Language"})
    errors = fields.List(fields.Nested(FieldError))


class JudgedSchema(Schema):
    """What became of one item of a list."""

    index = fields.Integer(required=True, metadata={"description": "position in the request, from 0"})
    status = fields.String(required=True, validate=validate.OneOf(["accepted", "unchanged", "refused"]))
    id = fields.String(required=True, allow_none=True)
    code = fields.String(required=True, allow_none=True, metadata={"description": "why it was refused; stable"})
    detail = fields.String(required=True, allow_none=True, metadata={"description": "what to do, for a person"})


def accepted(index: int, id: str | None = None, changed: bool = True) -> Mapping[str, Any]:  # noqa: A002 -- the wire's word
    """An item that was taken, or that changed nothing."""
    return {"index": index, "status": "accepted" if changed else "unchanged", "id": id, "code": None, "detail": None}


def refused(index: int, refusal: Refusal, id: str | None = None) -> Mapping[str, Any]:  # noqa: A002 -- the wire's word
    """An item that was not taken, with what to do in the caller's language."""
    return {"index": index, "status": "refused", "id": id, "code": refusal.code, "detail": refusal.sentence(language())}


class CountSchema(Schema):
    stage = fields.String(required=True)
    count = fields.Integer(required=True)


class FlowSchema(Schema):
    """How many stand at each stage."""

    stages = fields.List(fields.Nested(CountSchema), required=True)

"""The shape of programmes over HTTP."""

from __future__ import annotations

from marshmallow import fields, validate

from chassis.web.schemas import Schema

YEAR = fields.Integer(validate=validate.Range(1950, 2199))
TOTAL = validate.Range(0, 100_000)


class ProgrammeBodySchema(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 100))
    entry_years = fields.List(YEAR, required=True, validate=validate.Length(1, 100))
    credit_points_total = fields.Integer(
        required=True, validate=TOTAL, metadata={"description": "100 points are one credit"}
    )
    code_2021 = fields.String(
        load_default="", validate=validate.Length(0, 20), metadata={"description": "its code in the catalogue of 2021"}
    )


class ProgrammeSchema(ProgrammeBodySchema):
    code = fields.String(required=True)

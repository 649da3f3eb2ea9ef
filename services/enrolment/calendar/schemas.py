"""The shape of the calendar over HTTP."""

from __future__ import annotations

from marshmallow import fields, validate

from chassis.web.schemas import Schema

DAYS = validate.Length(0, 366)


class YearBodySchema(Schema):
    holidays = fields.List(
        fields.Date(), required=True, validate=DAYS, metadata={"description": "weekdays that are not worked"}
    )
    made_up_days = fields.List(
        fields.Date(), required=True, validate=DAYS, metadata={"description": "weekend days that are worked 调休"}
    )


class YearSchema(YearBodySchema):
    year = fields.Integer(required=True)

"""Machines on the wire."""

from __future__ import annotations

from marshmallow import fields, validate

from chassis.web.schemas import Schema
from contracts.terms import Role
from portal.identity.people.schemas import Owns

ROLES = [role.value for role in Role if role is not Role.SERVICE]


class MachineBodySchema(Schema):
    roles = fields.List(
        fields.String(validate=validate.OneOf(ROLES)), required=True, validate=validate.Length(1, len(ROLES))
    )
    owns = Owns()
    disabled = fields.Boolean(load_default=False)


class SecretSchema(Schema):
    number = fields.Integer(required=True)
    made_at = fields.AwareDateTime(required=True)


class MachineSchema(Schema):
    client_id = fields.String(required=True)
    roles = fields.List(fields.String(), required=True)
    owns = fields.Dict(keys=fields.String(), values=fields.List(fields.String()), required=True)
    disabled = fields.Boolean(required=True)
    secrets = fields.List(fields.Nested(SecretSchema), required=True)


class NewSecretSchema(Schema):
    number = fields.Integer(required=True)
    secret = fields.String(required=True, metadata={"description": "shown this once"})

"""Users on the wire."""

from __future__ import annotations

from marshmallow import fields, validate

from chassis.web.schemas import Schema
from portal.identity.people.domain import HUMAN_ROLES, LONGEST_PASSWORD, SHORTEST_PASSWORD

KIND = r"^[a-z_]{1,40}$"
OWNED_ID = r"^[^\x00-\x1f]{1,200}$"
MAX_OWNED = 1_000


class Owns(fields.Dict):
    """{kind: [ids]}: what a caller is limited to; empty for the whole college."""

    def __init__(self) -> None:
        super().__init__(
            keys=fields.String(validate=validate.Regexp(KIND)),
            values=fields.List(
                fields.String(validate=validate.Regexp(OWNED_ID)), validate=validate.Length(max=MAX_OWNED)
            ),
            load_default=dict,
            metadata={"description": "what the caller is limited to: learner, teo, ...; empty: the whole college"},
        )


class UserBodySchema(Schema):
    password = fields.String(
        load_default=None,
        load_only=True,
        validate=validate.Length(SHORTEST_PASSWORD, LONGEST_PASSWORD),
        metadata={"description": "needed for a new user; without it the old one stays", "format": "password"},
    )
    roles = fields.List(
        fields.String(validate=validate.OneOf([role.value for role in HUMAN_ROLES])),
        required=True,
        validate=validate.Length(1, len(HUMAN_ROLES)),
    )
    owns = Owns()
    language = fields.String(load_default="zh", validate=validate.OneOf(["zh", "en"]))
    disabled = fields.Boolean(load_default=False)


class UserSchema(Schema):
    name = fields.String(required=True)
    roles = fields.List(fields.String(), required=True)
    owns = fields.Dict(keys=fields.String(), values=fields.List(fields.String()), required=True)
    language = fields.String(required=True)
    disabled = fields.Boolean(required=True)

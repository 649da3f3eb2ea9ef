"""The shape of credentials and of what is told of them."""

from __future__ import annotations

from marshmallow import fields, validate

from chassis.web.schemas import Schema
from services.creditbank.ledger.schemas import BalancesSchema, EntrySchema, HoldingSchema
from services.creditbank.papers.domain import Standing


class RequestSchema(Schema):
    """For which result a credential is wanted."""

    result_id = fields.String(required=True, validate=validate.Length(1, 200))


class CredentialSchema(Schema):
    """A credential as its holder has it; whoever has its `code` may verify it."""

    credential = fields.String(required=True, metadata={"description": "its place in the status lists"})
    result_id = fields.String(required=True)
    scheme = fields.String(required=True)
    level = fields.Integer(required=True)
    code = fields.String(required=True)
    issued_at = fields.AwareDateTime(required=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)
    revoked_because = fields.String(required=True, allow_none=True)
    verify_url = fields.String(required=True)
    token = fields.String(required=True, metadata={"description": "Open Badges 3.0, signed: ES256"})


class NamedHoldingSchema(HoldingSchema):
    scheme_name = fields.String(required=True)


class NamedEntrySchema(EntrySchema):
    scheme_name = fields.String(required=True, allow_none=True)


class StatementSchema(Schema):
    """An account with its owner's name. Of very many entries the latest are listed; `head` stands for all."""

    learner_id = fields.String(required=True)
    name = fields.String(required=True)
    made_at = fields.AwareDateTime(required=True)
    balances = fields.Nested(BalancesSchema, required=True)
    holdings = fields.List(fields.Nested(NamedHoldingSchema), required=True)
    entry_count = fields.Integer(required=True)
    entries = fields.List(fields.Nested(NamedEntrySchema), required=True)
    head = fields.String(required=True, metadata={"description": "hash of the last entry, hexadecimal"})


class VerificationSchema(Schema):
    """What is known of a code. An unknown one has every field, and nothing in it."""

    standing = fields.String(required=True, validate=validate.OneOf([one.value for one in Standing]))
    masked_name = fields.String(required=True, allow_none=True)
    scheme = fields.String(required=True, allow_none=True)
    scheme_name = fields.String(required=True, allow_none=True)
    level = fields.Integer(required=True, allow_none=True)
    issued_on = fields.Date(required=True, allow_none=True)
    revoked_on = fields.Date(required=True, allow_none=True)


class PublicKeySchema(Schema):
    kty = fields.String(required=True)
    crv = fields.String(required=True)
    x = fields.String(required=True)
    y = fields.String(required=True)
    kid = fields.String(required=True)
    alg = fields.String(required=True)
    use = fields.String(required=True)


class PublicKeysSchema(Schema):
    """The keys that credentials and status lists are verified with (RFC 7517)."""

    keys = fields.List(fields.Nested(PublicKeySchema), required=True)

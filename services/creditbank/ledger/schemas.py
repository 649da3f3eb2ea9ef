"""The shape of accounts, entries and books."""

from __future__ import annotations

from marshmallow import fields, validate

from chassis.web.schemas import Schema
from services.creditbank.ledger.domain import CertificateState

LONGEST_REASON = 200  # characters
SAYS = r"[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*\Z"  # something, on one line
POINTS = {"description": "credit_points: 100 are one credit"}


def _points() -> fields.Integer:
    return fields.Integer(required=True, metadata=POINTS)


class BalancesSchema(Schema):
    provisional = _points()
    available = _points()


class HoldingSchema(Schema):
    """What a learner has from one scheme. A negative `available_points` is a debt."""

    scheme = fields.String(required=True)
    level = fields.Integer(required=True, allow_none=True, metadata={"description": "the highest that counts"})
    provisional_points = _points()
    available_points = _points()
    held_points = _points()
    spent_points = _points()
    certificate = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf([CertificateState.RECORDED.value, CertificateState.REVOKED.value]),
    )
    unnumbered = fields.Boolean(
        required=True, metadata={"description": "not to be spent before the certificate's number is on record"}
    )


class AccountSchema(Schema):
    learner_id = fields.String(required=True)
    merged_into = fields.String(required=True, allow_none=True)
    is_frozen = fields.Boolean(required=True, metadata={"description": "deposits go on, nothing is spent"})
    balances = fields.Nested(BalancesSchema, required=True)
    holdings = fields.List(fields.Nested(HoldingSchema), required=True)
    entries = fields.Integer(required=True)
    head = fields.String(required=True, metadata={"description": "hash of the last entry, hexadecimal"})


class InstantArgs(Schema):
    at = fields.AwareDateTime(required=True, metadata={"description": "a past instant with its zone"})


class PastAccountSchema(AccountSchema):
    """The account as its entries made it by then; `head` is the hash of the last of them."""

    at = fields.AwareDateTime(required=True)


class FreezingSchema(Schema):
    """Whether an account is to be frozen, and why: the learner reads it."""

    is_frozen = fields.Boolean(required=True)
    reason = fields.String(required=True, validate=[validate.Length(1, LONGEST_REASON), validate.Regexp(SAYS)])


class PostingSchema(Schema):
    source = fields.String(required=True)
    target = fields.String(required=True)
    credit_points = _points()


class EntrySchema(Schema):
    """One thing that happened to the account: `what` by its `cause`, about a result under a rule version.

    A freeze is about no scheme; `reason` is what staff gave for it.
    """

    number = fields.Integer(required=True)
    at = fields.AwareDateTime(required=True)
    cause = fields.String(required=True)
    what = fields.String(required=True)
    scheme = fields.String(required=True, allow_none=True)
    level = fields.Integer(required=True, allow_none=True)
    result_id = fields.String(required=True, allow_none=True)
    revision = fields.Integer(required=True, allow_none=True)
    rule_version = fields.Integer(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)
    postings = fields.List(fields.Nested(PostingSchema), required=True)
    provisional_points = _points()
    available_points = _points()
    previous = fields.String(required=True)
    hash = fields.String(required=True)


class TotalSchema(Schema):
    scheme = fields.String(required=True)
    level = fields.Integer(required=True, allow_none=True)
    holdings = fields.Integer(required=True)
    provisional_points = _points()
    available_points = _points()


class BooksSchema(Schema):
    learners_points = _points()
    bank_points = _points()
    sum = fields.Integer(required=True, metadata={"description": "zero, or the books are wrong"})

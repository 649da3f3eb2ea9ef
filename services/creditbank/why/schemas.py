"""The shape of a chain."""

from __future__ import annotations

from marshmallow import fields, validate, validates_schema

from chassis.errors import Ground
from chassis.web.schemas import Schema
from services.creditbank.why.domain import Kind

MOST_ENTRIES = 10**6
ONE_QUESTION = Ground(
    "one_question_at_a_time",
    en="Ask for an entry or an application, not for both at once.",
    zh="请一次只查询一笔记录或一份申请。",
)


class QuestionArgs(Schema):
    """Of which entry, or of which application; of neither: the balance."""

    entry = fields.Integer(load_default=None, validate=validate.Range(1, MOST_ENTRIES))
    application = fields.String(load_default=None, validate=validate.Length(1, 100))

    @validates_schema
    def check_one(self, given: dict[str, object], **_: object) -> None:
        """Refuse two questions at once."""
        if given["entry"] is not None and given["application"] is not None:
            raise ONE_QUESTION()


class LinkSchema(Schema):
    """One link of a chain; `text` is the sentence in the reader's language, `facts` what it rests on."""

    kind = fields.String(required=True, validate=validate.OneOf([kind.value for kind in Kind]))
    id = fields.String(required=True)
    text = fields.String(required=True)
    zh = fields.String(required=True)
    en = fields.String(required=True)
    facts = fields.Dict(keys=fields.String(), required=True)


class WhySchema(Schema):
    """`is_whole`: False when the account has more entries than were looked at, the latest 500. `proof`: the same as a
    signed token (JWT, ES256), verified with the keys of /credential-keys."""

    learner_id = fields.String(required=True)
    chain = fields.List(fields.Nested(LinkSchema), required=True)
    is_whole = fields.Boolean(required=True)
    proof = fields.String(required=True)

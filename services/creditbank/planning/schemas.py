"""The shape of plans and of the rescue list."""

from __future__ import annotations

from marshmallow import fields, validate, validates_schema

from chassis.errors import Ground
from chassis.web.paging import PageArgs
from chassis.web.schemas import Schema
from contracts.terms import CourseKind, Level
from services.creditbank.conversion.schemas import FIRST_YEAR, LAST_YEAR, TERM
from services.creditbank.planning.planner import When

MOST_SPEND, MOST_RECORDS = 200, 100
SPEND = r"[a-z0-9][a-z0-9-]{0,63}:[^:]{1,64}(:[^:]{1,64})?"
ONE_CERTIFICATE = Ground(
    "certificate_half_named",
    en="A certificate is named by with_scheme and with_level together. Fill in both.",
    zh="一项证书须同时填写 with_scheme 与 with_level。",
)


class PlanArgs(Schema):
    """What else is asked: what spending on an item forecloses, what one more certificate would add."""

    spend = fields.String(
        load_default=None,
        validate=[validate.Length(max=MOST_SPEND), validate.Regexp(f"^{SPEND}$", error="<rule>:<course>[:<module>]")],
        metadata={"description": "<rule>:<course>[:<module>]", "pattern": f"^{SPEND}$"},
    )
    with_scheme = fields.String(load_default=None, validate=validate.Regexp(r"^[a-z0-9][a-z0-9-]{0,63}$"))
    with_level = fields.Integer(load_default=None, validate=validate.OneOf([int(one) for one in Level]))

    @validates_schema
    def check_certificate(self, given: dict[str, object], **_: object) -> None:
        """Refuse half of a certificate."""
        if (given["with_scheme"] is None) != (given["with_level"] is None):
            raise ONE_CERTIFICATE()


class PlanPlaceSchema(Schema):
    """By what an exemption is known: the rule's code, the course, and the module if it is about one."""

    rule = fields.String(required=True)
    course = fields.String(required=True)
    module = fields.String(required=True)


class PlanItemSchema(PlanPlaceSchema):
    """An exemption: by which rule and policy document, from which certificate, and what it costs. 100 points are one
    credit."""

    rule_version = fields.Integer(required=True)
    policy = fields.String(required=True)
    policy_version = fields.Integer(required=True)
    scheme = fields.String(required=True)
    name = fields.String(required=True)
    credit_points = fields.Integer(required=True)


class SentencesSchema(Schema):
    """The same in two languages; `text` is the reader's."""

    zh = fields.String(required=True)
    en = fields.String(required=True)
    text = fields.String(required=True)


class ForeclosureSchema(PlanItemSchema, SentencesSchema):
    """What a higher level could buy, and no longer can once points are spent now. `lifted_points`: what the certificate
    would have to spend with that level; `left_points`: what of it would be left. `file_on`: the first day on which it
    could be filed by the windows announced so far, null where none is."""

    level = fields.Integer(required=True)
    lifted_points = fields.Integer(required=True)
    left_points = fields.Integer(required=True)
    file_on = fields.Date(required=True, allow_none=True)
    code = fields.String(required=True)


class PlanChoiceSchema(PlanItemSchema, SentencesSchema):
    """A chosen exemption. `level`: of the pass that pays. `when`: `now`, `in_window` (from `file_on` on), or
    `once_final`: filed, it waits for the result to be final or for the certificate's number."""

    level = fields.Integer(required=True)
    when = fields.String(required=True, validate=validate.OneOf([str(one) for one in When]))
    file_on = fields.Date(required=True)
    forecloses = fields.List(fields.Nested(ForeclosureSchema), required=True)


class PlanLeftOutSchema(PlanItemSchema, SentencesSchema):
    """What is not chosen: refused with this code, beside what is chosen if `excluded_by` says so."""

    code = fields.String(required=True)
    excluded_by = fields.List(fields.Nested(PlanPlaceSchema), required=True)


class PlanBecauseSchema(SentencesSchema):
    code = fields.String(required=True)


class PlanSpendSchema(PlanItemSchema):
    """What was asked about, and what it would foreclose."""

    forecloses = fields.List(fields.Nested(ForeclosureSchema), required=True)


class PlanExtraSchema(PlanItemSchema):
    """An exemption of the new best set. `file_on`: the first day on which to file by the windows announced so far, null
    where none is."""

    level = fields.Integer(required=True)
    file_on = fields.Date(required=True, allow_none=True)


class PlanPriceSchema(SentencesSchema):
    """What one more certificate would add: its points by the difference rule (the highest level counts once), and what
    is in the best set with it and not without, both asked without windows and as if the account were not held up or
    frozen. `dropped`: what better ones replace."""

    scheme = fields.String(required=True)
    level = fields.Integer(required=True)
    credit_points = fields.Integer(required=True)
    rule_version = fields.Integer(required=True, metadata={"description": "of the recognition rule in force"})
    is_folklore_default = fields.Boolean(required=True)
    before_points = fields.Integer(required=True)
    after_points = fields.Integer(required=True)
    extra = fields.List(fields.Nested(PlanExtraSchema), required=True)
    dropped = fields.List(fields.Nested(PlanPlaceSchema), required=True)


class PlanSchema(Schema):
    """The set of exemptions that saves the most points. `because`: why nothing at all can be chosen, as when the
    account is held up, frozen or owes."""

    learner_id = fields.String(required=True)
    on = fields.Date(required=True)
    credit_points = fields.Integer(required=True)
    choices = fields.List(fields.Nested(PlanChoiceSchema), required=True)
    left_out = fields.List(fields.Nested(PlanLeftOutSchema), required=True)
    because = fields.Nested(PlanBecauseSchema, required=True, allow_none=True)
    spend = fields.Nested(PlanSpendSchema, required=True, allow_none=True)
    price = fields.Nested(PlanPriceSchema, required=True, allow_none=True)


class RescueArgs(PageArgs):
    """Whose graduation, and the term from which one looks two terms ahead. A page looks at `limit` student records and
    shows those of them who would miss it, so it may be empty while there are more."""

    limit = fields.Integer(load_default=MOST_RECORDS, validate=validate.Range(1, MOST_RECORDS))
    programme = fields.String(required=True, validate=validate.Length(1, 64))
    entry_year = fields.Integer(required=True, validate=validate.Range(FIRST_YEAR, LAST_YEAR))
    term = fields.String(required=True, validate=TERM, metadata={"description": "2020-2021-2"})


class OverdueSchema(Schema):
    """A course that does not come again by itself. `term`: which one of the plan it is taught in."""

    course = fields.String(required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf([str(one) for one in CourseKind]))
    term = fields.Integer(required=True)
    credit_points = fields.Integer(required=True)
    is_failed = fields.Boolean(required=True, metadata={"description": "false: there is no result"})


class RescueChoiceSchema(PlanItemSchema, SentencesSchema):
    """An exemption that unspent credits would buy."""

    level = fields.Integer(required=True)
    when = fields.String(required=True, validate=validate.OneOf([str(one) for one in When]))
    file_on = fields.Date(required=True)


class RescueSchema(SentencesSchema):
    """A learner who would miss graduation: an overdue course that is no elective, or credits short of the total even if
    everything still to come is passed. `short_points`: null where the curriculum kept here teaches less than its total.
    `is_saved`: with the choices nothing is missing any more. `because`: why nothing at all can be spent now."""

    learner_id = fields.String(required=True)
    student_number = fields.String(required=True)
    department = fields.String(required=True)
    class_name = fields.String(required=True)
    overdue = fields.List(fields.Nested(OverdueSchema), required=True)
    short_points = fields.Integer(required=True, allow_none=True)
    choices = fields.List(fields.Nested(RescueChoiceSchema), required=True)
    is_saved = fields.Boolean(required=True)
    because = fields.Nested(PlanBecauseSchema, required=True, allow_none=True)

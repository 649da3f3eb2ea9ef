"""The shape of policy documents and conversion rules."""

from __future__ import annotations

from enum import StrEnum

from marshmallow import fields, validate

from chassis.web.paging import PageArgs
from chassis.web.schemas import Schema
from contracts.terms import CourseKind, Level
from services.creditbank.conversion.applications import Export, State
from services.creditbank.conversion.delegations import DELEGATED
from services.creditbank.conversion.domain import REVIEW_STEPS, ExemptionKind, RuleState, Step
from services.creditbank.conversion.voids import VoidState

MAX_POINTS, MAX_DAYS, MAX_MINUTES, MAX_YEARS, MAX_VERSION = 100_000, 250, 7 * 24 * 60, 50, 9_999
FIRST_YEAR, LAST_YEAR = 2000, 2199
CODE = validate.Regexp(r"^[a-z0-9][a-z0-9-]{0,63}$", error="Small letters, digits and hyphens, 64 at most.")
TERM = validate.Regexp(r"^[0-9]{4}-[0-9]{4}-[12]$", error="A term is written 2020-2021-2.")
PERSON = validate.Length(max=200)
IN_STEAD = {"description": "who delegated it to the caller; empty: in their own right"}
WORD = validate.Length(min=1, max=64)


def _one_of(words: type[StrEnum]) -> validate.OneOf:
    return validate.OneOf([str(one) for one in words])


class ApplicationWindowSchema(Schema):
    """Applications for a term are taken from the first of these days to the last."""

    term = fields.String(required=True, validate=TERM)
    opens_on = fields.Date(required=True)
    closes_on = fields.Date(required=True)


class ReviewStepSchema(Schema):
    """A step that is switched on."""

    step = fields.String(required=True, validate=validate.OneOf([str(one) for one in REVIEW_STEPS]))
    working_days = fields.Integer(required=True, validate=validate.Range(1, MAX_DAYS))


class ShareSchema(Schema):
    """How much of the curriculum's total a category of learner may have by conversion."""

    category = fields.String(required=True, validate=WORD)
    percent = fields.Integer(required=True, validate=validate.Range(0, 100))
    departments = fields.List(
        fields.String(validate=WORD),
        load_default=list,
        validate=validate.Length(max=50),
        metadata={"description": "whose learners these are; none: everybody"},
    )


class PolicySchema(Schema):
    """What a policy document rules, as data."""

    title = fields.String(required=True, validate=validate.Length(min=1, max=200))
    number = fields.String(load_default="", validate=validate.Length(max=100), metadata={"description": "文号"})
    issued_on = fields.Date(required=True)
    valid_from = fields.Date(required=True)
    valid_until = fields.Date(required=True)
    most_points_per_certificate = fields.Integer(
        load_default=800, validate=validate.Range(1, MAX_POINTS), metadata={"description": "100 are one credit"}
    )
    shares = fields.List(fields.Nested(ShareSchema), load_default=list, validate=validate.Length(max=20))
    never_exempt_kinds = fields.List(
        fields.String(validate=_one_of(CourseKind)), load_default=list, validate=validate.Length(max=4)
    )
    windows = fields.List(fields.Nested(ApplicationWindowSchema), load_default=list, validate=validate.Length(max=100))
    steps = fields.List(
        fields.Nested(ReviewStepSchema),
        load_default=lambda: [{"step": "department", "working_days": 3}, {"step": "registry", "working_days": 5}],
        validate=validate.Length(min=1, max=4),
    )
    offer_days = fields.Integer(load_default=3, validate=validate.Range(1, MAX_DAYS))
    undo_minutes = fields.Integer(load_default=30, validate=validate.Range(0, MAX_MINUTES))
    credit_years = fields.Integer(
        load_default=0,
        validate=validate.Range(0, MAX_YEARS),
        metadata={"description": "how long a pass may be converted; 0: for ever"},
    )
    appeal_days = fields.Integer(
        load_default=5,
        validate=validate.Range(0, MAX_DAYS),
        metadata={"description": "the working days in which a refusal may be appealed; 0: never"},
    )
    appeal_review_days = fields.Integer(
        load_default=5,
        validate=validate.Range(1, MAX_DAYS),
        metadata={"description": "the working days in which an appeal is decided"},
    )
    is_folklore_default = fields.Boolean(
        load_default=False,
        metadata={"description": "a default nobody has decided: published at once as a first version; edit before use"},
    )


class KeptPolicySchema(PolicySchema):
    code = fields.String(required=True)
    version = fields.Integer(required=True)
    state = fields.String(required=True, validate=_one_of(RuleState))
    drafted_by = fields.String(required=True)
    approved_by = fields.List(fields.String(), required=True)
    published_at = fields.AwareDateTime(required=True, allow_none=True)


class TargetSchema(Schema):
    """A course, or one module of it, and how the exemption is recorded."""

    course = fields.String(required=True, validate=WORD)
    module = fields.String(load_default="", validate=validate.Length(max=64))
    credit_points = fields.Integer(required=True, validate=validate.Range(1, MAX_POINTS))
    grade = fields.String(
        load_default="免修", validate=validate.Length(min=1, max=10), metadata={"description": "合格, 免修, 60, 80"}
    )
    kind = fields.String(load_default="course", validate=_one_of(ExemptionKind))


class ConversionRuleSchema(Schema):
    """What a certificate at one of some levels converts to, for one programme and entry year."""

    policy = fields.String(required=True, validate=CODE)
    programme = fields.String(required=True, validate=WORD)
    entry_year = fields.Integer(required=True, validate=validate.Range(FIRST_YEAR, LAST_YEAR))
    scheme = fields.String(required=True, validate=CODE)
    levels = fields.List(
        fields.Integer(validate=validate.OneOf([int(one) for one in Level])),
        required=True,
        validate=validate.Length(min=1, max=3),
    )
    targets = fields.List(fields.Nested(TargetSchema), required=True, validate=validate.Length(min=1, max=20))
    valid_from = fields.Date(required=True)
    valid_until = fields.Date(load_default=None, allow_none=True, metadata={"description": "no rule is endless"})
    note = fields.String(load_default="", validate=validate.Length(max=500))
    is_folklore_default = fields.Boolean(
        load_default=False, metadata={"description": "published at once, as long as nobody has decided the rule"}
    )


class KeptRuleSchema(ConversionRuleSchema):
    code = fields.String(required=True)
    version = fields.Integer(required=True)
    state = fields.String(required=True, validate=_one_of(RuleState))
    drafted_by = fields.String(required=True)
    approved_by = fields.List(fields.String(), required=True)
    published_at = fields.AwareDateTime(required=True, allow_none=True)
    retired_at = fields.AwareDateTime(required=True, allow_none=True)


class RuleFilters(PageArgs):
    programme = fields.String(load_default=None)
    entry_year = fields.Integer(load_default=None, validate=validate.Range(FIRST_YEAR, LAST_YEAR))
    scheme = fields.String(load_default=None)
    state = fields.String(load_default=None, validate=_one_of(RuleState))


class ExemptionWishSchema(Schema):
    """The rule by which, and the course or module from which, a learner wishes to be excused."""

    rule = fields.String(required=True, validate=CODE)
    course = fields.String(required=True, validate=WORD)
    module = fields.String(load_default="", validate=validate.Length(max=64))


class BecauseSchema(Schema):
    """Why, in two languages; decide on the code."""

    code = fields.String(required=True)
    en = fields.String(required=True)
    zh = fields.String(required=True)


class OfferSchema(Schema):
    """What would stand instead, until the end of a day."""

    rule = fields.String(required=True)
    version = fields.Integer(required=True)
    target = fields.Nested(TargetSchema, required=True)
    until = fields.Date(required=True, allow_none=True)
    is_taken = fields.Boolean(required=True)


class AppealSchema(Schema):
    """What its learner says against a refusal, and why it was refused."""

    reason = fields.String(required=True)
    filed_on = fields.Date(required=True)
    against = fields.Nested(BecauseSchema, required=True)


class AppealWishSchema(Schema):
    """Why a refusal should not stand; whoever decides about the appeal reads it."""

    reason = fields.String(required=True, validate=validate.Length(min=1, max=1000))


class ApplicationSchema(Schema):
    """An application. While `waiting` it waits for the final result, or for the certificate's number."""

    application = fields.String(required=True)
    learner_id = fields.String(required=True)
    filed_on = fields.Date(required=True)
    rule = fields.String(required=True)
    rule_version = fields.Integer(required=True)
    policy = fields.String(required=True)
    policy_version = fields.Integer(required=True)
    programme = fields.String(required=True)
    entry_year = fields.Integer(required=True)
    student_number = fields.String(required=True)
    department = fields.String(required=True)
    class_name = fields.String(required=True)
    scheme = fields.String(required=True)
    level = fields.Integer(required=True)
    target = fields.Nested(TargetSchema, required=True)
    term = fields.String(required=True)
    state = fields.String(required=True, validate=_one_of(State))
    step = fields.String(required=True, allow_none=True, validate=_one_of(Step))
    held_points = fields.Integer(required=True)
    spent_points = fields.Integer(required=True)
    due_on = fields.Date(required=True, allow_none=True)
    is_escalated = fields.Boolean(required=True)
    because = fields.Nested(BecauseSchema, required=True, allow_none=True)
    offer = fields.Nested(OfferSchema, required=True, allow_none=True)
    offered_by = fields.String(required=True)
    is_released = fields.Boolean(required=True, metadata={"description": "the learner was told, nothing is undone"})
    export = fields.Integer(required=True, metadata={"description": "the last export it went out with; 0: none"})
    export_state = fields.String(required=True, validate=_one_of(Export))
    export_note = fields.String(required=True)
    is_case = fields.Boolean(required=True, metadata={"description": "its ground was taken back after it was exported"})
    may_be_appealed = fields.Boolean(required=True, metadata={"description": "today, by its learner"})
    appeal_until = fields.Date(required=True, allow_none=True, metadata={"description": "the last day to appeal"})
    appeal = fields.Nested(
        AppealSchema, required=True, allow_none=True, metadata={"description": "there is one at most"}
    )
    decided_by = fields.String(
        required=True, allow_none=True, metadata={"description": "who decided last, at any step; never told a learner"}
    )
    decided_on_behalf_of = fields.String(
        required=True, allow_none=True, metadata={"description": "who had delegated it; empty: in their own right"}
    )
    decided_at = fields.AwareDateTime(required=True, allow_none=True)
    undo_until = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "until when the decision can be undone"}
    )


class ApplicationFilters(PageArgs):
    learner_id = fields.String(load_default=None)
    state = fields.String(load_default=None, validate=_one_of(State))
    step = fields.String(load_default=None, validate=_one_of(Step))
    department = fields.String(load_default=None)
    programme = fields.String(load_default=None)
    entry_year = fields.Integer(load_default=None, validate=validate.Range(FIRST_YEAR, LAST_YEAR))
    class_name = fields.String(load_default=None)
    is_case = fields.Boolean(load_default=None)


class ApplicationDecisionSchema(Schema):
    """One decision of many; refused with a reason that the learner reads."""

    application = fields.String(required=True, validate=WORD)
    verdict = fields.String(required=True, validate=validate.OneOf(["approve", "refuse"]))
    reason = fields.String(load_default="", validate=validate.Length(max=500))
    on_behalf_of = fields.String(load_default="", validate=PERSON, metadata=IN_STEAD)


class ApplicationUndoSchema(Schema):
    """One decision to take back; a rule version judges from now on, if one is named."""

    application = fields.String(required=True, validate=WORD)
    rule_version = fields.Integer(load_default=0, validate=validate.Range(0, MAX_VERSION))
    course = fields.String(load_default="", validate=validate.Length(max=64))
    module = fields.String(load_default="", validate=validate.Length(max=64))
    on_behalf_of = fields.String(load_default="", validate=PERSON, metadata=IN_STEAD)


class DelegationWishSchema(Schema):
    """Whom one lets decide in one's stead, about what, and on which days."""

    to = fields.String(
        required=True, validate=validate.Length(min=1, max=200), metadata={"description": "their user name"}
    )
    role = fields.String(required=True, validate=validate.OneOf(sorted(DELEGATED)))
    departments = fields.List(
        fields.String(validate=WORD),
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=50),
        metadata={"description": "none named: all of one's own"},
    )
    first = fields.Date(required=True)
    until = fields.Date(required=True, metadata={"description": "the last day"})
    note = fields.String(load_default="", validate=validate.Length(max=200))


class DelegationSchema(Schema):
    """One person's word that another decides in their stead; revoked ones stay."""

    delegation = fields.String(required=True)
    by = fields.String(required=True)
    to = fields.String(required=True)
    role = fields.String(required=True, validate=validate.OneOf(sorted(DELEGATED)))
    departments = fields.List(
        fields.String(), required=True, allow_none=True, metadata={"description": "null: the whole college"}
    )
    first = fields.Date(required=True)
    until = fields.Date(required=True)
    note = fields.String(required=True)
    holds_today = fields.Boolean(required=True)
    made_at = fields.AwareDateTime(required=True)
    revoked_by = fields.String(required=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)


class ExemptionRowSchema(Schema):
    """An exemption as the registry's system takes it."""

    application = fields.String(required=True)
    student_number = fields.String(required=True)
    code = fields.String(required=True, metadata={"description": "the module's where it is about one"})
    course = fields.String(required=True)
    module = fields.String(required=True)
    term = fields.String(required=True)
    credits = fields.String(required=True)
    credit_points = fields.Integer(required=True)
    kind = fields.String(required=True, validate=_one_of(ExemptionKind))
    kind_zh = fields.String(required=True)
    grade = fields.String(required=True)


class ExemptionExportSchema(Schema):
    """What went out; number 0 with no rows: there was nothing to send."""

    number = fields.Integer(required=True)
    rows = fields.List(fields.Nested(ExemptionRowSchema), required=True)


class ExportSchema(Schema):
    """An export in the list of all; `rows`: how many it holds."""

    number = fields.Integer(required=True)
    by = fields.String(required=True)
    at = fields.AwareDateTime(required=True)
    rows = fields.Integer(required=True)


class ExportAnswerSchema(Schema):
    """What became of a row; without a reason it was taken."""

    application = fields.String(required=True, validate=WORD)
    reason = fields.String(load_default="", validate=validate.Length(max=500))


class VoidWishSchema(Schema):
    """Why a forgotten exemption is voided, for its learner, and whether the registry's system has it."""

    reason = fields.String(required=True, validate=validate.Length(min=1, max=500))
    is_exported = fields.Boolean(
        required=True, metadata={"description": "look in the registry's system: it is a case there then"}
    )


class VoidApprovalSchema(Schema):
    """The proposal that was looked at."""

    revision = fields.Integer(required=True, validate=validate.Range(1, MAX_VERSION))


class VoidSchema(Schema):
    """The proposal to void a forgotten exemption, and what came of it."""

    application = fields.String(required=True)
    learner_id = fields.String(required=True)
    scheme = fields.String(required=True)
    level = fields.Integer(required=True)
    course = fields.String(required=True)
    module = fields.String(required=True)
    credit_points = fields.Integer(required=True)
    reason = fields.String(required=True)
    is_exported = fields.Boolean(required=True)
    revision = fields.Integer(required=True)
    state = fields.String(required=True, validate=_one_of(VoidState))
    proposed_by = fields.String(required=True)
    proposed_at = fields.AwareDateTime(required=True)
    approved_by = fields.String(required=True)
    approved_at = fields.AwareDateTime(required=True, allow_none=True)


class ForgottenExemptionSchema(Schema):
    """An exemption that was granted and announced, and that a set-back made the bank forget."""

    application = fields.String(required=True)
    learner_id = fields.String(required=True)
    scheme = fields.String(required=True)
    level = fields.Integer(required=True)
    course = fields.String(required=True)
    module = fields.String(required=True)
    credit_points = fields.Integer(required=True)
    void = fields.Nested(VoidSchema, required=True, allow_none=True)


class VoidFiguresSchema(Schema):
    """How many are proposed to be voided, and were; of these, how many the registry's system had."""

    proposed = fields.Integer(required=True)
    voided = fields.Integer(required=True)
    exported = fields.Integer(required=True)


class EarlierSchema(Schema):
    """What a learner converted before this system, or from other sources such as courses taken elsewhere."""

    credit_points = fields.Integer(required=True, validate=validate.Range(0, MAX_POINTS))
    note = fields.String(required=True, validate=validate.Length(min=1, max=500))

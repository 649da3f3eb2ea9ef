"""The shape of results over HTTP."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, post_load, validate

from chassis.web.bundles import AnnouncedSchema
from chassis.web.paging import PageArgs
from chassis.web.schemas import Schema
from contracts.terms import Verdict
from services.assessment.results.domain import CAMPUS_OFFSET, Marks, Remark, Result, State, as_kept

REASON = validate.Length(min=1, max=500)


def _score() -> fields.Integer:
    told = {"description": "0 to 100; null: not sat"}
    return fields.Integer(allow_none=True, load_default=None, metadata=told)


class SittingSchema(Schema):
    """One sitting as its source has it. Scores outside 0 to 100 are refused item by item."""

    admission_number = fields.String(required=True, validate=validate.Length(min=1, max=64))
    attempt = fields.Integer(load_default=1)
    theory = _score()
    practical = _score()
    remark = fields.Enum(Remark, by_value=fields.String, load_default=Remark.NONE)
    as_of = fields.AwareDateTime(
        required=True,
        default_timezone=CAMPUS_OFFSET,
        metadata={"description": "when these values held at their source; without a zone it is campus time"},
    )
    external_id = fields.String(load_default="", validate=validate.Length(max=200))

    @post_load
    def marked(self, given: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Scores and remark as one value."""
        given["marks"] = Marks(given.pop("theory"), given.pop("practical"), given.pop("remark"))
        given["as_of"] = as_kept(given["as_of"])
        return given


class ResultSchema(Schema):
    result_id = fields.String(required=True)
    teo = fields.String(required=True)
    plan = fields.String(required=True)
    admission_number = fields.String(required=True)
    attempt = fields.Integer(required=True)
    learner_id = fields.String(required=True)
    scheme = fields.String(required=True)
    level = fields.Integer(required=True)
    session_date = fields.Date(required=True)
    theory = fields.Integer(required=True, allow_none=True)
    practical = fields.Integer(required=True, allow_none=True)
    remark = fields.String(required=True)
    verdict = fields.String(required=True, validate=validate.OneOf([str(one) for one in Verdict]))
    state = fields.String(required=True, validate=validate.OneOf([str(one) for one in State]))
    revision = fields.Integer(required=True)
    as_of = fields.AwareDateTime(required=True)
    opened_on = fields.Date(required=True)
    due_on = fields.Date(required=True, allow_none=True, metadata={"description": "the last day of publicity"})
    rule_version = fields.Integer(required=True)
    carried_from = fields.String(required=True, metadata={"description": "the earlier result that lends a part"})
    submitted_by = fields.String(required=True, metadata={"description": "the cause of its values: see /lives"})


class ChangeSchema(Schema):
    """What a result was before a revision."""

    revision = fields.Integer(required=True)
    kind = fields.String(required=True)
    at = fields.AwareDateTime(required=True)
    reason = fields.String(required=True)
    theory = fields.Integer(required=True, allow_none=True)
    practical = fields.Integer(required=True, allow_none=True)
    remark = fields.String(required=True)
    verdict = fields.String(required=True)
    submitted_by = fields.String(required=True)


class WholeResultSchema(ResultSchema):
    changes = fields.List(fields.Nested(ChangeSchema), required=True)


class CorrectionSchema(Schema):
    theory = _score()
    practical = _score()
    remark = fields.Enum(Remark, by_value=fields.String, load_default=Remark.NONE)
    reason = fields.String(required=True, validate=REASON)


class AnnulmentSchema(Schema):
    reason = fields.String(required=True, validate=REASON)


class DueSchema(Schema):
    due = fields.Integer(required=True, metadata={"description": "how many results a job makes final now"})


class WarningSchema(Schema):
    """Open results of a plan that no calendar gives a due date: they close by command alone."""

    code = fields.String(required=True, validate=validate.Equal("publicity_without_due_date"))
    teo = fields.String(required=True)
    plan = fields.String(required=True)
    count = fields.Integer(required=True)
    opened_on = fields.Date(required=True)


class WarningsSchema(Schema):
    warnings = fields.List(fields.Nested(WarningSchema), required=True)


class OfLearnerArgs(PageArgs):
    learner_id = fields.String(required=True, validate=validate.Length(min=1, max=100))


class AuditedResultSchema(Schema):
    """A result as it stands. `announced` says this revision; `final_at`: when it was announced as final."""

    result_id = fields.String(required=True)
    scheme = fields.String(required=True)
    level = fields.Integer(required=True)
    revision = fields.Integer(required=True)
    state = fields.String(required=True, validate=validate.OneOf([str(one) for one in State]))
    verdict = fields.String(required=True, validate=validate.OneOf([str(one) for one in Verdict]))
    announced = fields.Nested(AnnouncedSchema, required=True, allow_none=True)
    final_at = fields.AwareDateTime(required=True, allow_none=True)


class AuditedLearnerSchema(Schema):
    """What assessment has of a learner."""

    learner_id = fields.String(required=True)
    results = fields.List(fields.Nested(AuditedResultSchema), required=True)


def shape(one: Result) -> dict[str, Any]:
    """A result as it is shown."""
    marks = one.marks
    told = {"result_id": one.id, "theory": marks.theory, "practical": marks.practical, "remark": str(marks.remark)}
    return {**vars(one), **told, "level": int(one.level), "verdict": str(one.verdict), "state": str(one.state)}

"""The shape of course results and pass marks over HTTP."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, post_load, validate

from chassis.web.paging import PageArgs
from chassis.web.schemas import Schema
from services.training.courses.domain import CAMPUS_OFFSET, GRADES, CourseResult, Lack, as_kept

WORD = validate.Length(1, 64)


class MarkSchema(Schema):
    """A mark as its source has it: a number or a grade. What cannot be is refused item by item."""

    student_number = fields.String(required=True, validate=WORD)
    course = fields.String(required=True, validate=WORD)
    term = fields.String(required=True, validate=WORD, metadata={"description": "like 2020-2021-2"})
    mark = fields.Integer(load_default=None, allow_none=True, metadata={"description": "0 to 100"})
    grade = fields.String(
        load_default="", validate=validate.Length(max=16), metadata={"description": f"one of {'、'.join(GRADES)}"}
    )
    as_of = fields.AwareDateTime(
        required=True,
        default_timezone=CAMPUS_OFFSET,
        metadata={"description": "when the mark held at its source; without a zone it is campus time"},
    )

    @post_load
    def timed(self, given: dict[str, Any], **_: Any) -> dict[str, Any]:
        """The time as it is kept."""
        return given | {"as_of": as_kept(given["as_of"])}


class CourseResultSchema(Schema):
    result_id = fields.String(required=True)
    student_number = fields.String(required=True)
    course = fields.String(required=True)
    term = fields.String(required=True)
    mark = fields.Integer(required=True)
    grade = fields.String(required=True)
    as_of = fields.AwareDateTime(required=True)
    learner_id = fields.String(required=True, metadata={"description": "empty while the student is not known"})
    programme = fields.String(required=True)
    entry_year = fields.Integer(required=True)
    credit_points = fields.Integer(required=True)
    pass_mark = fields.Integer(required=True)
    passed = fields.Boolean(required=True)
    revision = fields.Integer(required=True, metadata={"description": "0 while it waits; grows with each change"})
    is_withdrawn = fields.Boolean(required=True)
    waits_for = fields.String(required=True, validate=validate.OneOf([str(one) for one in Lack]))
    submitted_by = fields.String(required=True, metadata={"description": "the cause of its values: see /lives"})


class CourseResultsArgs(PageArgs):
    learner_id = fields.String(load_default="", validate=validate.Length(max=100))
    student_number = fields.String(load_default="", validate=validate.Length(max=64))
    waiting = fields.Boolean(load_default=None, metadata={"description": "those that wait for a record or a course"})


class CourseWithdrawalSchema(Schema):
    result_id = fields.String(required=True, validate=validate.Length(1, 200))
    reason = fields.String(required=True, validate=validate.Length(1, 500))


class PassMarkBodySchema(Schema):
    pass_mark = fields.Integer(required=True, validate=validate.Range(1, 100))


class PassMarkSchema(PassMarkBodySchema):
    programme = fields.String(required=True, metadata={"description": "default: of all others"})


def shape(one: CourseResult) -> dict[str, Any]:
    """A course result as it is shown."""
    given = one.given
    return {
        "result_id": one.id,
        "student_number": given.student_number,
        "course": given.course,
        "term": given.term,
        "mark": given.mark,
        "grade": given.grade,
        "as_of": given.as_of,
        "learner_id": one.learner_id,
        "programme": one.programme,
        "entry_year": one.entry_year,
        "credit_points": one.credit_points,
        "pass_mark": one.pass_mark,
        "passed": one.passed,
        "revision": one.revision,
        "is_withdrawn": one.is_withdrawn,
        "waits_for": str(one.waits_for),
        "submitted_by": one.cause,
    }

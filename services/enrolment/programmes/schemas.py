"""The shape of programmes over HTTP."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, post_load, validate

from chassis.web.schemas import Schema
from contracts.terms import CourseKind
from services.enrolment.programmes.domain import (
    LAST_TERM,
    MOST_COURSES,
    MOST_MODULES,
    Course,
    CourseModule,
    Curriculum,
    Programme,
)

YEAR = fields.Integer(validate=validate.Range(1950, 2199))
TOTAL = validate.Range(0, 100_000)


class ProgrammeBodySchema(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 100))
    entry_years = fields.List(YEAR, required=True, validate=validate.Length(1, 100))
    credit_points_total = fields.Integer(
        required=True, validate=TOTAL, metadata={"description": "100 points are one credit"}
    )
    code_2021 = fields.String(
        load_default="", validate=validate.Length(0, 20), metadata={"description": "its code in the catalogue of 2021"}
    )


class ProgrammeSchema(ProgrammeBodySchema):
    code = fields.String(required=True)


def _points() -> fields.Integer:
    told = {"description": "100 points are one credit"}
    return fields.Integer(required=True, validate=validate.Range(1, 10_000), metadata=told)


def _code() -> fields.String:
    return fields.String(required=True, validate=validate.Length(1, 32))


def _name() -> fields.String:
    return fields.String(required=True, validate=validate.Length(1, 100))


class CourseModuleSchema(Schema):
    """A part of a course that can be exempt by itself."""

    code = _code()
    name = _name()
    credit_points = _points()


class CourseSchema(Schema):
    """A course; which ones are never exempt is said here and nowhere else."""

    code = _code()
    name = _name()
    credit_points = _points()
    kind = fields.Enum(CourseKind, by_value=fields.String, required=True)
    term = fields.Integer(
        required=True,
        validate=validate.Range(1, LAST_TERM),
        metadata={"description": "the term of the plan that teaches it, from 1"},
    )
    is_never_exempt = fields.Boolean(load_default=False)
    modules = fields.List(
        fields.Nested(CourseModuleSchema), load_default=list, validate=validate.Length(max=MOST_MODULES)
    )


class CurriculumBodySchema(Schema):
    courses = fields.List(fields.Nested(CourseSchema), required=True, validate=validate.Length(max=MOST_COURSES))

    @post_load
    def read(self, given: dict[str, Any], **_: Any) -> tuple[Course, ...]:
        """The courses."""
        return tuple(
            Course(**one | {"modules": tuple(CourseModule(**part) for part in one["modules"])})
            for one in given["courses"]
        )


class CurriculumWarningSchema(Schema):
    """What ought to be looked at."""

    code = fields.String(required=True)
    detail = fields.String(required=True)


class CoverageSchema(Schema):
    """How far a curriculum covers what certificates are matched with."""

    programme = fields.String(required=True)
    entry_year = fields.Integer(required=True)
    revision = fields.Integer(required=True, metadata={"description": "grows with each change"})
    credit_points_total = fields.Integer(required=True, metadata={"description": "what the programme asks for"})
    credit_points = fields.Integer(required=True, metadata={"description": "what its courses are worth"})
    core_courses = fields.Integer(required=True, metadata={"description": "4 or 5 are asked for"})
    warnings = fields.List(fields.Nested(CurriculumWarningSchema), required=True)


class CurriculumSchema(CoverageSchema):
    courses = fields.List(fields.Nested(CourseSchema), required=True)


def shape(one: Curriculum, programme: Programme, warnings: list[dict[str, str]]) -> dict[str, Any]:
    """A curriculum as it is shown."""
    return {
        "programme": one.programme,
        "entry_year": one.entry_year,
        "revision": one.revision,
        "credit_points_total": programme.credit_points_total,
        "credit_points": one.credit_points,
        "core_courses": one.core_courses,
        "warnings": warnings,
        "courses": one.courses,
    }

"""The shape of simulations of drafts, and of what they found."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from chassis.web.paging import PageArgs
from chassis.web.schemas import Schema
from services.creditbank.conversion.schemas import CODE, MAX_VERSION
from services.creditbank.simulations.domain import Draft, Effect, State, Subject, one_of

MAX_NUMBER = 99_999_999


class DraftVersionSchema(Schema):
    """A version that is not published yet."""

    code = fields.String(required=True, validate=CODE)
    version = fields.Integer(required=True, validate=validate.Range(1, MAX_VERSION))


class AskedSimulationSchema(Schema):
    """What is to be simulated: one of the two."""

    rule = fields.Nested(DraftVersionSchema, load_default=None, allow_none=True)
    policy = fields.Nested(DraftVersionSchema, load_default=None, allow_none=True)


def draft_of(given: dict[str, Any]) -> Draft:
    """The draft that a body names."""
    rule, policy = (
        (given[name]["code"], given[name]["version"]) if given[name] else None for name in ("rule", "policy")
    )
    return one_of(rule, policy)


class ExemptionTallySchema(Schema):
    """Exemptions by what becomes of them, and the points they cost. Two that are allowed may exclude each other."""

    allowed = fields.Integer(required=True)
    taken = fields.Integer(required=True)
    repriced = fields.Integer(required=True)
    applications = fields.Integer(required=True)
    offers = fields.Integer(required=True)
    allowed_points = fields.Integer(required=True)
    taken_points = fields.Integer(required=True)
    dearer_points = fields.Integer(required=True)


class ProgrammeExemptionsSchema(ExemptionTallySchema):
    programme = fields.String(required=True)


class SchemeExemptionsSchema(ExemptionTallySchema):
    scheme = fields.String(required=True)


class CourseExemptionsSchema(ExemptionTallySchema):
    programme = fields.String(required=True)
    course = fields.String(required=True)


class ConversionSimulationSchema(Schema):
    """How far a draft is simulated: `cohorts_seen` of `cohorts`, programmes and entry years, with so many `students`.

    It asks what could be filed on the day `on`; of a policy document, in a window. `gainers`, `losers`: students who
    may have some exemption that they may not now, or no more one that they may now.
    """

    number = fields.Integer(required=True)
    subject = fields.String(required=True, validate=validate.OneOf([str(one) for one in Subject]))
    code = fields.String(required=True)
    version = fields.Integer(required=True)
    state = fields.String(required=True, validate=validate.OneOf([str(one) for one in State]))
    on = fields.Date(required=True)
    asked_by = fields.String(required=True)
    asked_at = fields.AwareDateTime(required=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)
    cohorts = fields.Integer(required=True)
    cohorts_seen = fields.Integer(required=True)
    students = fields.Integer(required=True)
    gainers = fields.Integer(required=True)
    losers = fields.Integer(required=True)
    totals = fields.Nested(ExemptionTallySchema, required=True)
    programmes = fields.List(fields.Nested(ProgrammeExemptionsSchema), required=True)
    schemes = fields.List(fields.Nested(SchemeExemptionsSchema), required=True)
    courses = fields.List(fields.Nested(CourseExemptionsSchema), required=True)


class SimulationsArgs(PageArgs):
    """All, or those of one draft."""

    subject = fields.String(load_default=None, validate=validate.OneOf([str(one) for one in Subject]))
    code = fields.String(load_default=None, validate=CODE)
    version = fields.Integer(load_default=None, validate=validate.Range(1, MAX_VERSION))


class EffectArgs(Schema):
    effect = fields.String(load_default=None, validate=validate.OneOf([str(one) for one in Effect]))


class ChangesArgs(PageArgs):
    effect = fields.String(load_default=None, validate=validate.OneOf([str(one) for one in Effect]))


class ExemptionChangeSchema(Schema):
    """What a draft does to one student's exemption: `allowed`, `taken` or `repriced` if it is filed then.

    `application`, `offer`: these are open and go on by the versions they name; judged by the draft they would fall.
    """

    place = fields.String(required=True)
    effect = fields.String(required=True, validate=validate.OneOf([str(one) for one in Effect]))
    learner_id = fields.String(required=True)
    student_number = fields.String(required=True)
    programme = fields.String(required=True)
    entry_year = fields.Integer(required=True)
    scheme = fields.String(required=True)
    rule = fields.String(required=True)
    course = fields.String(required=True)
    module = fields.String(required=True)
    before_points = fields.Integer(required=True)
    after_points = fields.Integer(required=True)
    application = fields.String(required=True)
    because = fields.String(required=True)
    because_zh = fields.String(required=True)
    because_en = fields.String(required=True)


class ApprovalArgs(Schema):
    simulation = fields.Integer(
        load_default=None,
        validate=validate.Range(1, MAX_NUMBER),
        metadata={"description": "which was looked at; refused when another is the latest"},
    )

"""The shape of proposals, simulations and what these found."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from chassis.web.paging import PageArgs
from chassis.web.schemas import Schema
from services.creditbank.proposals.domain import (
    Change,
    Kind,
    Rerate,
    Retirement,
    State,
    Target,
    VersionDraft,
    one_of,
)
from services.creditbank.proposals.queries import DIRECTIONS
from services.creditbank.recognition.domain import Policy
from services.creditbank.recognition.schemas import MAX_CREDIT_POINTS, PolicyReferenceSchema

LAST_VERSION = 100_000
MOST_TARGETS = 100
OF_ITS_KIND = {"description": "its kind's own code: of licences 1 is the highest"}


def _scheme() -> fields.String:
    return fields.String(required=True, validate=validate.Length(1, 80))


def _level() -> fields.Integer:
    return fields.Integer(required=True, validate=validate.Range(1, 5), metadata=OF_ITS_KIND)


def _version() -> fields.Integer:
    return fields.Integer(required=True, validate=validate.Range(1, LAST_VERSION))


class VersionDraftSchema(Schema):
    """What a level is to be worth for sessions of some days; decided versions that give way are named."""

    scheme = _scheme()
    level = _level()
    credit_points = fields.Integer(required=True, validate=validate.Range(0, MAX_CREDIT_POINTS))
    sessions_from = fields.Date(required=True)
    sessions_until = fields.Date(load_default=None, allow_none=True, metadata={"description": "refused when missing"})
    policy = fields.Nested(PolicyReferenceSchema, load_default=None, allow_none=True)
    note = fields.String(load_default="", validate=validate.Length(max=500))
    supersedes = fields.List(
        fields.Integer(validate=validate.Range(1, LAST_VERSION)), load_default=[], validate=validate.Length(0, 50)
    )


class RetirementSchema(Schema):
    """A version that is to hold no more for sessions from a day on."""

    scheme = _scheme()
    level = _level()
    version = _version()
    retired_from = fields.Date(required=True)


class LevelTargetSchema(Schema):
    """To which version outcomes of a level are to be moved, as far as it holds for their sessions."""

    scheme = _scheme()
    level = _level()
    version = _version()


class RerateSchema(Schema):
    targets = fields.List(fields.Nested(LevelTargetSchema), required=True, validate=validate.Length(1, MOST_TARGETS))


class ChangeSchema(Schema):
    """One of the three."""

    version = fields.Nested(VersionDraftSchema, load_default=None, allow_none=True)
    retirement = fields.Nested(RetirementSchema, load_default=None, allow_none=True)
    rerate = fields.Nested(RerateSchema, load_default=None, allow_none=True)


def change_of(given: dict[str, Any]) -> Change:
    """The change that a body asks for."""
    version, retirement, rerate = given["version"], given["retirement"], given["rerate"]
    return one_of(
        _draft_of(version) if version else None,
        Retirement(**retirement) if retirement else None,
        Rerate(tuple(Target(**one) for one in rerate["targets"])) if rerate else None,
    )


def _draft_of(given: dict[str, Any]) -> VersionDraft:
    policy = Policy(**given["policy"]) if given["policy"] else Policy()
    return VersionDraft(**given | {"policy": policy, "supersedes": tuple(sorted(set(given["supersedes"])))})


class TallySchema(Schema):
    """Holdings that change, and by how many credit_points, to come and available together.

    A version's figures count its outcomes as moved to it by a rerate; `published_points` is by publishing alone.
    """

    holdings = fields.Integer(required=True)
    gainers = fields.Integer(required=True)
    losers = fields.Integer(required=True)
    gained_points = fields.Integer(required=True)
    lost_points = fields.Integer(required=True)
    change_points = fields.Integer(required=True)
    published_points = fields.Integer(required=True)


class GroupSchema(TallySchema):
    scheme = fields.String(required=True)
    level = fields.Integer(required=True)


class SchemeTotalSchema(TallySchema):
    scheme = fields.String(required=True)


class ProgrammeTotalSchema(TallySchema):
    programme = fields.String(required=True, metadata={"description": "what they study, or studied last; or nothing"})


class SimulationSchema(Schema):
    """How far a simulation is: `seen` of about `outcomes`, of which it skips other schemes'; finished, it is whole."""

    number = fields.Integer(required=True)
    asked_by = fields.String(required=True)
    asked_at = fields.AwareDateTime(required=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)
    seen = fields.Integer(required=True)
    outcomes = fields.Integer(required=True)
    totals = fields.Nested(TallySchema, required=True)
    groups = fields.List(fields.Nested(GroupSchema), required=True)
    schemes = fields.List(fields.Nested(SchemeTotalSchema), required=True)
    programmes = fields.List(fields.Nested(ProgrammeTotalSchema), required=True)


class ApprovalSchema(Schema):
    by = fields.String(required=True)
    at = fields.AwareDateTime(required=True)
    simulation = fields.Integer(required=True)


class EnactmentSchema(Schema):
    """That it is carried out. `moved`: how many outcomes a rerate has moved; it ends when a round moves none."""

    by = fields.String(required=True)
    at = fields.AwareDateTime(required=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)
    version = fields.Integer(required=True)
    moved = fields.Integer(required=True)
    rounds = fields.Integer(required=True)


class ProposalSchema(Schema):
    number = fields.Integer(required=True)
    kind = fields.String(required=True, validate=validate.OneOf([one.value for one in Kind]))
    state = fields.String(required=True, validate=validate.OneOf([one.value for one in State]))
    revision = fields.Integer(required=True)
    author = fields.String(required=True)
    made_at = fields.AwareDateTime(required=True)
    version = fields.Nested(VersionDraftSchema, required=True, allow_none=True)
    retirement = fields.Nested(RetirementSchema, required=True, allow_none=True)
    rerate = fields.Nested(RerateSchema, required=True, allow_none=True)
    simulation = fields.Nested(SimulationSchema, required=True, allow_none=True)
    approvals = fields.List(fields.Nested(ApprovalSchema), required=True)
    enactment = fields.Nested(EnactmentSchema, required=True, allow_none=True)


class ProposalsArgs(PageArgs):
    state = fields.String(validate=validate.OneOf([one.value for one in State]))


class ApproveSchema(Schema):
    """Which simulation was looked at."""

    simulation = fields.Integer(required=True, validate=validate.Range(1, LAST_VERSION))


class DirectionArgs(Schema):
    direction = fields.String(load_default="any", validate=validate.OneOf(sorted(DIRECTIONS)))


class ShiftsArgs(PageArgs):
    direction = fields.String(load_default="any", validate=validate.OneOf(sorted(DIRECTIONS)))


class ShiftSchema(Schema):
    """A holding as it is, as it would be when the proposal is carried out, and with its outcomes moved by a rerate."""

    learner_id = fields.String(required=True)
    programme = fields.String(required=True)
    scheme = fields.String(required=True)
    level = fields.Integer(required=True)
    before_provisional_points = fields.Integer(required=True)
    before_available_points = fields.Integer(required=True)
    enacted_provisional_points = fields.Integer(required=True)
    enacted_available_points = fields.Integer(required=True)
    rerated_provisional_points = fields.Integer(required=True)
    rerated_available_points = fields.Integer(required=True)
    change_points = fields.Integer(required=True)

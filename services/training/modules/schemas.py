"""The shape of modules, excuse rules and excuses."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from chassis.web.paging import PageArgs
from chassis.web.schemas import Schema
from contracts.terms import Level
from services.training.modules.domain import Ended, RuleState

WORD = validate.Length(1, 64)
MOST_HOURS = 2_000
FIRST_YEAR, LAST_YEAR = 2000, 2199


def _level(**options: Any) -> fields.Integer:
    return fields.Integer(validate=validate.OneOf([level.value for level in Level]), **options)


class TrainingModuleBodySchema(Schema):
    """A module of a training."""

    name = fields.String(required=True, validate=validate.Length(1, 100))
    class_hours = fields.Integer(required=True, validate=validate.Range(1, MOST_HOURS))


class TrainingModuleSchema(TrainingModuleBodySchema):
    scheme = fields.String(required=True)
    level = fields.Integer(required=True)
    code = fields.String(required=True)


class TrainingModulesArgs(PageArgs):
    scheme = fields.String(load_default="", validate=validate.Length(max=64))
    level = _level(load_default=0)


class ExcuseRuleSchema(Schema):
    """By which course, passed, those of a programme and entry year are excused from a module of a training."""

    basis = fields.String(
        load_default="",
        validate=validate.Length(max=500),
        metadata={
            "description": "the document that decides it, like 学分互认办法（教〔2020〕9号）第八条; no rule is without"
        },
    )
    scheme = fields.String(required=True, validate=WORD)
    level = _level(required=True)
    module = fields.String(required=True, validate=WORD)
    programme = fields.String(required=True, validate=WORD)
    entry_year = fields.Integer(required=True, validate=validate.Range(FIRST_YEAR, LAST_YEAR))
    course = fields.String(required=True, validate=WORD)
    least_mark = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, 100),
        metadata={"description": "null: a pass will do"},
    )
    valid_from = fields.Date(
        required=True, metadata={"description": "days on which the marks of the course's term are given out"}
    )
    valid_until = fields.Date(load_default=None, allow_none=True, metadata={"description": "no rule is endless"})


class KeptExcuseRuleSchema(ExcuseRuleSchema):
    code = fields.String(required=True)
    version = fields.Integer(required=True)
    state = fields.String(required=True, validate=validate.OneOf([str(one) for one in RuleState]))
    drafted_by = fields.String(required=True)
    approved_by = fields.List(fields.String(), required=True)
    published_at = fields.AwareDateTime(required=True, allow_none=True)
    retired_at = fields.AwareDateTime(required=True, allow_none=True)


class ExcuseRulesArgs(PageArgs):
    scheme = fields.String(load_default=None, validate=validate.Length(max=64))
    level = _level(load_default=None)
    programme = fields.String(load_default=None, validate=validate.Length(max=64))
    entry_year = fields.Integer(load_default=None, validate=validate.Range(FIRST_YEAR, LAST_YEAR))
    state = fields.String(load_default=None, validate=validate.OneOf([str(one) for one in RuleState]))


class TrainingExcuseSchema(Schema):
    """A module that a learner is or was excused from, and why."""

    scheme = fields.String(required=True)
    level = fields.Integer(required=True)
    module = fields.String(required=True)
    module_name = fields.String(required=True)
    class_hours = fields.Integer(required=True)
    is_excused = fields.Boolean(required=True)
    ended = fields.String(
        required=True,
        validate=validate.OneOf(["", *(str(one) for one in Ended)]),
        metadata={
            "description": "what took its ground; it stands all the same where the training was completed before"
        },
    )
    course = fields.String(required=True)
    term = fields.String(required=True)
    mark = fields.Integer(required=True)
    result_id = fields.String(required=True)
    rule = fields.String(required=True)
    rule_version = fields.Integer(required=True)
    basis = fields.String(required=True)
    least_mark = fields.Integer(required=True, allow_none=True)
    since = fields.AwareDateTime(required=True)
    why_zh = fields.String(required=True)
    why_en = fields.String(required=True)

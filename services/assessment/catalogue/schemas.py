"""The shape of TEOs and schemes over HTTP."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, post_load, pre_dump, validate, validates_schema

from chassis.web.schemas import Schema
from contracts.terms import Level
from services.assessment.catalogue.domain import MAX_PUBLICITY_DAYS, EachPart, PassRule, Scheme, Weighted

WORD = validate.Length(min=1, max=200)
PER_CENT = validate.Range(min=0, max=100)
WEIGHTED = ("theory", "practical")
EACH = ("resits", "resit_within_days")


def _aliases() -> fields.List[str]:
    return fields.List(fields.String(validate=WORD), load_default=list, validate=validate.Length(max=50))


class TeoSchema(Schema):
    teo = fields.String(dump_only=True, attribute="code")
    name = fields.String(required=True, validate=WORD)
    aliases = _aliases()


class PassRuleSchema(Schema):
    """`weighted` has theory and practical weights that make 100; `each` has resits and resit_within_days."""

    version = fields.Integer(required=True, strict=True, validate=validate.Range(min=1, max=100_000))
    sessions_from = fields.Date(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(["weighted", "each"]))
    pass_at = fields.Integer(required=True, strict=True, validate=PER_CENT)
    theory = fields.Integer(strict=True, validate=PER_CENT)
    practical = fields.Integer(strict=True, validate=PER_CENT)
    resits = fields.Integer(strict=True, validate=validate.Range(min=0, max=20))
    resit_within_days = fields.Integer(strict=True, validate=validate.Range(min=0, max=3_660))

    @validates_schema
    def fits_its_kind(self, given: dict[str, Any], **_: Any) -> None:
        """Each kind wants its own fields and no others."""
        wanted, other = (WEIGHTED, EACH) if given["kind"] == "weighted" else (EACH, WEIGHTED)
        wrong = {name: ["Missing for this kind of rule."] for name in wanted if name not in given}
        wrong |= {name: ["Not a field of this kind of rule."] for name in other if name in given}
        if wrong:
            raise ValidationError(wrong)

    @post_load
    def rule(self, given: dict[str, Any], **_: Any) -> PassRule:
        kind = given.pop("kind")
        return Weighted(**given) if kind == "weighted" else EachPart(**given)

    @pre_dump
    def shown(self, rule: PassRule, **_: Any) -> dict[str, Any]:
        return {"kind": "weighted" if isinstance(rule, Weighted) else "each", **vars(rule)}


def _of_kind(kind: str, wanted: tuple[str, ...], other: tuple[str, ...]) -> dict[str, Any]:
    """How the document states what `fits_its_kind` checks."""
    return {
        "properties": {"kind": {"const": kind}},
        "required": list(wanted),
        "not": {"anyOf": [{"required": [name]} for name in other]},
    }


KINDS = [_of_kind("weighted", WEIGHTED, EACH), _of_kind("each", EACH, WEIGHTED)]


class SchemeSchema(Schema):
    scheme = fields.String(dump_only=True, attribute="code")
    name = fields.String(required=True, validate=WORD)
    aliases = _aliases()
    teo = fields.String(required=True, validate=validate.Length(equal=18))
    levels = fields.List(
        fields.Integer(strict=True, validate=validate.OneOf([1, 2, 3])),
        required=True,
        validate=validate.Length(min=1, max=3),
    )
    needs_certificate_number = fields.Boolean(load_default=False)
    needs_training = fields.Boolean(load_default=False)
    publicity_days = fields.Integer(strict=True, load_default=5, validate=validate.Range(min=0, max=MAX_PUBLICITY_DAYS))
    pass_rules = fields.List(
        fields.Nested(PassRuleSchema, metadata={"oneOf": KINDS}), required=True, validate=validate.Length(min=1, max=50)
    )


def scheme_of(code: str, given: dict[str, Any]) -> Scheme:
    """The scheme a request describes; lists in one order, so that a repeat is no change."""
    return Scheme(
        code=code,
        name=given["name"],
        teo=given["teo"],
        levels=tuple(Level(level) for level in sorted(set(given["levels"]))),
        pass_rules=tuple(sorted(given["pass_rules"], key=lambda rule: rule.version)),
        aliases=tuple(dict.fromkeys(given["aliases"])),
        needs_certificate_number=given["needs_certificate_number"],
        needs_training=given["needs_training"],
        publicity_days=given["publicity_days"],
    )

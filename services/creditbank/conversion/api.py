"""Policy documents and conversion rules over HTTP."""

from __future__ import annotations

from typing import Any

import msgspec

from chassis.web.access import allow, caller
from chassis.web.blueprint import Blueprint
from chassis.web.paging import CURSOR_INVALID, Key, page, paged
from contracts.terms import Role
from services.creditbank.conversion import commands, queries
from services.creditbank.conversion.domain import WITHOUT_END, ConversionRule, Policy
from services.creditbank.conversion.schemas import (
    ConversionRuleSchema,
    KeptPolicySchema,
    KeptRuleSchema,
    PolicySchema,
    RuleFilters,
)

blp = Blueprint("conversion", __name__, description="What credits are converted to, and by which policy.")


@blp.route("/conversion-policies/<code>", methods=["PUT"])
@allow(Role.REGISTRY, Role.OPERATOR)
@blp.arguments(PolicySchema)
@blp.response(200, KeptPolicySchema)
def put_policy(given: dict[str, Any], code: str) -> dict[str, Any]:
    """Keep a policy document as its next version; the same again changes nothing."""
    policy = msgspec.convert(given | {"code": code, "version": 0}, Policy)
    return queries.shown(commands.keep_policy(policy))


@blp.route("/conversion-policies/<code>", methods=["GET"])
@allow(*Role)
@blp.response(200, KeptPolicySchema(many=True))
def get_policy(code: str) -> list[dict[str, Any]]:
    """Every version of a policy document, the latest first."""
    return queries.policy_of(code)


@blp.route("/conversion-policies", methods=["GET"])
@allow(*Role)
@paged(KeptPolicySchema)
def list_policies(args: dict[str, Any]) -> dict[str, Any]:
    """All policy documents, each in every version."""
    found = queries.policies_after(_after(args["cursor"]), args["limit"] + 1)
    return page(found, args["limit"], key=_place)


@blp.route("/conversion-rules/<code>", methods=["PUT"])
@allow(Role.REGISTRY, Role.OPERATOR)
@blp.arguments(ConversionRuleSchema)
@blp.response(200, KeptRuleSchema)
def put_rule(given: dict[str, Any], code: str) -> dict[str, Any]:
    """Draft a rule's next version; two people approve it before it is published. A folklore default is at once."""
    if given["valid_until"] is None:
        raise WITHOUT_END()
    rule = msgspec.convert(given | {"code": code, "version": 0}, ConversionRule)
    return queries.shown(commands.draft_rule(rule, caller().subject))


@blp.route("/conversion-rules/<code>", methods=["GET"])
@allow(*Role)
@blp.response(200, KeptRuleSchema(many=True))
def get_rule(code: str) -> list[dict[str, Any]]:
    """Every version of a rule, the latest first."""
    return queries.rule_of(code)


@blp.route("/conversion-rules", methods=["GET"])
@allow(*Role)
@paged(KeptRuleSchema, RuleFilters)
def list_rules(args: dict[str, Any]) -> dict[str, Any]:
    """Conversion rules, each in every version, of a programme, entry year, scheme or state."""
    names = ("programme", "entry_year", "scheme", "state")
    where = {name: args[name] for name in names if args[name] is not None}
    found = queries.rules_after(where, _after(args["cursor"]), args["limit"] + 1)
    return page(found, args["limit"], key=_place)


@blp.route("/conversion-rules/<code>/versions/<int:version>/approval", methods=["PUT"])
@allow(Role.REGISTRY, Role.OPERATOR)
@blp.response(200, KeptRuleSchema)
def approve_rule(code: str, version: int) -> dict[str, Any]:
    """Approve a draft; it is approved when two people have."""
    return queries.shown(commands.approve_rule(code, version, caller().subject))


@blp.route("/conversion-rules/<code>/versions/<int:version>/publication", methods=["PUT"])
@allow(Role.REGISTRY, Role.OPERATOR)
@blp.response(200, KeptRuleSchema)
def publish_rule(code: str, version: int) -> dict[str, Any]:
    """Publish an approved version; the one before it is retired."""
    return queries.shown(commands.publish_rule(code, version))


@blp.route("/conversion-rules/<code>/versions/<int:version>/publication", methods=["DELETE"])
@allow(Role.REGISTRY, Role.OPERATOR)
@blp.response(200, KeptRuleSchema)
def retire_rule(code: str, version: int) -> dict[str, Any]:
    """Retire a published version; what was filed under it goes on."""
    return queries.shown(commands.retire_rule(code, version))


def _place(one: dict[str, Any]) -> list[str | int]:
    return [f"{one['code']}:{one['version']:04d}"]


def _after(cursor: Key | None) -> str:
    match cursor:
        case None:
            return ""
        case [str(place)]:
            return place
    raise CURSOR_INVALID()

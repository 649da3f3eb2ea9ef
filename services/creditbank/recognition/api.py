"""Recognition rules: operators publish them, everyone who works here reads them."""

from __future__ import annotations

from typing import Any

from flask import Response

from chassis.web.access import allow
from chassis.web.blueprint import Blueprint
from chassis.web.bundles import BundleArgs, written
from chassis.web.paging import page, paged, place_after
from contracts.terms import Role
from services.creditbank.recognition import audit, commands, queries
from services.creditbank.recognition.domain import level_in
from services.creditbank.recognition.schemas import AuditedLearnerSchema, PublishedRuleSchema, RuleSchema

blp = Blueprint("recognition", __name__, description="What certificates and other outcomes are worth.")


@blp.route("/recognition-rules/<scheme>/<level>", methods=["PUT"])
@allow(Role.OPERATOR, whole_college=True)
@blp.arguments(RuleSchema)
@blp.response(200, PublishedRuleSchema)
def put_rule(given: dict[str, Any], scheme: str, level: str) -> dict[str, Any]:
    """Publish a folklore default, as long as nobody decided the rule; what is recognised keeps its version, and the
    same again changes nothing. Any other rule is proposed, simulated and approved by two."""
    read = level_in(scheme, level)
    return queries.shown(scheme, read, commands.publish_rule(scheme, read, **given))


@blp.route("/recognition-rules/<scheme>/<level>", methods=["GET"])
@allow(*Role)
@blp.response(200, PublishedRuleSchema)
def get_rule(scheme: str, level: str) -> dict[str, Any]:
    """What a level is worth, with its history."""
    return queries.rule_of(scheme, level_in(scheme, level))


@blp.route("/recognition-rules", methods=["GET"])
@allow(*Role)
@paged(PublishedRuleSchema)
def list_rules(args: dict[str, Any]) -> dict[str, Any]:
    """All recognition rules."""
    rules = queries.rules_after(place_after(args["cursor"]), args["limit"] + 1)
    return page(rules, args["limit"], key=lambda one: [f"{one['scheme']}:{one['level']}"])


@blp.route("/audit", methods=["GET"])
@allow(Role.AUDITOR, Role.OPERATOR)
@paged(AuditedLearnerSchema, BundleArgs)
def read_audit(query: dict[str, Any]) -> Response:
    """Every learner's account, outcomes and entries, by learner; `owner` is a learner's id."""
    return written(audit.audited(query))

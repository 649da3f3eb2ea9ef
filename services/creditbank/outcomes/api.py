"""Outcomes over HTTP: submitted by who has them, read, and their sources named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, current_app

from chassis.errors import Refusal
from chassis.watch import current_cause
from chassis.web.access import allow, caller, check_scope, owned
from chassis.web.blueprint import Blueprint
from chassis.web.health import Step
from chassis.web.paging import after, page, paged, place_after
from chassis.web.schemas import JudgedSchema, accepted, refused
from contracts.terms import Role
from services.creditbank.outcomes import commands, queries
from services.creditbank.outcomes.domain import Item, Sender, Source, Weighed, place_of
from services.creditbank.outcomes.schemas import (
    KINDS,
    OutcomeItemSchema,
    OutcomesArgs,
    OutcomeSourceSchema,
    SenderArgs,
    SourceTitleSchema,
    SubmittedOutcomeSchema,
)
from services.creditbank.outcomes.senders import sender_of

SENDERS = (Role.REGISTRY, Role.TEO, Role.OPERATOR)
READERS = (Role.REGISTRY, Role.DEPARTMENT, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
KEPT = "onex.old_after_days"

blp = Blueprint("outcomes", __name__, description="Outcomes of every kind but X certificates.")


def carry(app: Flask, old_after_days: int) -> None:
    """Have an application know from which age on outcomes are told in a digest."""
    app.extensions[KEPT] = old_after_days


@blp.route("/outcomes", methods=["POST"])
@allow(*SENDERS)
@blp.arguments(SenderArgs, location="query")
@blp.arguments(OutcomeItemSchema(many=True))
@blp.response(200, JudgedSchema(many=True))
def submit_outcomes(args: dict[str, str], items: list[Item]) -> list[Mapping[str, Any]]:
    """Submit outcomes; each item gets its own verdict or refusal, and a repeat changes nothing."""
    sender = sender_of(args.get("sender", ""), caller().owns)
    judged = commands.submit(items, sender, current_app.extensions[KEPT], current_cause())
    return [_judged(index, sender, item, judged[index]) for index, item in enumerate(items)]


def _judged(index: int, sender: Sender, item: Item, one: Weighed | Refusal) -> Mapping[str, Any]:
    place = place_of(sender.code, item.external_id)
    if isinstance(one, Refusal):
        return refused(index, one, place)
    return accepted(index, place, changed=one.is_change)


@blp.route("/outcomes", methods=["GET"])
@allow(*READERS, Role.TEO, Role.LEARNER)
@paged(SubmittedOutcomeSchema, OutcomesArgs)
def list_outcomes(query: dict[str, Any]) -> dict[str, Any]:
    """Outcomes in the order of their ids, all or a learner's, of a kind, a source, or a state; what waits says for
    what. Those that wait for a rule come in the order of these rules."""
    where, limit = _wanted(query), query["limit"]
    if not query["awaits_rule"]:
        found = queries.submissions({**where, **after(query["cursor"], "_id")}, limit + 1)
        return page(found, limit, lambda row: [row["id"]])
    waiting = queries.awaiting_rules(where, _sources(query), after(query["cursor"], "fact", "_id"), limit + 1)
    shown = page(waiting, limit, lambda one: one[0])
    return shown | {"items": [one for _, one in shown["items"] if one]}


def _wanted(query: Mapping[str, Any]) -> dict[str, Any]:
    """Which outcomes are asked for, of those that the caller may see."""
    where: dict[str, Any] = {name: query[name] for name in ("learner_id", "scheme", "state") if name in query}
    if "kind" in query and "scheme" not in query:
        where["scheme"] = {"$in": queries.sources_of(query["kind"])}
    if senders := owned("teo"):
        return where | {"sender": {"$in": sorted(senders)}}
    check_scope({"learner": query.get("learner_id")})
    return where


def _sources(query: Mapping[str, Any]) -> list[str]:
    """What the sources begin with whose rules are waited for."""
    if "scheme" in query:
        return [f"{query['scheme']}:"]
    return [f"{kind}." for kind in KINDS if query.get("kind", kind) == kind]


@blp.route("/outcome-sources/<kind>/<code>", methods=["PUT"])
@allow(Role.REGISTRY, Role.OPERATOR, whole_college=True)
@blp.arguments(SourceTitleSchema)
@blp.response(200, OutcomeSourceSchema)
def put_source(given: dict[str, str], kind: str, code: str) -> dict[str, Any]:
    """Enter what a source of outcomes is called, and the organisation that may submit them."""
    return queries.source_shown(commands.put_source(Source(scheme=f"{kind}.{code}", **given)))


@blp.route("/outcome-sources", methods=["GET"])
@allow(*READERS, Role.TEO, Role.LEARNER)
@paged(OutcomeSourceSchema)
def list_sources(query: dict[str, Any]) -> dict[str, Any]:
    """What outcomes come from, in the order of their names."""
    rows = queries.sources_after(place_after(query["cursor"]), query["limit"] + 1)
    return page(rows, query["limit"], lambda row: [row["scheme"]])


def life(cause: str) -> list[Step]:
    """The outcomes whose values a cause gave, for the page that follows a cause."""
    return [
        {
            "at": kept_at,
            "service": "creditbank",
            "what": "outcome submitted",
            "id": one.place,
            "cause": cause,
            "learner_id": one.learner_id,
            "detail": {name: getattr(one, name) for name in ("scheme", "level", "state", "revision")},
        }
        for one, kept_at in queries.caused_by(cause)
    ]

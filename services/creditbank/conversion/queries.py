"""Reading policy documents and conversion rules with their history."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from chassis import clock
from chassis.errors import NOT_FOUND
from services.creditbank.conversion import models
from services.creditbank.conversion.applications import Application, State, Telling
from services.creditbank.conversion.delegations import Delegation
from services.creditbank.conversion.domain import ConversionRule, Policy, RuleState, SchemeLevels
from services.creditbank.conversion.forgotten import Granted
from services.creditbank.conversion.voids import Void, VoidState
from services.creditbank.ledger.queries import survivors_of

NOT_FOR_LEARNERS = ("decided_by", "decided_on_behalf_of", "decided_at", "undo_until")
LEARNER = "learner:"


def shown(one: Policy | ConversionRule) -> dict[str, Any]:
    """A version as it is shown."""
    return asdict(one)


def schemes() -> list[SchemeLevels]:
    """Every scheme that was published."""
    return models.all_schemes()


def policy_of(code: str) -> list[dict[str, Any]]:
    """A policy document's versions, the latest first; Refusal when there is none."""
    found = models.policies_of(code)
    if not found:
        raise NOT_FOUND(what="policy document", id=code)
    return [shown(one) for one in reversed(found)]


def policies_after(after: str, limit: int) -> list[dict[str, Any]]:
    """Versions of policy documents, by code and version."""
    return [shown(one) for one in models.policies_after(after, limit)]


def rule_of(code: str) -> list[dict[str, Any]]:
    """A rule's versions, the latest first; Refusal when there is none."""
    found = models.rules_of(code)
    if not found:
        raise NOT_FOUND(what="conversion rule", id=code)
    return [shown(one) for one in reversed(found)]


def rules_after(where: Mapping[str, Any], after: str, limit: int) -> list[dict[str, Any]]:
    """Versions of rules, by code and version."""
    return [shown(one) for one in models.rules_after(where, after, limit)]


def application_of(application_id: str) -> dict[str, Any]:
    """An application; Refusal when there is none."""
    found = models.application(application_id)
    if found is None:
        raise NOT_FOUND(what="application", id=application_id)
    return shown_application(found)


def applications_of(learner_id: str) -> list[Application]:
    """Every application of a learner with what was done about it, oldest first."""
    return models.applications_of([learner_id])


def untold_of(learner_id: str) -> dict[str, Telling]:
    """By the cause of an entry, what a learner hears of it where it comes of a decision they were not told of."""
    return {cause: telling for one in applications_of(learner_id) for cause, telling in one.untold.items()}


def owner_of(application_id: str) -> dict[str, str]:
    """Whose an application is, by kind, for who may see it; nobody's when there is none."""
    found = models.application(application_id)
    return {"learner": found.learner_id, "department": found.department, "teo": found.teo} if found else {}


def standing_of(learner_ids: Collection[str]) -> dict[str, list[Application]]:
    """By learner, the applications that stand in the way of others, oldest first."""
    found: dict[str, list[Application]] = {}
    for one in models.applications_of(learner_ids):
        if one.stands:
            found.setdefault(one.learner_id, []).append(one)
    return found


def earlier_points_of(learner_ids: Collection[str]) -> dict[str, int]:
    """By learner, what was converted before this system or from other sources."""
    return models.earlier_points_of(learner_ids)


def rules_published(programme: str, entry_year: int) -> list[ConversionRule]:
    """The published rules of a programme and entry year, by code."""
    return models.rules_published(programme, entry_year)


def versions_of_rule(code: str) -> list[ConversionRule]:
    """A rule's versions, drafts among them, oldest first."""
    return models.rules_of(code)


def drafts_of_policy(code: str) -> list[Policy]:
    """A policy document's versions, drafts among them, oldest first."""
    return models.policies_of(code)


def rules_resting_on(policy: str) -> list[ConversionRule]:
    """The published rules of every programme that rest on a policy document, by code."""
    return models.rules_resting_on(policy)


def open_offers_to(learner_ids: Collection[str]) -> dict[str, list[Application]]:
    """By learner, the refused applications whose offer can still be taken."""
    found: dict[str, list[Application]] = {}
    for one in models.with_open_offers(learner_ids):
        found.setdefault(one.learner_id, []).append(one)
    return found


def versions_of_policy(code: str) -> list[Policy]:
    """Every published version of a policy document, oldest first."""
    return [one for one in models.policies_of(code) if one.state == RuleState.PUBLISHED]


def applications_after(where: Mapping[str, Any], after: str, limit: int) -> list[dict[str, Any]]:
    """Applications, by id."""
    return [shown_application(one) for one in models.applications_after(where, after, limit)]


def delegations_after(subject: str | None, after: str, limit: int) -> list[dict[str, Any]]:
    """Delegations that somebody gave or has, or all; each as it stands today."""
    where = {"$or": [{"by": subject}, {"to": subject}]} if subject else {}
    return [shown_delegation(one) for one in models.delegations_after(where, after, limit)]


def shown_delegation(one: Delegation) -> dict[str, Any]:
    """A delegation as it is shown."""
    said = asdict(one) | {"delegation": one.id, "holds_today": one.holds_on(clock.today())}
    return {name: value for name, value in said.items() if name not in {"id", "learners"}}


def voids_after(after: str, limit: int) -> list[dict[str, Any]]:
    """Proposals to void forgotten exemptions, by application, with what came of them."""
    return [shown_void(one) for one in models.voids_after(after, limit)]


def owner_of_void(application_id: str) -> dict[str, str]:
    """Whose a forgotten exemption is that is proposed to be voided; nobody's when there is none."""
    found = models.void_of(application_id)
    return {"learner": found.learner_id} if found else {}


def shown_void(one: Void) -> dict[str, Any]:
    """A proposal as it is shown."""
    return asdict(one)


def shown_lost(granted: Granted, void: Void | None) -> dict[str, Any]:
    """An exemption that was forgotten, as it was announced, with the proposal to void it."""
    names = ("learner_id", "scheme", "level", "course", "module", "credit_points")
    told = {name: getattr(granted, name) for name in names} | {"application": granted.application_id}
    return told | {"void": shown_void(void) if void else None}


def void_figures() -> dict[str, int]:
    """How many forgotten exemptions are proposed to be voided, and were; of these, how many had been exported."""
    voided = {"state": VoidState.VOIDED.value}
    return {
        "proposed": models.count_voids({"state": VoidState.PROPOSED.value}),
        "voided": models.count_voids(voided),
        "exported": models.count_voids(voided | {"is_exported": True}),
    }


def next_due(keys: Collection[str]) -> dict[str, date]:
    """By key of a learner, the next day on which an application of theirs is due, or an offer to them ends."""
    persons = survivors_of([key.removeprefix(LEARNER) for key in keys if key.startswith(LEARNER)])
    found: dict[str, date] = {}
    for learner_id, day in models.days_due(set(persons.values())):
        found[learner_id] = min(found.get(learner_id, day), day)
    return {LEARNER + one: found[person] for one, person in persons.items() if person in found}


def shown_application(one: Application) -> dict[str, Any]:
    """An application as it is shown. What was decided and can still be undone is not said to be decided."""
    said = asdict(one) | {"target": asdict(one.target), "application": one.id}
    names = ("acts", "id", "release_at", "is_reminded", "held", "spent")
    shown_ = {name: value for name, value in said.items() if name not in names}
    points = {"held_points": one.held, "spent_points": one.spent}
    return shown_ | points | {"may_be_appealed": one.may_be_appealed(clock.today())} | _decision(one)


def _decision(one: Application) -> dict[str, Any]:
    """Who decided last, when, and until when it can be undone."""
    act = one.decided
    names = ("decided_by", "decided_on_behalf_of", "decided_at")
    told = dict(zip(names, (act.by, act.on_behalf_of, act.at) if act else (None, None, None), strict=True))
    return told | {"undo_until": one.undo_until(clock.now())}


def as_learner_sees(one: Mapping[str, Any]) -> dict[str, Any]:
    """An application as its learner sees it: until a decision is told, it looks like a review; who decided is never
    said."""
    one = {**one, **dict.fromkeys(NOT_FOR_LEARNERS)}
    if one["is_released"] or one["state"] not in {State.GRANTED, State.REFUSED}:
        return one
    return {**one, "state": State.REVIEW, "because": None, "reviewers": [], "spent_points": 0} | {
        "held_points": one["held_points"] + one["spent_points"]
    }


def as_learner_asks(where: Mapping[str, Any]) -> dict[str, Any]:
    """A question about states as its learner may ask it: until a decision is told, it is found under review."""
    untold = {"state": {"$in": [State.GRANTED, State.REFUSED]}, "is_released": False}
    match where.get("state"):
        case State.REVIEW:
            return {name: value for name, value in where.items() if name != "state"} | {
                "$or": [{"state": State.REVIEW}, untold]
            }
        case State.GRANTED | State.REFUSED:
            return {**where, "is_released": True}
    return dict(where)

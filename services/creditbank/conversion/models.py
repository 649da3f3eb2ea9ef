"""Policy documents, conversion rules and what schemes have, at rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

import mongoengine as me
import msgspec
from pymongo import DeleteOne, ReplaceOne, UpdateMany

from chassis import clock
from chassis.database import Row, rows_of, write
from contracts.terms import Level
from services.creditbank.conversion.applications import STANDING, Application, Export, State
from services.creditbank.conversion.delegations import Delegation
from services.creditbank.conversion.domain import ConversionRule, Policy, RuleState, SchemeLevels
from services.creditbank.conversion.voids import Void

VERSION_DIGITS = 4


class ConversionPolicies(me.Document):
    """By `<code>:<version>`; but for a draft's, nothing of a version changes except its state. Dates are ISO texts, as
    they are in the document."""

    meta = {"collection": "conversion_policies", "auto_create_index": False, "strict": False}
    place = me.StringField(primary_key=True)
    code = me.StringField()
    version = me.IntField()


class ConversionRules(me.Document):
    """By `<code>:<version>`; but for a draft's, nothing of a version changes except its state."""

    meta = {
        "collection": "conversion_rules",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["programme", "entry_year", "state"], "name": "programme"}],
    }
    place = me.StringField(primary_key=True)
    code = me.StringField()
    version = me.IntField()
    programme = me.StringField()
    entry_year = me.IntField()
    scheme = me.StringField()
    state = me.StringField()


class ConversionSchemes(me.Document):
    """The levels that schemes have."""

    meta = {"collection": "conversion_schemes", "auto_create_index": False, "strict": False}
    code = me.StringField(primary_key=True)
    name = me.StringField()
    levels = me.ListField(me.IntField())
    teo = me.StringField()


class ConversionApplications(me.Document):
    """By application; dates are ISO texts. `release_at` stands as long as a decision was not told."""

    meta = {
        "collection": "conversion_applications",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["learner_id"], "name": "learner_id"},
            {"fields": ["state", "department", "_id"], "name": "worklist"},
            {"fields": ["release_at"], "sparse": True, "name": "release_at"},
            {"fields": ["due_on"], "sparse": True, "name": "due_on"},
            {"fields": ["state", "is_released", "export_state"], "name": "export"},
        ],
    }
    id = me.StringField(primary_key=True)
    learner_id = me.StringField()
    state = me.StringField()
    department = me.StringField()
    release_at = me.DateTimeField()
    due_on = me.StringField()
    is_released = me.BooleanField()
    export_state = me.StringField()


class EarlierConversions(me.Document):
    """By learner, the points that were converted before this system, or from other sources."""

    meta = {"collection": "earlier_conversions", "auto_create_index": False, "strict": False}
    learner_id = me.StringField(primary_key=True)
    credit_points = me.IntField()
    note = me.StringField()


class ExemptionExports(me.Document):
    """By number, what went to the registry's system, row by row as it went."""

    meta = {"collection": "exemption_exports", "auto_create_index": False, "strict": False}
    number = me.IntField(primary_key=True)
    at = me.DateTimeField()
    by = me.StringField()
    rows = me.ListField(me.DictField())


class ExemptionVoids(me.Document):
    """By application, the proposal to void an exemption that was forgotten, and what came of it."""

    meta = {"collection": "exemption_voids", "auto_create_index": False, "strict": False}
    application = me.StringField(primary_key=True)
    state = me.StringField()
    is_exported = me.BooleanField()


class ConversionDelegations(me.Document):
    """By delegation; none is ever removed. Days are ISO texts."""

    meta = {
        "collection": "conversion_delegations",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["by"], "name": "by"}, {"fields": ["to", "until"], "name": "to"}],
    }
    id = me.StringField(primary_key=True)
    by = me.StringField()
    to = me.StringField()
    until = me.StringField()


def _place(code: str, version: int) -> str:
    return f"{code}:{version:0{VERSION_DIGITS}d}"


def _range(code: str) -> dict[str, str]:
    return {"$gt": f"{code}:", "$lt": f"{code};"}


def _row(one: Policy | ConversionRule) -> Row:
    row: Row = msgspec.to_builtins(one)
    return {"_id": _place(one.code, one.version), **row}


def policies_of(code: str) -> list[Policy]:
    """A policy document's versions, oldest first."""
    return [_policy(row) for row in rows_of(ConversionPolicies, {"_id": _range(code)}, sort=[("_id", 1)])]


def policy_at(code: str, version: int) -> Policy | None:
    """One version of a policy document."""
    return next((_policy(row) for row in rows_of(ConversionPolicies, {"_id": _place(code, version)})), None)


def policies_after(after: str, limit: int) -> list[Policy]:
    """Versions of policy documents in the order of their places, after one of them."""
    return [
        _policy(row) for row in rows_of(ConversionPolicies, {"_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)
    ]


def keep_policy(policy: Policy) -> None:
    """Keep a version of a policy document."""
    row = _row(policy)
    write(ConversionPolicies, [ReplaceOne({"_id": row["_id"]}, row, upsert=True)])


def _policy(row: Row) -> Policy:
    """A version as it stands; one of before versions were drafted has been in force ever since."""
    row = {"state": RuleState.PUBLISHED.value, **row}
    return msgspec.convert({name: value for name, value in row.items() if name != "_id"}, Policy)


def rules_of(code: str) -> list[ConversionRule]:
    """A rule's versions, oldest first."""
    return [_rule(row) for row in rows_of(ConversionRules, {"_id": _range(code)}, sort=[("_id", 1)])]


def rule_at(code: str, version: int) -> ConversionRule | None:
    """One version of a rule."""
    return next((_rule(row) for row in rows_of(ConversionRules, {"_id": _place(code, version)})), None)


def rules_published(programme: str, entry_year: int) -> list[ConversionRule]:
    """The published rules of a programme and entry year."""
    where = {"programme": programme, "entry_year": entry_year, "state": RuleState.PUBLISHED.value}
    return [_rule(row) for row in rows_of(ConversionRules, where, sort=[("_id", 1)])]


def rules_resting_on(policy: str) -> list[ConversionRule]:
    """The published rules that rest on a policy document."""
    where = {"policy": policy, "state": RuleState.PUBLISHED.value}
    return [_rule(row) for row in rows_of(ConversionRules, where, sort=[("_id", 1)])]


def rules_after(where: Mapping[str, Any], after: str, limit: int) -> list[ConversionRule]:
    """Versions of rules in the order of their places, after one of them."""
    found = rows_of(ConversionRules, {**where, "_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)
    return [_rule(row) for row in found]


def keep_rules(rules: Iterable[ConversionRule]) -> None:
    """Keep versions of rules."""
    rows = [_row(one) for one in rules]
    write(ConversionRules, [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows])


def _rule(row: Row) -> ConversionRule:
    return msgspec.convert({name: value for name, value in row.items() if name != "_id"}, ConversionRule)


def keep_schemes(schemes: Collection[SchemeLevels]) -> None:
    """Keep the levels that schemes have."""
    rows = [
        {
            "_id": one.code,
            "name": one.name,
            "levels": [int(level) for level in one.levels],
            "teo": one.teo,
            "aliases": list(one.aliases),
        }
        for one in schemes
    ]
    write(ConversionSchemes, [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows])


def scheme_of(code: str) -> SchemeLevels | None:
    """A scheme's levels."""
    found = rows_of(ConversionSchemes, {"_id": code})
    return next((_scheme(row) for row in found), None)


def all_schemes() -> list[SchemeLevels]:
    """Every scheme there is, some hundreds nationally."""
    return [_scheme(row) for row in rows_of(ConversionSchemes, {}, sort=[("_id", 1)])]


def _scheme(row: Row) -> SchemeLevels:
    levels, aliases = tuple(map(Level, row["levels"])), tuple(row.get("aliases", ()))
    return SchemeLevels(row["_id"], row["name"], levels, row.get("teo", ""), aliases)


def _application_row(one: Application) -> Row:
    row: Row = msgspec.to_builtins(one, builtin_types=(datetime,))
    for name in ("release_at", "due_on"):
        if row[name] is None:
            del row[name]
    row["_id"] = row.pop("id")
    return row


def _application(row: Row) -> Application:
    return msgspec.convert({"id": row["_id"], **row}, Application, builtin_types=(datetime,))


def application(application_id: str) -> Application | None:
    """One application."""
    return next((_application(row) for row in rows_of(ConversionApplications, {"_id": application_id})), None)


def applications_of(learner_ids: Collection[str]) -> list[Application]:
    """Every application of these learners, oldest first."""
    found = rows_of(ConversionApplications, {"learner_id": {"$in": list(learner_ids)}})
    return sorted(map(_application, found), key=lambda one: (one.acts[0].at, one.id))


def whose_stand(learner_ids: Collection[str]) -> set[str]:
    """Who of these learners has applications that stand, or whose decision can still be undone."""
    stands = {"$or": [{"state": {"$in": [str(one) for one in STANDING]}}, {"release_at": {"$exists": True}}]}
    where = {"learner_id": {"$in": list(learner_ids)}} | stands
    return {row["learner_id"] for row in rows_of(ConversionApplications, where, ["learner_id"])}


def applications_after(where: Mapping[str, Any], after: str, limit: int) -> list[Application]:
    """Applications in the order of their ids, after one of them."""
    found = rows_of(ConversionApplications, {**where, "_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)
    return [_application(row) for row in found]


def keep_applications(applications: Iterable[Application]) -> None:
    """Keep applications as they stand."""
    rows = [_application_row(one) for one in applications]
    write(ConversionApplications, [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows])


def move_applications(merged_id: str, survivor_id: str) -> None:
    """Hand a merged learner's applications to the survivor."""
    write(ConversionApplications, [UpdateMany({"learner_id": merged_id}, {"$set": {"learner_id": survivor_id}})])


def to_release(now: datetime, limit: int) -> list[str]:
    """Applications whose decision can't be undone any more and is to be told."""
    where = {"release_at": {"$lte": now}, "is_released": False}
    return [
        row["_id"] for row in rows_of(ConversionApplications, where, ["_id"], sort=[("release_at", 1)], limit=limit)
    ]


def due_until(day: date, today: date, limit: int) -> list[str]:
    """Applications under review that are due by a day and not reminded of, or overdue."""
    where = {
        "state": State.REVIEW.value,
        "$or": [{"due_on": {"$lt": today.isoformat()}}, {"due_on": {"$lte": day.isoformat()}, "is_reminded": False}],
    }
    return [row["_id"] for row in rows_of(ConversionApplications, where, ["_id"], sort=[("due_on", 1)], limit=limit)]


def days_due(learner_ids: Collection[str]) -> Iterator[tuple[str, date]]:
    """Of these learners' applications under review the days they are due, of open offers the last ones, and of refusals
    the last ones to appeal."""
    today = clock.today().isoformat()
    under_review = {"state": State.REVIEW.value, "due_on": {"$exists": True}}
    offered = {"is_released": True, "offer.is_taken": False, "offer.until": {"$gte": today}}
    appealable = {"is_appealable": True, "appeal_until": {"$gte": today}}
    where = {"learner_id": {"$in": sorted(learner_ids)}, "$or": [under_review, offered, appealable]}
    for row in rows_of(ConversionApplications, where, ["learner_id", "due_on", "offer", "appeal_until"]):
        offer = row.get("offer") or {}
        if row.get("due_on"):
            yield row["learner_id"], date.fromisoformat(row["due_on"])
        elif not offer.get("is_taken"):
            last = [day for day in (offer.get("until"), row.get("appeal_until")) if day and day >= today]
            yield row["learner_id"], date.fromisoformat(min(last))


def with_open_offers(learner_ids: Collection[str]) -> list[Application]:
    """Of these learners the applications whose offer nobody took, and whose last day is not over."""
    until = [{"offer.until": None}, {"offer.until": {"$gte": clock.today().isoformat()}}]
    where = {"learner_id": {"$in": sorted(learner_ids)}, "is_released": True, "offer.is_taken": False, "$or": until}
    return [_application(row) for row in rows_of(ConversionApplications, where, sort=[("_id", 1)])]


def undated(limit: int) -> list[str]:
    """Applications under review that no calendar has dated yet."""
    where = {"due_on": None, "state": State.REVIEW.value}
    return [row["_id"] for row in rows_of(ConversionApplications, where, ["_id"], limit=limit)]


def to_export(limit: int) -> list[Application]:
    """Exemptions that were told and are not with the registry's system, or were rejected by it."""
    out = [Export.NONE.value, Export.REJECTED.value]
    where = {
        "state": State.GRANTED.value,
        "is_released": True,
        "is_case": {"$ne": True},
        "export_state": {"$in": out},
    }
    return [_application(row) for row in rows_of(ConversionApplications, where, sort=[("_id", 1)], limit=limit)]


def exported_in(number: int) -> list[Application]:
    """The exemptions whose last export was this one."""
    return [_application(row) for row in rows_of(ConversionApplications, {"export": number}, sort=[("_id", 1)])]


def latest_export() -> int:
    """The number of the last export."""
    rows = rows_of(ExemptionExports, {}, ["_id"], sort=[("_id", -1)], limit=1)
    return int(rows[0]["_id"]) if rows else 0


def exports_before(number: int | None, limit: int) -> list[Row]:
    """Exports below a number, the latest first, and the count of their rows."""
    where = {} if number is None else {"_id": {"$lt": number}}
    found = rows_of(ExemptionExports, where, ["by", "at", "rows.application"], sort=[("_id", -1)], limit=limit)
    return [{"number": row["_id"], "by": row["by"], "at": row["at"], "rows": len(row["rows"])} for row in found]


def keep_export(number: int, by: str, at: datetime, rows: list[Row]) -> None:
    """Keep what went out."""
    row: Row = {"_id": number, "by": by, "at": at, "rows": rows}
    write(ExemptionExports, [ReplaceOne({"_id": number}, row, upsert=True)])


def export_row(number: int) -> Row | None:
    """What went out in one export."""
    return next(iter(rows_of(ExemptionExports, {"_id": number})), None)


def delegation(delegation_id: str) -> Delegation | None:
    """One delegation."""
    return next((_delegation(row) for row in rows_of(ConversionDelegations, {"_id": delegation_id})), None)


def delegations_by(subject: str) -> list[Delegation]:
    """What somebody has delegated, ever."""
    return [_delegation(row) for row in rows_of(ConversionDelegations, {"by": subject}, sort=[("_id", 1)])]


def delegations_to(subject: str) -> list[Delegation]:
    """What was delegated to somebody and is not over."""
    where = {"to": subject, "until": {"$gte": clock.today().isoformat()}}
    return [_delegation(row) for row in rows_of(ConversionDelegations, where, sort=[("_id", 1)])]


def delegations_after(where: Mapping[str, Any], after: str, limit: int) -> list[Delegation]:
    """Delegations in the order of their ids, after one of them."""
    found = rows_of(ConversionDelegations, {**where, "_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)
    return [_delegation(row) for row in found]


def keep_delegation(one: Delegation) -> None:
    """Keep a delegation as it stands."""
    row: Row = msgspec.to_builtins(one, builtin_types=(datetime,))
    row["_id"] = row.pop("id")
    write(ConversionDelegations, [ReplaceOne({"_id": row["_id"]}, row, upsert=True)])


def _delegation(row: Row) -> Delegation:
    return msgspec.convert({"id": row["_id"], **row}, Delegation, builtin_types=(datetime,))


def void_of(application_id: str) -> Void | None:
    """The proposal to void an exemption."""
    return next((_void(row) for row in rows_of(ExemptionVoids, {"_id": application_id})), None)


def voids_after(after: str, limit: int) -> list[Void]:
    """Proposals to void exemptions in the order of their names, after one of them."""
    return [_void(row) for row in rows_of(ExemptionVoids, {"_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)]


def keep_void(one: Void) -> None:
    """Keep a proposal to void an exemption as it stands."""
    row: Row = msgspec.to_builtins(one, builtin_types=(datetime,))
    row["_id"] = row.pop("application")
    write(ExemptionVoids, [ReplaceOne({"_id": row["_id"]}, row, upsert=True)])


def _void(row: Row) -> Void:
    return msgspec.convert({"application": row["_id"], **row}, Void, builtin_types=(datetime,))


def count_voids(where: Mapping[str, Any]) -> int:
    """How many proposals to void exemptions there are of a kind."""
    return len(rows_of(ExemptionVoids, where, ["_id"]))


def earlier_points(learner_id: str) -> int:
    """What a learner has converted before this system, or from other sources."""
    return earlier_points_of([learner_id]).get(learner_id, 0)


def earlier_points_of(learner_ids: Collection[str]) -> dict[str, int]:
    """What these learners have converted before, where they have."""
    rows = rows_of(EarlierConversions, {"_id": {"$in": list(learner_ids)}}, ["credit_points"])
    return {row["_id"]: int(row["credit_points"]) for row in rows}


def move_earlier(merged_id: str, survivor_id: str) -> None:
    """Add what a merged learner has converted before to what the survivor has."""
    found = {row["_id"]: row for row in rows_of(EarlierConversions, {"_id": {"$in": [merged_id, survivor_id]}})}
    if merged := found.get(merged_id):
        own = found.get(survivor_id, {"credit_points": 0, "note": ""})
        note = "; ".join(filter(None, (own["note"], merged["note"])))
        keep_earlier(survivor_id, own["credit_points"] + merged["credit_points"], note)
        write(EarlierConversions, [DeleteOne({"_id": merged_id})])


def keep_earlier(learner_id: str, credit_points: int, note: str) -> None:
    """Keep what a learner has converted before."""
    row: Row = {"_id": learner_id, "credit_points": credit_points, "note": note}
    write(EarlierConversions, [ReplaceOne({"_id": learner_id}, row, upsert=True)])

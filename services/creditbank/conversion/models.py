"""Policy documents, conversion rules and what schemes have, at rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import mongoengine as me
import msgspec
from pymongo import ReplaceOne

from chassis.database import Row, rows_of, write
from contracts.terms import Level
from services.creditbank.conversion.domain import ConversionRule, Policy, RuleState, SchemeLevels

VERSION_DIGITS = 4


class Policies(me.Document):
    """By `<code>:<version>`; a version is never changed. Dates are ISO texts, as they are in the document."""

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


def _place(code: str, version: int) -> str:
    return f"{code}:{version:0{VERSION_DIGITS}d}"


def _range(code: str) -> dict[str, str]:
    return {"$gt": f"{code}:", "$lt": f"{code};"}


def _row(one: Policy | ConversionRule) -> Row:
    row: Row = msgspec.to_builtins(one)
    return {"_id": _place(one.code, one.version), **row}


def policies_of(code: str) -> list[Policy]:
    """A policy document's versions, oldest first."""
    return [_policy(row) for row in rows_of(Policies, {"_id": _range(code)}, sort=[("_id", 1)])]


def policy_at(code: str, version: int) -> Policy | None:
    """One version of a policy document."""
    return next((_policy(row) for row in rows_of(Policies, {"_id": _place(code, version)})), None)


def policies_after(after: str, limit: int) -> list[Policy]:
    """Versions of policy documents in the order of their places, after one of them."""
    return [_policy(row) for row in rows_of(Policies, {"_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)]


def keep_policy(policy: Policy) -> None:
    """Keep a version of a policy document."""
    row = _row(policy)
    write(Policies, [ReplaceOne({"_id": row["_id"]}, row, upsert=True)])


def _policy(row: Row) -> Policy:
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
    rows = [{"_id": one.code, "name": one.name, "levels": [int(level) for level in one.levels]} for one in schemes]
    write(ConversionSchemes, [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows])


def scheme_of(code: str) -> SchemeLevels | None:
    """A scheme's levels."""
    found = rows_of(ConversionSchemes, {"_id": code})
    return next((SchemeLevels(row["_id"], row["name"], tuple(map(Level, row["levels"]))) for row in found), None)

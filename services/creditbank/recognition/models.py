"""Outcomes and recognition rules at rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

import mongoengine as me
from pymongo import DeleteMany, InsertOne, ReplaceOne, UpdateOne

from chassis.database import Row, collection_of, rows_of, write
from contracts.terms import Verdict
from services.creditbank.recognition.domain import (
    NO_POLICY,
    Certificate,
    Known,
    Outcome,
    OutcomeState,
    Policy,
    RuleVersion,
    Targets,
)

SPAN_ROWS = 2_000
LASTING = frozenset({"_id", "learner_id", "result_id", "scheme"})
PINS = ("rule_version", "credit_points", "rerated", "is_waiting")  # what is left out has none of them any more


class Outcomes(me.Document):
    """By `<learner>:<result>`; what is empty is left out. A revocation stands where a result would."""

    meta = {
        "collection": "outcomes",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["learner_id"], "name": "learner_id"},
            {"fields": ["certificate_numbers"], "name": "certificate_numbers", "sparse": True},
        ],
    }
    place = me.StringField(primary_key=True)
    learner_id = me.StringField()
    result_id = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    revision = me.IntField()
    state = me.StringField()
    verdict = me.StringField()
    session_date = me.StringField()
    cause = me.StringField()
    what = me.StringField()
    rule_version = me.IntField()
    credit_points = me.IntField()
    certificate_numbers = me.ListField(me.StringField())
    certificates = me.ListField(me.DictField())
    is_waiting = me.BooleanField()
    rerated = me.IntField()


class Rules(me.Document):
    """By `<scheme>:<level>`, every version there ever was. A version is never changed."""

    meta = {"collection": "recognition_rules", "auto_create_index": False, "strict": False}
    place = me.StringField(primary_key=True)
    scheme = me.StringField()
    level = me.IntField()
    versions = me.ListField(me.DictField())


def place_of(learner_id: str, result_id: str) -> str:
    """Under which name an outcome is kept, and waits."""
    return f"{learner_id}:{result_id}"


def outcome_of(row: Row) -> Outcome:
    """An outcome as it stands."""
    return Outcome(
        learner_id=row["learner_id"],
        result_id=row["result_id"],
        scheme=row["scheme"],
        level=row["level"],
        revision=row["revision"],
        state=OutcomeState(row["state"]),
        verdict=Verdict(row["verdict"]),
        session_date=date.fromisoformat(row["session_date"]),
        cause=row["cause"],
        what=row["what"],
        rule_version=row.get("rule_version", 0),
        credit_points=row.get("credit_points", 0),
        certificate_numbers=frozenset(row.get("certificate_numbers", ())),
        is_waiting=row.get("is_waiting", False),
        rerated=row.get("rerated", 0),
        certificates=frozenset(map(_certificate_of, row.get("certificates", ()))),
    )


def _certificate_of(row: Row) -> Certificate:
    return Certificate(**row | {"issued_on": _day(row.get("issued_on"))})


def _certificate_row(one: Certificate) -> Row:
    said = asdict(one) | {"issued_on": one.issued_on and one.issued_on.isoformat()}
    return {name: value for name, value in said.items() if value}


def _row(outcome: Outcome) -> Row:
    row: Row = {
        "learner_id": outcome.learner_id,
        "result_id": outcome.result_id,
        "scheme": outcome.scheme,
        "level": int(outcome.level),
        "revision": outcome.revision,
        "state": str(outcome.state),
        "verdict": str(outcome.verdict),
        "session_date": outcome.session_date.isoformat(),
        "cause": outcome.cause,
        "what": outcome.what,
    }
    for name in PINS:
        if value := getattr(outcome, name):
            row[name] = value
    if outcome.certificate_numbers:
        row["certificate_numbers"] = sorted(outcome.certificate_numbers)
    if outcome.certificates:
        said = sorted(outcome.certificates, key=lambda one: one.number)
        row["certificates"] = [_certificate_row(one) for one in said]
    return row


def find_outcomes(learner_ids: Collection[str]) -> Known:
    """Every outcome of these learners, by learner and scheme."""
    known: Known = {}
    for row in rows_of(Outcomes, {"learner_id": {"$in": list(learner_ids)}}):
        outcome = outcome_of(row)
        known.setdefault((outcome.learner_id, outcome.scheme), {})[outcome.result_id] = outcome
    return known


def find_waiting(learner_ids: Collection[str]) -> list[str]:
    """The outcomes of these learners that are not on an account yet."""
    rows = rows_of(Outcomes, {"learner_id": {"$in": list(learner_ids)}, "is_waiting": True}, ["_id"])
    return [row["_id"] for row in rows]


def find_placed(places: Collection[str]) -> list[Outcome]:
    """The outcomes kept under these names."""
    return [outcome_of(row) for row in rows_of(Outcomes, {"_id": {"$in": list(places)}}, sort=[("_id", 1)])]


def find_numbered(numbers: Collection[str]) -> list[Outcome]:
    """The outcomes that certificates of these numbers belong to, and their revocations; of any organisation."""
    return [outcome_of(row) for row in rows_of(Outcomes, {"certificate_numbers": {"$in": sorted(numbers)}})]


def audited_rows(learner: Mapping[str, Any], limit: int) -> list[Row]:
    """Outcomes as they are kept, by learner."""
    return rows_of(Outcomes, {"learner_id": dict(learner)}, sort=[("learner_id", 1)], limit=limit)


def keep_outcomes(outcomes: Iterable[Outcome], known: Collection[tuple[str, str]]) -> None:
    """Write outcomes; those not known before are added, of the others only what can change is written."""
    write(Outcomes, [_operation(one, is_known=one.key in known) for one in outcomes])


def _operation(outcome: Outcome, is_known: bool) -> Any:
    place, row = place_of(*outcome.key), _row(outcome)
    if not is_known:
        return InsertOne({"_id": place, **row})
    change: Row = {"$set": {name: value for name, value in row.items() if name not in LASTING}}
    if gone := {name: "" for name in PINS if name not in row}:
        change["$unset"] = gone
    return UpdateOne({"_id": place}, change)


def move_outcomes(merged_id: str, outcomes: Iterable[Outcome]) -> None:
    """Write outcomes under the learner they belong to now, and remove the merged learner's."""
    write(
        Outcomes,
        [
            DeleteMany({"learner_id": merged_id}),
            *(ReplaceOne({"_id": place_of(*one.key)}, _row(one), upsert=True) for one in outcomes),
        ],
        ordered=True,
    )


def versions_of(row: Row) -> list[RuleVersion]:
    """A rule's versions as they stand."""
    return [
        RuleVersion(
            version=one["version"],
            credit_points=one["credit_points"],
            sessions_from=date.fromisoformat(one["sessions_from"]),
            note=one["note"],
            is_folklore_default=one["is_folklore_default"],
            sessions_until=_day(one.get("sessions_until")),
            policy=Policy(**one["policy"]) if one.get("policy") else NO_POLICY,
            retired_from=_day(one.get("retired_from")),
        )
        for one in row["versions"]
    ]


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def find_rules(wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], list[RuleVersion]]:
    """The versions of the rules of these schemes and levels, where there are any."""
    if not wanted:
        return {}
    places = [_rule_place(scheme, level) for scheme, level in sorted(wanted)]
    return {(row["scheme"], row["level"]): versions_of(row) for row in rows_of(Rules, {"_id": {"$in": places}})}


def page_of_rules(after: str, limit: int) -> dict[tuple[str, int], list[RuleVersion]]:
    """Rules in the order of their names, after one of them."""
    rows = rows_of(Rules, {"_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)
    return {(row["scheme"], row["level"]): versions_of(row) for row in rows}


def places_of_rules(prefix: str) -> list[str]:
    """The places of rules that begin with this."""
    beyond = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return [row["_id"] for row in rows_of(Rules, {"_id": {"$gte": prefix, "$lt": beyond}}, ["_id"])]


def keep_versions(scheme: str, level: int, versions: Iterable[RuleVersion]) -> None:
    """Write a rule with all its versions."""
    rule = {"scheme": scheme, "level": int(level), "versions": [_version_row(one) for one in versions]}
    write(Rules, [ReplaceOne({"_id": _rule_place(scheme, level)}, rule, upsert=True)])


def _version_row(rule: RuleVersion) -> Row:
    row: Row = {
        "version": rule.version,
        "credit_points": rule.credit_points,
        "sessions_from": rule.sessions_from.isoformat(),
        "note": rule.note,
        "is_folklore_default": rule.is_folklore_default,
    }
    row |= {name: day.isoformat() for name in ("sessions_until", "retired_from") if (day := getattr(rule, name))}
    return row | ({"policy": asdict(rule.policy)} if rule.policy != NO_POLICY else {})


def span_end(after: str, rows: int) -> str:
    """The learner at whom so many outcomes behind another end; empty when fewer are left."""
    behind = collection_of(Outcomes).find({"learner_id": {"$gt": after}}, {"_id": 0, "learner_id": 1})
    return next((row["learner_id"] for row in behind.sort("learner_id", 1).skip(rows).limit(1)), "")


def read_span(after: str, until: str, schemes: Collection[str] | None = None) -> Iterator[Outcome]:
    """The outcomes of these schemes, or of all, of the learners behind one, up to another (without one: all), by
    learner."""
    where: Row = {"learner_id": _between(after, until)}
    where |= {} if schemes is None else {"scheme": {"$in": sorted(schemes)}}
    return map(outcome_of, collection_of(Outcomes).find(where, batch_size=SPAN_ROWS).sort("learner_id", 1))


def find_pinned_elsewhere(after: str, until: str, targets: Targets, limit: int) -> list[str]:
    """The learners of a span with outcomes of these levels that are pinned to other versions, one for each outcome."""
    elsewhere = [
        {"scheme": scheme, "level": level, "rule_version": {"$gt": 0, "$ne": version}}
        for (scheme, level), version in sorted(targets.items())
    ]
    where = {"learner_id": _between(after, until), "$or": elsewhere}
    found = rows_of(Outcomes, where, {"_id": 0, "learner_id": 1}, sort=[("learner_id", 1)], limit=limit)
    return [row["learner_id"] for row in found]


def _between(after: str, until: str) -> Row:
    return {"$gt": after, "$lte": until} if until else {"$gt": after}


def count_outcomes() -> int:
    """About how many outcomes there are."""
    return collection_of(Outcomes).estimated_document_count()


def _rule_place(scheme: str, level: int) -> str:
    return f"{scheme}:{int(level)}"

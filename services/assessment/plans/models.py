"""How plans, candidates and entitlements are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import mongoengine as me
from pymongo import DeleteMany, ReplaceOne, UpdateMany, UpdateOne

from chassis import clock
from chassis.database import Row, collection_of, rows_of, write
from contracts.terms import Level
from services.assessment.plans.domain import Candidate, Entitlement, Plan


class Plans(me.Document):
    """`id` is `<teo>:<code>`; the session date is an ISO text."""

    meta = {
        "collection": "plans",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["code"]}],
    }
    id = me.StringField(primary_key=True)
    teo = me.StringField()
    code = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    session_date = me.StringField()
    site = me.StringField()
    quota = me.IntField()
    publicity_days = me.IntField()


class Candidates(me.Document):
    """`id` is `<teo>:<plan>:<admission number>`; `origin`: 考生来源; `cause`: the row that registered them."""

    meta = {
        "collection": "candidates",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["plan_id", "learner_id"]},
            {"fields": ["plan_id", "withdrawn"]},
            {"fields": ["learner_id"]},
            {"fields": ["cause"]},
            {"fields": ["admission_number"]},
        ],
    }
    id = me.StringField(primary_key=True)
    plan_id = me.StringField()
    admission_number = me.StringField()
    learner_id = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    withdrawn = me.BooleanField()
    origin = me.StringField()
    earlier_certificate = me.StringField()
    cause = me.StringField()
    registered_at = me.DateTimeField()


class Entitlements(me.Document):
    """`id` is `<learner>:<scheme>:<level>`."""

    meta = {
        "collection": "entitlements",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["learner_id"]}, {"fields": ["approved", "scheme", "trained"]}],
    }
    id = me.StringField(primary_key=True)
    learner_id = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    approved = me.BooleanField()
    trained = me.BooleanField()


def read_plans(where: Mapping[str, Any], limit: int = 0) -> list[Plan]:
    """Plans by id."""
    return [_plan_of(row) for row in rows_of(Plans, where, sort=[("_id", 1)], limit=limit)]


def plans_by_id(ids: Collection[str]) -> list[Plan]:
    """The plans with these ids."""
    return read_plans({"_id": {"$in": list(ids)}})


def plans_by_code(codes: Collection[str]) -> list[Plan]:
    """The plans of any TEO with these codes."""
    return read_plans({"code": {"$in": list(codes)}})


def save_plan(plan: Plan) -> None:
    """Keep a plan as it is now."""
    row = {
        "teo": plan.teo,
        "code": plan.code,
        "scheme": plan.scheme,
        "level": int(plan.level),
        "session_date": plan.session_date.isoformat(),
        "site": plan.site,
        "quota": plan.quota,
        "publicity_days": plan.publicity_days,
    }
    write(Plans, [ReplaceOne({"_id": plan.id}, row, upsert=True)])


def read_candidates(where: Mapping[str, Any], limit: int = 0) -> list[Candidate]:
    """Candidates by id."""
    return [_candidate_of(row) for row in rows_of(Candidates, where, sort=[("_id", 1)], limit=limit)]


def candidates_by_id(ids: Collection[str]) -> list[Candidate]:
    """The candidates with these ids."""
    return [_candidate_of(row) for row in rows_of(Candidates, {"_id": {"$in": list(ids)}})]


def candidates_like(pairs: Collection[tuple[str, str]], ids: Collection[str]) -> list[Candidate]:
    """Candidates with these ids, and those of these learners in these plans: (plan, learner)."""
    plan_ids = {plan_id for plan_id, _ in pairs}
    learner_ids = {learner_id for _, learner_id in pairs}
    same_learner = {"plan_id": {"$in": list(plan_ids)}, "learner_id": {"$in": list(learner_ids)}}
    return read_candidates({"$or": [{"_id": {"$in": list(ids)}}, same_learner]})


def count_seats(plan_ids: Iterable[str]) -> Counter[str]:
    """How many candidates, not withdrawn, each plan has."""
    seats = Counter[str]()
    for plan_id in plan_ids:
        seats[plan_id] = collection_of(Candidates).count_documents({"plan_id": plan_id, "withdrawn": False})
    return seats


def save_candidates(candidates: Sequence[tuple[Candidate, Plan, Mapping[str, Any]]]) -> None:
    """Keep candidates of plans, with what else their rows say."""
    registered_at = clock.now()
    write(
        Candidates,
        [
            ReplaceOne(
                {"_id": one.id},
                {
                    "plan_id": one.plan_id,
                    "admission_number": one.admission_number,
                    "learner_id": one.learner_id,
                    "scheme": plan.scheme,
                    "level": int(plan.level),
                    "withdrawn": one.withdrawn,
                    "registered_at": registered_at,
                    **more,
                },
                upsert=True,
            )
            for one, plan, more in candidates
        ],
    )


def withdraw_candidates(entitlements: Iterable[Entitlement]) -> None:
    """Mark withdrawn whoever is registered for what is no longer approved."""
    write(
        Candidates,
        [
            UpdateMany(
                {"learner_id": one.learner_id, "scheme": one.scheme, "level": int(one.level)},
                {"$set": {"withdrawn": True}},
            )
            for one in entitlements
        ],
    )


def move_candidates(moves: Sequence[tuple[str, str]]) -> None:
    """Give the candidates of merged learners to their survivors: (merged, survivor)."""
    write(
        Candidates,
        [UpdateMany({"learner_id": old}, {"$set": {"learner_id": new}}) for old, new in moves],
        ordered=True,
    )


def read_entitlements(ids: Collection[str]) -> list[Entitlement]:
    """The entitlements with these ids."""
    return [_entitlement_of(row) for row in rows_of(Entitlements, {"_id": {"$in": list(ids)}})]


def entitlements_of_learners(learner_ids: Collection[str]) -> list[Entitlement]:
    """All entitlements of these learners."""
    return [_entitlement_of(row) for row in rows_of(Entitlements, {"learner_id": {"$in": list(learner_ids)}})]


def set_entitlements(entitlements: Iterable[Entitlement], **changes: bool) -> None:
    """Set `approved` or `trained`; an entitlement nobody knew yet begins with the rest unset."""
    rest = {name: False for name in ("approved", "trained") if name not in changes}
    write(
        Entitlements,
        [
            UpdateOne(
                {"_id": one.id},
                {
                    "$set": changes,
                    "$setOnInsert": {
                        "learner_id": one.learner_id,
                        "scheme": one.scheme,
                        "level": int(one.level),
                        **rest,
                    },
                },
                upsert=True,
            )
            for one in entitlements
        ],
        ordered=True,
    )


def replace_entitlements(learner_ids: Collection[str], entitlements: Iterable[Entitlement]) -> None:
    """Put these in place of everything the learners had."""
    rows = [(one.id, {**vars(one), "level": int(one.level)}) for one in entitlements]
    write(
        Entitlements,
        [
            DeleteMany({"learner_id": {"$in": list(learner_ids)}}),
            *(ReplaceOne({"_id": name}, row, upsert=True) for name, row in rows),
        ],
        ordered=True,
    )


def count_entitled(trained_only: Collection[str]) -> int:
    """How many are approved, and trained where the scheme is one of those that want it."""
    where = {"approved": True, "$or": [{"scheme": {"$nin": list(trained_only)}}, {"trained": True}]}
    return collection_of(Entitlements).count_documents(where)


def count_candidates() -> int:
    """How many candidates there are, without those withdrawn."""
    return collection_of(Candidates).count_documents({"withdrawn": False})


def rows_by_cause(cause: str) -> list[Row]:
    """Candidates registered by one cause, as kept."""
    return rows_of(Candidates, {"cause": cause})


def _plan_of(row: Row) -> Plan:
    return Plan(
        teo=row["teo"],
        code=row["code"],
        scheme=row["scheme"],
        level=Level(row["level"]),
        session_date=date.fromisoformat(row["session_date"]),
        quota=row["quota"],
        publicity_days=row["publicity_days"],
        site=row["site"],
    )


def _candidate_of(row: Row) -> Candidate:
    return Candidate(row["plan_id"], row["admission_number"], row["learner_id"], row["withdrawn"])


def _entitlement_of(row: Row) -> Entitlement:
    return Entitlement(row["learner_id"], row["scheme"], Level(row["level"]), row["approved"], row["trained"])

"""How results are kept, and what their senders call them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import mongoengine as me
from pymongo import InsertOne, UpdateMany, UpdateOne

from chassis import clock
from chassis.database import Row, collection_of, rows_of, write
from contracts.terms import Level, Verdict
from services.assessment.results.domain import Marks, Remark, Result, State, Step, Weighed

VERDICTS = [str(verdict) for verdict in Verdict]  # named in queries so that they use the index by state and verdict
IMPORTED = {"$gte": "import:", "$lt": "import;"}


class Results(me.Document):
    """`id` is `<teo>:<plan>:<admission number>:<attempt>`; dates are ISO texts, instants are UTC.

    `closes_at`: from when a job makes it final, null where nobody knows; `closing`: an operator asked for it;
    `changes`: what its values were, from the second revision on.
    """

    meta = {
        "collection": "results",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["state", "verdict", "closes_at"]},
            {"fields": ["learner_id", "scheme", "level"]},
            {"fields": ["submitted_by"], "partialFilterExpression": {"submitted_by": IMPORTED}},
        ],
    }
    id = me.StringField(primary_key=True)
    teo = me.StringField()
    plan = me.StringField()
    admission_number = me.StringField()
    attempt = me.IntField()
    learner_id = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    session_date = me.StringField()
    theory = me.IntField()
    practical = me.IntField()
    remark = me.StringField()
    verdict = me.StringField()
    state = me.StringField()
    revision = me.IntField()
    as_of = me.DateTimeField()
    opened_on = me.StringField()
    publicity_days = me.IntField()
    rule_version = me.IntField()
    due_on = me.StringField()
    closes_at = me.DateTimeField()
    closing = me.BooleanField()
    carried_from = me.StringField()
    submitted_by = me.StringField()
    recorded_at = me.DateTimeField()
    changes = me.ListField(me.DictField())


class ExternalIds(me.Document):
    """What a sender calls a result; `id` is `<teo>:<external id>`."""

    meta = {"collection": "external_ids", "auto_create_index": False, "strict": False}
    id = me.StringField(primary_key=True)
    result_id = me.StringField()


def results_by_id(ids: Collection[str]) -> list[Result]:
    """The results with these ids."""
    return [_result_of(row) for row in rows_of(Results, {"_id": {"$in": list(ids)}})]


def results_of_learners(learner_ids: Collection[str], schemes: Collection[str]) -> list[Result]:
    """All results of these learners in these schemes."""
    return read_results({"learner_id": {"$in": list(learner_ids)}, "scheme": {"$in": list(schemes)}})


def read_results(where: Mapping[str, Any], limit: int = 0) -> list[Result]:
    """Results by id."""
    return [_result_of(row) for row in rows_of(Results, where, sort=[("_id", 1)], limit=limit)]


def of_plan(plan_id: str) -> dict[str, Any]:
    """The filter for a plan's results: a plan's id is the beginning of theirs."""
    return {"_id": {"$gt": f"{plan_id}:", "$lt": f"{plan_id};"}}


def results_submitted_by(cause: str) -> list[tuple[Result, datetime]]:
    """The results whose values one cause gave, and when each was recorded."""
    where: dict[str, Any] = {"submitted_by": cause}
    if cause.startswith("result:"):
        where["_id"] = cause.removeprefix("result:").rpartition(":r")[0]
    elif not cause.startswith("import:"):
        return []
    return [(_result_of(row), row["recorded_at"]) for row in rows_of(Results, where, sort=[("_id", 1)])]


def changes_of(result_id: str) -> list[Row]:
    """What was changed of a result, oldest first."""
    rows = rows_of(Results, {"_id": result_id}, ["changes"])
    return list(rows[0].get("changes", [])) if rows else []


def results_due(now: datetime, limit: int) -> list[Result]:
    """Results whose publicity is over."""
    where = {"state": "publicised", "verdict": {"$in": VERDICTS}, "closes_at": {"$lte": now}}
    return [_result_of(row) for row in rows_of(Results, where, limit=limit)]


def external_ids_of(names: Collection[str]) -> dict[str, str]:
    """Result ids by `<teo>:<external id>`."""
    if not names:
        return {}
    return {row["_id"]: row["result_id"] for row in rows_of(ExternalIds, {"_id": {"$in": list(names)}})}


def save_weighed(weighed: Iterable[Weighed]) -> None:
    """Keep what sittings did, in their order."""
    operations: list[Any] = []
    recorded_at = clock.now()
    for one in weighed:
        if one.before is None:
            operations.append(InsertOne({"_id": one.after.id, **_row_of(one.after), "recorded_at": recorded_at}))
        elif one.after != one.before:
            operations.append(update_of(one.before, one.after, one.steps))
    write(Results, operations, ordered=True)


def save_steps(changed: Iterable[tuple[Result, Step]]) -> None:
    """Keep what happened to results: (before, step)."""
    write(Results, [update_of(before, step.result, (step,)) for before, step in changed])


def update_of(before: Result, after: Result, steps: Sequence[Step]) -> UpdateOne:
    """The update that makes one result of another; what it was is added to its changes."""
    was, now = _row_of(before), _row_of(after)
    update: dict[str, Any] = {"$set": {name: value for name, value in now.items() if value != was[name]}}
    told = [_change_of(before, step) for step in steps if step.kind != "finalised"]
    return UpdateOne({"_id": after.id}, update | ({"$push": {"changes": {"$each": told}}} if told else {}))


def save_external_ids(names: Mapping[str, str]) -> None:
    """Keep what senders call results: result ids by `<teo>:<external id>`."""
    write(ExternalIds, [InsertOne({"_id": name, "result_id": result_id}) for name, result_id in names.items()])


def mark_closing(plan_id: str, now: datetime) -> int:
    """Have a job make a plan's open results final; how many there are."""
    where = of_plan(plan_id) | {"state": "publicised"}
    found = collection_of(Results).update_many(where, {"$set": {"closing": True, "closes_at": now}})
    return found.matched_count


OPEN = {"state": "publicised", "verdict": {"$in": VERDICTS}, "closing": {"$ne": True}}
UNDATED = OPEN | {"closes_at": None}


def openings(undated_only: bool) -> list[tuple[str, int, str | None]]:
    """When open results were opened, for how many working days, and the due date they have."""
    names = ("opened_on", "publicity_days", "due_on")
    group = {"$group": {"_id": {name: f"${name}" for name in names}}}
    found = collection_of(Results).aggregate([{"$match": UNDATED if undated_only else OPEN}, group])
    return [(row["_id"]["opened_on"], row["_id"]["publicity_days"], row["_id"].get("due_on")) for row in found]


def set_due(opening: tuple[str, int, str | None], due_on: date, closes_at: datetime) -> None:
    """Date the open results that were opened alike."""
    opened_on, days, before = opening
    where = OPEN | {"opened_on": opened_on, "publicity_days": days, "due_on": before}
    write(Results, [UpdateMany(where, {"$set": {"due_on": due_on.isoformat(), "closes_at": closes_at}})])


def count_undated() -> list[Row]:
    """Plans with open results that no job will close: plan, how many, since when."""
    group = {
        "_id": {"teo": "$teo", "plan": "$plan"},
        "count": {"$sum": 1},
        "opened_on": {"$min": "$opened_on"},
    }
    found = collection_of(Results).aggregate([{"$match": UNDATED}, {"$group": group}, {"$sort": {"_id": 1}}])
    return [{**row["_id"], "count": row["count"], "opened_on": date.fromisoformat(row["opened_on"])} for row in found]


def count_by_state() -> dict[tuple[str, str], int]:
    """How many results there are, by state and verdict."""
    counted = {}
    for state in State:
        for verdict in VERDICTS:
            where = {"state": str(state), "verdict": verdict}
            counted[str(state), verdict] = collection_of(Results).count_documents(where)
    return counted


def move_results(moves: Sequence[tuple[str, str]]) -> None:
    """Give the results of merged learners to their survivors: (merged, survivor)."""
    changes = [UpdateMany({"learner_id": old}, {"$set": {"learner_id": new}}) for old, new in moves]
    write(Results, changes, ordered=True)


def _change_of(before: Result, step: Step) -> Row:
    return {
        "revision": step.result.revision,
        "kind": step.kind,
        "at": clock.now(),
        "reason": step.reason,
        "theory": before.marks.theory,
        "practical": before.marks.practical,
        "remark": str(before.marks.remark),
        "verdict": str(before.verdict),
        "submitted_by": before.submitted_by,
    }


def _row_of(one: Result) -> Row:
    return {
        "teo": one.teo,
        "plan": one.plan,
        "admission_number": one.admission_number,
        "attempt": one.attempt,
        "learner_id": one.learner_id,
        "scheme": one.scheme,
        "level": int(one.level),
        "session_date": one.session_date.isoformat(),
        "theory": one.marks.theory,
        "practical": one.marks.practical,
        "remark": str(one.marks.remark),
        "verdict": str(one.verdict),
        "state": str(one.state),
        "revision": one.revision,
        "as_of": one.as_of,
        "opened_on": one.opened_on.isoformat(),
        "publicity_days": one.publicity_days,
        "rule_version": one.rule_version,
        "due_on": one.due_on.isoformat() if one.due_on else None,
        "closes_at": one.closes_at,
        "carried_from": one.carried_from,
        "submitted_by": one.submitted_by,
    }


def _result_of(row: Row) -> Result:
    return Result(
        teo=row["teo"],
        plan=row["plan"],
        admission_number=row["admission_number"],
        attempt=row["attempt"],
        learner_id=row["learner_id"],
        scheme=row["scheme"],
        level=Level(row["level"]),
        session_date=date.fromisoformat(row["session_date"]),
        marks=Marks(row["theory"], row["practical"], Remark(row["remark"])),
        verdict=Verdict(row["verdict"]),
        state=State(row["state"]),
        revision=row["revision"],
        as_of=row["as_of"],
        opened_on=date.fromisoformat(row["opened_on"]),
        publicity_days=row["publicity_days"],
        rule_version=row["rule_version"],
        due_on=date.fromisoformat(row["due_on"]) if row["due_on"] else None,
        closes_at=row["closes_at"],
        carried_from=row["carried_from"],
        submitted_by=row["submitted_by"],
    )


def audited_rows(learner: Mapping[str, Any], limit: int) -> list[Row]:
    """What of results is audited, by learner."""
    names = ["learner_id", "scheme", "level", "revision", "state", "verdict", "submitted_by"]
    return rows_of(Results, {"learner_id": dict(learner)}, names, sort=AUDIT_ORDER, limit=limit)


AUDIT_ORDER = [("learner_id", 1), ("scheme", 1), ("level", 1)]

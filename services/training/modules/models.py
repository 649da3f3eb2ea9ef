"""Modules, excuse rules, exemptions and excuses at rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import mongoengine as me
import msgspec
from pymongo import DeleteMany, DeleteOne, ReplaceOne, UpdateMany, UpdateOne

from chassis.database import Row, collection_of, rows_of, write
from services.training.classes.domain import Queue
from services.training.modules.domain import Excuse, ExcuseRule, Exemption, RuleState, TrainingModule

VERSION_DIGITS = 4  # versions are read in the order of their places
EVER_PUBLISHED = (RuleState.PUBLISHED.value, RuleState.RETIRED.value)


class TrainingModules(me.Document):
    """By `<scheme>:<level>:<code>`."""

    meta = {"collection": "training_modules", "auto_create_index": False, "strict": False}
    place = me.StringField(primary_key=True)
    scheme = me.StringField()
    level = me.IntField()
    code = me.StringField()
    name = me.StringField()
    class_hours = me.IntField()


class ExcuseRules(me.Document):
    """By `<code>:<version>`; but for a draft's, nothing of a version changes except its state."""

    meta = {
        "collection": "excuse_rules",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["state", "scheme", "level"], "name": "training"}],
    }
    place = me.StringField(primary_key=True)
    code = me.StringField()
    version = me.IntField()
    scheme = me.StringField()
    level = me.IntField()
    state = me.StringField()


class ExcuseSpreads(me.Document):
    """A rule's version that was published and of which not everybody was looked at yet; `after`: the last place."""

    meta = {"collection": "excuse_spreads", "auto_create_index": False, "strict": False}
    place = me.StringField(primary_key=True)
    after = me.StringField()


class ExemptCourses(me.Document):
    """By the application that credit was spent on."""

    meta = {
        "collection": "exempt_courses",
        "auto_create_index": False,
        "strict": False,
        "indexes": [("learner_id",)],
    }
    application_id = me.StringField(primary_key=True)
    learner_id = me.StringField()
    student_number = me.StringField()
    course = me.StringField()
    kind = me.StringField()
    is_over = me.BooleanField()


class Excuses(me.Document):
    """By `<learner>:<scheme>:<level>:<module>`. `cause`: what it was given or taken back for; `at`: when it
    last changed."""

    meta = {
        "collection": "training_excuses",
        "auto_create_index": False,
        "strict": False,
        "indexes": [("learner_id", "id"), ("cause",), ("is_excused",)],
    }
    id = me.StringField(primary_key=True)
    learner_id = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    module = me.StringField()
    is_excused = me.BooleanField()
    cause = me.StringField()
    at = me.DateTimeField()


# --- modules ----------------------------------------------------------------------------------------------------------
def keep_module(one: TrainingModule) -> None:
    """Write a module whole."""
    row = msgspec.to_builtins(one)
    write(TrainingModules, [ReplaceOne({"_id": one.place}, row, upsert=True)])


def modules_of(queues: Iterable[Queue]) -> list[TrainingModule]:
    """The modules of these trainings."""
    found = [{"_id": _under(f"{scheme}:{int(level)}")} for scheme, level in sorted(queues)]
    return _modules({"$or": found}) if found else []


def modules_after(where: Mapping[str, Any], after: str, limit: int) -> list[TrainingModule]:
    """Modules in the order of their places, after one of them."""
    return _modules({**where, "_id": {"$gt": after}}, limit)


def _modules(where: Mapping[str, Any], limit: int = 0) -> list[TrainingModule]:
    rows = rows_of(TrainingModules, where, sort=[("_id", 1)], limit=limit)
    return [msgspec.convert(row, TrainingModule) for row in rows]


def _under(beginning: str) -> dict[str, str]:
    """The ids that begin so, up to a colon."""
    return {"$gt": f"{beginning}:", "$lt": f"{beginning};"}


# --- rules ------------------------------------------------------------------------------------------------------------
def rules_of(code: str) -> list[ExcuseRule]:
    """A rule's versions, oldest first."""
    return _rules({"_id": _under(code)})


def rules_at(versions: Iterable[tuple[str, int]]) -> list[ExcuseRule]:
    """These versions of rules."""
    places = sorted({_place(code, version) for code, version in versions})
    return _rules({"_id": {"$in": places}}) if places else []


def rules_published(queues: Iterable[Queue]) -> list[ExcuseRule]:
    """The published rules about these trainings."""
    pairs = [{"scheme": scheme, "level": int(level)} for scheme, level in sorted(queues)]
    return _rules({"state": RuleState.PUBLISHED.value, "$or": pairs}) if pairs else []


def has_rules() -> bool:
    """Whether any rule was ever published."""
    return bool(rows_of(ExcuseRules, {"state": {"$in": EVER_PUBLISHED}}, ["_id"], limit=1))


def rules_after(where: Mapping[str, Any], after: str, limit: int) -> list[ExcuseRule]:
    """Versions of rules in the order of their places, after one of them."""
    return _rules({**where, "_id": {"$gt": after}}, limit)


def keep_rules(rules: Iterable[ExcuseRule]) -> None:
    """Keep versions of rules."""
    rows = {_place(one.code, one.version): msgspec.to_builtins(one) for one in rules}
    write(ExcuseRules, [ReplaceOne({"_id": place}, row, upsert=True) for place, row in rows.items()])


def _rules(where: Mapping[str, Any], limit: int = 0) -> list[ExcuseRule]:
    return [msgspec.convert(row, ExcuseRule) for row in rows_of(ExcuseRules, where, sort=[("_id", 1)], limit=limit)]


def _place(code: str, version: int) -> str:
    return f"{code}:{version:0{VERSION_DIGITS}d}"


# --- who has to be looked at because of a rule ------------------------------------------------------------------------
def begin_spread(rule: ExcuseRule) -> None:
    """Note that everybody has to be looked at because of a version."""
    write(ExcuseSpreads, [ReplaceOne({"_id": _place(rule.code, rule.version)}, {"after": ""}, upsert=True)])


def first_spread() -> tuple[ExcuseRule, str] | None:
    """A version that is spreading, and the last place that was looked at."""
    for row in rows_of(ExcuseSpreads, {}, sort=[("_id", 1)], limit=1):
        [rule] = _rules({"_id": row["_id"]})
        return rule, row["after"]
    return None


def move_spread(rule: ExcuseRule, after: str) -> None:
    """Note how far a version has spread; an empty place: everybody was looked at."""
    this = {"_id": _place(rule.code, rule.version)}
    write(ExcuseSpreads, [UpdateOne(this, {"$set": {"after": after}}) if after else DeleteOne(this)])


# --- exemptions -------------------------------------------------------------------------------------------------------
def keep_exemptions(exemptions: Iterable[Exemption]) -> None:
    """Keep exemptions; one that is over stays so, whatever arrives behind it."""
    operations = []
    for one in exemptions:
        row = msgspec.to_builtins(one)
        this, over = {"_id": row.pop("application_id")}, row.pop("is_over")
        change = {"$set": row | {"is_over": True}} if over else {"$set": row, "$setOnInsert": {"is_over": False}}
        operations.append(UpdateOne(this, change, upsert=True))
    write(ExemptCourses, operations, ordered=True)


def exemptions_of(learner_ids: Collection[str]) -> list[Exemption]:
    """The exemptions of these learners, those that are over, too."""
    rows = rows_of(ExemptCourses, {"learner_id": {"$in": sorted(learner_ids)}})
    return [msgspec.convert({"application_id": row["_id"], **row}, Exemption) for row in rows]


def give_exemptions(survivor_id: str, merged_id: str) -> None:
    """Give the merged learner's exemptions to the survivor."""
    write(ExemptCourses, [UpdateMany({"learner_id": merged_id}, {"$set": {"learner_id": survivor_id}})])


# --- excuses ----------------------------------------------------------------------------------------------------------
def excuses_of(learner_ids: Collection[str]) -> list[Excuse]:
    """What these learners were excused from, that which was taken back, too."""
    return _excuses({"learner_id": {"$in": sorted(learner_ids)}})


def excuses_after(learner_id: str, after: str, limit: int) -> list[tuple[Excuse, datetime]]:
    """A learner's, in the order of their places, after one of them; each with when it last changed."""
    where = {"learner_id": learner_id, "_id": {"$gt": after}}
    rows = rows_of(Excuses, where, sort=[("_id", 1)], limit=limit)
    return [(msgspec.convert(row, Excuse), row["at"]) for row in rows]


def keep_excuses(excuses: Iterable[Excuse]) -> None:
    """Keep excuses as they are now."""
    at = datetime.now(UTC)
    rows = {one.place: msgspec.to_builtins(one) | {"at": at} for one in excuses}
    write(Excuses, [ReplaceOne({"_id": place}, row, upsert=True) for place, row in rows.items()])


def drop_excuses(excuses: Iterable[Excuse]) -> None:
    """Forget excuses of somebody who is another learner now."""
    write(Excuses, [DeleteMany({"_id": {"$in": [one.place for one in excuses]}})])


def _excuses(where: Mapping[str, Any]) -> list[Excuse]:
    return [msgspec.convert(row, Excuse) for row in rows_of(Excuses, where, sort=[("_id", 1)])]


def count_excused() -> int:
    """How many modules learners are excused from."""
    return collection_of(Excuses).count_documents({"is_excused": True})


def rows_caused_by(cause: str) -> list[Row]:
    """The excuses that a cause gave or took back."""
    return rows_of(Excuses, {"cause": cause}, limit=100)

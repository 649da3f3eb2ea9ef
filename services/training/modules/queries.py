"""Look modules, excuse rules and excuses up."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from chassis.database import Row
from chassis.errors import NOT_FOUND
from contracts.terms import Level
from services.training.classes.domain import Queue
from services.training.modules import models
from services.training.modules.domain import Excuse, ExcuseRule, TrainingModule
from services.training.modules.excuses import sentence_of
from services.training.schemes.queries import scheme_names


def modules_page(where: Mapping[str, Any], after: str, limit: int) -> list[TrainingModule]:
    """Modules by scheme, level and code, after the one named."""
    return models.modules_after(where, after, limit)


def rule_versions(code: str) -> list[ExcuseRule]:
    """A rule's versions, the latest first; refusal: not_found."""
    found = models.rules_of(code)
    if not found:
        raise NOT_FOUND(what="excuse rule", id=code)
    return found[::-1]


def rules_page(where: Mapping[str, Any], after: str, limit: int) -> list[ExcuseRule]:
    """Versions of rules by code and version, after the one named."""
    return models.rules_after(where, after, limit)


def ruled_trainings(queues: Collection[Queue]) -> set[Queue]:
    """Those of these trainings that a published rule excuses from modules of.

    Who gives a place and who publishes a rule both name the strand of the training's queue: of the two that come at
    once one sees the other.
    """
    return {rule.queue for rule in models.rules_published(queues)}


def excuses_page(learner_id: str, after: str, limit: int) -> list[dict[str, Any]]:
    """What a learner is or was excused from, each with its reasons, in the order of their places."""
    found = models.excuses_after(learner_id, after, limit)
    rules = {(rule.code, rule.version): rule for rule in models.rules_at((o.rule, o.rule_version) for o, _ in found)}
    names = scheme_names()
    return [_told(one, rules[one.rule, one.rule_version], names) | {"since": at} for one, at in found]


def _told(one: Excuse, rule: ExcuseRule, names: Mapping[str, str]) -> dict[str, Any]:
    zh, en = sentence_of(one, rule.basis, rule.least_mark, names.get(one.scheme, one.scheme))
    return asdict(one) | {
        "place": one.place,
        "ended": str(one.ended or ""),
        "basis": rule.basis,
        "least_mark": rule.least_mark,
        "why_zh": zh,
        "why_en": en,
    }


def excused_of(learner_ids: Collection[str]) -> dict[tuple[str, str, Level], list[Excuse]]:
    """The modules these learners are excused from, by learner, scheme and level."""
    found: dict[tuple[str, str, Level], list[Excuse]] = {}
    for one in models.excuses_of(learner_ids):
        if one.is_excused:
            found.setdefault((one.learner_id, one.scheme, one.level), []).append(one)
    return found


def excused_count() -> int:
    """How many modules learners are excused from."""
    return models.count_excused()


def caused_by(cause: str) -> list[Row]:
    """The excuses that a cause gave or took back."""
    return models.rows_caused_by(cause)

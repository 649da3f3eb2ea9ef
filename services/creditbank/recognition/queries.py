"""Reading recognition rules with their history."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from chassis.clock import today
from chassis.errors import NOT_FOUND
from contracts.terms import Level
from services.creditbank.recognition import models
from services.creditbank.recognition.domain import Known, RuleVersion, chosen


def rule_of(scheme: str, level: Level) -> dict[str, Any]:
    """What a scheme's level is worth, and was; Refusal when it has no rule."""
    versions = models.find_rules([(scheme, int(level))]).get((scheme, int(level)))
    if not versions:
        raise NOT_FOUND(what="recognition rule", id=f"{scheme}/{int(level)}")
    return shown(scheme, level, versions)


def outcomes_of(learner_ids: Collection[str]) -> Known:
    """Every outcome of these learners, by learner and scheme, in the open transaction if there is one."""
    return models.find_outcomes(learner_ids)


def rules_after(after: str, limit: int) -> list[dict[str, Any]]:
    """The rules in the order of their names, `<scheme>:<level>`."""
    return [shown(scheme, level, versions) for (scheme, level), versions in models.page_of_rules(after, limit).items()]


def shown(scheme: str, level: int, versions: list[RuleVersion]) -> dict[str, Any]:
    """A rule: the version for a session of today, or the next to come, and all its versions, the latest first."""
    now = chosen(versions, today()) or min(versions, key=lambda one: (one.sessions_from, -one.version))
    return {
        "scheme": scheme,
        "level": int(level),
        **_version(now),
        "versions": [_version(one) for one in sorted(versions, key=lambda one: -one.version)],
    }


def _version(rule: RuleVersion) -> dict[str, Any]:
    return {
        "version": rule.version,
        "credit_points": rule.credit_points,
        "sessions_from": rule.sessions_from,
        "note": rule.note,
        "is_folklore_default": rule.is_folklore_default,
    }

"""Reading recognition rules with their history."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from chassis import waiters
from chassis.clock import today
from chassis.errors import NOT_FOUND
from contracts.terms import kind_of, level_words
from services.creditbank.recognition import models
from services.creditbank.recognition.domain import OUTCOME, RULE, Known, Outcome, Rulebook, RuleVersion, Targets, chosen

LAST = "\U0010ffff"  # comes after whatever a source's name goes on with


def rule_of(scheme: str, level: int) -> dict[str, Any]:
    """What a scheme's level is worth, and was; Refusal when it has no rule."""
    versions = models.find_rules([(scheme, int(level))]).get((scheme, int(level)))
    if not versions:
        raise NOT_FOUND(what="recognition rule", id=f"{scheme}/{int(level)}")
    return shown(scheme, level, versions)


def outcomes_of(learner_ids: Collection[str]) -> Known:
    """Every outcome of these learners, by learner and scheme, in the open transaction if there is one."""
    return models.find_outcomes(learner_ids)


def ruled_places(prefix: str) -> list[str]:
    """The places of rules, `<source>:<level>`, that begin with this: of one kind of outcome."""
    return models.places_of_rules(prefix)


def waiting_facts(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """By (learner, result), what those of these outcomes wait for that are not on an account yet."""
    facts = waiters.facts_of(OUTCOME, [models.place_of(*key) for key in keys]) if keys else {}
    return {key: facts[place]["fact"] for key in keys if (place := models.place_of(*key)) in facts}


def awaiting_rules(sources: Sequence[str], behind: dict[str, Any], limit: int) -> list[tuple[str, str, str]]:
    """What waits for rules of sources that begin so, in the order of fact and name: the name, the outcome, the fact."""
    facts = [(f"{RULE}{source}", f"{RULE}{source}{LAST}") for source in sources]
    rows = waiters.waiting_within(OUTCOME, facts, behind, limit)
    return [(row["_id"], row["item"], row["fact"]) for row in rows]


def rulebook(places: Collection[tuple[str, int]]) -> Rulebook:
    """The versions of the rules of these schemes and levels, where there are any."""
    return models.find_rules(places)


def span_end(after: str, rows: int) -> str:
    """The learner at whom so many outcomes behind another end, so that work on all of them has bounded steps; empty
    when fewer are left."""
    return models.span_end(after, rows)


def outcomes_numbered(numbers: Collection[str]) -> list[Outcome]:
    """The outcomes that certificates of these numbers belong to, and their revocations; of any organisation."""
    return models.find_numbered(numbers)


def span_of(after: str, until: str, schemes: Collection[str] | None = None) -> Iterator[Outcome]:
    """The outcomes of these schemes, or of all, in a span of learners, streamed learner by learner."""
    return models.read_span(after, until, schemes)


def pinned_elsewhere(after: str, until: str, targets: Targets, limit: int) -> list[str]:
    """The learners in a span whose outcomes are pinned to other versions than these, one for each such outcome."""
    return models.find_pinned_elsewhere(after, until, targets, limit)


def outcome_count() -> int:
    """About how many outcomes there are."""
    return models.count_outcomes()


def rules_after(after: str, limit: int) -> list[dict[str, Any]]:
    """The rules in the order of their names, `<scheme>:<level>`."""
    return [shown(scheme, level, versions) for (scheme, level), versions in models.page_of_rules(after, limit).items()]


def shown(scheme: str, level: int, versions: list[RuleVersion]) -> dict[str, Any]:
    """A rule: the version for a session of today, or the next to come, and all its versions, the latest first."""
    now = chosen(versions, today()) or min(versions, key=lambda one: (one.sessions_from, -one.version))
    return {
        "scheme": scheme,
        "kind": kind_of(scheme),
        "level": int(level),
        "level_name": level_words(scheme, level)[0],
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
        "sessions_until": rule.sessions_until,
        "policy": rule.policy if rule.policy.code else None,
        "retired_from": rule.retired_from,
    }

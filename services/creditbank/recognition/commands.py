"""Settling results: taking in what they are now, and having the ledger show what that is worth."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple, TypeVar

from chassis import waiters
from chassis.database import transactional
from chassis.strands import merge_key, name_keys, survivor_of
from services.creditbank.ledger import commands as ledger
from services.creditbank.recognition import models
from services.creditbank.recognition.domain import OUTCOME as OUTCOME
from services.creditbank.recognition.domain import (
    CertificateMark,
    Known,
    Outcome,
    Review,
    Rulebook,
    RuleVersion,
    Targets,
    account_fact,
    check_level,
    decided,
    handed_over,
    rerated,
    restated,
    retired,
    review,
    review_marks,
    rule_fact,
    superseding,
    united,
)

RERATED = "Rerated"  # what happened to an account whose pins were moved
Touched = set[tuple[str, str]]
Act = TypeVar("Act", Outcome, CertificateMark)


class Moved(NamedTuple):
    """How many outcomes a rerate moved, and the (learner, scheme) pairs that touched."""

    outcomes: int
    touched: Touched


@transactional
def settle(outcomes: Sequence[Outcome]) -> Touched:
    """Take in results as they are now and post what that changes; the (learner, scheme) pairs it touched."""
    arriving = _of_survivors(outcomes)
    known = models.find_outcomes({one.learner_id for one in arriving})
    return _carry_out(_before(known), review(known, arriving, _rules(arriving)))


@transactional
def settle_again(places: Sequence[str]) -> Touched:
    """Try what waits again: a rule or an account may have come."""
    waiting = [one for one in models.find_placed(places) if one.is_waiting]
    touched = settle(waiting)
    waiters.done(OUTCOME, sorted(set(places) - {models.place_of(*one.key) for one in waiting}))
    return touched


@transactional
def settle_opened(learner_ids: Collection[str]) -> Touched:
    """Settle what waited for these accounts."""
    places = models.find_waiting(learner_ids)
    return settle_again(places) if places else set()


@transactional
def mark_certificates(marks: Sequence[CertificateMark]) -> Touched:
    """Note that certificates are on record, or revoked; holdings whose marking that changes get an entry."""
    present = _of_survivors(marks)
    known = models.find_outcomes({one.learner_id for one in present})
    return _carry_out(_before(known), review_marks(known, present))


@transactional
def restate(learner_id: str, scheme: str, cause: str, what: str, level: int = 0) -> Touched:
    """Have the ledger show what a learner has earned from a scheme; an entry only where it shows something else."""
    key = f"learner:{learner_id}"
    name_keys([key])
    learner_id = _learner(survivor_of(key))
    of_scheme = models.find_outcomes([learner_id]).get((learner_id, scheme), {})
    ledger.post_difference([restated(learner_id, scheme, cause, what, of_scheme.values(), level)])
    return {(learner_id, scheme)}


@transactional
def merge_learners(survivor_id: str, merged_id: str, cause: str, what: str) -> None:
    """Two learners are one: hand outcomes and holdings over, and count the same content once. Again changes nothing.

    What waited for an account, or still waits for its rule, is settled anew on the survivor's.
    """
    merge_key(f"learner:{merged_id}", f"learner:{survivor_id}")
    survivor_id = _learner(survivor_of(f"learner:{survivor_id}"))
    if survivor_id == merged_id:
        return
    known = models.find_outcomes((survivor_id, merged_id))
    moved = _hand_over(known, survivor_id, merged_id)
    if ledger.merge_accounts(survivor_id, merged_id, handed_over(survivor_id, cause, what, moved), cause):
        models.move_outcomes(merged_id, _all_of(moved))
        waiting = [one for one in _all_of(known) if one.is_waiting]
        waiters.done(OUTCOME, [models.place_of(*one.key) for one in waiting])
        settle(waiting)


@transactional
def publish_rule(
    scheme: str,
    level: int,
    credit_points: int,
    sessions_from: date,
    note: str = "",
    is_folklore_default: bool = True,
) -> list[RuleVersion]:
    """Publish a default: what a level is worth for sessions from a date on, as long as nobody has decided it; every
    version of the rule. Refusal for anything but a default, and when the rule was decided (ADR 16)."""
    check_level(scheme, level)
    versions = _versions(scheme, level)
    proposed = RuleVersion(0, credit_points, sessions_from, note, is_folklore_default)
    if rule := superseding(versions, proposed):
        versions = [*versions, rule]
        _publish(scheme, level, versions)
    return versions


@transactional
def publish_decided(scheme: str, level: int, proposed: RuleVersion, supersedes: Collection[int]) -> int:
    """Publish a version that two people approved, and retire those that give way to it; its number. Pins stay."""
    versions = decided(_versions(scheme, level), proposed, supersedes)
    _publish(scheme, level, versions)
    return versions[-1].version


@transactional
def retire_version(scheme: str, level: int, version: int, retired_from: date) -> None:
    """Have a version hold no more for sessions from a day on. Pins stay."""
    _publish(scheme, level, retired(_versions(scheme, level), version, retired_from))


def _versions(scheme: str, level: int) -> list[RuleVersion]:
    """A rule's versions, its strand named."""
    name_keys([rule_fact(scheme, level)])
    return models.find_rules([(scheme, int(level))]).get((scheme, int(level)), [])


def _publish(scheme: str, level: int, versions: Sequence[RuleVersion]) -> None:
    """What waited for the rule is woken: it names the same strand, so of a rule and a pass that arrive at once one
    sees the other."""
    models.keep_versions(scheme, level, versions)
    waiters.wake(rule_fact(scheme, level))


@transactional
def move_pins(learner_ids: Collection[str], targets: Targets, rerate: int) -> Moved:
    """Move these learners' outcomes to the versions a rerate names, and post what that changes."""
    name_keys(f"learner:{one}" for one in learner_ids)
    known = models.find_outcomes(learner_ids)
    before = _before(known)
    found = rerated(known, models.find_rules(targets), targets, rerate, RERATED)
    ledger.post_difference(found.settlements)
    models.keep_outcomes(found.changed.values(), known=before.keys())
    return Moved(len(found.changed), {(one.learner_id, one.scheme) for one in found.changed.values()})


def _of_survivors(acts: Sequence[Act]) -> list[Act]:
    """The same for the learners they concern now, whose strands are named."""
    keys = [f"learner:{one.learner_id}" for one in acts]
    name_keys(keys)
    return [
        one if now == key else replace(one, learner_id=_learner(now))
        for one, key in zip(acts, keys, strict=True)
        for now in (survivor_of(key),)
    ]


def _learner(key: str) -> str:
    return key.removeprefix("learner:")


def _before(known: Known) -> dict[tuple[str, str], bool]:
    """What was known before a review, and whether it waited."""
    return {outcome.key: outcome.is_waiting for outcome in _all_of(known)}


def _all_of(known: Known) -> list[Outcome]:
    return [outcome for of_scheme in known.values() for outcome in of_scheme.values()]


def _rules(arriving: Iterable[Outcome]) -> Rulebook:
    return models.find_rules({(one.scheme, int(one.level)) for one in arriving if one.is_pass})


def _carry_out(before: Mapping[tuple[str, str], bool], found: Review) -> Touched:
    """Post what is to be settled, keep what changed, and have the rest wait for what it lacks."""
    unopened = ledger.post_difference(found.settlements)
    changed = [_unless_opened(one, unopened) for one in found.changed.values()]
    models.keep_outcomes(changed, known=before.keys())
    _wait([one for one in changed if one.is_waiting], unopened)
    waiters.done(OUTCOME, [models.place_of(*one.key) for one in changed if before.get(one.key) and not one.is_waiting])
    return {(one.learner_id, one.scheme) for one in changed}


def _unless_opened(outcome: Outcome, unopened: Collection[str]) -> Outcome:
    return replace(outcome, is_waiting=True) if outcome.learner_id in unopened else outcome


def _wait(outcomes: Sequence[Outcome], unopened: Collection[str]) -> None:
    """Have outcomes wait for their account, or for their rule, whose strand its publisher names too."""
    facts = [
        account_fact(one.learner_id) if one.learner_id in unopened else rule_fact(one.scheme, one.level)
        for one in outcomes
    ]
    name_keys(fact for fact in facts if fact.startswith("rule:"))
    waiters.wait_all(
        OUTCOME, [(models.place_of(*one.key), fact, one.cause) for one, fact in zip(outcomes, facts, strict=True)]
    )


def _hand_over(known: Known, survivor_id: str, merged_id: str) -> Known:
    """The outcomes of both learners as the survivor's, in the schemes that the merged one brings."""
    moved: Known = {}
    for scheme in sorted(scheme for owner, scheme in known if owner == merged_id):
        together = moved[survivor_id, scheme] = dict(known.get((survivor_id, scheme), {}))
        for one in known[merged_id, scheme].values():
            together[one.result_id] = united(together.get(one.result_id), replace(one, learner_id=survivor_id))
    return moved

"""Settling results: taking in what they are now, and having the ledger show what that is worth."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TypeVar

from chassis import waiters
from chassis.database import transactional
from chassis.strands import merge_key, name_keys, survivor_of
from contracts.terms import Level
from services.creditbank.ledger import commands as ledger
from services.creditbank.recognition import models
from services.creditbank.recognition.domain import (
    CertificateMark,
    Known,
    Outcome,
    Review,
    Rulebook,
    RuleVersion,
    account_fact,
    handed_over,
    review,
    review_marks,
    rule_fact,
    scheme_of,
    superseding,
    united,
)

OUTCOME = "outcome"  # what waits: an outcome for its rule, or for its learner's account
Touched = set[tuple[str, str]]
Act = TypeVar("Act", Outcome, CertificateMark)


@transactional
def settle(outcomes: Sequence[Outcome]) -> Touched:
    """Take in results as they are now and post what that changes; the (learner, scheme) pairs it touched."""
    arriving = _of_survivors(outcomes)
    known = models.find_outcomes({one.learner_id for one in arriving})
    return _carry_out(_before(known), review(known, arriving, _rules(arriving)))


@transactional
def settle_again(places: Sequence[str]) -> None:
    """Try what waits again: a rule or an account may have come."""
    waiting = [one for one in models.find_placed(places) if one.is_waiting]
    settle(waiting)
    waiters.done(OUTCOME, sorted(set(places) - {models.place_of(*one.key) for one in waiting}))


@transactional
def settle_opened(learner_ids: Collection[str]) -> None:
    """Settle what waited for these accounts."""
    if places := models.find_waiting(learner_ids):
        settle_again(places)


@transactional
def mark_certificates(marks: Sequence[CertificateMark]) -> Touched:
    """Note that certificates are on record, or revoked; holdings whose marking that changes get an entry."""
    present = _of_survivors(marks)
    known = models.find_outcomes({one.learner_id for one in present})
    return _carry_out(_before(known), review_marks(known, present))


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
    level: Level,
    credit_points: int,
    sessions_from: date,
    note: str = "",
    is_folklore_default: bool = False,
) -> list[RuleVersion]:
    """Publish what a level is worth for sessions from a date on; every version of the rule. Pinned outcomes stay.

    What waited for the rule is woken: it names the same strand, so of a rule and a pass that arrive at once one
    sees the other.
    """
    fact = rule_fact(scheme_of(scheme), level)
    name_keys([fact])
    versions = models.find_rules([(scheme, int(level))]).get((scheme, int(level)), [])
    proposed = RuleVersion(0, credit_points, sessions_from, note, is_folklore_default)
    if rule := superseding(versions, proposed):
        models.add_version(scheme, level, rule)
        waiters.wake(fact)
        versions = [*versions, rule]
    return versions


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

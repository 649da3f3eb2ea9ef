"""Leading policy documents and conversion rules through their life."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from chassis import clock
from chassis.database import transactional
from chassis.errors import NOT_FOUND
from chassis.strands import name_keys, survivor_of
from services.creditbank.conversion import models
from services.creditbank.conversion.college import curriculum_of
from services.creditbank.conversion.domain import (
    ConversionRule,
    Policy,
    RuleState,
    SchemeLevels,
    approved,
    as_default,
    check_overlap,
    check_policy,
    check_rule,
    code_of,
    drafted,
    policy_as_default,
    policy_for,
    published,
    retired,
    unapproved,
)
from services.creditbank.ledger.queries import opened


@transactional
def draft_policy(policy: Policy, by: str) -> Policy:
    """Draft a version of a policy document, in the place of a draft there is; the same again changes nothing.

    The first version of a folklore default is published at once. Refusal for what makes no sense.
    """
    versions = _policy_versions(policy.code)
    check_policy(policy)
    policy = replace(policy.content(), drafted_by=by)
    is_default = policy.is_folklore_default
    kept = policy_as_default(versions, policy, clock.now()) if is_default else drafted(versions, policy)
    if kept is None:
        return next(one for one in reversed(versions) if one.says(policy))
    models.keep_policy(kept)
    return kept


@transactional
def approve_policy(code: str, version: int, by: str) -> Policy:
    """Approve a draft of a policy document; two people have to. Refusal when it is no draft.

    People come here by way of `simulations`, which refuses what was not simulated.
    """
    return _policy_moved(code, version, lambda policy: approved(policy, by))


@transactional
def publish_policy(code: str, version: int) -> Policy:
    """Publish an approved version: on its days it holds in the place of the versions before it."""
    return _policy_moved(code, version, lambda policy: published(policy, clock.now()))


@transactional
def void_policy_approvals(code: str, version: int) -> Policy:
    """Void the approvals of a version that is not published: it is looked at anew."""
    return _policy_moved(code, version, unapproved)


def _policy_versions(code: str) -> list[Policy]:
    name_keys([f"conversion-policy:{code_of(code)}"])
    return models.policies_of(code)


def _policy_moved(code: str, version: int, step: Callable[[Policy], Policy]) -> Policy:
    """Take one version of a policy document a step on."""
    found = next((one for one in _policy_versions(code) if one.version == version), None)
    if found is None:
        raise NOT_FOUND(what="policy document", id=f"{code}/{version}")
    kept = step(found)
    models.keep_policy(kept)
    return kept


@transactional
def draft_rule(rule: ConversionRule, by: str) -> ConversionRule:
    """Draft a version of a rule, in the place of a draft there is; the same again changes nothing.

    A folklore default is published at once, as long as nobody has decided the rule. Refusal for what makes no sense.
    """
    versions = _versions(rule)
    rule = replace(rule, drafted_by=by)
    check_rule(rule, _policy(rule), models.scheme_of(rule.scheme), curriculum_of(rule.programme, rule.entry_year))
    check_overlap(rule, models.rules_published(rule.programme, rule.entry_year))
    kept = as_default(versions, rule, clock.now()) if rule.is_folklore_default else drafted(versions, rule)
    if kept is None:
        return versions[-1]
    models.keep_rules([*_giving_way(versions, kept), kept])
    return kept


@transactional
def approve_rule(code: str, version: int, by: str) -> ConversionRule:
    """Approve a draft; two people have to. Refusal when it does not stand, or says what it must not by now.

    People come here by way of `simulations`, which refuses what was not simulated.
    """
    return _moved(code, version, lambda rule: _sound(approved(rule, by)))


@transactional
def publish_rule(code: str, version: int) -> ConversionRule:
    """Publish an approved version; the one that was published until now is retired."""
    return _moved(code, version, lambda rule: _sound(published(rule, clock.now())))


@transactional
def void_rule_approvals(code: str, version: int) -> ConversionRule:
    """Void the approvals of a version that is not published: it is looked at anew."""
    return _moved(code, version, unapproved)


@transactional
def retire_rule(code: str, version: int) -> ConversionRule:
    """Retire a published version: nothing new is filed under it, what was filed goes on."""
    return _moved(code, version, lambda rule: retired(rule, clock.now()))


@transactional
def keep_schemes(schemes: Collection[SchemeLevels]) -> None:
    """Remember the levels that schemes have."""
    models.keep_schemes(schemes)


@transactional
def keep_earlier(learner_id: str, credit_points: int, note: str) -> None:
    """Note what a learner converted before this system, or from other sources: it counts against their share.

    Refusal when nobody opened an account for them.
    """
    learner_id = survivor_of(f"learner:{learner_id}").removeprefix("learner:")
    if not opened([learner_id]):
        raise NOT_FOUND(what="account", id=learner_id)
    models.keep_earlier(learner_id, credit_points, note)


def _moved(code: str, version: int, step: Callable[[ConversionRule], ConversionRule]) -> ConversionRule:
    """Take one version of a rule a step on."""
    found = models.rule_at(code, version)
    if found is None:
        raise NOT_FOUND(what="conversion rule", id=f"{code}/{version}")
    versions = _versions(found)
    (rule,) = [one for one in versions if one.version == version]
    kept = step(rule)
    models.keep_rules([*_giving_way(versions, kept), kept])
    return kept


def _versions(rule: ConversionRule) -> list[ConversionRule]:
    """A rule's versions; its own strand is named, and that of everything it could overlap with."""
    name_keys([f"conversion-rule:{code_of(rule.code)}", f"conversion-rules:{rule.programme}:{rule.entry_year}"])
    return models.rules_of(rule.code)


def _sound(rule: ConversionRule) -> ConversionRule:
    """The rule; Refusal when policy, scheme, curriculum or other rules speak against it by now."""
    check_rule(rule, _policy(rule), models.scheme_of(rule.scheme), curriculum_of(rule.programme, rule.entry_year))
    check_overlap(rule, models.rules_published(rule.programme, rule.entry_year))
    return rule


def _giving_way(versions: Collection[ConversionRule], kept: ConversionRule) -> list[ConversionRule]:
    """The published versions that retire as another is published."""
    if kept.state != RuleState.PUBLISHED:
        return []
    others = [one for one in versions if one.version != kept.version and one.state == RuleState.PUBLISHED]
    return [retired(one, clock.now()) for one in others]


def _policy(rule: ConversionRule) -> Policy | None:
    return policy_for(models.policies_of(rule.policy), rule.valid_from)

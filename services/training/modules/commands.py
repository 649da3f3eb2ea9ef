"""Enter the modules of trainings, and lead excuse rules through their life."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from chassis import clock
from chassis.database import transactional
from chassis.errors import NOT_FOUND
from chassis.strands import name_keys
from services.training.classes.domain import queue_key
from services.training.courses.queries import courses_of
from services.training.modules import models
from services.training.modules.domain import (
    ExcuseRule,
    RuleState,
    TrainingModule,
    approved,
    check_overlap,
    check_rule,
    drafted,
    level_at,
    module_code_of,
    published,
    retired,
    rule_code_of,
)
from services.training.schemes.queries import scheme_by_code


@transactional
def put_module(module: TrainingModule) -> TrainingModule:
    """Enter a module of a training, or change it; who is excused from it already keeps the hours it had then.

    Refusals: training_module_code_malformed, scheme_unknown, level_not_offered.
    """
    module_code_of(module.code)
    level = level_at(scheme_by_code(module.scheme), module.scheme, module.level)
    kept = replace(module, level=level)
    name_keys([f"module:{kept.place}"])
    models.keep_module(kept)
    return kept


@transactional
def draft_rule(rule: ExcuseRule, by: str) -> ExcuseRule:
    """Draft a version of a rule, in the place of a draft there is; the same again changes nothing.

    Refusal for what makes no sense, or is said by another rule.
    """
    versions = _versions(rule)
    kept = drafted(versions, replace(_sound(rule).content(), drafted_by=by))
    if kept is None:
        return versions[-1]
    models.keep_rules([kept])
    return kept


@transactional
def approve_rule(code: str, version: int, by: str) -> ExcuseRule:
    """Approve a draft; two people have to. Refusal when it is none, or says what it must not by now."""
    return _moved(code, version, lambda rule: _sound(approved(rule, by)))


@transactional
def publish_rule(code: str, version: int) -> ExcuseRule:
    """Publish an approved version, for all whom it concerns; the one that was published until now is retired."""
    kept = _moved(code, version, lambda rule: _sound(published(rule, clock.now())))
    name_keys([queue_key(kept.queue)])
    models.begin_spread(kept)
    return kept


@transactional
def retire_rule(code: str, version: int) -> ExcuseRule:
    """Retire a published version: it excuses nobody more, and whom it has excused it keeps."""
    return _moved(code, version, lambda rule: retired(rule, clock.now()))


def _moved(code: str, version: int, step: Callable[[ExcuseRule], ExcuseRule]) -> ExcuseRule:
    """Take one version of a rule a step on."""
    found = models.rules_at([(code, version)])
    if not found:
        raise NOT_FOUND(what="excuse rule", id=f"{code}/{version}")
    versions = _versions(found[0])
    (rule,) = [one for one in versions if one.version == version]
    kept = step(rule)
    models.keep_rules([*_giving_way(versions, kept), kept])
    return kept


def _versions(rule: ExcuseRule) -> list[ExcuseRule]:
    """A rule's versions; its own strand is named, and that of everything it could overlap with."""
    name_keys([f"excuse-rule:{rule_code_of(rule.code)}", f"excuse-rules:{rule.programme}:{rule.entry_year}"])
    return models.rules_of(rule.code)


def _sound(rule: ExcuseRule) -> ExcuseRule:
    """The rule; Refusal when scheme, modules, curriculum or other rules speak against it by now."""
    modules = {one.code for one in models.modules_of([rule.queue])}
    check_rule(rule, scheme_by_code(rule.scheme), modules, courses_of(rule.programme, rule.entry_year))
    check_overlap(rule, models.rules_published([rule.queue]))
    return rule


def _giving_way(versions: Collection[ExcuseRule], kept: ExcuseRule) -> list[ExcuseRule]:
    """The published versions that retire as another is published."""
    if kept.state != RuleState.PUBLISHED:
        return []
    others = [one for one in versions if one.version != kept.version and one.state == RuleState.PUBLISHED]
    return [retired(one, clock.now()) for one in others]

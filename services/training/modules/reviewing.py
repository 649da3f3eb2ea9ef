"""Judge anew who is excused from what, for learners of whom something has changed, and announce what came of it.

Whatever may matter (a place, a student record, a mark, an exemption, a rule, a merge) marks the learner due in its own
transaction; here they are judged, 500 in a transaction, from all that is known. So nothing depends on what came first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import TypeVar

from chassis import waiters
from chassis.bus.outbox import append
from chassis.database import transactional
from chassis.strands import name_keys
from contracts.training import TrainingExcuseWithdrawn, TrainingModuleExcused
from services.training.classes.domain import Place
from services.training.classes.queries import places_after, places_of
from services.training.courses.domain import CourseResult
from services.training.courses.queries import results_in
from services.training.modules import models
from services.training.modules.domain import Excuse, ExcuseRule, Exemption
from services.training.modules.excuses import Facts, Rulebook, doubled, judged, reason_of
from services.training.students.commands import have_reviewed
from services.training.students.domain import REVIEW, StudentRecord
from services.training.students.queries import records_of

PLACES_AT_ONCE = 500
Of = TypeVar("Of", Place, StudentRecord, CourseResult, Exemption, Excuse)


@transactional
def review_learners(asked: Sequence[str]) -> None:
    """Judge anew what at most 500 learners are excused from, and announce what has changed, once.

    Who was merged into another meanwhile has nothing any more; the merge has made the survivor due. A strand is named
    behind what was read, yet of the same snapshot: whoever changed any of it since conflicts.
    """
    causes = {item: row["cause"] for item, row in waiters.facts_of(REVIEW, asked).items()}
    waiters.done(REVIEW, asked)
    if not models.has_rules():
        return
    excuses, places = models.excuses_of(asked), places_of(asked)
    book, held = _rulebook(places, excuses), _by_learner(excuses)
    concerned = _facts(places, book.rules.values(), held.keys())
    name_keys(f"learner:{facts.learner_id}" for facts in concerned)
    for facts in concerned:
        _keep(list(judged(facts, book, held.get(facts.learner_id, []))), causes.get(facts.learner_id, ""))


def _rulebook(places: Iterable[Place], excuses: Sequence[Excuse]) -> Rulebook:
    """The rules about what these learners are trained for, and those that their excuses rest on."""
    queues = {place.queue for place in places} | {one.queue for one in excuses}
    pinned = models.rules_at((one.rule, one.rule_version) for one in excuses)
    rules = {(rule.code, rule.version): rule for rule in [*pinned, *models.rules_published(queues)]}
    modules = {one.place: one for one in models.modules_of({rule.queue for rule in rules.values()})}
    return Rulebook(rules, modules)


def _facts(places: Iterable[Place], rules: Collection[ExcuseRule], excused: Set[str]) -> list[Facts]:
    """What is known of the learners whom any of these rules concerns, or who are excused by one."""
    ruled = {rule.queue for rule in rules}
    mine = _by_learner(place for place in places if place.queue in ruled)
    concerned = mine.keys() | excused
    records = _by_learner(records_of(concerned))
    results = _by_learner(results_in(concerned, {rule.course for rule in rules}))
    exemptions = _by_learner(models.exemptions_of(concerned))
    return [
        _facts_of(one, mine.get(one, []), records.get(one, []), exemptions.get(one, []), results.get(one, []))
        for one in sorted(concerned)
    ]


def _by_learner(found: Iterable[Of]) -> Mapping[str, list[Of]]:
    by_learner: dict[str, list[Of]] = {}
    for one in found:
        by_learner.setdefault(one.learner_id, []).append(one)
    return by_learner


def _facts_of(
    learner_id: str,
    places: Iterable[Place],
    records: Iterable[StudentRecord],
    exemptions: Iterable[Exemption],
    results: Sequence[CourseResult],
) -> Facts:
    return Facts(
        learner_id=learner_id,
        places={place.queue: place.state for place in places},
        records=frozenset((one.student_number, one.programme, one.entry_year) for one in records),
        exempted=frozenset((one.student_number, one.course) for one in exemptions if one.stands),
        results=sorted(results, key=lambda one: (one.given.term, one.id)),
    )


def _keep(changes: Sequence[tuple[Excuse | None, Excuse]], cause: str) -> None:
    """Keep what has changed; who is excused now and was not, or the other way round, is announced."""
    for before, after in changes:
        was_excused = before is not None and before.is_excused
        if after.is_excused == was_excused:
            models.keep_excuses([after])
            continue
        models.keep_excuses([replace(after, cause=cause)])
        append(_excused(after) if after.is_excused else _withdrawn(after), cause)


def _excused(one: Excuse) -> TrainingModuleExcused:
    return TrainingModuleExcused(
        learner_id=one.learner_id,
        scheme=one.scheme,
        level=one.level,
        module=one.module,
        module_name=one.module_name,
        class_hours=one.class_hours,
        course=one.course,
        term=one.term,
        result_id=one.result_id,
        rule=one.rule,
        rule_version=one.rule_version,
    )


def _withdrawn(one: Excuse) -> TrainingExcuseWithdrawn:
    reason_zh, reason_en = reason_of(one)
    return TrainingExcuseWithdrawn(
        learner_id=one.learner_id,
        scheme=one.scheme,
        level=one.level,
        module=one.module,
        module_name=one.module_name,
        class_hours=one.class_hours,
        course=one.course,
        term=one.term,
        result_id=one.result_id,
        rule=one.rule,
        rule_version=one.rule_version,
        code=str(one.ended),
        reason_en=reason_en,
        reason_zh=reason_zh,
    )


@transactional
def spread_rules() -> bool:
    """Have the next 500 places looked at for learners whom a published rule concerns; True when there may be more."""
    begun = models.first_spread()
    if begun is None:
        return False
    rule, after = begun
    name_keys([f"excuse-rule:{rule.code}"])
    places = places_after(after, PLACES_AT_ONCE)
    cause = f"excuse-rule:{rule.code}:{rule.version}"
    have_reviewed((place.learner_id, cause) for place in places if place.queue == rule.queue)
    models.move_spread(rule, places[-1].application_id if len(places) == PLACES_AT_ONCE else "")
    return True


@transactional
def keep_exemptions(exemptions: Sequence[Exemption]) -> None:
    """Keep for which courses credit has bought an exemption: their marks excuse from no training."""
    name_keys(f"learner:{one.learner_id}" for one in exemptions)
    models.keep_exemptions(exemptions)


@transactional
def move_excuses(survivor_id: str, merged_id: str) -> None:
    """Two learners were one person: the survivor is excused from what either was, and exempted from what both were."""
    kept, before = doubled(models.excuses_of([survivor_id, merged_id]), survivor_id)
    models.drop_excuses(before)
    models.keep_excuses(kept)
    models.give_exemptions(survivor_id, merged_id)

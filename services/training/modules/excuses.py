"""Who is excused from which module: judged from what is known of a learner, in whatever order it came; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.training.classes.domain import PlaceState, Queue
from services.training.courses.domain import CourseResult
from services.training.modules.domain import Ended, Excuse, ExcuseRule, RuleState, TrainingModule


@dataclass(frozen=True)
class Facts:
    """What is known of one learner: places by what they are for, records and exemptions by student number, results."""

    learner_id: str
    places: Mapping[Queue, PlaceState] = field(default_factory=dict)
    records: frozenset[tuple[str, str, int]] = frozenset()  # student number, programme, entry year
    exempted: frozenset[tuple[str, str]] = frozenset()  # student number, course
    results: Sequence[CourseResult] = ()

    def studies(self, student_number: str, rule: ExcuseRule) -> bool:
        """Whether this student is of the rule's programme and entry year."""
        return (student_number, rule.programme, rule.entry_year) in self.records


@dataclass(frozen=True)
class Rulebook:
    """The rules by version, those no longer published that some excuse rests on among them, and modules by place."""

    rules: Mapping[tuple[str, int], ExcuseRule]
    modules: Mapping[str, TrainingModule]

    def published(self, queue: Queue) -> list[ExcuseRule]:
        """The rules about a training that excuse by now, in the order of their codes."""
        found = [one for one in self.rules.values() if one.queue == queue and one.state == RuleState.PUBLISHED]
        return sorted(found, key=lambda one: (one.code, one.version))


def judged(facts: Facts, book: Rulebook, excuses: Iterable[Excuse]) -> Iterator[tuple[Excuse | None, Excuse]]:
    """Every excuse of a learner that is another one now: as it was, and as it is."""
    known = {(one.queue, one.module): one for one in excuses}
    trainings = facts.places.keys() | {queue for queue, _ in known}
    asked = {(rule.queue, rule.module) for queue in trainings for rule in book.published(queue)}
    for queue, module in sorted(asked | known.keys()):
        before = known.get((queue, module))
        after = _judged(facts, book, queue, module, before)
        if after is not None and after != before:
            yield before, after


def _judged(facts: Facts, book: Rulebook, queue: Queue, module: str, before: Excuse | None) -> Excuse | None:
    state = facts.places.get(queue)
    if state is None:  # another training of these falls under the rules of its time
        return replace(before, is_excused=False, ended=Ended.PLACE) if before else None
    ground = _ground(facts, _candidates(book, queue, module, before), before)
    if before is not None and before.is_excused:
        return _held(facts, book, before, ground, is_completed=state is PlaceState.COMPLETED)
    if ground is None or state is PlaceState.COMPLETED:
        return before  # who has completed a training needs no excuse from it
    return _excuse(facts.learner_id, book, queue, module, ground)


def _candidates(book: Rulebook, queue: Queue, module: str, before: Excuse | None) -> list[ExcuseRule]:
    """The rules that may excuse from a module: first the version an excuse rests on, retired or not, as long as the
    place it was given for is there."""
    pinned = book.rules.get((before.rule, before.rule_version)) if before and before.ended is not Ended.PLACE else None
    others = [one for one in book.published(queue) if one.module == module and one != pinned]
    return [pinned, *others] if pinned else others


Ground = tuple[ExcuseRule, CourseResult]


def _ground(facts: Facts, rules: Iterable[ExcuseRule], before: Excuse | None) -> Ground | None:
    """The rule and result that excuse; those that did stay as long as they do, else the earliest of the first rule."""
    found = [(rule, result) for rule in rules for result in facts.results if excuses_by(rule, result, facts)]
    mine = [one for one in found if before and _rests_on(before, *one)]
    return next(iter(mine or found), None)


def _rests_on(excuse: Excuse, rule: ExcuseRule, result: CourseResult) -> bool:
    return (excuse.rule, excuse.rule_version, excuse.result_id) == (rule.code, rule.version, result.id)


def excuses_by(rule: ExcuseRule, result: CourseResult, facts: Facts) -> bool:
    """Whether a course result is what a rule asks for, of one who studies what it says and sat the course."""
    number, course = result.given.student_number, result.given.course
    if course != rule.course or not facts.studies(number, rule) or (number, course) in facts.exempted:
        return False
    return is_passed(result, rule.least_mark) and rule.covers(result.given.term)


def is_passed(result: CourseResult, least_mark: int | None) -> bool:
    """Whether a result is final and passed, with this mark or a better one."""
    is_final = result.is_told and not result.is_withdrawn and not result.waits_for
    return is_final and result.passed and (least_mark is None or result.given.mark >= least_mark)


def _held(facts: Facts, book: Rulebook, before: Excuse, ground: Ground | None, is_completed: bool) -> Excuse:
    """An excuse as it stands on: on its ground, on another, or none; a training that is completed keeps it."""
    if ground is not None:
        return _resting_on(before, *ground)
    why = _ended(facts, book, before)
    return replace(before, ended=why, is_excused=is_completed)


def _ended(facts: Facts, book: Rulebook, before: Excuse) -> Ended:
    """What took an excuse's ground."""
    number = before.result_id.partition(":")[0]
    if (number, before.course) in facts.exempted:
        return Ended.EXEMPTED
    rule = book.rules.get((before.rule, before.rule_version))
    return Ended.RESULT if rule and facts.studies(number, rule) else Ended.RECORD


def _excuse(learner_id: str, book: Rulebook, queue: Queue, code: str, ground: Ground) -> Excuse:
    scheme, level = queue
    rule, result = ground
    module = book.modules[f"{scheme}:{int(level)}:{code}"]
    return Excuse(
        learner_id=learner_id,
        scheme=scheme,
        level=level,
        module=code,
        module_name=module.name,
        class_hours=module.class_hours,
        course=result.given.course,
        term=result.given.term,
        mark=result.given.mark,
        result_id=result.id,
        rule=rule.code,
        rule_version=rule.version,
    )


def _resting_on(excuse: Excuse, rule: ExcuseRule, result: CourseResult) -> Excuse:
    """An excuse with the rule and result it stands on."""
    return replace(
        excuse,
        course=result.given.course,
        term=result.given.term,
        mark=result.given.mark,
        result_id=result.id,
        rule=rule.code,
        rule_version=rule.version,
        ended=None,
    )


def doubled(excuses: Iterable[Excuse], survivor_id: str) -> tuple[list[Excuse], list[Excuse]]:
    """Of two learners who are one: what they have together, one of a module, and what is dropped for it.

    What excuses stays before what was taken back, and of two alike the survivor's.
    """
    kept: dict[tuple[Queue, str], Excuse] = {}
    given = list(excuses)
    for one in sorted(given, key=lambda one: (not one.is_excused, one.learner_id != survivor_id)):
        kept.setdefault((one.queue, one.module), one)
    return [replace(one, learner_id=survivor_id) for one in kept.values()], given


def sentence_of(excuse: Excuse, basis: str, least_mark: int | None, scheme: str) -> tuple[str, str]:
    """Why somebody is excused from a module or is no more, in Chinese and English."""
    least_zh = f"成绩不低于 {least_mark} 分" if least_mark is not None else "成绩合格"
    least_en = f"a mark of {least_mark} or better" if least_mark is not None else "a pass"
    rule = f"{excuse.rule} v{excuse.rule_version}"
    zh = (
        f"课程 {excuse.course}（{excuse.term} 学期，成绩 {excuse.mark}）符合{basis}（免训规则 {rule}，"
        f"要求{least_zh}），据此免训“{scheme}”{excuse.level.zh}培训模块“{excuse.module_name}”"
        f"（{excuse.class_hours} 学时）。"
    )
    en = (
        f"Course {excuse.course} ({excuse.term}, mark {excuse.mark}) excuses from the module '{excuse.module_name}' "
        f"({excuse.class_hours} class hours) of the training for {scheme}, {excuse.level.en}, by {basis} (excuse rule "
        f"{rule}, which asks for {least_en})."
    )
    more_zh, more_en = _since(excuse)
    return zh + more_zh, en + more_en


def _since(excuse: Excuse) -> tuple[str, str]:
    """What has become of an excuse whose ground is gone."""
    if excuse.ended is None:
        return "", ""
    zh, en = reason_of(excuse)
    if excuse.is_excused:
        stays = "the training was completed before, so this stays"
        return f"此后{zh}；因培训此前已结业，免训保留。", f" Since then {en}; {stays}."
    return f"此后{zh}，免训已撤回。", f" Since then {en}, so this was taken back."


def reason_of(excuse: Excuse) -> tuple[str, str]:
    """What took an excuse's ground, in Chinese and English."""
    course = excuse.course
    reasons = {
        Ended.PLACE: ("已不再占有该培训名额", "the place in this training is gone"),
        Ended.EXEMPTED: (
            f"课程 {course} 已以学分转换免修，免修的成绩不能作为免训依据",
            f"course {course} was itself exempted for credit, so its mark excuses from no training",
        ),
        Ended.RECORD: ("学籍的专业或年级已变更", "the student record is of another programme or entry year"),
        Ended.RESULT: (
            f"课程 {course} 的成绩已更正或撤回，不再符合规则",
            f"the result of course {course} was corrected or withdrawn and is not what the rule asks for any more",
        ),
    }
    return reasons[excuse.ended] if excuse.ended else ("", "")

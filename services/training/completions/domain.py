"""What a row of a completion sheet means, and what it changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from chassis.errors import Ground, Refusal
from contracts.terms import NOT_ENROLLED, Level, level_of, plain
from services.training.classes.domain import Place, TrainingClass
from services.training.modules.domain import Excuse
from services.training.schemes.domain import Scheme

NO_PLACE = Ground(
    "no_place",
    en="The learner still waits for a place in a class for {scheme}, level {level}. Open or widen a class first.",
    zh="该学习者尚在等待 {scheme} {level} 级的班级名额，请先开班或扩大名额。",
)
TRAINING_RESULT_UNKNOWN = Ground(
    "training_result_unknown",
    en="'{text}' is not a training result. Write 合格 or 不合格.",
    zh="“{text}”不是有效的培训结果，请填写“合格”或“不合格”。",
)
CLASS_HOURS_RANGE = Ground(
    "class_hours_range",
    en="{hours} class hours cannot be: write a number from 1 to 2000, or leave the cell empty for those of the class.",
    zh="学时 {hours} 不合理，请填写 1 至 2000 的整数，或留空以采用班级学时。",
)
HOURS_EXCUSED = Ground(
    "class_hours_excused",
    en="Excused from {modules}: {excused} of {hours} class hours, {sat} were sat.",
    zh="已免训模块：{modules}，计 {excused} 学时；班级 {hours} 学时中实修 {sat} 学时。",
)
HOURS_SHORT = Ground(
    "class_hours_short",
    en="{sat} of {hours} class hours were sat and {excused} are excused: {missing} are missing. Check the number.",
    zh="班级 {hours} 学时中实修 {sat} 学时、免训 {excused} 学时，尚缺 {missing} 学时，请核对。",
)
ALREADY_COMPLETED = Ground(
    "already_completed",
    en="This training counts as completed since {completed_on}; a sheet cannot make it failed. Ask the registry.",
    zh="该培训已于 {completed_on} 确认合格并已通知考务，不能通过表格改为不合格，请联系教务。",
)

RESULT_WORDS = {"合格": True, "通过": True, "passed": True, "不合格": False, "未通过": False, "failed": False}
MOST_CLASS_HOURS = 2_000


@dataclass(frozen=True)
class Completion:
    """The end of one learner's training. By application; `passed` ones are announced once.

    `class_hours` were sat; `excused_hours` of the class's were not, because of modules the learner is excused from.
    """

    application_id: str
    learner_id: str
    class_code: str
    scheme: str
    level: Level
    class_hours: int
    passed: bool
    completed_on: date
    announced: bool = False
    excused_hours: int = 0


@dataclass(frozen=True)
class Known:
    """What a sheet is judged by: schemes by word, the learners' places and earlier completions, their classes, and the
    modules they are excused from."""

    schemes: Mapping[str, Scheme]
    places: Mapping[tuple[str, str, Level], Place]
    classes: Mapping[str, TrainingClass]
    completions: Mapping[str, Completion]
    excuses: Mapping[tuple[str, str, Level], Sequence[Excuse]]

    def excuses_at(self, place: Place) -> Sequence[Excuse]:
        """The modules that a place's learner is excused from."""
        return self.excuses.get((place.learner_id, place.scheme, place.level), ())


def known_of(
    schemes: Mapping[str, Scheme],
    places: Sequence[Place],
    classes: Mapping[str, TrainingClass],
    completions: Sequence[Completion],
    excuses: Mapping[tuple[str, str, Level], Sequence[Excuse]],
) -> Known:
    """Put what was read in the order in which it is asked for."""
    by_need = {(place.learner_id, place.scheme, place.level): place for place in places}
    return Known(schemes, by_need, classes, {one.application_id: one for one in completions}, excuses)


def passed_of(text: str) -> bool:
    """Read a training result."""
    passed = RESULT_WORDS.get(plain(text).lower())
    if passed is None:
        raise TRAINING_RESULT_UNKNOWN(text=text)
    return passed


def place_for(known: Known, learner_id: str, scheme: Scheme, level_text: str) -> Place:
    """The place that a row speaks of; refusals: level_unknown, not_enrolled, no_place."""
    level = level_of(level_text)
    place = known.places.get((learner_id, scheme.code, level))
    if place is None:
        raise NOT_ENROLLED(scheme=scheme.name, level=int(level))
    if not place.class_code:
        raise NO_PLACE(scheme=scheme.name, level=int(level))
    return place


def completion_of(
    place: Place, of_class: TrainingClass, excuses: Iterable[Excuse], hours: str, result: str, day: str
) -> Completion:
    """What a row says; without hours, those of the class count but for excused ones, and without a date the last day of
    the class."""
    excused = sum(one.class_hours for one in excuses)
    class_hours = int(hours) if hours else max(of_class.class_hours - excused, 0)
    least = 0 if excused >= of_class.class_hours else 1
    if not least <= class_hours <= MOST_CLASS_HOURS:
        raise CLASS_HOURS_RANGE(hours=class_hours)
    return Completion(
        application_id=place.application_id,
        learner_id=place.learner_id,
        class_code=place.class_code,
        scheme=place.scheme,
        level=place.level,
        class_hours=class_hours,
        passed=passed_of(result),
        completed_on=date.fromisoformat(day) if day else of_class.ends_on,
        excused_hours=min(excused, max(of_class.class_hours - class_hours, 0)),
    )


def notes_on(completion: Completion, of_class: TrainingClass, excuses: Sequence[Excuse]) -> tuple[Refusal, ...]:
    """What a row of somebody who completed is remarked for: hours that excuses stand for, and that are missing."""
    sat, excused, hours = completion.class_hours, completion.excused_hours, of_class.class_hours
    missing = hours - sat - excused
    if not completion.passed or sat >= hours:
        return ()
    modules = "、".join(f"{one.module_name} {one.class_hours}" for one in excuses)
    notes = (HOURS_EXCUSED(modules=modules, excused=excused, hours=hours, sat=sat),) if excused else ()
    short = (HOURS_SHORT(sat=sat, hours=hours, excused=excused, missing=missing),) if missing > 0 else ()
    return notes + short


def change(wanted: Completion, present: Completion | None) -> Literal["new", "changed", "unchanged"]:
    """What recording it would change; refusal: already_completed."""
    if present is None:
        return "new"
    if present.announced and not wanted.passed:
        raise ALREADY_COMPLETED(completed_on=present.completed_on)
    same = replace(wanted, announced=present.announced, learner_id=present.learner_id) == present
    return "unchanged" if same else "changed"

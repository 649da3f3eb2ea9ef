"""Modules of a training 培训模块, and excuse rules 免训规则: what they say, and what they must not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Ground
from contracts.terms import LEVEL_NOT_OFFERED, SCHEME_UNKNOWN, Level
from services.training.classes.domain import Queue
from services.training.courses.domain import given_out
from services.training.schemes.domain import Scheme

APPROVALS = 2
ATTENDANCE = "attendance"  # 免听: excused from attending, yet the exam was sat and its mark earned
MODULE_CODE, RULE_CODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,31}"), re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
MODULE_CODE_MALFORMED = Ground(
    "training_module_code_malformed",
    en="'{code}' can't be a module's code: 1 to 32 letters, digits, dots, dashes or underscores.",
    zh="“{code}”不能作为模块代码：应为 1 至 32 位字母、数字、点、连字符或下划线。",
)
RULE_CODE_MALFORMED = Ground(
    "excuse_rule_code_malformed",
    en="'{code}' can't be a rule's code: write small letters, digits and hyphens, 64 at most.",
    zh="“{code}”不能作为规则代码：请使用小写字母、数字和连字符，最多 64 个字符。",
)
WITHOUT_END = Ground(
    "excuse_rule_without_end",
    en="The excuse rule says no last day. Fill in valid_until.",
    zh="免训规则缺少截止日期，请填写 valid_until。",
)
WITHOUT_BASIS = Ground(
    "excuse_rule_without_basis",
    en="The excuse rule rests on nothing. Name the document that decides it in basis.",
    zh="免训规则缺少依据，请在 basis 中填写所依据的文件。",
)
ENDS_BEFORE = Ground(
    "excuse_rule_ends_before_it_begins",
    en="The last day {until} lies before the first, {first}. Correct one of them.",
    zh="截止日 {until} 早于起始日 {first}，请更正。",
)
MODULE_UNKNOWN = Ground(
    "training_module_unknown",
    en="The training for {scheme}, {level}, has no module {module}. Enter the module first, or check its code.",
    zh="“{scheme}”{level}培训中没有模块 {module}，请先录入该模块或核对代码。",
)
COURSE_NOT_TAUGHT = Ground(
    "excuse_course_not_taught",
    en="The curriculum of {programme}, entry year {entry_year}, has no course {course}. Check the codes, or publish "
    "the curriculum first.",
    zh="专业 {programme} {entry_year} 级的课程表中没有课程 {course}，请核对代码或先发布课程表。",
)
RULES_OVERLAP = Ground(
    "excuse_rules_overlap",
    en="Rule {code} already excuses from module {module} by course {course} for this programme and entry year from "
    "{first} to {until}. Retire it, or choose other days.",
    zh="规则 {code} 已在 {first} 至 {until} 对同一专业、年级规定以课程 {course} 免训模块 {module}，"
    "请先停用该规则或另选日期。",
    status=409,
)
NOT_IN_STATE = Ground(
    "excuse_rule_not_in_state",
    en="Version {version} of excuse rule {code} is {state}; this is done to one that is {needed}.",
    zh="免训规则 {code} 第 {version} 版的状态为 {state}，此操作要求状态为 {needed}。",
    status=409,
)
APPROVED_BEFORE = Ground(
    "excuse_rule_approved_by_you",
    en="You have approved this version of the excuse rule already. A second person has to.",
    zh="您已审批过免训规则的该版本，须由另一人审批。",
    status=409,
)


@dataclass(frozen=True)
class TrainingModule:
    """A part of the training for a scheme at a level, which takes so many class hours."""

    scheme: str
    level: Level
    code: str
    name: str
    class_hours: int

    @property
    def place(self) -> str:
        return f"{self.scheme}:{int(self.level)}:{self.code}"


class RuleState(StrEnum):
    DRAFT = "draft"
    APPROVED = "approved"
    PUBLISHED = "published"
    RETIRED = "retired"


@dataclass(frozen=True)
class ExcuseRule:
    """By which course, passed, those of a programme and entry year are excused from a module of a training.

    `basis`: the document that decides it. `least_mark`: None where a pass will do. Its days are those on which the
    marks of the course's term are given out. Once published nothing of a version changes but its retirement.
    """

    code: str
    version: int
    basis: str
    scheme: str
    level: Level
    module: str
    programme: str
    entry_year: int
    course: str
    valid_from: date
    valid_until: date
    least_mark: int | None = None
    state: RuleState = RuleState.DRAFT
    drafted_by: str = ""
    approved_by: tuple[str, ...] = ()
    published_at: datetime | None = None
    retired_at: datetime | None = None

    @property
    def queue(self) -> Queue:
        return self.scheme, self.level

    @property
    def subject(self) -> tuple[str, Level, str, str, int, str]:
        """From what it excuses whom by what."""
        return self.scheme, self.level, self.module, self.programme, self.entry_year, self.course

    def content(self) -> ExcuseRule:
        """What it says, without its life."""
        return replace(
            self, version=0, state=RuleState.DRAFT, drafted_by="", approved_by=(), published_at=None, retired_at=None
        )

    def covers(self, term: str) -> bool:
        """Whether marks of a term are given out on one of its days, whenever they come."""
        return self.valid_from <= given_out(term).date() <= self.valid_until

    def meets(self, other: ExcuseRule) -> bool:
        """Whether both say something of the same on the same day."""
        both = max(self.valid_from, other.valid_from) <= min(self.valid_until, other.valid_until)
        return self.subject == other.subject and both


class Ended(StrEnum):
    """Why nothing excuses any more."""

    PLACE = "excuse_place_gone"
    EXEMPTED = "excuse_course_exempted"
    RECORD = "excuse_record_changed"
    RESULT = "excuse_result_changed"


@dataclass(frozen=True, slots=True)
class Excuse:
    """A learner and a module, the course that excused from it, and the rule's version that said so.

    `ended`: why it was taken back; where it stands all the same, the training was completed before that.
    """

    learner_id: str
    scheme: str
    level: Level
    module: str
    module_name: str
    class_hours: int
    course: str
    term: str
    mark: int
    result_id: str
    rule: str
    rule_version: int
    is_excused: bool = True
    ended: Ended | None = None
    cause: str = ""

    @property
    def place(self) -> str:
        return f"{self.learner_id}:{self.scheme}:{int(self.level)}:{self.module}"

    @property
    def queue(self) -> Queue:
        return self.scheme, self.level


@dataclass(frozen=True, slots=True)
class Exemption:
    """A course of a student from which, or from a module of which, credit has bought an exemption.

    `is_over`: it was withdrawn, which of one application happens once and is the last that is heard of it.
    """

    application_id: str
    learner_id: str
    student_number: str
    course: str
    kind: str
    is_over: bool = False

    @property
    def stands(self) -> bool:
        """Whether the course's mark is not all the student's own."""
        return not self.is_over and self.kind != ATTENDANCE


def module_code_of(code: str) -> str:
    """Check a module's code."""
    if not MODULE_CODE.fullmatch(code):
        raise MODULE_CODE_MALFORMED(code=code)
    return code


def rule_code_of(code: str) -> str:
    """Check a rule's code."""
    if not RULE_CODE.fullmatch(code):
        raise RULE_CODE_MALFORMED(code=code)
    return code


def level_at(scheme: Scheme | None, code: str, level: int) -> Level:
    """A level that a scheme has; refusals: scheme_unknown, level_not_offered."""
    if scheme is None:
        raise SCHEME_UNKNOWN(text=code)
    if level not in scheme.levels:
        raise LEVEL_NOT_OFFERED(scheme=scheme.name, level=level, offered="、".join(one.zh for one in scheme.levels))
    return Level(level)


def check_rule(rule: ExcuseRule, scheme: Scheme | None, modules: Collection[str], courses: Collection[str]) -> None:
    """Refuse a rule without basis or end, for a level or module that is not, or by a course that nobody is taught."""
    if not rule.basis.strip():
        raise WITHOUT_BASIS()
    if rule.valid_until < rule.valid_from:
        raise ENDS_BEFORE(first=rule.valid_from.isoformat(), until=rule.valid_until.isoformat())
    level = level_at(scheme, rule.scheme, rule.level)
    if rule.module not in modules:
        raise MODULE_UNKNOWN(scheme=scheme.name if scheme else rule.scheme, level=level.zh, module=rule.module)
    if rule.course not in courses:
        raise COURSE_NOT_TAUGHT(programme=rule.programme, entry_year=rule.entry_year, course=rule.course)


def check_overlap(rule: ExcuseRule, published: Iterable[ExcuseRule]) -> None:
    """Refuse a rule that says on some day what another rule's published version says, too."""
    for other in published:
        if other.code != rule.code and rule.meets(other):
            days = {"first": other.valid_from.isoformat(), "until": other.valid_until.isoformat()}
            raise RULES_OVERLAP(code=other.code, module=other.module, course=other.course, **days)


def drafted(versions: Iterable[ExcuseRule], rule: ExcuseRule) -> ExcuseRule | None:
    """The draft, in the place of a draft there is or as the next version; None where that is said already."""
    latest = max(versions, key=lambda one: one.version, default=None)
    if latest is None:
        return replace(rule, version=1)
    if latest.state != RuleState.RETIRED and latest.content() == rule.content():
        return None
    return replace(rule, version=latest.version + (latest.state != RuleState.DRAFT))


def approved(rule: ExcuseRule, by: str) -> ExcuseRule:
    """The draft with one more approval; with two, of two people, it is approved."""
    _check_state(rule, RuleState.DRAFT)
    if by in rule.approved_by:
        raise APPROVED_BEFORE()
    approvals = (*rule.approved_by, by)
    return replace(
        rule, approved_by=approvals, state=RuleState.APPROVED if len(approvals) >= APPROVALS else RuleState.DRAFT
    )


def published(rule: ExcuseRule, at: datetime) -> ExcuseRule:
    """The approved version as it is published."""
    _check_state(rule, RuleState.APPROVED)
    return replace(rule, state=RuleState.PUBLISHED, published_at=at)


def retired(rule: ExcuseRule, at: datetime) -> ExcuseRule:
    """The published version as it is retired: it excuses nobody more, and stands for whom it has excused."""
    _check_state(rule, RuleState.PUBLISHED)
    return replace(rule, state=RuleState.RETIRED, retired_at=at)


def _check_state(rule: ExcuseRule, needed: RuleState) -> None:
    if rule.state != needed:
        raise NOT_IN_STATE(version=rule.version, code=rule.code, state=str(rule.state), needed=str(needed))

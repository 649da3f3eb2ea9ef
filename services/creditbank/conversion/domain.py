"""Policy documents 管理办法 and conversion rules 转换规则: what they say, and what they must not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from chassis.errors import Ground
from contracts.terms import LEVEL_NOT_OFFERED, SCHEME_UNKNOWN, CourseKind, Level
from services.creditbank.curricula.domain import Course, Curriculum

APPROVALS = 2
CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
CODE_MALFORMED = Ground(
    "conversion_code_malformed",
    en="'{code}' can't be a code: write small letters, digits and hyphens, 64 at most.",
    zh="“{code}”不能作为代码：请使用小写字母、数字和连字符，最多 64 个字符。",
)
WITHOUT_END = Ground(
    "conversion_rule_without_end",
    en="The rule says no last day. Fill in valid_until.",
    zh="规则缺少截止日期，请填写 valid_until。",
)
ENDS_BEFORE = Ground(
    "conversion_ends_before_it_begins",
    en="The last day {until} lies before the first, {first}. Correct one of them.",
    zh="截止日 {until} 早于起始日 {first}，请更正。",
)
POLICY_UNKNOWN = Ground(
    "conversion_policy_unknown",
    en="No policy document '{policy}' is kept here that holds from {first} to {until}. Enter it first.",
    zh="系统中没有在 {first} 至 {until} 期间有效的管理办法“{policy}”，请先录入。",
)
TARGET_REPEATED = Ground(
    "conversion_target_repeated",
    en="{target} stands in the rule twice. Remove one.",
    zh="规则中 {target} 重复出现，请删除其一。",
)
TARGET_NOT_TAUGHT = Ground(
    "conversion_target_not_taught",
    en="The curriculum of {programme}, entry year {entry_year}, has no {target}. Check the codes.",
    zh="专业 {programme} {entry_year} 级培养方案中没有 {target}，请核对课程或模块代码。",
)
TARGET_POINTS_DIFFER = Ground(
    "conversion_points_differ",
    en="{target} has {taught} points in the curriculum, the rule says {said}. They must agree.",
    zh="{target} 在培养方案中为 {taught} 积分，规则写作 {said}，两者须一致。",
)
TARGET_NEVER_EXEMPT = Ground(
    "conversion_never_exempt",
    en="Nobody is excused from {target}: {policy} or the curriculum rules it out.",
    zh="{target} 属于不得免修的课程（{policy} 或培养方案规定）。",
)
ABOVE_CERTIFICATE_CAP = Ground(
    "conversion_above_certificate_cap",
    en="{policy} lets one certificate replace {most} points at most; with {target} it would be {sum}.",
    zh="{policy} 规定一项证书最多置换积分 {most}，加上 {target} 将达 {sum}。",
)
RULES_OVERLAP = Ground(
    "conversion_rules_overlap",
    en="Rule {code} already converts to {target} for this programme, entry year, certificate and level from {first} to "
    "{until}. Retire it, or choose other days.",
    zh="规则 {code} 已在 {first} 至 {until} 对同一专业、年级、证书与等级规定了 {target}，请先停用该规则或另选日期。",
    status=409,
)
NOT_IN_STATE = Ground(
    "conversion_rule_not_in_state",
    en="Version {version} of rule {code} is {state}; this is done to one that is {needed}.",
    zh="规则 {code} 第 {version} 版的状态为 {state}，此操作要求状态为 {needed}。",
    status=409,
)
APPROVED_BEFORE = Ground(
    "conversion_rule_approved_by_you",
    en="You have approved this version already. A second person has to.",
    zh="您已审批过该版本，须由另一人审批。",
    status=409,
)
DECIDED_BEFORE = Ground(
    "conversion_rule_decided",
    en="Rule {code} was decided by people; a default no longer takes its place. Draft a new version.",
    zh="规则 {code} 已经正式审定，不能再以默认值代替，请起草新版本。",
    status=409,
)
POLICY_NOT_IN_STATE = Ground(
    "conversion_policy_not_in_state",
    en="Version {version} of policy document {code} is {state}; this is done to one that is {needed}.",
    zh="管理办法 {code} 第 {version} 版的状态为 {state}，此操作要求状态为 {needed}。",
    status=409,
)
POLICY_APPROVED_BEFORE = Ground(
    "conversion_policy_approved_by_you",
    en="You have approved this version of the policy document already. A second person has to.",
    zh="您已审批过管理办法的该版本，须由另一人审批。",
    status=409,
)
POLICY_DECIDED_BEFORE = Ground(
    "conversion_policy_decided",
    en="Policy document {code} was decided by people; a default no longer takes its place. Draft a new version.",
    zh="管理办法 {code} 已经正式审定，不能再以默认值代替，请起草新版本。",
    status=409,
)
STEPS_WRONG = Ground(
    "policy_steps_wrong",
    en="The steps are department, registry, teo and bank in this order, each once, and registry is never left out.",
    zh="审批环节依次为院系、教务、培训评价组织、学分银行，各至多一次，且不得缺少教务。",
)
WINDOWS_WRONG = Ground(
    "policy_windows_wrong",
    en="The window of term {term} closes before it opens, or stands there twice.",
    zh="学期 {term} 的申请时段结束早于开始，或重复出现。",
)


class Step(StrEnum):
    """Who looks at an application, in this order."""

    DEPARTMENT = "department"  # 院系审核
    REGISTRY = "registry"  # 教务审批
    TEO = "teo"  # 培训评价组织复核
    BANK = "bank"  # 学分银行确认
    APPEAL = "appeal"  # 申诉复核: after a refusal, by the registry; no policy lists it among its steps


REVIEW_STEPS = tuple(one for one in Step if one != Step.APPEAL)


class ExemptionKind(StrEnum):
    COURSE = "course"  # 免修
    ATTENDANCE = "attendance"  # 免听
    EXAM = "exam"  # 免考
    REPLACED = "replaced"  # 课程替代

    @property
    def zh(self) -> str:
        return {"course": "免修", "attendance": "免听", "exam": "免考", "replaced": "课程替代"}[self.value]


class RuleState(StrEnum):
    DRAFT = "draft"
    APPROVED = "approved"
    PUBLISHED = "published"
    RETIRED = "retired"


@dataclass(frozen=True)
class Window:
    """The days, the last included, on which applications for a term are taken."""

    term: str
    opens_on: date
    closes_on: date


@dataclass(frozen=True)
class StepDays:
    """A step that is switched on, and how many working days it has."""

    step: Step
    working_days: int


@dataclass(frozen=True)
class Share:
    """How much of a curriculum's total a category of learner may have by conversion, in percent.

    The category is those of some departments, such as continuing education 继续教育; of none named, everybody.
    """

    category: str
    percent: int
    departments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policy:
    """A policy document 管理办法 and what it rules, as data. Once published, a version is never changed.

    `shares`: categories not named have no such cap. `credit_years`: how long a pass may be converted, 0 for ever.
    `appeal_days`: the working days in which a refusal may be appealed, 0 never; `appeal_review_days`: in which an
    appeal is decided.
    """

    code: str
    version: int
    title: str
    number: str
    issued_on: date
    valid_from: date
    valid_until: date
    most_points_per_certificate: int
    shares: tuple[Share, ...] = ()
    never_exempt_kinds: tuple[CourseKind, ...] = ()
    windows: tuple[Window, ...] = ()
    steps: tuple[StepDays, ...] = (StepDays(Step.DEPARTMENT, 3), StepDays(Step.REGISTRY, 5))
    offer_days: int = 3
    undo_minutes: int = 30
    credit_years: int = 0
    appeal_days: int = 5
    appeal_review_days: int = 5
    is_folklore_default: bool = False
    state: RuleState = RuleState.DRAFT
    drafted_by: str = ""
    approved_by: tuple[str, ...] = ()
    published_at: datetime | None = None

    def says(self, other: Policy) -> bool:
        """Whether it says the same as another, apart from its life."""
        return self.content() == other.content()

    def content(self) -> Policy:
        """What it says, without its life."""
        return replace(self, version=0, state=RuleState.DRAFT, drafted_by="", approved_by=(), published_at=None)

    def window_on(self, day: date) -> Window | None:
        """The window in which a day lies."""
        return next((one for one in self.windows if one.opens_on <= day <= one.closes_on), None)

    def step_after(self, step: Step | None) -> StepDays | None:
        """The step that follows; the first one for None. An appeal is the last there is."""
        if step == Step.APPEAL:
            return None
        steps = [one.step for one in self.steps]
        place = steps.index(step) + 1 if step in steps else 0
        return self.steps[place] if place < len(self.steps) else None

    def share_of(self, department: str) -> Share | None:
        """The narrowest share that applies to a department's learners: one that names it goes before a general one."""
        fitting = [one for one in self.shares if not one.departments or department in one.departments]
        return min(fitting, key=lambda one: (not one.departments, one.percent), default=None)

    def days_of(self, step: Step) -> int:
        """How many working days a step has."""
        if step == Step.APPEAL:
            return self.appeal_review_days
        return next((one.working_days for one in self.steps if one.step == step), 0)


@dataclass(frozen=True)
class Target:
    """A course, or one module of it, and how it is recorded: 合格, 免修, 60, 80."""

    course: str
    credit_points: int
    grade: str
    kind: ExemptionKind = ExemptionKind.COURSE
    module: str = ""

    @property
    def code(self) -> str:
        """The module's code where it is about one, else the course's."""
        return self.module or self.course

    def points_in(self, course: Course) -> int | None:
        """The points of its course, or of its module there; None where the course has no such module."""
        if not self.module:
            return course.credit_points
        return next((one.credit_points for one in course.modules if one.code == self.module), None)

    def meets(self, other: Target) -> bool:
        """Whether both excuse from some of the same: one target, or a course and a module of it."""
        return self.course == other.course and (self.module == other.module or not self.module or not other.module)


@dataclass(frozen=True)
class ConversionRule:
    """What one certificate at one of some levels converts to, for one programme and entry year.

    One-to-one has a level and a target, many-to-one several levels, one-to-many several targets. Once published
    nothing of a version changes but its retirement.
    """

    code: str
    version: int
    policy: str
    programme: str
    entry_year: int
    scheme: str
    levels: tuple[Level, ...]
    targets: tuple[Target, ...]
    valid_from: date
    valid_until: date
    note: str = ""
    is_folklore_default: bool = False
    state: RuleState = RuleState.DRAFT
    drafted_by: str = ""
    approved_by: tuple[str, ...] = ()
    published_at: datetime | None = None
    retired_at: datetime | None = None

    def says(self, other: ConversionRule) -> bool:
        """Whether it says the same as another, apart from its life."""
        return self.content() == other.content()

    def content(self) -> ConversionRule:
        """What it says, without its life."""
        return replace(
            self, version=0, state=RuleState.DRAFT, drafted_by="", approved_by=(), published_at=None, retired_at=None
        )

    def holds_on(self, day: date) -> bool:
        return self.state == RuleState.PUBLISHED and self.valid_from <= day <= self.valid_until

    def meeting(self, other: ConversionRule) -> Target | None:
        """A target that another rule converts to as well, at the same time for the same level."""
        if not set(self.levels) & set(other.levels):
            return None
        if max(self.valid_from, other.valid_from) > min(self.valid_until, other.valid_until):
            return None
        return next((one for one in self.targets if any(one.meets(that) for that in other.targets)), None)

    def place(self) -> tuple[str, int, str]:
        return self.programme, self.entry_year, self.scheme


@dataclass(frozen=True)
class SchemeLevels:
    """A scheme, what it is called, the levels it has, whose it is, and what else it is called."""

    code: str
    name: str
    levels: tuple[Level, ...]
    teo: str = ""
    aliases: tuple[str, ...] = ()


def code_of(code: str) -> str:
    """Check a code of a policy or rule."""
    if not CODE.fullmatch(code):
        raise CODE_MALFORMED(code=code)
    return code


def check_policy(policy: Policy) -> None:
    """Refuse a policy that ends before it begins, or whose windows or steps make no sense."""
    if policy.valid_until < policy.valid_from:
        raise ENDS_BEFORE(first=policy.valid_from.isoformat(), until=policy.valid_until.isoformat())
    terms: set[str] = set()
    for window in policy.windows:
        if window.closes_on < window.opens_on or window.term in terms:
            raise WINDOWS_WRONG(term=window.term)
        terms.add(window.term)
    steps = [one.step for one in policy.steps]
    if Step.REGISTRY not in steps or steps != [one for one in REVIEW_STEPS if one in steps]:
        raise STEPS_WRONG()


def check_rule(
    rule: ConversionRule, policy: Policy | None, scheme: SchemeLevels | None, curriculum: Curriculum | None
) -> None:
    """Refuse a rule without a policy, for a level its scheme has not, or to what its curriculum has not.

    A curriculum that has not arrived contradicts nothing: each application is judged by it.
    """
    first, until = rule.valid_from.isoformat(), rule.valid_until.isoformat()
    if rule.valid_until < rule.valid_from:
        raise ENDS_BEFORE(first=first, until=until)
    if policy is None or not policy.valid_from <= rule.valid_from <= rule.valid_until <= policy.valid_until:
        raise POLICY_UNKNOWN(policy=rule.policy, first=first, until=until)
    if scheme is None:
        raise SCHEME_UNKNOWN(text=rule.scheme)
    for level in rule.levels:
        if level not in scheme.levels:
            offered = "、".join(one.zh for one in scheme.levels)
            raise LEVEL_NOT_OFFERED(scheme=scheme.name, level=level.zh, offered=offered)
    codes: set[tuple[str, str]] = set()
    for target in rule.targets:
        if (target.course, target.module) in codes:
            raise TARGET_REPEATED(target=target.code)
        codes.add((target.course, target.module))
        _check_target(target, policy, curriculum)


def _check_target(target: Target, policy: Policy, curriculum: Curriculum | None) -> None:
    most = policy.most_points_per_certificate
    if target.credit_points > most:
        raise ABOVE_CERTIFICATE_CAP(policy=policy.title, most=most, target=target.code, sum=target.credit_points)
    if curriculum is None:
        return
    course = course_of(curriculum, target)
    points = target.points_in(course)
    if points != target.credit_points:
        raise TARGET_POINTS_DIFFER(target=target.code, taught=points, said=target.credit_points)
    if course.is_never_exempt or course.kind in policy.never_exempt_kinds:
        raise TARGET_NEVER_EXEMPT(target=f"{course.name} {course.code}", policy=policy.title)


def course_of(curriculum: Curriculum, target: Target) -> Course:
    """The course a target means; Refusal where the curriculum has no such course or module."""
    course = curriculum.course(target.course)
    if course is None or target.points_in(course) is None:
        raise TARGET_NOT_TAUGHT(programme=curriculum.programme, entry_year=curriculum.entry_year, target=target.code)
    return course


def check_overlap(rule: ConversionRule, published: Iterable[ConversionRule]) -> None:
    """Refuse a rule that converts to what another rule's published version converts to, too."""
    for other in published:
        if other.code == rule.code or other.place() != rule.place():
            continue
        if target := rule.meeting(other):
            days = {"first": other.valid_from.isoformat(), "until": other.valid_until.isoformat()}
            raise RULES_OVERLAP(code=other.code, target=target.code, **days)


Version = TypeVar("Version", Policy, ConversionRule)


def drafted(versions: Iterable[Version], one: Version) -> Version | None:
    """What is drafted, in the place of a draft there is or as the next version; None where that is said already."""
    latest = max(versions, key=lambda each: each.version, default=None)
    if latest is None:
        return replace(one, version=1)
    if latest.state != RuleState.RETIRED and latest.says(one):
        return None
    return replace(one, version=latest.version + (latest.state != RuleState.DRAFT))


def policy_as_default(versions: Iterable[Policy], policy: Policy, at: datetime) -> Policy | None:
    """A folklore default: published at once where there is no version yet, else a draft as any other; None where a
    version says it already. Refusal once people decided."""
    known = list(versions)
    if any(one.state == RuleState.PUBLISHED and not one.is_folklore_default for one in known):
        raise POLICY_DECIDED_BEFORE(code=policy.code)
    if not known:
        return replace(policy, version=1, state=RuleState.PUBLISHED, published_at=at)
    return None if any(one.says(policy) for one in known) else drafted(known, policy)


def as_default(versions: Iterable[ConversionRule], rule: ConversionRule, at: datetime) -> ConversionRule | None:
    """A folklore default as the next published version; None where it stands already. Refusal once people decided."""
    known = list(versions)
    if any(not one.is_folklore_default for one in known):
        raise DECIDED_BEFORE(code=rule.code)
    if (draft := drafted(known, rule)) is None:
        return None
    return replace(draft, state=RuleState.PUBLISHED, published_at=at)


def approved(one: Version, by: str) -> Version:
    """The draft with one more approval; with two, of two people, it is approved."""
    _check_state(one, RuleState.DRAFT)
    if by in one.approved_by:
        raise POLICY_APPROVED_BEFORE() if isinstance(one, Policy) else APPROVED_BEFORE()
    approvals = (*one.approved_by, by)
    return replace(
        one, approved_by=approvals, state=RuleState.APPROVED if len(approvals) >= APPROVALS else RuleState.DRAFT
    )


def unapproved(one: Version) -> Version:
    """The version that is not published yet, without the approvals it has: a draft again."""
    if one.state != RuleState.APPROVED:
        _check_state(one, RuleState.DRAFT)
    return replace(one, approved_by=(), state=RuleState.DRAFT)


def published(one: Version, at: datetime) -> Version:
    """The approved version as it is published."""
    _check_state(one, RuleState.APPROVED)
    return replace(one, state=RuleState.PUBLISHED, published_at=at)


def retired(rule: ConversionRule, at: datetime) -> ConversionRule:
    """The published version as it is retired: nothing new is filed under it."""
    _check_state(rule, RuleState.PUBLISHED)
    return replace(rule, state=RuleState.RETIRED, retired_at=at)


def _check_state(one: Policy | ConversionRule, needed: RuleState) -> None:
    if one.state != needed:
        ground = POLICY_NOT_IN_STATE if isinstance(one, Policy) else NOT_IN_STATE
        raise ground(version=one.version, code=one.code, state=str(one.state), needed=str(needed))


def policy_for(versions: Iterable[Policy], day: date) -> Policy | None:
    """The version of a policy document that holds on a day: the latest of those that are published."""
    published_ones = [one for one in versions if one.state == RuleState.PUBLISHED]
    holding = [one for one in published_ones if one.valid_from <= day <= one.valid_until]
    return max(holding, key=lambda one: one.version, default=None)


def years_after(day: date, years: int) -> date:
    """The day so many years later; of a leap day the day before."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return (day - timedelta(days=1)).replace(year=day.year + years)

"""Whether an application may stand, by every rule that concerns it; pure, and asked again at every step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from chassis.errors import Ground
from contracts.terms import Level, StudyStatus
from services.creditbank.conversion.domain import ConversionRule, Policy, Target, course_of, years_after
from services.creditbank.curricula.domain import Curriculum
from services.creditbank.ledger.domain import CERTIFICATE_IS_REVOKED

NOT_ADMITTED = Ground(
    "not_admitted_yet",
    en="Credits are converted by students. Yours stay in the account, and count once you are admitted.",
    zh="学分转换面向在籍学生。积分保留在账户中，入学后即可使用。",
)
NOT_STUDYING = Ground(
    "not_studying_now",
    en="The student record {student_number} is {status}: nothing is converted for it now.",
    zh="学籍 {student_number} 的状态为 {status}，目前不能办理学分转换。",
)
NOT_YOUR_PROGRAMME = Ground(
    "not_your_programme",
    en="This rule is for programme {programme}, entry year {entry_year}, which is not yours.",
    zh="该规则适用于专业 {programme} {entry_year} 级，与您的学籍不符。",
)
RULE_NOT_IN_FORCE = Ground(
    "conversion_rule_not_in_force",
    en="Rule {code} is not in force on {day}. Choose one that is.",
    zh="规则 {code} 在 {day} 未生效，请选择生效中的规则。",
)
TARGET_NOT_IN_RULE = Ground(
    "conversion_target_not_in_rule",
    en="Rule {code} does not convert to {target}. Choose one of: {offered}.",
    zh="规则 {code} 不包含 {target}，可选：{offered}。",
)
WINDOW_CLOSED = Ground(
    "conversion_window_closed",
    en="Applications are not taken on {day}. The next window: {window}.",
    zh="{day} 不在申请时段内，下一时段：{window}。",
)
CURRICULUM_UNKNOWN = Ground(
    "curriculum_unknown_yet",
    en="The curriculum of {programme}, entry year {entry_year}, has not arrived here yet. Try again later.",
    zh="专业 {programme} {entry_year} 级的培养方案尚未到达，请稍后再试。",
    status=409,
)
NEVER_EXEMPT = Ground(
    "course_never_exempt",
    en="Nobody is excused from {course}: the curriculum or the policy rules it out.",
    zh="{course} 属于不得免修的课程（培养方案或管理办法规定）。",
)
COURSE_PASSED = Ground(
    "course_already_passed",
    en="{course} is passed already. Choose a course that is still to be taken or repeated.",
    zh="{course} 已经修读合格，请选择待修或需重修的课程。",
)
ALREADY_ASKED = Ground(
    "exemption_already_asked",
    en="Another application of yours is about {target} already. One is enough.",
    zh="您已有申请涉及 {target}，无需重复申请。",
    status=409,
)
REPLACED_ALREADY = Ground(
    "course_replaced_already",
    en="{course} is replaced by another certificate already, {scheme}. A course is replaced by at most one.",
    zh="{course} 已由另一证书（{scheme}）置换，一门课程至多由一项证书置换。",
)
LEVEL_NOT_PASSED = Ground(
    "level_not_passed",
    en="This takes a pass of {scheme} at: {levels}. There is none that counts.",
    zh="此项需要 {scheme} 的有效成绩，等级：{levels}，目前没有。",
)
CREDIT_EXPIRED = Ground(
    "credit_expired",
    en="The pass of {scheme} is of {passed_on}; it could be converted until {until}.",
    zh="{scheme} 的成绩日期为 {passed_on}，可转换期限至 {until}，已过期。",
)
CERTIFICATE_CAP = Ground(
    "certificate_cap",
    en="One certificate replaces {most} points at most; with this one it would be {sum}.",
    zh="一项证书最多置换积分 {most}，加上本项将达 {sum}。",
)
SHARE_CAP = Ground(
    "conversion_share_cap",
    en="As {category} you may have {most} points by conversion ({percent} % of {total}); with this it would be {sum}.",
    zh="{category}通过转换取得的积分上限为 {most}（{total} 的 {percent}%），加上本项将达 {sum}。",
)


@dataclass(frozen=True)
class Studies:
    """A student record, as far as it decides."""

    programme: str
    entry_year: int
    student_number: str
    department: str
    class_name: str
    status: StudyStatus


@dataclass(frozen=True)
class Passed:
    """A recognised pass of the certificate in question."""

    level: int
    is_final: bool
    passed_on: date


@dataclass(frozen=True)
class Claim:
    """What another standing application of the learner is about."""

    scheme: str
    target: Target


@dataclass(frozen=True)
class Case:
    """Everything that an application is judged by, as of now; `filed_on` is the day that counts for windows.

    `elsewhere_points`: what was converted before this system, or from other sources. `is_offered`: the bank offered it,
    so that no window is asked for. `is_revoked`: the certificate that the rule asks for was.
    """

    rule: ConversionRule
    target: Target
    policy: Policy
    filed_on: date
    studies: tuple[Studies, ...] = ()
    curriculum: Curriculum | None = None
    passed_courses: frozenset[str] = frozenset()
    passes: tuple[Passed, ...] = ()
    claims: tuple[Claim, ...] = ()
    elsewhere_points: int = 0
    is_offered: bool = False
    is_revoked: bool = False


@dataclass(frozen=True)
class Standing:
    """What a judged application stands on: a student record, and the highest pass that its rule asks for."""

    studies: Studies
    level: Level
    is_final: bool


def judge(case: Case) -> Standing:
    """Let an application stand, or refuse it by the first rule that speaks against it."""
    studies = _studies(case)
    _check_days(case)
    _check_course(case)
    _check_claims(case)
    best = _pass(case)
    if best.is_final and case.is_revoked:
        raise CERTIFICATE_IS_REVOKED(scheme=case.rule.scheme)
    _check_caps(case, studies)
    return Standing(studies, Level(best.level), best.is_final)


def share_most(policy: Policy, curriculum: Curriculum | None, department: str) -> int | None:
    """How many points those of a department may have by conversion; None where the policy names no share of theirs."""
    share = policy.share_of(department)
    return curriculum.credit_points_total * share.percent // 100 if share and curriculum else None


def has_ground(rule: ConversionRule, passes: Iterator[Passed] | tuple[Passed, ...]) -> bool:
    """Whether a final pass that the rule asks for still counts."""
    return any(one.is_final and one.level in rule.levels for one in passes)


def target_in(rule: ConversionRule, course: str, module: str) -> Target:
    """The rule's target of this course or module."""
    found = next((one for one in rule.targets if (one.course, one.module) == (course, module)), None)
    if found is None:
        offered = "、".join(one.code for one in rule.targets)
        raise TARGET_NOT_IN_RULE(code=rule.code, target=module or course, offered=offered)
    return found


def _studies(case: Case) -> Studies:
    if not case.studies:
        raise NOT_ADMITTED()
    place = case.rule.programme, case.rule.entry_year
    own = [one for one in case.studies if (one.programme, one.entry_year) == place]
    if not own:
        raise NOT_YOUR_PROGRAMME(programme=place[0], entry_year=place[1])
    active = next((one for one in own if one.status == StudyStatus.ENROLLED), None)
    if active is None:
        raise NOT_STUDYING(student_number=own[0].student_number, status=str(own[0].status))
    return active


def _check_days(case: Case) -> None:
    day = case.filed_on
    if not case.rule.valid_from <= day <= case.rule.valid_until:
        raise RULE_NOT_IN_FORCE(code=case.rule.code, day=day.isoformat())
    if case.is_offered or case.policy.window_on(day):
        return
    coming = min((one for one in case.policy.windows if one.opens_on > day), key=lambda one: one.opens_on, default=None)
    window = f"{coming.opens_on.isoformat()} – {coming.closes_on.isoformat()}" if coming else "–"
    raise WINDOW_CLOSED(day=day.isoformat(), window=window)


def _check_course(case: Case) -> None:
    if case.curriculum is None:
        raise CURRICULUM_UNKNOWN(programme=case.rule.programme, entry_year=case.rule.entry_year)
    course = course_of(case.curriculum, case.target)
    if course.is_never_exempt or course.kind in case.policy.never_exempt_kinds:
        raise NEVER_EXEMPT(course=f"{course.name} {course.code}")
    if case.target.course in case.passed_courses:
        raise COURSE_PASSED(course=f"{course.name} {course.code}")


def _check_claims(case: Case) -> None:
    for claim in case.claims:
        if claim.target.course == case.target.course and claim.scheme != case.rule.scheme:
            raise REPLACED_ALREADY(course=case.target.course, scheme=claim.scheme)
        if claim.target.meets(case.target):
            raise ALREADY_ASKED(target=case.target.code)


def _pass(case: Case) -> Passed:
    fitting = [one for one in case.passes if one.level in case.rule.levels]
    best = max(fitting, key=lambda one: (one.is_final, one.level), default=None)
    if best is None:
        levels = "、".join(one.zh for one in case.rule.levels)
        raise LEVEL_NOT_PASSED(scheme=case.rule.scheme, levels=levels)
    if case.policy.credit_years:
        until = years_after(best.passed_on, case.policy.credit_years)
        if case.filed_on > until:
            told = {"passed_on": best.passed_on.isoformat(), "until": until.isoformat()}
            raise CREDIT_EXPIRED(scheme=case.rule.scheme, **told)
    return best


def _check_caps(case: Case, studies: Studies) -> None:
    points = case.target.credit_points
    of_certificate = points + sum(one.target.credit_points for one in case.claims if one.scheme == case.rule.scheme)
    if of_certificate > case.policy.most_points_per_certificate:
        raise CERTIFICATE_CAP(most=case.policy.most_points_per_certificate, sum=of_certificate)
    share, most = case.policy.share_of(studies.department), share_most(case.policy, case.curriculum, studies.department)
    if share is None or case.curriculum is None or most is None:
        return
    converted = points + case.elsewhere_points + sum(one.target.credit_points for one in case.claims)
    if converted > most:
        told = {"most": most, "percent": share.percent, "total": case.curriculum.credit_points_total, "sum": converted}
        raise SHARE_CAP(category=share.category, **told)

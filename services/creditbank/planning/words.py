"""A plan in sentences of two languages: what is chosen and why, what is not, and what spending now forecloses; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chassis.errors import Refusal
from contracts.terms import Level, credits_of
from services.creditbank.conversion.judging import ALREADY_ASKED, REPLACED_ALREADY, Case
from services.creditbank.planning.hypotheses import Foreclosure, Price
from services.creditbank.planning.planner import Candidate, Choice, LeftOut, When
from services.creditbank.planning.rescuing import Overdue, Rescue

Names = Mapping[str, str]
Said = dict[str, Any]
WHEN = {
    When.NOW: ("现在即可申请", "It can be filed now"),
    When.IN_WINDOW: ("可自 {day} 申请时段开放起申请", "It can be filed once the window opens on {day}"),
    When.ONCE_FINAL: (
        "可自 {day} 起申请，待成绩生效且证书编号登记后审批",
        "It can be filed from {day} on, and waits until the result is final and the certificate's number on record",
    ),
}
# What the judge says of an application that stands, said of one that is only chosen.
BESIDE = {
    ALREADY_ASKED.code: ("两者涉及同一内容。", "both are about the same."),
    REPLACED_ALREADY.code: ("一门课程至多由一项证书置换。", "a course is replaced by at most one certificate."),
}


def target_named(case: Case) -> str:
    """A course, or a module of it, by name and code; by code alone where no curriculum names it."""
    target = case.target
    course = case.curriculum.course(target.course) if case.curriculum else None
    modules = course.modules if course else ()
    module = next((one.name for one in modules if one.code == target.module), "")
    name = module if target.module else course.name if course else ""
    return f"{name} {target.code}".strip()


def case_said(case: Case) -> Said:
    """What an exemption is about, by which rule and which certificate."""
    target, rule = case.target, case.rule
    return {
        "rule": rule.code,
        "rule_version": rule.version,
        "policy": case.policy.code,
        "policy_version": case.policy.version,
        "scheme": rule.scheme,
        "course": target.course,
        "module": target.module,
        "name": target_named(case),
        "credit_points": target.credit_points,
    }


def choice_said(one: Choice, names: Names) -> Said:
    """A choice: which certificate pays how much for what, by which rule and document, and from when on."""
    candidate, case = one.candidate, one.candidate.case
    level, name, scheme = candidate.standing.level, target_named(case), _named(case, names)
    cost, rule = credits_of(candidate.points), f"{case.rule.code} v{case.rule.version}"
    policy = " ".join(filter(None, (case.policy.title, case.policy.number)))
    zh_when, en_when = (words.format(day=case.filed_on.isoformat()) for words in WHEN[one.when])
    zh = f"以{scheme}{level.zh}的 {cost} 学分免修 {name}，依据转换规则 {rule}（{policy}）。{zh_when}。"
    en = f"{cost} credits of {scheme}, {level.en}, excuse from {name}, by rule {rule} ({policy}). {en_when}."
    return case_said(case) | {"level": int(level), "when": str(one.when), "file_on": case.filed_on, "zh": zh, "en": en}


def left_out_said(one: LeftOut, names: Names) -> Said:
    """What is not chosen: the rule that refuses it, or what is chosen instead."""
    zh, en = _sentences(one.refusal, names)
    if one.excluded_by:
        zh, en = BESIDE.get(one.refusal.code, (zh, en))
        beside = "、".join(target_named(other.case) for other in one.excluded_by)
        zh, en = f"已选 {beside}，故未选入：{zh}", f"Not beside {beside}: {en}"
    excluded_by = [place_said(other) for other in one.excluded_by]
    return case_said(one.case) | {"code": one.refusal.code, "excluded_by": excluded_by, "zh": zh, "en": en}


def place_said(one: Candidate) -> Said:
    """By what a choice is known among others."""
    rule, course, module = one.place
    return {"rule": rule, "course": course, "module": module}


def foreclosure_said(one: Foreclosure, spending: Case, names: Names) -> Said:
    """What can no longer be bought with a higher level, once this is spent now."""
    name, scheme, level = target_named(one.case), _named(one.case, names), one.level
    now, then = credits_of(spending.target.credit_points), credits_of(one.case.target.credit_points)
    lifted, left = credits_of(one.lifted), credits_of(one.left)
    zh = f"现在使用 {now} 学分，日后{level.zh}便不能再兑换 {name}"
    en = f"Spend {now} credits now and {level.en} can no longer buy {name}"
    if one.left < one.case.target.credit_points:
        zh += f"：{scheme}届时可用 {lifted} 学分，仅余 {left}，而该项需要 {then}。"
        en += f": {scheme} would then have {lifted} to spend, {left} would be left, and it costs {then}."
    else:
        zh_why, en_why = _sentences(one.refusal, names)
        zh, en = f"{zh}：{zh_why}", f"{en}: {en_why}"
    facts = {"level": int(level), "lifted_points": one.lifted, "left_points": one.left, "code": one.refusal.code}
    return case_said(one.case) | facts | {"file_on": one.file_on, "zh": zh, "en": en}


def price_said(one: Price, names: Names) -> Said:
    """What one more certificate would add: points, and exemptions that are not in the best set without it."""
    scheme, level, points = names.get(one.scheme, one.scheme), Level(one.level), credits_of(one.credit_points)
    more = one.after.points - one.before.points
    zh_extra, en_extra = _listed(one.extra, "、", "无"), _listed(one.extra, ", ", "none")
    zh = f"取得{scheme}{level.zh}可增加 {points} 学分；可免修的学分增加 {credits_of(more)}，新增：{zh_extra}。"
    en = f"{scheme}, {level.en}, would add {points} credits; {credits_of(more)} more could be exempted: {en_extra}."
    version = {"rule_version": one.version.version, "is_folklore_default": one.version.is_folklore_default}
    points_said = {"before_points": one.before.points, "after_points": one.after.points}
    extra = [_extra_said(other, one) for other in one.extra]
    dropped = [place_said(other) for other in one.dropped]
    said = {"scheme": one.scheme, "level": int(level), "credit_points": one.credit_points}
    return said | version | points_said | {"extra": extra, "dropped": dropped, "zh": zh, "en": en}


def _extra_said(other: Candidate, one: Price) -> Said:
    return case_said(other.case) | {"level": int(other.standing.level), "file_on": one.days[other.case.rule.code]}


def because_said(refusal: Refusal | None, names: Names) -> Said | None:
    """Why nothing at all can be chosen; None where something can."""
    if refusal is None:
        return None
    zh, en = _sentences(refusal, names)
    return {"code": refusal.code, "zh": zh, "en": en}


def _sentences(refusal: Refusal, names: Names) -> tuple[str, str]:
    """What a refusal says, with its certificate by name."""
    scheme = str(refusal.facts.get("scheme", ""))
    named = Refusal(refusal.ground, refusal.facts | ({"scheme": names.get(scheme, scheme)} if scheme else {}))
    return named.sentence("zh"), named.sentence("en")


def rescue_said(one: Rescue, names: Names) -> Said:
    """Who would miss graduation, with what they are behind, and what would save them."""
    record, behind, choices = one.record, one.behind, [choice_said(choice, names) for choice in one.choices]
    overdue = [_overdue_said(late) for late in behind.overdue]
    zh_late, en_late = (comma.join(late["name"] for late in overdue) for comma in ("、", ", "))
    zh_saves, en_saves = _saves(one, names)
    zh, en = f"未修得：{zh_late}。{zh_saves}", f"Behind with {en_late}. {en_saves}"
    told = ("learner_id", "student_number", "department", "class_name")
    return {name: getattr(record, name) for name in told} | {
        "overdue": overdue,
        "short_points": behind.short_points,
        "choices": choices,
        "is_saved": one.is_saved,
        "because": because_said(one.because, names),
        "zh": zh,
        "en": en,
    }


def _saves(one: Rescue, names: Names) -> tuple[str, str]:
    """What unspent credits excuse from and whether that is enough, or why nothing can be spent."""
    if one.because:
        return _sentences(one.because, names)
    candidates = [choice.candidate for choice in one.choices]
    zh, en = _listed(candidates, "、", "无"), _listed(candidates, ", ", "nothing")
    zh_end, en_end = ("可全部补足", "all is made up then") if one.is_saved else ("仍不能补足", "that is not enough")
    return f"可用未使用学分免修：{zh}，{zh_end}。", f"Unspent credits excuse from {en}: {en_end}."


def _overdue_said(late: Overdue) -> Said:
    course = late.course
    told = {"course": course.code, "name": f"{course.name} {course.code}".strip(), "kind": str(course.kind)}
    return told | {"term": course.term, "credit_points": course.credit_points, "is_failed": late.is_failed}


def _listed(found: Iterable[Candidate], comma: str, nothing: str) -> str:
    return comma.join(target_named(one.case) for one in found) or nothing


def _named(case: Case, names: Names) -> str:
    return names.get(case.rule.scheme, case.rule.scheme)

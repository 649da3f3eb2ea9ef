"""The chain behind a number: each link in a sentence of either language, with the facts it rests on; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from contracts.terms import level_words

POCKETS = {"provisional": "暂记", "available": "可用", "held": "占用", "spent": "已用"}
ENTRY_FACTS = ("at", "cause", "what", "scheme", "result_id", "revision", "rule_version", "hash")
SIDES = (("target", 1), ("source", -1))


class Kind(StrEnum):
    BALANCE = "balance"
    HOLDING = "holding"  # what one scheme's pockets hold
    SCORE = "score"  # the result as the bank heard of it
    RULE = "rule"  # the version it is recognised by
    ENTRY = "entry"
    APPLICATION = "application"
    ACT = "act"  # what was done about an application, for staff
    CREDENTIAL = "credential"


@dataclass(frozen=True)
class Link:
    """One link of a chain: what it is about, and a sentence of it in Chinese and English."""

    kind: Kind
    id: str
    zh: str
    en: str
    facts: Mapping[str, Any] = field(default_factory=dict)


CAUSES = {
    "ResultPublicised": ("成绩进入公示", "a result went into publicity"),
    "ResultFinalised": ("成绩生效", "a result became final"),
    "ResultCorrected": ("成绩更正", "a result was corrected"),
    "ResultAnnulled": ("成绩作废", "a result was annulled"),
    "CertificateIssued": ("证书编号登记", "a certificate's number came on record"),
    "CertificateRevoked": ("证书撤销", "a certificate was revoked"),
    "Rerated": ("按议案改用另一版认定规则", "a decided proposal moved results to another rule version"),
    "TrainingCompleted": ("培训结业", "a training was completed"),
    "OutcomeSubmitted": ("学习成果提交", "an outcome was submitted"),
    "OldOutcomeSubmitted": ("早前取得的学习成果提交", "an outcome of long ago was submitted"),
    "OutcomeWithdrawn": ("学习成果撤回", "an outcome was withdrawn"),
    "LearnersMerged": ("两名学习者合并为一人", "two learners were found to be one person"),
    "Reconciled": ("对账更正", "a reconciliation corrected what was shown"),
    "NumberReconciled": (
        "按评价组织报表登记证书编号",
        "a certificate's number came on record by a TEO's report",
    ),
    "AccountFrozen": ("账户冻结", "the account was frozen"),
    "AccountUnfrozen": ("账户解冻", "the account was unfrozen"),
    "hold": ("提交转换申请，积分暂被占用", "an application was filed and holds its points"),
    "spend": ("申请获批，积分被使用", "an application was granted and spent its points"),
    "release": ("申请结束，占用的积分退回", "an application ended and gave its points back"),
    "undo": ("撤销批准，申请退回审核", "a grant was undone and its application is under review again"),
    "unspend": ("免修被收回，积分退回", "an exemption was withdrawn and gave its points back"),
}
STATES = {
    "awaited": ("尚未收到，但证书编号已登记", "not heard of yet, though its certificate is on record"),
    "publicised": ("公示中", "in publicity"),
    "final": ("已生效", "final"),
    "annulled": ("已作废", "annulled"),
    "revocation": ("证书撤销记录", "a certificate's revocation"),
    "waiting": ("等待成绩生效或证书编号登记", "waiting for a final result or its certificate's number"),
    "review": ("审核中", "under review"),
    "granted": ("已批准", "granted"),
    "refused": ("未批准", "refused"),
    "withdrawn": ("已撤回", "withdrawn"),
    "fallen": ("因所依据的积分被收回而失效", "ended since its credit was taken back"),
}
VERDICTS = {
    "passed": ("合格", "passed"),
    "failed": ("不合格", "failed"),
    "absent": ("缺考", "absent"),
    "malpractice": ("违纪", "malpractice"),
}


ACTS = {
    "filed": ("提交申请", "filed it"),
    "held": ("占用积分", "held its points"),
    "approved": ("审核通过", "approved it"),
    "granted": ("批准", "granted it"),
    "refused": ("不批准", "refused it"),
    "appealed": ("提出申诉", "appealed against the refusal"),
    "undone": ("撤销决定", "undid the decision"),
    "told": ("告知学习者", "told the learner"),
    "withdrawn": ("撤回申请", "withdrew it"),
    "offer_taken": ("接受建议", "took the offer"),
    "fell": ("所依据的积分被收回", "ended it: its credit was taken back"),
    "case": ("列为待处理个案", "made it a case for the registry"),
    "case_over": ("积分已恢复，个案了结", "closed the case, since the credit is there again"),
    "exemption_withdrawn": ("收回免修", "withdrew the exemption"),
    "voided": (
        "批准作废（数据库回退后无法恢复）",
        "approved that it is void: a set-back forgot it, nobody can file it again",
    ),
    "reminded": ("发出期限提醒", "reminded of its deadline"),
    "escalated": ("逾期上报", "passed it on after its deadline"),
    "exported": ("导出至教务系统", "exported it to the registry's system"),
    "taken": ("教务系统已接收", "took it into the registry's system"),
    "rejected": ("教务系统退回", "sent it back from the registry's system"),
}
STEPS = {"department": "院系", "registry": "教务", "teo": "评价组织", "bank": "学分银行", "appeal": "申诉复核"}


def credits_of(points: int) -> str:
    """Points as credits; 100 are one."""
    return f"{points / 100:.2f}"


def movements(postings: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """By pocket, what an entry's postings bring and take; the bank's own side is left out."""
    sides = [(one[side], sign * one["credit_points"]) for one in postings for side, sign in SIDES]
    found: Counter[str] = Counter()
    for address, points in sides:
        found[address.split(":")[-2]] += points
    return {pocket: found[pocket] for pocket in POCKETS if found[pocket]}


def act_of(cause: str) -> tuple[str, int]:
    """The application and the number of its act that a cause names, `conversion:<application>:<act>` and perhaps more;
    nothing where it names none."""
    match cause.split(":"):
        case ["conversion", application, act, *_]:
            return application, int(act)
    return "", 0


def _moved(by_pocket: Mapping[str, int]) -> tuple[str, str]:
    signed = {pocket: f"{points / 100:+.2f}" for pocket, points in by_pocket.items()}
    zh = "，".join(f"{POCKETS[pocket]} {said}" for pocket, said in signed.items())
    en = ", ".join(f"{pocket} {said}" for pocket, said in signed.items())
    return (f"{zh}（学分）", f"credits: {en}") if signed else ("积分未变", "no points moved")


def entry_link(entry: Mapping[str, Any], names: Mapping[str, str]) -> Link:
    """An entry of the account, as its postings moved points; its `hash` is in the chain that is verified."""
    zh_cause, en_cause = CAUSES.get(entry["what"], (entry["what"], entry["what"]))
    by_pocket = movements(entry["postings"])
    zh_moved, en_moved = _moved(by_pocket)
    scheme = entry["scheme"] or ""
    zh_about, en_about = (f"{names.get(scheme, scheme)}，", f"{names.get(scheme, scheme)}, ") if scheme else ("", "")
    because = f" ({entry['reason']})" if entry["reason"] else ""
    return Link(
        Kind.ENTRY,
        str(entry["number"]),
        f"第 {entry['number']} 笔：{zh_about}{zh_cause}{because}；{zh_moved}。",
        f"Entry {entry['number']}: {en_about}{en_cause}{because}; {en_moved}.",
        {**{name: entry[name] for name in ENTRY_FACTS}, "moved": by_pocket},
    )


def score_link(outcome: Mapping[str, Any], names: Mapping[str, str]) -> Link:
    """A result as the bank knows it now, by its latest revision."""
    zh_level, en_level = level_words(outcome["scheme"], outcome["level"])
    zh_verdict, en_verdict = VERDICTS.get(outcome["verdict"], (outcome["verdict"],) * 2)
    zh_state, en_state = STATES[outcome["state"]]
    name = names.get(outcome["scheme"], outcome["scheme"])
    day, revision = outcome["session_date"], outcome["revision"]
    return Link(
        Kind.SCORE,
        outcome["result_id"],
        f"{day} 考试：{name}{zh_level}，{zh_verdict}，{zh_state}（第 {revision} 次修订）。",
        f"Session of {day}: {name}, {en_level}, {en_verdict}, {en_state} (revision {revision}).",
        dict(outcome),
    )


def rule_link(outcome: Mapping[str, Any], version: Mapping[str, Any] | None, names: Mapping[str, str]) -> Link | None:
    """The rule version that a pass is pinned to, or that it still waits for one; None for what earns nothing."""
    name = names.get(outcome["scheme"], outcome["scheme"])
    zh_level, en_level = level_words(outcome["scheme"], outcome["level"])
    place = f"{outcome['scheme']}:{outcome['level']}"
    if version is None:
        if not outcome["is_waiting"]:
            return None
        return Link(
            Kind.RULE,
            place,
            f"{name}{zh_level}：{outcome['session_date']} 的考试尚无认定规则，等待规则发布。",
            f"{name}, {en_level}: no rule holds for the session of {outcome['session_date']} yet; it waits for one.",
        )
    zh_by, en_by = _rests_on(version)
    worth = credits_of(version["credit_points"])
    return Link(
        Kind.RULE,
        f"{place}:{version['version']}",
        f"认定规则第 {version['version']} 版：{name}{zh_level}计 {worth} 学分，{zh_by}。",
        f"Recognition rule, version {version['version']}: {name}, {en_level}, is worth {worth} credits, {en_by}.",
        dict(version),
    )


def _rests_on(version: Mapping[str, Any]) -> tuple[str, str]:
    policy = version["policy"]
    if not policy["code"]:
        return "为尚未正式审定的默认值", "a default that nobody has decided yet"
    found = " ".join(part for part in (policy["title"], policy["number"] or policy["url"]) if part)
    return f"依据{found}", f"by {found}"


def holding_link(holding: Mapping[str, Any], names: Mapping[str, str]) -> Link:
    """What one scheme's pockets hold now."""
    scheme = holding["scheme"]
    name = names.get(scheme, scheme)
    points = {pocket: holding[f"{pocket}_points"] for pocket in POCKETS}
    zh = "，".join(f"{word} {credits_of(points[pocket])}" for pocket, word in POCKETS.items())
    en = ", ".join(f"{pocket} {credits_of(points[pocket])}" for pocket in POCKETS)
    return Link(Kind.HOLDING, scheme, f"{name}：{zh}（学分）。", f"{name}: {en} (credits).", points)


def balance_link(points: Mapping[str, int]) -> Link:
    """The account as a whole: the sum over its holdings, by pocket."""
    zh = "，".join(f"{word} {credits_of(points[pocket])}" for pocket, word in POCKETS.items())
    en = ", ".join(f"{pocket} {credits_of(points[pocket])}" for pocket in POCKETS)
    return Link(Kind.BALANCE, "", f"账户合计：{zh}（学分）。", f"The account in all: {en} (credits).", dict(points))


def application_link(one: Mapping[str, Any], names: Mapping[str, str]) -> Link:
    """An application: what it asks for, by which rule version, and how it stands, with the reason where it ended."""
    zh_state, en_state = STATES[one["state"]]
    because = one["because"] or {"zh": "", "en": ""}
    zh_why, en_why = (f"：{because['zh']}" if because["zh"] else "。"), f": {because['en']}" if because["en"] else "."
    target, rule = one["target"], f"{one['rule']} v{one['rule_version']}"
    wanted, name = target["module"] or target["course"], names.get(one["scheme"], one["scheme"])
    names_told = ("rule", "rule_version", "policy", "policy_version", "scheme", "level", "filed_on", "state", "step")
    return Link(
        Kind.APPLICATION,
        one["application"],
        f"{one['filed_on']} 申请以{name}的学分转换 {wanted}（转换规则 {rule}），{zh_state}{zh_why}",
        f"Filed on {one['filed_on']}: {wanted} for credits of {name} (conversion rule {rule}), {en_state}{en_why}",
        {**{told: one[told] for told in names_told}, "target": dict(target), "because": one["because"]},
    )


def act_links(application: str, acts: Sequence[Mapping[str, Any]]) -> list[Link]:
    """What was done about an application, one by one, with who did it; `at` on campus."""
    return [_act_link(application, one) for one in acts]


def _act_link(application: str, one: Mapping[str, Any]) -> Link:
    zh, en = ACTS.get(one["what"], (one["what"], one["what"]))
    note, at = one["note"], f"{one['at']:%Y-%m-%d %H:%M}"
    zh_note, en_note = (f"（{STEPS.get(note, note)}）", f" ({note})") if note else ("", "")
    place = f"{application}:{one['number']}"
    zh_by, en_by = _by(one)
    return Link(Kind.ACT, place, f"{at} {zh_by} {zh}{zh_note}。", f"{at} {en_by} {en}{en_note}.", dict(one))


def _by(act: Mapping[str, Any]) -> tuple[str, str]:
    """Who did something, and on whose behalf."""
    by, behalf = act["by"], act["on_behalf_of"]
    return (f"{by}（代 {behalf}）", f"{by}, on behalf of {behalf},") if behalf else (by, by)


def credential_link(one: Mapping[str, Any]) -> Link:
    """A credential that was issued for a result, valid or revoked."""
    revoked = one["revoked_at"]
    return Link(
        Kind.CREDENTIAL,
        one["credential"],
        f"凭证 {one['code']} 于 {one['issued_at']:%Y-%m-%d} 签发，{'已撤销' if revoked else '有效'}。",
        f"Credential {one['code']} was issued on {one['issued_at']:%Y-%m-%d} and is "
        f"{'revoked' if revoked else 'valid'}.",
        {name: one[name] for name in ("result_id", "code", "issued_at", "revoked_at", "verify_url")},
    )

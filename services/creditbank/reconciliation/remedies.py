"""What is said of each kind of discrepancy, and what mends it: an act of the bank, or a task for somebody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from contracts.terms import Level
from services.creditbank.reconciliation.domain import Finding, Kind


class Act(StrEnum):
    """What the bank does by itself once a person has approved it."""

    RECORD_NUMBER = "record_number"  # the TEO's number goes on record for a pass that is here
    RECORD_DATE = "record_date"  # the date of issue is noted beside a number of before dates were kept
    SETTLE = "settle"  # a result that waits is settled again
    RESTATE = "restate"  # the ledger posts the difference to what results are worth


class Party(StrEnum):
    """Whose task it is where the bank may not act: what is another's to say is never said for them (ADR 18)."""

    TEO = "teo"
    EXAM_OFFICE = "exam_office"
    REGISTRY = "registry"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Remedy:
    """A sentence on what is wrong, what mends it in either language, and the request that does, where one does.

    `act` is the bank's own; without one, `party` has a task.
    """

    zh: str
    en: str
    mend_zh: str
    mend_en: str
    act: Act | None = None
    party: Party | None = None
    request: str = ""


REPORT_AGAIN = "请更正报表后重新上传对账", "Correct the report and upload it here again"
REVOKE = 'POST assessment /teos/{teo}/certificates/{certificate_number}/revocations {{"reason": "…"}}'
SEND_CERTIFICATE = (
    "POST assessment /imports?kind=certificates 证书名称={scheme} 职业技能等级={level} 证书编号={certificate_number} "
    "发证日期={issued_on}"
)
SEND_RESULT = "POST assessment /teos/{teo}/plans/<plan>/results"

REMEDIES: Mapping[Kind, Remedy] = {
    Kind.NUMBER_TWICE: Remedy(
        "证书编号 {certificate_number} 在报表中不止一次，首次出现在第 {there} 行。",
        "Certificate number {certificate_number} stands in the report more than once, first in row {there}.",
        *REPORT_AGAIN,
        party=Party.TEO,
    ),
    Kind.SCHEME_UNKNOWN: Remedy(
        "报表中的证书“{scheme}”未在本行发布。",
        "The report's certificate '{scheme}' has not been published to the bank.",
        "请在考务目录中发布该证书，或登记其别名",
        "Publish the certificate in assessment's catalogue, or enter this name as an alias",
        party=Party.EXAM_OFFICE,
        request="PUT assessment /schemes/<code>",
    ),
    Kind.SCHEME_OF_ANOTHER: Remedy(
        "证书 {scheme} 不属于报表的评价组织 {teo}。",
        "Certificate {scheme} is not one of the report's organisation {teo}.",
        *REPORT_AGAIN,
        party=Party.TEO,
    ),
    Kind.LEVEL_NOT_OFFERED: Remedy(
        "证书 {scheme} 没有{level_zh}。",
        "Certificate {scheme} has no level {level_en}.",
        *REPORT_AGAIN,
        party=Party.TEO,
    ),
    Kind.HOLDER_UNKNOWN: Remedy(
        "证书 {certificate_number} 的持有人证件未在本校登记。",
        "Nobody here has the identity document of certificate {certificate_number}'s row.",
        "请核对证件号码，或先在学生名册中登记此人",
        "Check the document's number, or register the person with the roster",
        party=Party.REGISTRY,
        request="POST enrolment /imports?kind=roster",
    ),
    Kind.HOLDER_MISMATCH: Remedy(
        "证书 {certificate_number} 在此登记于学习者 {here}，报表所列为 {there}。",
        "Certificate {certificate_number} stands here under learner {here}; the report has it under {there}.",
        "两人实为一人则合并学习者；否则由评价组织撤销并为正确的人重新发证",
        "Merge the two if they are one person; else have it revoked and issued to the right one",
        party=Party.TEO,
        request=REVOKE,
    ),
    Kind.SCHEME_MISMATCH: Remedy(
        "证书 {certificate_number} 在此登记为 {here}，报表所列为 {there}。",
        "Certificate {certificate_number} stands here as {here}; the report has it as {there}.",
        "由评价组织更正报表，或撤销并重新发证",
        "The organisation corrects its report, or revokes the certificate and issues it anew",
        party=Party.TEO,
        request=REVOKE,
    ),
    Kind.LEVEL_MISMATCH: Remedy(
        "证书 {certificate_number} 在此为第 {here} 级，报表所列为第 {there} 级。",
        "Certificate {certificate_number} is of level {here} here, and of level {there} in the report.",
        "由评价组织更正报表，或更正成绩后重新发证",
        "The organisation corrects its report, or sends the result of the right level",
        party=Party.TEO,
        request=SEND_RESULT,
    ),
    Kind.NUMBER_NOT_RECORDED: Remedy(
        "报表为成绩 {result_id} 列出证书编号 {certificate_number}，此处尚未登记。",
        "The report has number {certificate_number} for the pass {result_id}, which has none on record here.",
        "批准后由学分银行登记该编号；评价组织另须向考务报送同一行",
        "The bank puts the number on record; the organisation still sends the same row to assessment",
        act=Act.RECORD_NUMBER,
        request=SEND_CERTIFICATE,
    ),
    Kind.NUMBER_DIFFERS: Remedy(
        "成绩 {result_id} 在此登记的编号为 {here}，报表所列为 {there}。",
        "The pass {result_id} has number {here} on record here, and {there} in the report.",
        "由评价组织更正报表，或撤销旧编号后报送新编号",
        "The organisation corrects its report, or revokes the number here and sends the new one",
        party=Party.TEO,
        request='POST assessment /teos/{teo}/certificates/{here}/revocations {{"reason": "…"}}',
    ),
    Kind.NUMBER_WITHOUT_PASS: Remedy(
        "证书 {certificate_number} 没有对应的合格成绩。",
        "There is no pass here for certificate {certificate_number}.",
        "由评价组织报送该考生的成绩",
        "The organisation sends this candidate's result",
        party=Party.TEO,
        request=SEND_RESULT,
    ),
    Kind.PASS_NOT_FINAL: Remedy(
        "证书 {certificate_number} 对应的成绩仍在公示。",
        "The result behind certificate {certificate_number} is still in publicity.",
        "请结束公示，或待公示期满",
        "End the publicity, or wait until it is over",
        party=Party.EXAM_OFFICE,
        request="POST assessment /teos/{teo}/plans/<plan>/publicity/close",
    ),
    Kind.PASS_ANNULLED: Remedy(
        "证书 {certificate_number} 对应的成绩已作废。",
        "The result behind certificate {certificate_number} was annulled.",
        "由评价组织撤销该证书，或重新报送成绩",
        "The organisation revokes the certificate, or sends the result again",
        party=Party.TEO,
        request=REVOKE,
    ),
    Kind.ISSUE_DATE_UNKNOWN: Remedy(
        "证书 {certificate_number} 在此没有发证日期，报表所列为 {there}。",
        "Certificate {certificate_number} has no date of issue here; the report says {there}.",
        "批准后由学分银行登记该日期",
        "The bank notes the date",
        act=Act.RECORD_DATE,
    ),
    Kind.ISSUE_DATE_MISMATCH: Remedy(
        "证书 {certificate_number} 的发证日期在此为 {here}，报表所列为 {there}。",
        "Certificate {certificate_number} was issued on {here} as it stands here, and on {there} as reported.",
        "由评价组织更正报表，或撤销并重新发证",
        "The organisation corrects its report, or revokes the certificate and issues it anew",
        party=Party.TEO,
        request=REVOKE,
    ),
    Kind.REVOKED_AT_TEO: Remedy(
        "证书 {certificate_number} 已被评价组织撤销，此处仍有效。",
        "Certificate {certificate_number} is revoked at the organisation and stands here.",
        "由评价组织向考务报送撤销及原因，学分银行随之更新",
        "The organisation has it revoked at assessment with its reason; the bank follows",
        party=Party.TEO,
        request=REVOKE,
    ),
    Kind.REVOKED_HERE: Remedy(
        "证书 {certificate_number} 在此已撤销（{here}），报表列为有效。",
        "Certificate {certificate_number} is revoked here ({here}) and valid in the report.",
        "由评价组织更正报表；编号不能再次使用，如系误撤请以新编号重新发证",
        "The organisation corrects its report; if the revocation was a mistake, it issues a new number",
        party=Party.TEO,
        request=SEND_CERTIFICATE,
    ),
    Kind.MISSING_FROM_REPORT: Remedy(
        "证书 {certificate_number} 在此有效，报表中没有。",
        "Certificate {certificate_number} stands here and is not in the report.",
        "由评价组织补入报表，或撤销该证书",
        "The organisation adds it to its report, or revokes it",
        party=Party.TEO,
        request=REVOKE,
    ),
    Kind.PASS_WITHOUT_NUMBER: Remedy(
        "成绩 {result_id} 已生效，但没有证书编号。",
        "The pass {result_id} is final and has no certificate number.",
        "由评价组织向考务报送该成绩的证书编号",
        "The organisation sends the number of this pass to assessment",
        party=Party.TEO,
        request=SEND_CERTIFICATE,
    ),
    Kind.NUMBER_AWAITS_RESULT: Remedy(
        "证书 {certificate_number} 已登记，其成绩 {result_id} 却从未送达。",
        "Certificate {certificate_number} is on record, and its result {result_id} never arrived.",
        "由管理员请考务重新发送该成绩的消息",
        "The operator has assessment publish what it announced of this result again",
        party=Party.OPERATOR,
        request='POST assessment /outbox/republications {{"key": "learner:{learner_id}", "seq": …}}',
    ),
    Kind.NUMBER_HERE_TWICE: Remedy(
        "证书编号 {certificate_number} 同时登记于成绩 {result_id} 和 {there}。",
        "Certificate number {certificate_number} is on record for the results {result_id} and {there}.",
        "由评价组织撤销该编号并为两份成绩各发新编号",
        "The organisation revokes the number and issues one for each result",
        party=Party.TEO,
        request=REVOKE,
    ),
    Kind.SETTLEMENT_OVERDUE: Remedy(
        "成绩 {result_id} 的规则与账户均已具备，却尚未入账。",
        "The result {result_id} has its rule and its account, and is not on the account.",
        "批准后由学分银行重新结算",
        "The bank settles it again",
        act=Act.SETTLE,
    ),
    Kind.ACCOUNT_MISSING: Remedy(
        "成绩 {result_id} 的学习者 {learner_id} 没有账户。",
        "Learner {learner_id} of the result {result_id} has no account.",
        "由管理员请报名系统重新发送该学习者的登记消息",
        "The operator has enrolment publish this learner's registration again",
        party=Party.OPERATOR,
        request='POST enrolment /outbox/republications {{"key": "learner:{learner_id}", "seq": …}}',
    ),
    Kind.POINTS_WRONG: Remedy(
        "学习者 {learner_id} 的 {scheme} 积分（暂记 + 已计）显示为 {here}，按成绩应为 {there}。",
        "Learner {learner_id} is shown {here} points of {scheme} (provisional + issued); results are worth {there}.",
        "批准后由学分银行补记差额",
        "The bank posts the difference",
        act=Act.RESTATE,
    ),
    Kind.LEVEL_SHOWN_WRONG: Remedy(
        "学习者 {learner_id} 的 {scheme} 等级显示为 {here}，按成绩应为 {there}。",
        "Learner {learner_id} is shown at level {here} of {scheme}; the results say {there}.",
        "批准后由学分银行更正",
        "The bank enters the right one",
        act=Act.RESTATE,
    ),
    Kind.CERTIFICATE_SHOWN_WRONG: Remedy(
        "学习者 {learner_id} 的 {scheme} 证书状态显示为“{here}”，应为“{there}”。",
        "Learner {learner_id}'s certificate of {scheme} is shown as '{here}'; what is on record says '{there}'.",
        "批准后由学分银行更正",
        "The bank enters the right one",
        act=Act.RESTATE,
    ),
    Kind.POINTS_WITHOUT_RESULT: Remedy(
        "学习者 {learner_id} 有 {scheme} 积分 {here}，却没有任何成绩。",
        "Learner {learner_id} has {here} points of {scheme} and no result at all.",
        "如成绩遗失请先由考务重新发送；批准则由学分银行收回积分",
        "If results were lost, have assessment send them first; approved, the bank takes the points back",
        act=Act.RESTATE,
    ),
}


@dataclass(frozen=True)
class Told:
    """A finding in words: what is wrong, and what mends it."""

    zh: str
    en: str
    mend_zh: str
    mend_en: str
    act: str
    party: str
    request: str


def told(finding: Finding) -> Told:
    """A finding in words of either language."""
    remedy, facts = REMEDIES[finding.kind], facts_of(finding)
    return Told(
        zh=remedy.zh.format(**facts),
        en=remedy.en.format(**facts),
        mend_zh=remedy.mend_zh + "。",
        mend_en=remedy.mend_en + ".",
        act=remedy.act or "",
        party=remedy.party or "",
        request=remedy.request.format(**facts),
    )


def facts_of(finding: Finding) -> dict[str, str]:
    """What the sentences may name."""
    level = Level(finding.level) if finding.level in set(Level) else None
    names = ("teo", "scheme", "certificate_number", "learner_id", "result_id", "issued_on", "here", "there")
    facts = {name: str(getattr(finding, name) or "–") for name in names}
    facts["level"] = level.zh if level else "–"
    return facts | {"level_zh": level.zh if level else "该等级", "level_en": level.en if level else "such"}

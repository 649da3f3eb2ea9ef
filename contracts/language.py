"""The whole published language: every announcement, what it says in Chinese, and the keys it travels on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from chassis.bus.event import Announcement
from contracts import assessment, creditbank, enrolment, training

DEEDS_ZH: dict[type[Announcement], str] = {
    enrolment.LearnerRegistered: "学习者已建户。个人信息以其专属密钥加密。",
    enrolment.LearnerChanged: "学习者信息已变更，事件含变更后的全部信息。",
    enrolment.LearnersMerged: "两名学习者实为同一人：merged_id 名下的一切归 survivor_id。",
    enrolment.LearnerErased: "学习者的密钥已销毁，其他服务所存的密文不再可读。",
    enrolment.StudentRecordChanged: "学籍已变更，事件含变更后的全部内容。",
    enrolment.EnrolmentApproved: "报名获批，学习者可参加该证书该等级的培训与考核。",
    enrolment.EnrolmentWithdrawn: "已批准的报名被撤回。",
    enrolment.FeeSettled: "考试费已缴清或已减免。",
    enrolment.ProgrammePublished: "发布某入学年级的培养方案（全文）；curriculum_revision 为 0 表示尚无课程表。",
    enrolment.CalendarPublished: "发布某年的工作日历：落在工作日的假日与调休上班日。",
    training.TrainingCompleted: "学习者完成某证书某等级的培训。",
    training.TrainingModuleExcused: "学习者因课程成绩合格，免训某证书某等级培训的一个模块；不使用学分。",
    training.TrainingExcuseWithdrawn: "免训已撤回：其依据不再成立，且培训尚未结业。",
    training.CourseResultFinalised: "课程成绩已确定、更正（revision 大于 1）或撤回（is_withdrawn）。",
    assessment.SchemePublished: "发布证书（当前全文）。",
    assessment.CandidateRegistered: "学习者已列入考核计划并获得准考证号。",
    assessment.ResultPublicised: "成绩开始公示，期间可提出异议；due_on 为公示末日，日历未及时为空。",
    assessment.ResultFinalised: "公示结束，成绩生效。",
    assessment.ResultCorrected: "成绩已更正；final 说明更正时是否已生效。",
    assessment.ResultAnnulled: "成绩作废。",
    assessment.CertificateIssued: "证书编号已登记。",
    assessment.CertificateRevoked: "证书被培训评价组织撤销。",
    creditbank.CreditPosted: "账户新增一笔记账；数值为该笔变动与余额，单位为积分（100 积分为 1 学分）。",
    creditbank.OutcomeCredited: "因其他类别的学习成果新增一笔记账；scheme 为“类别.代码”，level 为该类的等级代码。",
    creditbank.OutcomesDigested: "补录的早前成果已入账的汇总，每名学习者每日至多一条；day 为汇总日。",
    creditbank.OutcomeSourceNamed: "某类学习成果来源的名称；scheme 为“类别.代码”。",
    creditbank.AccountFrozen: "账户已冻结：照常存入，暂停使用。entry_number 与 entry_hash 为该笔记账的序号与哈希。",
    creditbank.AccountUnfrozen: "账户已解冻，可照常使用学分。",
    creditbank.CredentialIssued: "为一项已生效的通过成绩签发了凭证；credential 为其在状态列表中的位置。",
    creditbank.CredentialRevoked: "凭证已撤销；what 为使其失去依据的事件类型。",
    creditbank.ConversionDecided: "学分转换申请已办结（批准、未批准或失效）；撤销期结束后才发布。",
    creditbank.AppealFiled: "学习者对未获批准的申请提出申诉，由另一人在 due_on 前作出决定。",
    creditbank.ConversionOffered: "为未获批准的申请提供的次优方案，在 until 当日结束前有效。",
    creditbank.DeadlineNear: "申请的某一审批环节即将到期。",
    creditbank.ExemptionGranted: "学习者获准免修课程或模块。",
    creditbank.ExemptionWithdrawn: "免修已撤回：所使用的学分被收回。",
    creditbank.AccountsMerged: "merged_id 的账户已并入该学习者的账户。",
}


def announcements() -> dict[str, type[Announcement]]:
    """The announcements by the name they travel under; what others are built on is none itself."""
    leaves = [kind for kind in _told(Announcement) if not list(_told(kind))]
    names = [kind.__name__ for kind in leaves]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two announcements would travel under one name: {twice}")
    return dict(sorted(zip(names, leaves, strict=True)))


def _told(kind: type[Any]) -> Iterator[type[Any]]:
    """What the contracts derive from a type; tests derive from it as well."""
    for child in kind.__subclasses__():
        if child.__module__.startswith("contracts."):
            yield child
            yield from _told(child)


class _Fields:
    """Stands for an announcement whose every field is its own name in braces."""

    def __getattr__(self, name: str) -> str:
        return f"{{{name}}}"


def key_forms(kind: type[Announcement]) -> tuple[str, ...]:
    """The keys of an announcement as forms over its fields: `learner:{learner_id}`."""
    return kind.keys(cast("Any", _Fields()))


TYPES = frozenset(announcements())

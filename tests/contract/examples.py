"""An example of each announcement, from which its sample is recorded.

Never change one: its sample is what was announced on that day. Append another one when a type has grown.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from chassis.bus.event import Announcement
from contracts import assessment, creditbank, enrolment, training
from contracts.terms import CourseKind, LearnerKind, Level, StudyStatus, Verdict

LEARNER = "3f0c9a5be1d44c62a7d8f1b6c0e95a27"
OTHER = "c41d7e80b2f94a1c9b3e5d6f70812a94"
APPLICATION = f"{LEARNER}:dementia-care:2"
TEO = "9111000000000006XE"
RESULT = f"{TEO}:DC20201121-01:20201100017:1"
SEALED = "AZ0vTh3WqkUu5sE2u0m1yT8cJpD4bGf6"  # what a sealed field looks like from outside

OF_ENROLMENT: tuple[Announcement, ...] = (
    enrolment.LearnerRegistered(
        learner_id=LEARNER, kind=LearnerKind.STUDENT, name=f"{SEALED}Q", phone=f"{SEALED}g", email=f"{SEALED}w"
    ),
    enrolment.LearnerRegistered(learner_id=OTHER, kind=LearnerKind.COMMUNITY, name=f"{SEALED}A"),
    enrolment.LearnerChanged(learner_id=LEARNER, kind=LearnerKind.STUDENT, name=f"{SEALED}Q", phone=f"{SEALED}k"),
    enrolment.LearnersMerged(survivor_id=LEARNER, merged_id=OTHER),
    enrolment.LearnerErased(learner_id=LEARNER),
    enrolment.StudentRecordChanged(
        learner_id=LEARNER,
        student_number="2019060117",
        college="10001",
        programme="690104",
        entry_year=2019,
        department="公共管理学院",
        class_name="社管1901",
        status=StudyStatus.ENROLLED,
        since=date(2019, 9, 1),
    ),
    enrolment.StudentRecordChanged(
        learner_id=LEARNER,
        student_number="2019060117",
        college="10001",
        programme="690104",
        entry_year=2019,
        department="公共管理学院",
        class_name="社管1901",
        status=StudyStatus.GRADUATED,
        since=date(2019, 9, 1),
        until=date(2022, 6, 30),
    ),
    enrolment.EnrolmentApproved(
        learner_id=LEARNER,
        application_id=APPLICATION,
        scheme="dementia-care",
        level=Level.INTERMEDIATE,
        kind=LearnerKind.STUDENT,
    ),
    enrolment.EnrolmentWithdrawn(
        learner_id=LEARNER, application_id=APPLICATION, scheme="dementia-care", level=Level.INTERMEDIATE
    ),
    enrolment.FeeSettled(
        learner_id=LEARNER, application_id=APPLICATION, scheme="dementia-care", level=Level.INTERMEDIATE
    ),
    enrolment.ProgrammePublished(
        programme="690104", name="社区管理与服务", entry_year=2019, credit_points_total=14_000
    ),
    enrolment.ProgrammePublished(
        programme="630302",
        name="会计",
        entry_year=2019,
        credit_points_total=14_000,
        courses=(
            enrolment.Course(
                code="KJ2105",
                name="税务会计",
                credit_points=400,
                kind=CourseKind.CORE,
                term=4,
                modules=(enrolment.CourseModule(code="KJ2105-2", name="个税核算", credit_points=200),),
            ),
            enrolment.Course(
                code="GG1001",
                name="思想道德与法治",
                credit_points=300,
                kind=CourseKind.FOUNDATION,
                term=1,
                is_never_exempt=True,
            ),
        ),
        curriculum_revision=2,
    ),
    enrolment.CalendarPublished(
        year=2020, holidays=(date(2020, 10, 1), date(2020, 10, 2)), made_up_days=(date(2020, 9, 27),)
    ),
)

EXCUSE: dict[str, Any] = {
    "learner_id": LEARNER,
    "scheme": "dementia-care",
    "level": Level.INTERMEDIATE,
    "module": "communication",
    "module_name": "沟通与照护",
    "class_hours": 16,
    "course": "SG2104",
    "term": "2020-2021-1",
    "result_id": "2019060117:SG2104:2020-2021-1",
    "rule": "communication-by-course",
    "rule_version": 1,
}
OF_TRAINING: tuple[Announcement, ...] = (
    training.TrainingCompleted(
        learner_id=LEARNER,
        class_code="dementia-care-2-01",
        scheme="dementia-care",
        level=Level.INTERMEDIATE,
        class_hours=96,
        completed_on=date(2020, 11, 6),
    ),
    training.TrainingCompleted(
        learner_id=LEARNER,
        class_code="dementia-care-2-01",
        scheme="dementia-care",
        level=Level.INTERMEDIATE,
        class_hours=80,
        completed_on=date(2020, 11, 6),
        excused_hours=16,
    ),
    training.TrainingModuleExcused(**EXCUSE),
    training.TrainingExcuseWithdrawn(
        **EXCUSE,
        code="excuse_result_changed",
        reason_en="the result of course SG2104 was corrected or withdrawn and is not what the rule asks for any more",
        reason_zh="课程 SG2104 的成绩已更正或撤回，不再符合规则",
    ),
    training.CourseResultFinalised(
        learner_id=LEARNER, course="SG2104", term="2020-1", mark=86, passed=True, credit_points=400
    ),
    training.CourseResultFinalised(
        learner_id=LEARNER,
        course="SG2104",
        term="2020-2021-1",
        mark=85,
        passed=True,
        credit_points=400,
        result_id="2019060117:SG2104:2020-2021-1",
        student_number="2019060117",
        programme="690104",
        entry_year=2019,
        revision=1,
        grade="良",
    ),
    training.CourseResultFinalised(
        learner_id=LEARNER,
        course="SG2104",
        term="2020-2021-1",
        mark=85,
        passed=True,
        credit_points=400,
        result_id="2019060117:SG2104:2020-2021-1",
        student_number="2019060117",
        programme="690104",
        entry_year=2019,
        revision=2,
        grade="良",
        is_withdrawn=True,
    ),
)

OF_ASSESSMENT: tuple[Announcement, ...] = (
    assessment.SchemePublished(
        scheme="dementia-care",
        name="失智老年人照护",
        aliases=("失智老人照护",),
        teo=TEO,
        levels=(Level.INTERMEDIATE,),
        needs_certificate_number=True,
    ),
    assessment.CandidateRegistered(
        learner_id=LEARNER,
        teo=TEO,
        plan="DC20201121-01",
        scheme="dementia-care",
        level=Level.INTERMEDIATE,
        admission_number="20201100017",
        session_date=date(2020, 11, 21),
        site="广州城市职业学院考核站点（商贸楼）",
    ),
    assessment.ResultPublicised(
        learner_id=LEARNER,
        result_id=RESULT,
        revision=1,
        teo=TEO,
        plan="DC20201121-01",
        scheme="dementia-care",
        level=Level.INTERMEDIATE,
        attempt=1,
        session_date=date(2020, 11, 21),
        verdict=Verdict.PASSED,
        due_on=date(2020, 12, 4),
    ),
    assessment.ResultPublicised(
        learner_id=LEARNER,
        result_id=RESULT,
        revision=1,
        teo=TEO,
        plan="DC20201121-01",
        scheme="dementia-care",
        level=Level.INTERMEDIATE,
        attempt=1,
        session_date=date(2020, 11, 21),
        verdict=Verdict.ABSENT,
    ),
    assessment.ResultFinalised(
        learner_id=LEARNER,
        result_id=RESULT,
        revision=2,
        teo=TEO,
        plan="DC20201121-01",
        scheme="dementia-care",
        level=Level.INTERMEDIATE,
        attempt=1,
        session_date=date(2020, 11, 21),
        verdict=Verdict.PASSED,
    ),
    assessment.ResultCorrected(
        learner_id=LEARNER,
        result_id=RESULT,
        revision=3,
        teo=TEO,
        plan="DC20201121-01",
        scheme="dementia-care",
        level=Level.INTERMEDIATE,
        attempt=1,
        session_date=date(2020, 11, 21),
        verdict=Verdict.FAILED,
        final=True,
    ),
    assessment.ResultAnnulled(
        learner_id=LEARNER,
        result_id=RESULT,
        revision=4,
        teo=TEO,
        plan="DC20201121-01",
        scheme="dementia-care",
        level=Level.INTERMEDIATE,
        attempt=1,
        session_date=date(2020, 11, 21),
        verdict=Verdict.MALPRACTICE,
        reason="替考",
    ),
    assessment.CertificateIssued(
        learner_id=LEARNER,
        teo=TEO,
        scheme="dementia-care",
        level=Level.INTERMEDIATE,
        result_id=RESULT,
        certificate_number="11010820202000017",
        issued_on=date(2021, 1, 15),
    ),
    assessment.CertificateRevoked(
        learner_id=LEARNER,
        teo=TEO,
        scheme="dementia-care",
        level=Level.INTERMEDIATE,
        certificate_number="11010820202000017",
        reason="替考",
    ),
)

APPLICATION: dict[str, Any] = {
    "learner_id": LEARNER,
    "application_id": "5d0f6b6f0f0f5a1e9b8b6c2f4a3d2e10",
    "scheme": "smart-finance",
    "level": Level.INTERMEDIATE,
    "course": "KJ2105",
    "credit_points": 400,
}
EXEMPTION: dict[str, Any] = {
    "student_number": "2019040117",
    "programme": "630302",
    "entry_year": 2019,
    "term": "2021-2022-1",
    "kind": "course",
}
OF_CREDITBANK: tuple[Announcement, ...] = (
    creditbank.CreditPosted(
        learner_id=LEARNER,
        entry_number=2,
        scheme="dementia-care",
        level=Level.INTERMEDIATE,
        provisional_points=-400,
        available_points=400,
        provisional_balance=0,
        available_balance=400,
    ),
    creditbank.CreditPosted(
        learner_id=LEARNER,
        entry_number=3,
        scheme="dementia-care",
        level=Level.INTERMEDIATE,
        provisional_points=0,
        available_points=-400,
        provisional_balance=0,
        available_balance=0,
        what="LearnersMerged",
    ),
    creditbank.CreditPosted(
        learner_id=LEARNER,
        entry_number=1,
        scheme="dementia-care",
        level=Level.INTERMEDIATE,
        provisional_points=400,
        available_points=0,
        provisional_balance=400,
        available_balance=0,
        what="ResultPublicised",
        entry_hash="7d" * 32,
    ),
    creditbank.OutcomeCredited(
        learner_id=LEARNER,
        entry_number=6,
        entry_hash="8e" * 32,
        what="OutcomeSubmitted",
        kind="licence",
        scheme="licence.electrician",
        level=4,
        provisional_points=0,
        available_points=200,
        provisional_balance=0,
        available_balance=600,
    ),
    creditbank.OutcomesDigested(
        learner_id=LEARNER, day=date(2021, 1, 21), outcomes=3, available_points=450, available_balance=850
    ),
    creditbank.OutcomeSourceNamed(scheme="licence.electrician", name="电工"),
    creditbank.AccountFrozen(
        learner_id=LEARNER, entry_number=4, entry_hash="5a" * 32, what="AccountFrozen", reason="查证"
    ),
    creditbank.AccountUnfrozen(learner_id=LEARNER, entry_number=5, entry_hash="6b" * 32, what="AccountUnfrozen"),
    creditbank.CredentialIssued(
        learner_id=LEARNER, credential="1:90417", result_id=RESULT, scheme="dementia-care", level=Level.INTERMEDIATE
    ),
    creditbank.CredentialRevoked(
        learner_id=LEARNER,
        credential="1:90417",
        result_id=RESULT,
        scheme="dementia-care",
        level=Level.INTERMEDIATE,
        what="ResultAnnulled",
    ),
    creditbank.CreditPosted(
        learner_id=LEARNER,
        entry_number=4,
        scheme="dementia-care",
        level=Level.INTERMEDIATE,
        provisional_points=0,
        available_points=-400,
        provisional_balance=0,
        available_balance=0,
        what="hold",
    ),
    creditbank.ConversionDecided(**APPLICATION, decision="granted"),
    creditbank.ConversionDecided(
        **APPLICATION,
        module="KJ2105-2",
        decision="refused",
        code="above_balance",
        reason_en="This takes 400 points; 200 are available.",
        reason_zh="此项需要积分 400，可用积分为 200。",
    ),
    creditbank.ConversionOffered(**APPLICATION, module="KJ2105-2", until=date(2021, 9, 28)),
    creditbank.DeadlineNear(**APPLICATION, step="registry", due_on=date(2021, 9, 28)),
    creditbank.ExemptionGranted(**APPLICATION, **EXEMPTION),
    creditbank.ExemptionWithdrawn(
        **APPLICATION,
        **EXEMPTION,
        code="application_fell",
        reason_en="The credit was taken back.",
        reason_zh="积分已被收回。",
    ),
    creditbank.AccountsMerged(learner_id=LEARNER, merged_id=OTHER),
    creditbank.ConversionDecided(
        **APPLICATION,
        decision="refused",
        code="refused_by_review",
        reason_en="too little in common",
        reason_zh="内容相近之处过少",
        appeal_until=date(2021, 9, 30),
    ),
    creditbank.ConversionDecided(**APPLICATION, decision="granted", is_appeal=True),
    creditbank.AppealFiled(**APPLICATION, due_on=date(2021, 10, 12)),
)

EXAMPLES: tuple[Announcement, ...] = (*OF_ENROLMENT, *OF_TRAINING, *OF_ASSESSMENT, *OF_CREDITBANK)

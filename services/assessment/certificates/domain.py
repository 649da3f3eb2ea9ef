"""What a certificate is, and which pass it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from chassis.errors import Ground
from contracts.terms import LEARNER_UNKNOWN, Level
from services.assessment.catalogue.domain import Scheme
from services.assessment.plans.domain import Candidate
from services.assessment.results.domain import Result

CERTIFICATE_NUMBER_USED = Ground(
    "certificate_number_used",
    en="Certificate number {number} of this organisation belongs to another certificate. Check the number.",
    zh="证书编号 {number} 在该评价组织中已用于另一份证书，请核对编号。",
)
CERTIFICATE_NUMBER_MALFORMED = Ground(
    "certificate_number_malformed",
    en="A certificate number has 1 to 64 characters and no slash; '{number}' is none.",
    zh="“{number}”不是有效的证书编号：应为 1 至 64 个字符，且不含斜杠。",
)
NOT_PASSED = Ground(
    "not_passed",
    en="This learner has no final pass in {scheme}, {level}. Wait until the result is final, or check the row.",
    zh="该学习者没有 {scheme} {level}的最终合格成绩，请待成绩确定后再报，或核对本行。",
)
PASS_NOT_BACK = Ground(
    "pass_not_back",
    en="Before the database was set back, number {number} was announced for result {result}, which is no final pass "
    "now. Send that result again and wait until it is final, or have the certificate revoked.",
    zh="数据库回退前，编号 {number} 已为成绩 {result} 公布，而该成绩目前不是最终合格成绩。"
    "请重新报送该成绩并待其确定，或撤销该证书。",
)
CERTIFICATE_EXISTS = Ground(
    "certificate_exists",
    en="The certificate of this pass has number {number} on record. Have that one revoked first.",
    zh="该合格成绩的证书已登记编号 {number}，如需更换请先撤销原证书。",
)
CERTIFICATE_WAS_REVOKED = Ground(
    "certificate_was_revoked",
    en="Certificate {number} was revoked; its number is not given out again.",
    zh="证书 {number} 已被撤销，其编号不能再次使用。",
)
ADMISSION_OF_ANOTHER = Ground(
    "admission_of_another",
    en="Admission number {number} belongs to another person than the identity document of this row.",
    zh="准考证号 {number} 与本行证件号码不是同一人，请核对。",
)
ISSUED_AHEAD = Ground(
    "issued_ahead",
    en="The date of issue {issued_on} lies in the future.",
    zh="发证日期 {issued_on} 晚于今天，请核对。",
)

MAX_NUMBER = 64


class State(StrEnum):
    VALID = "valid"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Certificate:
    """What a pass earned; its number is opaque and unique within its TEO. `submitted_by`: the cause that told of it."""

    teo: str
    number: str
    learner_id: str
    scheme: str
    level: Level
    result_id: str
    issued_on: date
    state: State = State.VALID
    submitted_by: str = ""

    @property
    def id(self) -> str:
        return f"{self.teo}:{self.number}"


@dataclass(frozen=True)
class Report:
    """One row of a certificate report. The learner is found by document, by admission number, or both."""

    scheme: Scheme
    level: Level
    number: str
    issued_on: date
    admission_number: str = ""
    learner_id: str | None = None

    @property
    def certificate_id(self) -> str:
        return f"{self.scheme.teo}:{self.number}"


@dataclass
class Archive:
    """What is on record that bears on some reports; it grows with each report accepted."""

    certificates: dict[str, Certificate]  # by id
    candidates: Mapping[str, Sequence[Candidate]]  # by admission number
    passes: Mapping[tuple[str, str, Level], Result]  # final, by learner, scheme and level
    today: date
    told: Mapping[str, Certificate] = field(default_factory=dict)  # what a set-back forgot, by id
    told_of: Mapping[str, Result] = field(default_factory=dict)  # the final passes they were told of, by result
    by_result: dict[str, Certificate] = field(init=False)

    def __post_init__(self) -> None:
        self.by_result = {one.result_id: one for one in self.certificates.values() if one.state is State.VALID}

    def copy(self) -> Archive:
        """One to go through without touching what was read."""
        return replace(self, certificates=dict(self.certificates))

    def issue(self, report: Report) -> tuple[Certificate, bool]:
        """The certificate a report tells of, and whether it is new; or a refusal."""
        check_report(report, self.today)
        passed = self._pass_of(report)
        known = self.certificates.get(report.certificate_id)
        if known is not None:
            return check_same(known, passed), False
        if passed.id in self.by_result:
            raise CERTIFICATE_EXISTS(number=self.by_result[passed.id].number)
        certificate = Certificate(
            teo=report.scheme.teo,
            number=report.number,
            learner_id=passed.learner_id,
            scheme=passed.scheme,
            level=passed.level,
            result_id=passed.id,
            issued_on=report.issued_on,
        )
        self.certificates[certificate.id] = self.by_result[passed.id] = certificate
        return certificate, True

    def _pass_of(self, report: Report) -> Result:
        """The latest pass of whom a report means; a number that was announced before a set-back has its own."""
        subject = (self._learner_of(report), report.scheme.code, report.level)
        if (told := self.told.get(report.certificate_id)) and self._is_told_of(told, subject):
            if told.result_id not in self.told_of:
                raise PASS_NOT_BACK(number=told.number, result=told.result_id)
            return self.told_of[told.result_id]
        if subject not in self.passes:
            raise NOT_PASSED(scheme=report.scheme.name, level=report.level.zh)
        return self.passes[subject]

    def _is_told_of(self, told: Certificate, subject: tuple[str, str, Level]) -> bool:
        """Whether a forgotten number was announced for this person and level; its result knows who that is by now."""
        back = self.told_of.get(told.result_id)
        return subject == (back.subject if back else (told.learner_id, told.scheme, told.level))

    def _learner_of(self, report: Report) -> str:
        """Whom a report means; an admission number and a document must mean the same person."""
        own = f"{report.scheme.teo}:"
        numbered = {
            one.learner_id for one in self.candidates.get(report.admission_number, ()) if one.plan_id.startswith(own)
        }
        if report.learner_id is None:
            passed = {one for one in numbered if (one, report.scheme.code, report.level) in self.passes} or numbered
            if len(passed) != 1:
                raise LEARNER_UNKNOWN()
            return passed.pop()
        if numbered and report.learner_id not in numbered:
            raise ADMISSION_OF_ANOTHER(number=report.admission_number)
        return report.learner_id


def check_report(report: Report, today: date) -> None:
    """Refuse a number that could not stand in an address, and a date to come."""
    if not 1 <= len(report.number) <= MAX_NUMBER or "/" in report.number:
        raise CERTIFICATE_NUMBER_MALFORMED(number=report.number[:MAX_NUMBER])
    if report.issued_on > today:
        raise ISSUED_AHEAD(issued_on=report.issued_on.isoformat())


def check_same(known: Certificate, passed: Result) -> Certificate:
    """The certificate on record under a number, refused unless it is of this very pass and valid."""
    if known.state is State.REVOKED:
        raise CERTIFICATE_WAS_REVOKED(number=known.number)
    if known.result_id != passed.id:
        raise CERTIFICATE_NUMBER_USED(number=known.number)
    return known


def revoked(certificate: Certificate) -> Certificate:
    """The certificate taken back by its TEO."""
    return replace(certificate, state=State.REVOKED)

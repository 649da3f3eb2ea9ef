"""What an assessment plan is, and who may be registered in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from chassis.errors import Ground
from contracts.terms import LEARNER_UNKNOWN, NOT_ENROLLED, Level
from services.assessment.catalogue.domain import Scheme, Teo, by_words, check_level, key_word

PLAN_UNKNOWN = Ground(
    "plan_unknown",
    en="There is no assessment plan '{plan}'. Check its code, or have it set up first.",
    zh="没有考核计划“{plan}”，请核对计划编号，或先建立该计划。",
)
PLAN_CODE_MALFORMED = Ground(
    "plan_code_malformed",
    en="'{code}' is no plan code: at most 64 letters, digits, Chinese characters, hyphens, points and underscores.",
    zh="“{code}”不是有效的计划编号：最多 64 位，只含字母、数字、汉字、连字符、点和下划线。",
)
PLAN_AMBIGUOUS = Ground(
    "plan_ambiguous",
    en="Several organisations have a plan '{plan}'. Add the column 评价组织代码.",
    zh="多个评价组织都有考核计划“{plan}”，请补充“评价组织代码”一列。",
)
SCHEME_MISMATCH = Ground(
    "scheme_mismatch",
    en="Scheme {scheme} belongs to another organisation than {teo}.",
    zh="证书 {scheme} 不属于评价组织 {teo}。",
)
PLAN_IN_USE = Ground(
    "plan_in_use",
    en="Plan {plan} has candidates: its scheme, level and session date stay as they are.",
    zh="考核计划 {plan} 已有考生，其证书、等级和考核日期不能再改。",
)
QUOTA_BELOW_CANDIDATES = Ground(
    "quota_below_candidates",
    en="Plan {plan} has {count} candidates; its quota cannot be {quota}.",
    zh="考核计划 {plan} 已有 {count} 名考生，名额不能设为 {quota}。",
)
TRAINING_NOT_COMPLETED = Ground(
    "training_not_completed",
    en="This learner has not completed the training for {scheme}, level {level}.",
    zh="该学习者尚未完成 {scheme} {level} 级培训。",
)
ADMISSION_MALFORMED = Ground(
    "admission_malformed",
    en="'{number}' is not an admission number: at most 64 letters, digits, hyphens, points and underscores.",
    zh="“{number}”不是有效的准考证号：最多 64 位，只含字母、数字、连字符、点和下划线。",
)
ADMISSION_TAKEN = Ground(
    "admission_taken",
    en="Admission number {number} belongs to another candidate of plan {plan}.",
    zh="准考证号 {number} 在考核计划 {plan} 中已属于另一名考生。",
)
ALREADY_CANDIDATE = Ground(
    "already_candidate",
    en="This learner is a candidate of plan {plan} already, with admission number {number}.",
    zh="该学习者已是考核计划 {plan} 的考生，准考证号为 {number}。",
)
QUOTA_FULL = Ground(
    "quota_full",
    en="Plan {plan} has a quota of {quota} and it is full. Use another plan or raise the quota.",
    zh="考核计划 {plan} 的名额 {quota} 已满，请使用其他计划或调整名额。",
)

ADMISSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z\-_.]{0,63}")
PLAN_CODE = re.compile(r"[0-9A-Za-z\u4e00-\u9fff][0-9A-Za-z\u4e00-\u9fff\-_.]{0,63}")


@dataclass(frozen=True)
class Plan:
    """One exam batch of a TEO 考核计划."""

    teo: str
    code: str
    scheme: str
    level: Level
    session_date: date
    quota: int
    publicity_days: int
    site: str = ""

    @property
    def id(self) -> str:
        return plan_id_of(self.teo, self.code)


def check_code(code: str) -> str:
    """Refuse a plan code that could not stand in an address or a result's id."""
    if not PLAN_CODE.fullmatch(code):
        raise PLAN_CODE_MALFORMED(code=code[:64])
    return code


def plan_id_of(teo: str, code: str) -> str:
    """A plan's code is unique within its TEO."""
    return f"{teo}:{code}"


@dataclass(frozen=True)
class Candidate:
    """A learner registered in a plan with an admission number 准考证号."""

    plan_id: str
    admission_number: str
    learner_id: str
    withdrawn: bool = False

    @property
    def id(self) -> str:
        return candidate_id_of(self.plan_id, self.admission_number)


def candidate_id_of(plan_id: str, admission_number: str) -> str:
    """An admission number is unique within its plan."""
    return f"{plan_id}:{admission_number}"


@dataclass(frozen=True)
class Entitlement:
    """What a learner may be assessed in: approved by the college, and trained where the scheme wants it."""

    learner_id: str
    scheme: str
    level: Level
    approved: bool = False
    trained: bool = False

    @property
    def id(self) -> str:
        return entitlement_id_of(self.learner_id, self.scheme, self.level)


def entitlement_id_of(learner_id: str, scheme: str, level: Level) -> str:
    """One for a learner, a scheme and a level."""
    return f"{learner_id}:{scheme}:{int(level)}"


@dataclass(frozen=True)
class Registration:
    """A learner to be registered, whom none may have been found for."""

    plan_id: str
    admission_number: str
    learner_id: str | None


def check_plan(plan: Plan, scheme: Scheme) -> None:
    """Refuse a plan for a scheme of another TEO or for a level the scheme has not."""
    if scheme.teo != plan.teo:
        raise SCHEME_MISMATCH(scheme=scheme.code, teo=plan.teo)
    check_level(scheme, plan.level)


def check_change(plan: Plan, before: Plan, candidates: int) -> None:
    """Refuse to pull a plan from under its candidates."""
    if candidates and what_is_sat(plan) != what_is_sat(before):
        raise PLAN_IN_USE(plan=plan.code)
    if plan.quota < candidates:
        raise QUOTA_BELOW_CANDIDATES(plan=plan.code, count=candidates, quota=plan.quota)


def what_is_sat(plan: Plan) -> tuple[str, Level, date]:
    """What candidates were registered for."""
    return plan.scheme, plan.level, plan.session_date


class PlanBook:
    """Plans as sheets name them: by code, and by TEO where a code is not unique."""

    def __init__(self, plans: Iterable[Plan], teos: Iterable[Teo]) -> None:
        self.by_id: dict[str, Plan] = {}
        self.by_code: dict[str, list[Plan]] = {}
        self.teos = by_words(teos)
        for plan in plans:
            self.by_id[plan.id] = plan
            self.by_code.setdefault(plan.code, []).append(plan)

    def find(self, code: str, teo_word: str = "") -> Plan:
        """The plan a row means; PLAN_UNKNOWN, PLAN_AMBIGUOUS."""
        found = self.by_code.get(code, [])
        if teo_word:
            teo = self.teos.get(key_word(teo_word))
            found = [plan for plan in found if plan.teo == teo]
        if len(found) > 1:
            raise PLAN_AMBIGUOUS(plan=code)
        if not found:
            raise PLAN_UNKNOWN(plan=code)
        return found[0]


@dataclass
class Roll:
    """Who is registered and who may be, while a sheet is gone through; it grows with each row accepted."""

    plans: Mapping[str, Plan]
    schemes: Mapping[str, Scheme]
    entitlements: Mapping[str, Entitlement]
    candidates: dict[str, Candidate]  # by id
    seats: Counter[str] = field(default_factory=Counter)  # by plan: candidates not withdrawn
    admissions: dict[tuple[str, str], str] = field(init=False)  # (plan, learner) → admission number

    def __post_init__(self) -> None:
        self.admissions = {(one.plan_id, one.learner_id): one.admission_number for one in self.candidates.values()}

    def copy(self) -> Roll:
        """One to go through without touching what was read."""
        return Roll(self.plans, self.schemes, self.entitlements, dict(self.candidates), self.seats.copy())

    def register(self, one: Registration) -> tuple[Candidate, Candidate | None]:
        """Register a learner or refuse to: the candidate now, and the one before under this admission number."""
        plan = self.plans[one.plan_id]
        if one.learner_id is None:
            raise LEARNER_UNKNOWN()
        candidate = Candidate(one.plan_id, one.admission_number, one.learner_id)
        before = self.candidates.get(candidate.id)
        if before == candidate:
            return candidate, before
        self._check_admission(plan, candidate, before)
        check_entitled(self.entitlements, self.schemes[plan.scheme], plan, one.learner_id)
        if self.seats[plan.id] >= plan.quota:
            raise QUOTA_FULL(plan=plan.code, quota=plan.quota)
        self.seats[plan.id] += 1
        self.candidates[candidate.id] = candidate
        self.admissions[plan.id, candidate.learner_id] = candidate.admission_number
        return candidate, before

    def _check_admission(self, plan: Plan, candidate: Candidate, before: Candidate | None) -> None:
        if not ADMISSION.fullmatch(candidate.admission_number):
            raise ADMISSION_MALFORMED(number=candidate.admission_number[:64])
        if before is not None and before.learner_id != candidate.learner_id:
            raise ADMISSION_TAKEN(number=candidate.admission_number, plan=plan.code)
        held = self.admissions.get((plan.id, candidate.learner_id), candidate.admission_number)
        if held != candidate.admission_number:
            raise ALREADY_CANDIDATE(plan=plan.code, number=held)


def check_entitled(entitlements: Mapping[str, Entitlement], scheme: Scheme, plan: Plan, learner_id: str) -> None:
    """Refuse a learner who is not approved for the plan's scheme and level, or not trained where that is wanted."""
    found = entitlements.get(entitlement_id_of(learner_id, plan.scheme, plan.level))
    if found is None or not found.approved:
        raise NOT_ENROLLED(scheme=scheme.name, level=int(plan.level))
    if scheme.needs_training and not found.trained:
        raise TRAINING_NOT_COMPLETED(scheme=scheme.name, level=int(plan.level))


def merged(own: Sequence[Entitlement], survivor_id: str) -> list[Entitlement]:
    """What one person is entitled to who was known under several ids."""
    sums: dict[str, Entitlement] = {}
    for one in own:
        name = entitlement_id_of(survivor_id, one.scheme, one.level)
        before = sums.get(name, Entitlement(survivor_id, one.scheme, one.level))
        sums[name] = Entitlement(
            survivor_id, one.scheme, one.level, one.approved or before.approved, one.trained or before.trained
        )
    return list(sums.values())

"""How a sitting is judged, and what a result may become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, timezone
from enum import StrEnum
from typing import Literal

from chassis.errors import Ground
from contracts.terms import Level, Verdict
from contracts.workdays import WorkingDays
from services.assessment.catalogue.domain import EachPart, PassRule, Scheme, Weighted, rule_for
from services.assessment.plans.domain import PLAN_UNKNOWN, Candidate, Plan, candidate_id_of

ADMISSION_UNKNOWN = Ground(
    "admission_unknown",
    en="Plan {plan} has no candidate with admission number {number}. Check it, or register the candidate.",
    zh="考核计划 {plan} 中没有准考证号为 {number} 的考生，请核对号码或先登记考生。",
)
CANDIDATE_WITHDRAWN = Ground(
    "candidate_withdrawn",
    en="The candidate with admission number {number} was withdrawn by the college.",
    zh="准考证号 {number} 的考生已由学校撤销。",
)
ATTEMPT_RANGE = Ground(
    "attempt_range",
    en="The attempt is {attempt}; it must be 1 to 20.",
    zh="考试次数为 {attempt}，应在 1 至 20 之间。",
)
SCORE_RANGE = Ground(
    "score_range",
    en="A score is {score}; it must be 0 to 100. Correct it.",
    zh="成绩 {score} 超出 0 至 100 的范围，请更正。",
)
SCORE_MISSING = Ground(
    "score_missing",
    en="The {part} score is missing. Fill it in, or write 缺考 if the candidate was absent.",
    zh="缺少成绩（{part}），请补填；如缺考请填写“缺考”。",
)
RESIT_NOT_ALLOWED = Ground(
    "resit_not_allowed",
    en="One part may be sat again {resits} time(s) within {days} days if it alone was failed. Sit both parts.",
    zh="仅有一部分未通过时，可在 {days} 天内补考该部分 {resits} 次；本次不符合条件，请重考全部部分。",
)
ALREADY_FINAL = Ground(
    "already_final",
    en="Result {result_id} is final. Its values are changed by a correction of the exam office alone.",
    zh="成绩 {result_id} 已最终确定，只能由考务办理更正。",
)
RESULT_ANNULLED = Ground(
    "result_annulled",
    en="Result {result_id} was annulled and takes no other values.",
    zh="成绩 {result_id} 已作废，不能再更改。",
)
OLDER_SUBMISSION = Ground(
    "older_submission",
    en="Result {result_id} was submitted as of {known} already; this one is older, as of {given}.",
    zh="成绩 {result_id} 已有 {known} 的数据，本次数据时间 {given} 更早，未采用。",
)
CONFLICTING_SUBMISSION = Ground(
    "conflicting_submission",
    en="Result {result_id} has other values as of the same time, {given}. Send the right ones with a newer time.",
    zh="成绩 {result_id} 在同一数据时间 {given} 已有不同内容，请核实后以更新的数据时间重新提交。",
)
AS_OF_AHEAD = Ground(
    "as_of_ahead",
    en="The time of the values, {given}, lies in the future.",
    zh="数据时间 {given} 晚于当前时间，请核对。",
)
EXTERNAL_ID_USED = Ground(
    "external_id_used",
    en="External id '{external_id}' belongs to result {result_id}.",
    zh="外部编号“{external_id}”已用于成绩 {result_id}。",
)
CARRIED_OVER = Ground(
    "carried_over",
    en="Result {result_id} is carried over into {later}. Annul that one first.",
    zh="成绩 {result_id} 已沿用到 {later}，请先作废后者。",
)

CAMPUS_OFFSET = timezone(timedelta(hours=8))  # Asia/Shanghai has had one offset since 1991
MAX_ATTEMPT = 20
AHEAD = timedelta(days=1)  # how far a sender's clock may be in front


class Remark(StrEnum):
    NONE = ""
    ABSENT = "absent"  # 缺考
    MALPRACTICE = "malpractice"  # 违纪


class State(StrEnum):
    PUBLICISED = "publicised"
    FINAL = "final"
    ANNULLED = "annulled"


@dataclass(frozen=True)
class Marks:
    """What a source says of one sitting. A part that was not sat has no score."""

    theory: int | None
    practical: int | None
    remark: Remark = Remark.NONE

    @property
    def is_of_one_part(self) -> bool:
        return not self.remark and (self.theory is None) != (self.practical is None)


@dataclass(frozen=True)
class Sitting:
    """One item of a submission. `as_of` is when its source says these values held."""

    plan_id: str
    admission_number: str
    marks: Marks
    as_of: datetime
    attempt: int = 1
    external_id: str = ""

    @property
    def result_id(self) -> str:
        return f"{self.plan_id}:{self.admission_number}:{self.attempt}"


@dataclass(frozen=True)
class Result:
    """The result of one sitting, known by TEO, plan, admission number and attempt.

    `due_on`: the last day of its publicity; `closes_at`: from when on a job may make it final;
    `carried_from`: the earlier result whose other part counts; `submitted_by`: the cause of its values.
    """

    teo: str
    plan: str
    admission_number: str
    attempt: int
    learner_id: str
    scheme: str
    level: Level
    session_date: date
    marks: Marks
    verdict: Verdict
    state: State
    revision: int
    as_of: datetime
    opened_on: date
    publicity_days: int
    rule_version: int
    due_on: date | None = None
    closes_at: datetime | None = None
    carried_from: str = ""
    submitted_by: str = ""

    @property
    def id(self) -> str:
        return f"{self.plan_id}:{self.admission_number}:{self.attempt}"

    @property
    def plan_id(self) -> str:
        return f"{self.teo}:{self.plan}"

    @property
    def subject(self) -> tuple[str, str, Level]:
        """Whose result it is, in what."""
        return self.learner_id, self.scheme, self.level

    @property
    def sat(self) -> tuple[date, int]:
        """The order of sittings."""
        return self.session_date, self.attempt


@dataclass(frozen=True)
class Judgement:
    """What a pass rule makes of a sitting, and which earlier result lent it a part."""

    verdict: Verdict
    carried_from: str = ""


REMARKED = {Remark.ABSENT: Verdict.ABSENT, Remark.MALPRACTICE: Verdict.MALPRACTICE}


def judge(rule: PassRule, marks: Marks, sat: tuple[date, int], earlier: Iterable[Result] = ()) -> Judgement:
    """Judge a sitting by a pass rule; `earlier` are the learner's other results in the same scheme and level.

    Refusals: score_range, score_missing, resit_not_allowed.
    """
    for score in (marks.theory, marks.practical):
        if score is not None and not 0 <= score <= 100:
            raise SCORE_RANGE(score=score)
    if marks.remark:
        return Judgement(REMARKED[marks.remark])
    if isinstance(rule, Weighted):
        return _judge_weighted(rule, *_both(marks))
    return _judge_each(rule, marks, sat, earlier)


def _judge_weighted(rule: Weighted, theory: int, practical: int) -> Judgement:
    hundredths = rule.theory * theory + rule.practical * practical
    return Judgement(_verdict(hundredths >= rule.pass_at * 100))


def _judge_each(rule: EachPart, marks: Marks, sat: tuple[date, int], earlier: Iterable[Result]) -> Judgement:
    live = [one for one in earlier if one.state != State.ANNULLED]
    original = _original(marks, sat, live)
    if original is None:
        return Judgement(_verdict(min(_both(marks)) >= rule.pass_at))
    resits = sum(one.carried_from == original.id for one in live)
    days = (sat[0] - original.session_date).days
    if not _may_resit(rule, marks, original) or resits >= rule.resits or days > rule.resit_within_days:
        raise RESIT_NOT_ALLOWED(resits=rule.resits, days=rule.resit_within_days)
    scored = marks.theory if marks.practical is None else marks.practical
    return Judgement(_verdict(scored is not None and scored >= rule.pass_at), original.id)


def _original(marks: Marks, sat: tuple[date, int], live: Iterable[Result]) -> Result | None:
    """The latest sitting of both parts before this one, where this one is of a single part."""
    if not marks.is_of_one_part:
        return None
    before = [one for one in live if one.sat < sat and not one.carried_from]
    return max(before, key=lambda one: one.sat, default=None)


def _may_resit(rule: EachPart, marks: Marks, original: Result) -> bool:
    """Whether the part sat again is the only one that was failed."""
    first = original.marks
    if original.verdict != Verdict.FAILED or first.theory is None or first.practical is None:
        return False
    again, kept = (first.practical, first.theory) if marks.theory is None else (first.theory, first.practical)
    return again < rule.pass_at <= kept


def _both(marks: Marks) -> tuple[int, int]:
    if marks.theory is None:
        raise SCORE_MISSING(part="theory 理论")
    if marks.practical is None:
        raise SCORE_MISSING(part="practical 实操")
    return marks.theory, marks.practical


def _verdict(passed: bool) -> Verdict:
    return Verdict.PASSED if passed else Verdict.FAILED


def end_of(day: date) -> datetime:
    """The first instant after a day on campus."""
    return datetime.combine(day + timedelta(days=1), time(), CAMPUS_OFFSET)


def start_of(day: date) -> datetime:
    """The first instant of a day on campus."""
    return datetime.combine(day, time(), CAMPUS_OFFSET)


Kind = Literal["publicised", "finalised", "corrected", "annulled"]


@dataclass(frozen=True)
class Step:
    """One thing that happened to a result, and the result after it."""

    kind: Kind
    result: Result
    reason: str = ""


@dataclass(frozen=True)
class Weighed:
    """What a sitting does: steps in order, none if it repeats what is known. `after` is the result then."""

    sitting: Sitting
    after: Result
    before: Result | None = None
    steps: tuple[Step, ...] = ()


def caused(weighed: Weighed, cause: str) -> Weighed:
    """The same, with the cause that its values have."""
    steps = tuple(replace(step, result=replace(step.result, submitted_by=cause)) for step in weighed.steps)
    return taken(weighed, steps)


def taken(weighed: Weighed, steps: tuple[Step, ...]) -> Weighed:
    """The same, with these steps in place of its own."""
    return replace(weighed, steps=steps, after=steps[-1].result if steps else weighed.after)


@dataclass(frozen=True)
class Known:
    """What a batch of sittings is weighed against."""

    plans: Mapping[str, Plan]
    schemes: Mapping[str, Scheme]
    candidates: Mapping[str, Candidate]
    results: Sequence[Result]  # those the sittings name, and all others of the same learners, schemes and levels
    external_ids: Mapping[str, str]  # `<teo>:<external id>` → result id
    days: WorkingDays
    now: datetime

    @property
    def today(self) -> date:
        return self.now.astimezone(CAMPUS_OFFSET).date()


class Docket:
    """Weighs sittings one after the other, each against what those before it left."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.results = {one.id: one for one in known.results}
        self.external_ids = dict(known.external_ids)
        self.due: dict[int, date | None] = {}
        self.subjects: dict[tuple[str, str, Level], set[str]] = {}
        for one in known.results:
            self.subjects.setdefault(one.subject, set()).add(one.id)

    def weigh(self, sitting: Sitting) -> Weighed:
        """What a sitting does to its result; Refusal if nothing, because it may not."""
        plan = self.known.plans.get(sitting.plan_id)
        if plan is None:
            raise PLAN_UNKNOWN(plan=sitting.plan_id.partition(":")[2])
        self._check(sitting, plan)
        before = self.results.get(sitting.result_id)
        if before is None:
            weighed = self._first(sitting, plan)
        elif before.marks == sitting.marks:
            weighed = Weighed(sitting, replace(before, as_of=max(before.as_of, sitting.as_of)), before)
        else:
            weighed = self._again(sitting, before)
        self._keep(weighed, plan)
        return weighed

    def _check(self, sitting: Sitting, plan: Plan) -> None:
        if not 1 <= sitting.attempt <= MAX_ATTEMPT:
            raise ATTEMPT_RANGE(attempt=sitting.attempt)
        if sitting.as_of > self.known.now + AHEAD:
            raise AS_OF_AHEAD(given=shown(sitting.as_of))
        owner = self.external_ids.get(f"{plan.teo}:{sitting.external_id}", sitting.result_id)
        if sitting.external_id and owner != sitting.result_id:
            raise EXTERNAL_ID_USED(external_id=sitting.external_id, result_id=owner)

    def _first(self, sitting: Sitting, plan: Plan) -> Weighed:
        candidate = self.known.candidates.get(candidate_id_of(sitting.plan_id, sitting.admission_number))
        if candidate is None:
            raise ADMISSION_UNKNOWN(plan=plan.code, number=sitting.admission_number)
        if candidate.withdrawn:
            raise CANDIDATE_WITHDRAWN(number=sitting.admission_number)
        rule = rule_for(self.known.schemes[plan.scheme], plan.session_date)
        earlier = self.others((candidate.learner_id, plan.scheme, plan.level), sitting.result_id)
        judgement = judge(rule, sitting.marks, (plan.session_date, sitting.attempt), earlier)
        due_on = self._due_on(plan.publicity_days)
        opened = Result(
            teo=plan.teo,
            plan=plan.code,
            admission_number=sitting.admission_number,
            attempt=sitting.attempt,
            learner_id=candidate.learner_id,
            scheme=plan.scheme,
            level=plan.level,
            session_date=plan.session_date,
            marks=sitting.marks,
            verdict=judgement.verdict,
            state=State.PUBLICISED,
            revision=1,
            as_of=sitting.as_of,
            opened_on=self.known.today,
            publicity_days=plan.publicity_days,
            rule_version=rule.version,
            due_on=due_on,
            closes_at=end_of(due_on) if due_on else None,
            carried_from=judgement.carried_from,
            submitted_by=f"result:{sitting.result_id}:r1",
        )
        steps = opening(opened)
        return Weighed(sitting, steps[-1].result, None, steps)

    def _again(self, sitting: Sitting, before: Result) -> Weighed:
        """Other values than are known: they must be newer, and the result still open."""
        if sitting.as_of < before.as_of:
            raise OLDER_SUBMISSION(result_id=before.id, known=shown(before.as_of), given=shown(sitting.as_of))
        if sitting.as_of == before.as_of:
            raise CONFLICTING_SUBMISSION(result_id=before.id, given=shown(sitting.as_of))
        if before.state == State.FINAL:
            raise ALREADY_FINAL(result_id=before.id)
        after = self.corrected(before, sitting.marks, sitting.as_of)
        return Weighed(sitting, after, before, (Step("corrected", after),))

    def corrected(self, before: Result, marks: Marks, as_of: datetime) -> Result:
        """The result with other marks, judged again; refused if annulled or carried over into another."""
        if before.state == State.ANNULLED:
            raise RESULT_ANNULLED(result_id=before.id)
        others = self.others(before.subject, before.id)
        check_carried(before, others)
        rule = rule_for(self.known.schemes[before.scheme], before.session_date)
        judgement = judge(rule, marks, before.sat, others)
        return replace(
            before,
            marks=marks,
            verdict=judgement.verdict,
            carried_from=judgement.carried_from,
            rule_version=rule.version,
            revision=before.revision + 1,
            as_of=max(as_of, before.as_of),
            submitted_by=f"result:{before.id}:r{before.revision + 1}",
        )

    def others(self, subject: tuple[str, str, Level], but: str) -> list[Result]:
        """The learner's other results in the same scheme and level."""
        return [self.results[name] for name in self.subjects.get(subject, ()) if name != but]

    def _due_on(self, days: int) -> date | None:
        if days not in self.due:
            self.due[days] = self.known.days.last_of(self.known.today, days)
        return self.due[days]

    def _keep(self, weighed: Weighed, plan: Plan) -> None:
        after = weighed.after
        self.results[after.id] = after
        self.subjects.setdefault(after.subject, set()).add(after.id)
        if weighed.sitting.external_id:
            self.external_ids[f"{plan.teo}:{weighed.sitting.external_id}"] = after.id


def opening(opened: Result) -> tuple[Step, ...]:
    """A new result is publicised; where publicity takes no day it is final at once."""
    publicised = Step("publicised", opened)
    return (publicised, Step("finalised", finalised(opened))) if opened.publicity_days == 0 else (publicised,)


def finalised(result: Result) -> Result:
    """The result when its publicity is over."""
    return replace(result, state=State.FINAL, revision=result.revision + 1, closes_at=None)


def annulled(result: Result, others: Iterable[Result]) -> Result:
    """The result counting no more; refused while another one lives on a part of it."""
    check_carried(result, others)
    return replace(result, state=State.ANNULLED, revision=result.revision + 1, closes_at=None)


def check_carried(result: Result, others: Iterable[Result]) -> None:
    """Refuse to change what a later sitting carries over."""
    for other in others:
        if other.carried_from == result.id and other.state != State.ANNULLED:
            raise CARRIED_OVER(result_id=result.id, later=other.id)


def as_kept(moment: datetime) -> datetime:
    """An instant to the millisecond, as it comes back when it was stored."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def shown(moment: datetime) -> str:
    """An instant as people on campus read it."""
    return moment.astimezone(CAMPUS_OFFSET).isoformat(sep=" ", timespec="seconds").removesuffix("+08:00")

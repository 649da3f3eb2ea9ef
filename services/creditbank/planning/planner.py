"""A learner's best exemptions: the judge is asked about each, caps bind them all, what is left out says why; pure.

The judge of `conversion` alone says what may stand. Here its sums over one application and its claims are written for
many at once. What is chosen is filed through the judge again, and each is judged against all others, as it would be at
every step of its review: a set that the judge refuses is a defect, never an answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from itertools import combinations

from chassis.errors import Defect, Ground, Refusal
from services.creditbank.conversion.applying import COMING
from services.creditbank.conversion.college import is_revoked, passes_in
from services.creditbank.conversion.domain import ConversionRule, Policy, Target, policy_for
from services.creditbank.conversion.judging import NOT_ADMITTED, Case, Claim, Standing, Studies, judge, share_most
from services.creditbank.curricula.domain import Curriculum
from services.creditbank.ledger.domain import (
    ABOVE_BALANCE,
    ACCOUNT_HELD_UP,
    Account,
    Holding,
    Move,
    check_open,
    check_spending,
)
from services.creditbank.planning.optimum import Limit, Problem, best
from services.creditbank.recognition.domain import Outcome

Place = tuple[str, str, str]  # rule, course, module
Sums = tuple[tuple[int, ...], dict[int, int]]  # whose points count, and by who minds, how many more there may be
PENDING_WOULD_FALL = Ground(
    "plan_against_pending",
    en="With it {target}, which is applied for already, would be above a cap. Wait for that decision, or withdraw it.",
    zh="加上本项后，已在申请中的 {target} 将超出上限，请等待其审批结果或先行撤回。",
)
NO_RULE = Ground(
    "no_conversion_rule",
    en="No conversion rule is published for this programme and entry year yet. Ask the registry.",
    zh="所在专业与年级尚未发布转换规则，请咨询教务。",
)


class When(StrEnum):
    """When a choice can be filed, and stand."""

    NOW = "now"
    IN_WINDOW = "in_window"  # as soon as the next window opens
    ONCE_FINAL = "once_final"  # filed, it waits for the result to be final or the certificate's number


@dataclass(frozen=True)
class Pending:
    """An application that is still to be decided, and is judged again until then, by its own policy."""

    scheme: str
    target: Target
    policy: Policy
    department: str
    curriculum: Curriculum | None
    is_held: bool


@dataclass(frozen=True)
class Facts:
    """Everything that a learner's plan rests on. `policies`: all versions by code. `claims`: what standing applications
    are about, `pending` those to be decided. `any_day`: no window is asked for, as for what lies in the future.
    `is_held_up`: news about the learner waits or broke."""

    learner_id: str
    today: date
    account: Account
    studies: tuple[Studies, ...]
    curricula: Mapping[tuple[str, int], Curriculum]
    rules: tuple[ConversionRule, ...]
    policies: Mapping[str, Sequence[Policy]]
    passed_courses: frozenset[str]
    outcomes: Mapping[str, Collection[Outcome]]
    claims: tuple[Claim, ...] = ()
    pending: tuple[Pending, ...] = ()
    elsewhere_points: int = 0
    numbered: frozenset[str] = frozenset()
    any_day: bool = False
    is_held_up: bool = False

    def holding(self, scheme: str) -> Holding:
        return self.account.holdings.get(scheme) or Holding(self.learner_id, scheme)

    def budget(self, scheme: str) -> int:
        """The points of a scheme that nothing claims yet: there, or still to be final."""
        holding = self.holding(scheme)
        awaited = sum(one.target.credit_points for one in self.pending if one.scheme == scheme and not one.is_held)
        return max(holding.available + holding.provisional - awaited, 0)

    def claimed(self, scheme: str = "") -> int:
        """The points that standing applications are about, of a scheme or of all."""
        return sum(one.target.credit_points for one in self.claims if scheme in {"", one.scheme})


@dataclass(frozen=True)
class Candidate:
    """An exemption that would stand by itself."""

    case: Case
    standing: Standing

    @property
    def place(self) -> Place:
        return place_of(self.case)

    @property
    def points(self) -> int:
        return self.case.target.credit_points

    @property
    def scheme(self) -> str:
        return self.case.rule.scheme

    @property
    def claim(self) -> Claim:
        return Claim(self.scheme, self.case.target)


@dataclass(frozen=True)
class Choice:
    """A chosen exemption, and when it can be filed and stand."""

    candidate: Candidate
    when: When


@dataclass(frozen=True)
class LeftOut:
    """An exemption that is not chosen: refused by a rule, or excluded by what is chosen instead."""

    case: Case
    refusal: Refusal
    excluded_by: tuple[Candidate, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The best set, and what is not in it. `because`: why nothing at all can be chosen."""

    choices: tuple[Choice, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    because: Refusal | None = None

    @property
    def points(self) -> int:
        return sum(one.candidate.points for one in self.choices)


def plan(facts: Facts, courses: Collection[str] | None = None) -> Plan:
    """The exemptions, from all courses or some, of the most points; of such sets the smallest, then the first."""
    if not facts.studies:
        return Plan(because=NOT_ADMITTED())
    if not facts.rules:
        return Plan(because=NO_RULE())
    standing, refused = candidates(facts, courses)
    chosen = [standing[number] for number in best(problem_of(facts, standing))]
    choices = _filed(facts, chosen)
    left = [_excluded(facts, one, chosen) for one in standing if one not in chosen]
    return Plan(choices, tuple(sorted([*refused, *left], key=lambda one: place_of(one.case))), locked(facts))


def locked(facts: Facts) -> Refusal | None:
    """Why nothing at all can be spent from the account now; None where some of it can."""
    try:
        _check_open(facts)
    except Refusal as refusal:
        return refusal
    return None


def _check_open(facts: Facts) -> None:
    """Refuse while news about the learner is held up, or the account is frozen or owes: as the ledger does."""
    if facts.is_held_up:
        raise ACCOUNT_HELD_UP()
    check_open(facts.account)


def candidates(facts: Facts, courses: Collection[str] | None = None) -> tuple[list[Candidate], list[LeftOut]]:
    """Every target of every published rule, by place: those that would stand alone, and those that would not."""
    standing, refused = [], []
    for case in sorted(_cases(facts), key=place_of):
        if courses is not None and case.target.course not in courses:
            continue
        try:
            candidate = Candidate(case, judge(case))
            is_coming(facts.account, facts, candidate)
        except Refusal as refusal:
            refused.append(LeftOut(case, refusal))
        else:
            standing.append(candidate)
    return standing, refused


def case_for(facts: Facts, rule: ConversionRule, target: Target) -> Case | None:
    """What an application filed today would be judged by, or in the next window; None without any policy."""
    policy, day = _filing(facts, facts.policies.get(rule.policy, ()))
    if policy is None:
        return None
    return Case(
        rule=rule,
        target=target,
        policy=policy,
        filed_on=day,
        studies=facts.studies,
        curriculum=facts.curricula.get((rule.programme, rule.entry_year)),
        passed_courses=facts.passed_courses,
        passes=passes_in(facts.outcomes.get(rule.scheme, ())),
        claims=facts.claims,
        elsewhere_points=facts.elsewhere_points,
        is_offered=facts.any_day,
        is_revoked=is_revoked(facts.outcomes.get(rule.scheme, ()), rule),
    )


def _cases(facts: Facts) -> Iterator[Case]:
    pairs = ((rule, target) for rule in facts.rules for target in rule.targets)
    return filter(None, (case_for(facts, *pair) for pair in pairs))


def _filing(facts: Facts, versions: Sequence[Policy]) -> tuple[Policy | None, date]:
    """The policy of the day to file on: today, or where no window is open the first day of the next."""
    policy = policy_for(versions, facts.today)
    if policy and (facts.any_day or policy.window_on(facts.today)):
        return policy, facts.today
    coming = {window.opens_on for one in versions for window in one.windows if window.opens_on > facts.today}
    for opening in sorted(coming):
        then = policy_for(versions, opening)
        if then and then.window_on(opening):
            return then, opening
    return policy or max(versions, key=lambda one: one.version, default=None), facts.today


def filing_day(facts: Facts, rule: ConversionRule) -> date | None:
    """The first day from today on which to file by a rule, by the windows announced so far; None where none is."""
    policy, day = _filing(replace(facts, any_day=False), facts.policies.get(rule.policy, ()))
    is_open = policy is not None and policy.window_on(day) and rule.valid_from <= day <= rule.valid_until
    return day if is_open else None


def place_of(case: Case) -> Place:
    """By what a target of a rule is known."""
    return case.rule.code, case.target.course, case.target.module


def is_coming(account: Account, facts: Facts, one: Candidate) -> bool:
    """Whether an application would wait for its credit; Refusal where it may not be spent at all."""
    _check_open(facts)
    try:
        check_spending(account, Move.HOLD, one.scheme, one.points, one.scheme in facts.numbered)
    except Refusal as refusal:
        if refusal.code not in COMING:
            raise
        return True
    return not one.standing.is_final


def problem_of(facts: Facts, standing: Sequence[Candidate]) -> Problem:
    """Which candidates can't be had together: rivals for a course, points of a holding, caps of the policies."""
    everyone = tuple(range(len(standing)))
    limits: list[Limit] = []
    for scheme in sorted({one.scheme for one in standing}):
        of_scheme = tuple(number for number in everyone if standing[number].scheme == scheme)
        limits.append(Limit(of_scheme, facts.budget(scheme)))
        claimed = facts.claimed(scheme)
        caps = {number: standing[number].case.policy.most_points_per_certificate - claimed for number in of_scheme}
        limits += _binding((of_scheme, caps))
    limits += _binding((everyone, _shares(facts, standing)))
    for pending in facts.pending:
        limits += _pending_limits(facts, pending, standing)
    return Problem(tuple(one.points for one in standing), tuple(_rivals(standing)), tuple(limits))


def _rivals(standing: Sequence[Candidate]) -> Iterator[tuple[int, int]]:
    """Pairs about one course that the judge does not let stand together."""
    for (number, one), (beside, other) in combinations(enumerate(standing), 2):
        if one.case.target.course == other.case.target.course and (_against(one, [other]) or _against(other, [one])):
            yield number, beside


def _shares(facts: Facts, standing: Sequence[Candidate]) -> dict[int, int]:
    """By candidate whose policy names a share of the learner's, how many points it leaves."""
    have = facts.elsewhere_points + facts.claimed()
    rooms = {
        number: share_most(one.case.policy, one.case.curriculum, one.standing.studies.department)
        for number, one in enumerate(standing)
    }
    return {number: most - have for number, most in rooms.items() if most is not None}


def _binding(sums: Sums) -> Iterator[Limit]:
    """A cap for all, where all have the same, else one that binds with whoever minds it."""
    members, rooms = sums
    if len(set(rooms.values())) == 1 and len(rooms) == len(members):
        yield Limit(members, next(iter(rooms.values())))
        return
    yield from (Limit(members, room, only_with=number) for number, room in rooms.items())


def _pending_limits(facts: Facts, one: Pending, standing: Sequence[Candidate]) -> Iterator[Limit]:
    """What an application to be decided still bears beside it; one that is above a cap already binds nobody."""
    of_scheme = tuple(number for number, other in enumerate(standing) if other.scheme == one.scheme)
    room = one.policy.most_points_per_certificate - facts.claimed(one.scheme)
    most = share_most(one.policy, one.curriculum, one.department)
    limits = [Limit(of_scheme, room)]
    if most is not None:
        limits.append(Limit(tuple(range(len(standing))), most - facts.elsewhere_points - facts.claimed()))
    if all(limit.most >= 0 for limit in limits):
        yield from limits


def _filed(facts: Facts, chosen: Sequence[Candidate]) -> tuple[Choice, ...]:
    """File what is chosen, what is final first; each is judged with what was filed before, then with all others."""
    account, filed, choices = _copied(facts.account), list[Candidate](), []
    for one in sorted(chosen, key=lambda one: (not one.standing.is_final, one.place)):
        others = [other for other in chosen if other is not one]
        if refusal := _against(one, filed) or _against(one, others):
            raise Defect(f"the plan of {facts.learner_id} does not stand: {one.place}: {refusal}")
        waits = is_coming(account, facts, one)
        if not waits:
            account.holding(one.scheme).available -= one.points
        filed.append(one)
        choices.append(Choice(one, When.ONCE_FINAL if waits else _day(facts, one)))
    _check_budgets(facts, chosen)
    return tuple(sorted(choices, key=lambda one: one.candidate.place))


def _day(facts: Facts, one: Candidate) -> When:
    return When.NOW if one.case.filed_on == facts.today else When.IN_WINDOW


def _check_budgets(facts: Facts, chosen: Sequence[Candidate]) -> None:
    for scheme in {one.scheme for one in chosen}:
        spent = sum(one.points for one in chosen if one.scheme == scheme)
        if spent > facts.budget(scheme):
            raise Defect(f"the plan of {facts.learner_id} spends {spent} of {facts.budget(scheme)} points of {scheme}")


def _copied(account: Account) -> Account:
    holdings = {scheme: replace(one) for scheme, one in account.holdings.items()}
    return Account(account.learner_id, holdings=holdings, is_frozen=account.is_frozen)


def _against(one: Candidate, others: Iterable[Candidate]) -> Refusal | None:
    """What the judge says against an exemption beside others."""
    claims = (*one.case.claims, *(other.claim for other in others))
    try:
        judge(replace(one.case, claims=claims))
    except Refusal as refusal:
        return refusal
    return None


def _excluded(facts: Facts, one: Candidate, chosen: Sequence[Candidate]) -> LeftOut:
    """Why something that would stand alone is not chosen, and what is chosen instead."""
    same_scheme = tuple(other for other in chosen if other.scheme == one.scheme)
    if refusal := _against(one, chosen):
        rivals = tuple(other for other in chosen if _against(one, [other])) or same_scheme
        return LeftOut(one.case, refusal, rivals or tuple(chosen))
    left = facts.budget(one.scheme) - sum(other.points for other in same_scheme)
    if one.points > left:
        return LeftOut(one.case, ABOVE_BALANCE(wanted=one.points, scheme=one.scheme, available=left), same_scheme)
    for other in chosen:
        if refusal := _against(other, [*(that for that in chosen if that is not other), one]):
            return LeftOut(one.case, refusal, (other,))
    return LeftOut(one.case, PENDING_WOULD_FALL(target=_pending_against(facts, one)), tuple(chosen))


def _pending_against(facts: Facts, one: Candidate) -> str:
    near = [other for other in facts.pending if other.scheme == one.scheme] or facts.pending
    return "、".join(other.target.code for other in near)

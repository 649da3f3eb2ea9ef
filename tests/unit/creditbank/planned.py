"""Random learners with their rules and caps, and the best set of exemptions by trying every one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import combinations

from chassis.errors import Refusal
from contracts.terms import CourseKind, Level, StudyStatus, Verdict
from services.creditbank.conversion.domain import ConversionRule, Policy, RuleState, Share, Target, Window
from services.creditbank.conversion.judging import Case, Claim, Passed, Studies, judge
from services.creditbank.curricula.domain import Course, CourseModule, Curriculum
from services.creditbank.ledger.domain import Account, CertificateState, Holding, Move, check_spending
from services.creditbank.planning.planner import Facts, Pending, place_of
from services.creditbank.recognition.domain import Outcome, OutcomeState

TODAY, FROM, UNTIL = date(2021, 3, 3), date(2021, 1, 1), date(2023, 12, 31)
WINDOW = Window("2020-2021-2", date(2021, 3, 1), date(2021, 3, 12))
SCHEMES, POLICIES = ("finance", "cloud", "shop"), ("loose", "narrow")
PLACE, DEPARTMENT = ("630302", 2019), "财会学院"
MEI = Studies(*PLACE, "2019040117", DEPARTMENT, "1903", StudyStatus.ENROLLED)
COMING = {"credit_provisional", "credit_unnumbered"}


def course(number: int, points: int) -> Course:
    modules = (CourseModule("M1", "上", points // 2), CourseModule("M2", "下", points // 2))
    return Course(f"C{number}", f"课程{number}", points, CourseKind.CORE, 1 + number % 6, modules=modules)


class Learner:
    """A learner at random, small enough that every set of exemptions can be tried."""

    def __init__(self, seed: int, courses: int = 5, rules: int = 5) -> None:
        self.chance = random.Random(seed)
        sizes = [self.chance.choice((200, 400, 600)) for _ in range(courses)]
        taught = tuple(course(number, points) for number, points in enumerate(sizes))
        self.curriculum = Curriculum(*PLACE[:1], "会计", PLACE[1], 1, 4_000, taught, datetime(2021, 1, 1, tzinfo=UTC))
        self.policies = {code: (self.policy(code),) for code in POLICIES}
        self.rules = [self.rule(number) for number in range(rules)]

    def policy(self, code: str) -> Policy:
        most = self.chance.choice((400, 600, 800, 1_600))
        percent = self.chance.choice((10, 15, 20, 25, 40, None))
        shares = () if percent is None else (Share("学生", percent),)
        return Policy(code, 1, "办法", "", FROM, FROM, UNTIL, most, shares=shares, windows=(WINDOW,))

    def rule(self, number: int) -> ConversionRule:
        targets = dict.fromkeys(self.target() for _ in range(self.chance.randint(1, 2)))
        scheme, policy = self.chance.choice(SCHEMES), self.chance.choice(POLICIES)
        levels = (Level(self.chance.choice((1, 2))),)
        return ConversionRule(
            f"r{number}", 1, policy, *PLACE, scheme, levels, tuple(targets), FROM, UNTIL, state=RuleState.PUBLISHED
        )

    def target(self) -> Target:
        found = self.chance.choice(self.curriculum.courses)
        if self.chance.random() < 0.6:
            return Target(found.code, found.credit_points, "免修")
        module = self.chance.choice(found.modules)
        return Target(found.code, module.credit_points, "免修", module=module.code)

    def facts(self) -> Facts:
        account, outcomes = Account("mei"), {}
        for scheme in SCHEMES:
            account.holdings[scheme] = self.holding(scheme)
            outcomes[scheme] = [self.outcome(scheme, level) for level in Level if self.chance.random() < 0.8]
        asked = [self.pending() for _ in range(self.chance.choice((0, 0, 1)))]
        return Facts(
            learner_id="mei",
            today=TODAY,
            account=account,
            studies=(MEI,),
            curricula={PLACE: self.curriculum},
            rules=tuple(self.rules),
            policies=self.policies,
            passed_courses=frozenset({"C0"} if self.chance.random() < 0.2 else ()),
            outcomes=outcomes,
            claims=tuple(Claim(one.scheme, one.target) for one in asked),
            pending=tuple(asked),
            elsewhere_points=self.chance.choice((0, 0, 200)),
            numbered=frozenset({"cloud"}),
        )

    def holding(self, scheme: str) -> Holding:
        available, provisional = self.chance.choice((0, 200, 400, 800)), self.chance.choice((0, 0, 200, 400))
        certificate = self.chance.choice((CertificateState.RECORDED, CertificateState.NONE))
        return Holding("mei", scheme, 2, certificate, provisional=provisional, available=available)

    def outcome(self, scheme: str, level: int) -> Outcome:
        state = self.chance.choice((OutcomeState.FINAL, OutcomeState.FINAL, OutcomeState.PUBLICISED))
        day = date(2020, 11, 21)
        made = Outcome("mei", f"{scheme}:{level}", scheme, level, 2, state, Verdict.PASSED, day, "cause", "what")
        return replace(made, rule_version=1, credit_points=200 * level)

    def pending(self) -> Pending:
        policy = self.chance.choice([one for (one,) in self.policies.values()])
        found = Pending(self.chance.choice(SCHEMES), self.target(), policy, DEPARTMENT, self.curriculum, is_held=False)
        return replace(found, is_held=self.chance.random() < 0.5)


def tried(facts: Facts) -> tuple[tuple[str, str, str], ...]:
    """The best set of exemptions by the judge alone, of all sets there are."""
    alone = [one for one in _every_case(facts) if _stands(facts, one)]
    sets = (some for count in range(len(alone) + 1) for some in combinations(alone, count))
    best = max((some for some in sets if _stand_together(facts, some)), key=lambda some: _rank(alone, some))
    return tuple(place_of(one) for one in best)


def _rank(alone: Sequence[Case], some: Sequence[Case]) -> tuple[int, int, list[bool]]:
    points = sum(one.target.credit_points for one in some)
    return points, -len(some), [one in some for one in alone]


def _every_case(facts: Facts) -> list[Case]:
    cases = []
    for rule in facts.rules:
        (policy,) = facts.policies[rule.policy]
        passes = [one for one in facts.outcomes[rule.scheme] if one.counts]
        read = replace(_EMPTY, rule=rule, policy=policy, studies=facts.studies, curriculum=facts.curricula[PLACE])
        read = replace(read, passed_courses=facts.passed_courses, elsewhere_points=facts.elsewhere_points)
        read = replace(read, claims=facts.claims, passes=tuple(_passed(one) for one in passes))
        cases += [replace(read, target=target) for target in rule.targets]
    return sorted(cases, key=place_of)


def _stands(facts: Facts, one: Case) -> bool:
    scheme = one.rule.scheme
    try:
        judge(one)
        needs_number = scheme in facts.numbered
        check_spending(facts.account, Move.HOLD, scheme, one.target.credit_points, needs_number)
    except Refusal as refusal:
        return refusal.code in COMING
    return True


def _stand_together(facts: Facts, some: Sequence[Case]) -> bool:
    asked = [Claim(one.rule.scheme, one.target) for one in some]
    for number, one in enumerate(some):
        others = (*facts.claims, *asked[:number], *asked[number + 1 :])
        if not _passes(replace(one, claims=others)):
            return False
    return _is_paid(facts, some) and all(_bears(facts, one, asked) for one in facts.pending)


def _is_paid(facts: Facts, some: Sequence[Case]) -> bool:
    for scheme in SCHEMES:
        holding = facts.account.holdings[scheme]
        waiting = sum(one.target.credit_points for one in facts.pending if one.scheme == scheme and not one.is_held)
        cost = sum(one.target.credit_points for one in some if one.rule.scheme == scheme)
        if cost and cost > holding.available + holding.provisional - waiting:
            return False
    return True


def _bears(facts: Facts, one: Pending, asked: Sequence[Claim]) -> bool:
    """Whether an application that is still to be decided stands beside more, if it stands at all."""
    rule = replace(facts.rules[0], scheme=one.scheme, policy=one.policy.code, targets=(one.target,), levels=(Level(1),))
    own = Claim(one.scheme, one.target)
    others = tuple(that for that in facts.claims if that != own)
    case = replace(_EMPTY, rule=rule, target=one.target, policy=one.policy, studies=facts.studies, passes=(_PASS,))
    case = replace(case, curriculum=one.curriculum, elsewhere_points=facts.elsewhere_points, claims=others)
    return not _passes(case) or _passes(replace(case, claims=(*others, *asked)))


def _passes(case: Case) -> bool:
    try:
        judge(case)
    except Refusal:
        return False
    return True


def _passed(one: Outcome) -> Passed:
    return Passed(one.level, one.state == OutcomeState.FINAL, one.session_date)


_PASS = Passed(1, True, date(2020, 11, 21))
_NOTHING = Target("", 0, "")
_RULE = ConversionRule("", 0, "", *PLACE, "", (Level(1),), (_NOTHING,), FROM, UNTIL)
_EMPTY = Case(_RULE, _NOTHING, Policy("", 0, "", "", FROM, FROM, UNTIL, 0), TODAY)

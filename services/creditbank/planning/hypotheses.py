"""What if: a certificate more, or points spent now; what that adds, and what it forecloses; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from chassis.errors import NOT_FOUND, Refusal
from contracts.terms import Level, Verdict
from services.creditbank.conversion.judging import Case, Claim
from services.creditbank.ledger.domain import ABOVE_BALANCE, Account, CertificateState
from services.creditbank.planning.planner import Candidate, Facts, Plan, candidates, filing_day, place_of, plan
from services.creditbank.recognition.domain import (
    Outcome,
    OutcomeState,
    Rulebook,
    RuleVersion,
    chosen,
    counted_level,
    worth,
)

HYPOTHESIS = "hypothesis"


@dataclass(frozen=True)
class Foreclosure:
    """What a higher level could buy, and can no longer once points are spent now.

    `lifted`: the points of its scheme that nothing would claim then; `left`: of these, after the spending. `file_on`:
    the first day on which it could be filed by the windows announced so far, None where none is.
    """

    level: Level
    case: Case
    lifted: int
    left: int
    refusal: Refusal
    file_on: date | None


@dataclass(frozen=True)
class Price:
    """What one more certificate would add: points by the difference rule, and the exemptions of the new best set.

    `days`: by rule of the new set, the first day on which to file by the windows announced so far, None where none is.
    """

    scheme: str
    level: Level
    version: RuleVersion
    credit_points: int
    before: Plan
    after: Plan
    days: Mapping[str, date | None]

    @property
    def extra(self) -> tuple[Candidate, ...]:
        """What is in the new best set and not in the old one."""
        return _beyond(self.after, self.before)

    @property
    def dropped(self) -> tuple[Candidate, ...]:
        """What is in the old best set and not in the new one: better ones take its place."""
        return _beyond(self.before, self.after)


def _beyond(one: Plan, other: Plan) -> tuple[Candidate, ...]:
    have = {choice.candidate.place for choice in other.choices}
    return tuple(choice.candidate for choice in one.choices if choice.candidate.place not in have)


def unlocked(facts: Facts) -> Facts:
    """The facts as they would be on whatever day, once nothing holds the account up or freezes it: that passes."""
    return replace(facts, account=replace(facts.account, is_frozen=False), is_held_up=False, any_day=True)


def in_force(rulebook: Rulebook, facts: Facts, scheme: str, level: int) -> RuleVersion | None:
    """The recognition rule for a session of today."""
    return chosen(rulebook.get((scheme, level), ()), facts.today)


def with_pass(facts: Facts, scheme: str, level: int, version: RuleVersion) -> Facts:
    """The facts as they would be after a final pass of today with its number on record, on whatever day that counts."""
    outcomes = [*facts.outcomes.get(scheme, ()), _passed(facts, scheme, level, version)]
    earned, before = worth(outcomes), facts.holding(scheme)
    holding = replace(
        before,
        level=counted_level(outcomes),
        certificate=CertificateState.RECORDED,
        provisional=earned.provisional,
        available=before.available + earned.available - before.shown().available,
    )
    account = replace(facts.account, holdings={**facts.account.holdings, scheme: holding})
    return unlocked(replace(facts, account=account, outcomes={**facts.outcomes, scheme: outcomes}))


def _passed(facts: Facts, scheme: str, level: int, version: RuleVersion) -> Outcome:
    return Outcome(
        learner_id=facts.learner_id,
        result_id=HYPOTHESIS,
        scheme=scheme,
        level=level,
        revision=1,
        state=OutcomeState.FINAL,
        verdict=Verdict.PASSED,
        session_date=facts.today,
        cause=HYPOTHESIS,
        what=HYPOTHESIS,
        rule_version=version.version,
        credit_points=version.credit_points,
    )


def with_spending(facts: Facts, one: Case) -> Facts:
    """The facts as they would be with one exemption more: its claim stands, its points are held."""
    scheme, points = one.rule.scheme, one.target.credit_points
    before = facts.holding(scheme)
    holding = replace(before, available=before.available - points, held=before.held + points)
    account = replace(facts.account, holdings={**facts.account.holdings, scheme: holding})
    return replace(facts, account=account, claims=(*facts.claims, Claim(scheme, one.target)))


def foreclosed(facts: Facts, spending: Case, rulebook: Rulebook) -> tuple[Foreclosure, ...]:
    """What higher levels of a spending's scheme, as far as rules know them, could buy without it and not with it."""
    scheme = spending.rule.scheme
    known = {level for rule in facts.rules if rule.scheme == scheme for level in rule.levels}
    top = counted_level(facts.outcomes.get(scheme, ()))
    found: list[Foreclosure] = []
    for level in sorted(level for level in known if level > top):
        if version := in_force(rulebook, facts, scheme, level):
            found += _foreclosed_at(level, with_pass(facts, scheme, level, version), spending)
    return tuple(found)


def _foreclosed_at(level: Level, later: Facts, spending: Case) -> Iterator[Foreclosure]:
    spent, scheme = with_spending(later, spending), spending.rule.scheme
    lifted, left = later.budget(scheme), spent.budget(scheme)
    standing, refused = candidates(spent)
    can = {one.place for one in standing if one.points <= left}
    refusals = {place_of(one.case): one.refusal for one in refused}
    for one in candidates(later)[0]:
        if one.scheme != scheme or one.points > lifted or one.place in can or _is_had(one.case, spending):
            continue
        short = ABOVE_BALANCE(wanted=one.points, scheme=scheme, available=left)
        day = filing_day(later, one.case.rule)
        yield Foreclosure(level, one.case, lifted, left, refusals.get(one.place, short), day)


def _is_had(case: Case, spending: Case) -> bool:
    """Whether a spending already excuses from all that a target is about."""
    same_course = case.target.course == spending.target.course
    return same_course and spending.target.module in {"", case.target.module}


def price_of(facts: Facts, scheme: str, level: Level, rulebook: Rulebook) -> Price:
    """What a certificate would add to a learner's account and best set, on any day; Refusal where no rule values it."""
    version = in_force(rulebook, facts, scheme, level)
    if version is None:
        raise NOT_FOUND(what="recognition rule", id=f"{scheme}/{int(level)}")
    after = with_pass(facts, scheme, level, version)
    gained = _issued(after.account, scheme) - _issued(facts.account, scheme)
    best = plan(after)
    rules = (one.candidate.case.rule for one in best.choices)
    days = {one.code: filing_day(facts, one) for one in rules}
    return Price(scheme, level, version, gained, plan(unlocked(facts)), best, days)


def _issued(account: Account, scheme: str) -> int:
    holding = account.holdings.get(scheme)
    return sum(holding.shown()) if holding else 0

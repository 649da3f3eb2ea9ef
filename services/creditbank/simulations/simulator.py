"""What a draft would change for one student after the other; nothing is written, nobody is told; pure.

What can be filed is asked of the judge, exemption by exemption, each by itself: two that are newly allowed may not be
had together. Applications and offers go on by the versions they name; where they would not stand by the draft, that is
told, since the registry may lead an undone application to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from chassis.errors import Refusal
from services.creditbank.conversion.applications import because_of
from services.creditbank.conversion.domain import ConversionRule, Policy, Target
from services.creditbank.conversion.judging import TARGET_NOT_IN_RULE, Claim, judge, target_in
from services.creditbank.curricula.domain import StudentRecord
from services.creditbank.ledger.domain import ABOVE_BALANCE
from services.creditbank.planning.planner import Candidate, Facts, Place, candidates, case_for, place_of
from services.creditbank.simulations.comparing import Comparison, Ruling
from services.creditbank.simulations.domain import Change, Effect, Subject


@dataclass(frozen=True)
class Flight:
    """An application that is open, or an offer: what it is about, the day that counts for it, the versions it names."""

    effect: Effect
    application: str
    rule: ConversionRule
    policy: Policy
    target: Target
    filed_on: date
    held: int = 0


@dataclass(frozen=True)
class Student:
    """A student record, and everything that decides about its learner."""

    record: StudentRecord
    facts: Facts
    flights: tuple[Flight, ...] = ()


def changes_for(student: Student, comparison: Comparison) -> Iterator[Change]:
    """Every exemption of a student that a draft allows, takes or prices otherwise; what is open that would fall."""
    yield from _filings(student, comparison)
    for flight in student.flights:
        if _falls(student, flight, flight.rule, flight.policy, flight.filed_on) is None:
            yield from _fallen(student, flight, comparison)


def _filings(student: Student, comparison: Comparison) -> Iterator[Change]:
    before, _ = _standing(student, comparison.before, comparison)
    after, refused = _standing(student, comparison.after, comparison)
    for place in sorted(before.keys() | after.keys()):
        have, had = after.get(place), before.get(place)
        said = _said(student, place, (had or after[place]).scheme)
        said |= {"before_points": had.points if had else 0, "after_points": have.points if have else 0}
        if had and have and had.points != have.points:
            yield Change(Effect.REPRICED, **said)
        elif have and not had:
            yield Change(Effect.ALLOWED, **said)
        elif had and not have:
            yield Change(Effect.TAKEN, **said | _why(refused.get(place) or _not_in(place, comparison)))


def _standing(
    student: Student, ruling: Ruling, comparison: Comparison
) -> tuple[dict[Place, Candidate], dict[Place, Refusal]]:
    """What a student could file under these rules, by place, and what the judge says against the rest."""
    standing, refused = candidates(_under(student, ruling, comparison))
    return {one.place: one for one in standing}, {place_of(one.case): one.refusal for one in refused}


def _under(student: Student, ruling: Ruling, comparison: Comparison) -> Facts:
    """The facts with these rules of the student's programme and entry year alone."""
    record = student.record
    rules = [one for one in ruling.rules if (one.programme, one.entry_year) == (record.programme, record.entry_year)]
    return replace(
        student.facts,
        rules=tuple(rules),
        policies=ruling.policies,
        today=comparison.on,
        any_day=not comparison.asks_windows,
    )


def _fallen(student: Student, flight: Flight, comparison: Comparison) -> Iterator[Change]:
    """What is open and stands by the versions it names, where it would not by the draft."""
    rule, policy = flight.rule, flight.policy
    if comparison.draft.subject == Subject.RULE:
        rule = comparison.after.rules[0]
    else:
        policy = comparison.after.policies[comparison.draft.code][-1]
    refusal = _falls(student, flight, rule, policy, comparison.on)
    if refusal is not None:
        place = rule.code, flight.target.course, flight.target.module
        said = _said(student, place, flight.rule.scheme) | _why(refusal)
        yield Change(flight.effect, **said, before_points=flight.target.credit_points, application=flight.application)


def _falls(student: Student, flight: Flight, rule: ConversionRule, policy: Policy, day: date) -> Refusal | None:
    """What speaks against it by these versions on a day; its window is past and not asked for again."""
    facts = student.facts
    claims = list(facts.claims)
    own = Claim(flight.rule.scheme, flight.target)
    if flight.effect == Effect.APPLICATION and own in claims:
        claims.remove(own)
    facts = replace(facts, claims=tuple(claims), policies={rule.policy: (policy,)}, today=day, any_day=True)
    try:
        target = target_in(rule, flight.target.course, flight.target.module)
        if case := case_for(facts, rule, target):
            judge(case)
        _check_points(facts, flight, rule, target)
    except Refusal as refusal:
        return refusal
    return None


def _check_points(facts: Facts, flight: Flight, rule: ConversionRule, target: Target) -> None:
    """Refuse what costs more than is held for it, there, or still to be final."""
    holding = facts.holding(rule.scheme)
    held = flight.held if rule.scheme == flight.rule.scheme else 0
    have = held + holding.available + holding.provisional
    if target.credit_points > have:
        raise ABOVE_BALANCE(wanted=target.credit_points, scheme=rule.scheme, available=have)


def _not_in(place: Place, comparison: Comparison) -> Refusal:
    """Why something can't be filed that the rules do not know any more."""
    rules: Iterable[ConversionRule] = comparison.after.rules
    offered = "、".join(target.code for one in rules if one.code == place[0] for target in one.targets)
    return TARGET_NOT_IN_RULE(code=place[0], target=place[2] or place[1], offered=offered)


def _said(student: Student, place: Place, scheme: str) -> dict[str, Any]:
    record = student.record
    names = ("learner_id", "student_number", "programme", "entry_year")
    rule, course, module = place
    return {name: getattr(record, name) for name in names} | {
        "scheme": scheme,
        "rule": rule,
        "course": course,
        "module": module,
    }


def _why(refusal: Refusal) -> dict[str, str]:
    because = because_of(refusal)
    return {"because": because.code, "because_zh": because.zh, "because_en": because.en}

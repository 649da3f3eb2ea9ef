"""A learner's plan as it is shown, with what it forecloses and what one more certificate would add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chassis.errors import NOT_FOUND
from contracts.terms import Level
from services.creditbank.conversion.college import curriculum_of
from services.creditbank.conversion.judging import Case, judge, target_in
from services.creditbank.curricula import queries as curricula
from services.creditbank.curricula.domain import Curriculum, StudentRecord
from services.creditbank.ledger import queries as ledger
from services.creditbank.papers.queries import scheme_names
from services.creditbank.planning.hypotheses import foreclosed, price_of
from services.creditbank.planning.planner import Candidate, Choice, Facts, case_for, is_coming, plan
from services.creditbank.planning.reading import Files, read_files
from services.creditbank.planning.rescuing import COHORT_UNKNOWN, Rescue, behind_with, rescued, term_number
from services.creditbank.planning.words import (
    because_said,
    case_said,
    choice_said,
    foreclosure_said,
    left_out_said,
    price_said,
    rescue_said,
)
from services.creditbank.recognition.domain import Rulebook
from services.creditbank.recognition.queries import rulebook

Said = dict[str, Any]


@dataclass(frozen=True)
class Spending:
    """What a learner thinks of spending on: a course or module by a rule."""

    rule: str
    course: str
    module: str = ""


def departments_of(learner_id: str) -> set[str]:
    """The departments at which a learner has a student record."""
    return {one.department for one in curricula.records_of(learner_id)}


def plan_of(learner_id: str, spending: Spending | None, more: tuple[str, Level] | None) -> Said:
    """The best set of exemptions, why each and why not others; where asked, what a spending forecloses, and what one
    more certificate would add. A merged account is planned for as who has it now. Refusal when there is no account."""
    learner_id = _now(learner_id)
    return answer_of(read_files([learner_id]).facts(learner_id), spending, more)


def answer_of(facts: Facts, spending: Spending | None, more: tuple[str, Level] | None) -> Said:
    """The same from facts that were read."""
    found, rules = plan(facts), _rulebook(facts, more)
    told = {scheme for scheme, _ in rules} | {one.scheme for one in facts.rules} | {one.scheme for one in facts.claims}
    names = scheme_names(told | set(facts.account.holdings))
    return {
        "learner_id": facts.learner_id,
        "on": facts.today,
        "credit_points": found.points,
        "choices": [_choice(facts, one, rules, names) for one in found.choices],
        "left_out": [left_out_said(one, names) for one in found.left_out],
        "because": because_said(found.because, names),
        "spend": _spend(facts, spending, rules, names) if spending else None,
        "price": price_said(price_of(facts, *more, rules), names) if more else None,
    }


@dataclass(frozen=True)
class Cohort:
    """The students of a programme and entry year, of some departments or all, and the term from which one looks."""

    programme: str
    entry_year: int
    term: str
    departments: frozenset[str] | None = None


def rescues_after(cohort: Cohort, after: str, limit: int) -> tuple[list[Said], str]:
    """Who would miss graduation, of so many student records after one; and the last record, if there are more.

    Reads as often for a page as for one learner. Refusal where the curriculum or the term is unknown."""
    programme, entry_year = cohort.programme, cohort.entry_year
    number = term_number(entry_year, cohort.term)
    curriculum = curriculum_of(programme, entry_year)
    if curriculum is None:
        raise COHORT_UNKNOWN(programme=programme, entry_year=entry_year)
    records = curricula.records_after(programme, entry_year, cohort.departments, after, limit + 1)
    page = records[:limit]
    files = read_files([one.learner_id for one in page])
    found = [one for one in (_rescue(files, record, curriculum, number) for record in page) if one]
    owing = {scheme for account in files.accounts.values() for scheme in account.holdings}
    names = scheme_names({choice.candidate.scheme for one in found for choice in one.choices} | owing)
    return [rescue_said(one, names) for one in found], page[-1].place if len(records) > limit else ""


def _rescue(files: Files, record: StudentRecord, curriculum: Curriculum, number: int) -> Rescue | None:
    facts, exempt = files.facts(record.learner_id), files.exempt(record.learner_id)
    behind = behind_with(curriculum, facts.passed_courses, files.results_in(record), exempt, number)
    return rescued(facts, record, behind, exempt) if behind else None


def _now(learner_id: str) -> str:
    """Who has now what this learner earned."""
    found = ledger.account_of(learner_id)
    while found["merged_into"]:
        found = ledger.account_of(found["merged_into"])
    return str(found["learner_id"])


def _rulebook(facts: Facts, more: tuple[str, Level] | None) -> Rulebook:
    """What every level is worth of the certificates that the learner's rules know, and of one more."""
    places = {(one.scheme, int(level)) for one in facts.rules for level in Level}
    return rulebook(places | ({(more[0], int(more[1]))} if more else set()))


def _choice(facts: Facts, one: Choice, rules: Rulebook, names: dict[str, str]) -> Said:
    return choice_said(one, names) | {"forecloses": _forecloses(facts, one.candidate.case, rules, names)}


def _forecloses(facts: Facts, case: Case, rules: Rulebook, names: dict[str, str]) -> list[Said]:
    return [foreclosure_said(one, case, names) for one in foreclosed(facts, case, rules)]


def _spend(facts: Facts, spending: Spending, rules: Rulebook, names: dict[str, str]) -> Said:
    """What a spending would foreclose, chosen or not; Refusal where it would not stand."""
    rule = next((one for one in facts.rules if one.code == spending.rule), None)
    if rule is None:
        raise NOT_FOUND(what="conversion rule", id=spending.rule)
    case = case_for(facts, rule, target_in(rule, spending.course, spending.module))
    if case is None:
        raise NOT_FOUND(what="policy document", id=rule.policy)
    is_coming(facts.account, facts, Candidate(case, judge(case)))
    return case_said(case) | {"forecloses": _forecloses(facts, case, rules, names)}

"""Having drafts simulated, one span of students at a time; and approving and publishing what was simulated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chassis.database import transactional
from chassis.strands import name_keys
from services.creditbank.conversion import commands as conversion
from services.creditbank.conversion.domain import ConversionRule, Policy
from services.creditbank.curricula import queries as curricula
from services.creditbank.curricula.domain import StudentRecord
from services.creditbank.proposals.commands import moment
from services.creditbank.simulations import models
from services.creditbank.simulations.comparing import Comparison, comparison_of
from services.creditbank.simulations.domain import (
    Change,
    Draft,
    Findings,
    Place,
    Simulation,
    State,
    Subject,
    advanced,
    check_simulated,
    findings_of,
)
from services.creditbank.simulations.reading import read_students
from services.creditbank.simulations.simulator import changes_for

ALL_SIMULATIONS = "conversion-simulations"
SPAN_STUDENTS = 500  # how many student records a job looks at before it says how far it is


@transactional
def ask_simulation(draft: Draft, by: str) -> Simulation:
    """Have a draft simulated, in the background, on what holds now; its approvals are void, and so is an earlier one.

    Refusal when there is no such draft, or it is published already.
    """
    _named(draft)
    name_keys([ALL_SIMULATIONS])
    (conversion.void_rule_approvals if draft.subject == Subject.RULE else conversion.void_policy_approvals)(
        draft.code, draft.version
    )
    comparison, earlier = comparison_of(draft), models.latest_of(draft)
    asked = Simulation(
        number=models.next_number(),
        draft=draft,
        basis=comparison.basis,
        on=comparison.on,
        asked_by=by,
        asked_at=moment(),
        cohorts=len(comparison.cohorts),
        replaces=(*earlier.replaces, earlier.number) if earlier else (),
    )
    if earlier:
        models.remove(earlier.number)
    models.keep(asked)
    return asked


@transactional
def approve_rule(code: str, version: int, by: str, looked_at: int | None = None) -> ConversionRule:
    """Approve a draft that was simulated as it stands; two people have to. `looked_at`: which simulation."""
    draft = _named(Draft(Subject.RULE, code, version))
    kept = conversion.approve_rule(code, version, by)
    _check(draft, comparison_of(draft), looked_at)
    return kept


@transactional
def publish_rule(code: str, version: int) -> ConversionRule:
    """Publish what was approved; Refusal when what it was simulated on has changed since."""
    draft = _named(Draft(Subject.RULE, code, version))
    before = comparison_of(draft)
    kept = conversion.publish_rule(code, version)
    _check(draft, before)
    return kept


@transactional
def approve_policy(code: str, version: int, by: str, looked_at: int | None = None) -> Policy:
    """Approve a draft that was simulated as it stands; two people have to. `looked_at`: which simulation."""
    draft = _named(Draft(Subject.POLICY, code, version))
    kept = conversion.approve_policy(code, version, by)
    _check(draft, comparison_of(draft), looked_at)
    return kept


@transactional
def publish_policy(code: str, version: int) -> Policy:
    """Publish what was approved; Refusal when what it was simulated on has changed since."""
    draft = _named(Draft(Subject.POLICY, code, version))
    before = comparison_of(draft)
    kept = conversion.publish_policy(code, version)
    _check(draft, before)
    return kept


def simulate_some() -> bool:
    """Look at the next span of students for the oldest simulation that is under way; True when there is more.

    What it finds is written before it is counted: killed between the two, it finds the same again.
    """
    simulation = models.first_running()
    if simulation is None:
        return False
    comparison = replace(comparison_of(simulation.draft), on=simulation.on)
    if comparison.basis != simulation.basis:
        _give_up(simulation)
        return True
    if models.purge_changes(simulation.replaces):
        return True
    changes, students, place = _simulated(simulation.place, comparison)
    models.replace_changes(simulation.number, simulation.steps, changes)
    _advance(simulation, place, findings_of(students, changes))
    return True


def _simulated(place: Place, comparison: Comparison) -> tuple[list[Change], int, Place]:
    """What changes for the next students, how many were looked at, and where to go on."""
    cohorts = comparison.cohorts
    if place.cohort >= len(cohorts):
        return [], 0, place
    records = curricula.records_after(*cohorts[place.cohort], None, place.record, SPAN_STUDENTS + 1)
    span = records[:SPAN_STUDENTS]
    students = read_students(span, comparison.draft)
    changes = [change for student in students for change in changes_for(student, comparison)]
    return changes, len(students), _next(place, records, span)


def _next(place: Place, records: Sequence[StudentRecord], span: Sequence[StudentRecord]) -> Place:
    return Place(place.cohort, span[-1].place) if len(records) > len(span) else Place(place.cohort + 1)


@transactional
def _advance(simulation: Simulation, place: Place, found: Findings) -> None:
    """Count a span, unless another simulation took the place of this one, or another worker counted it."""
    if _is_unchanged(simulation):
        models.keep(advanced(simulation, place, found, moment()))


@transactional
def _give_up(simulation: Simulation) -> None:
    """What it rests on has changed under it: it has to be asked for again."""
    if _is_unchanged(simulation):
        models.keep(replace(simulation, state=State.VOID))


def _is_unchanged(simulation: Simulation) -> bool:
    return models.latest_of(_named(simulation.draft)) == simulation


def _check(draft: Draft, comparison: Comparison, looked_at: int | None = None) -> None:
    check_simulated(draft, models.latest_of(draft), comparison.basis, looked_at)


def _named(draft: Draft) -> Draft:
    """The draft, with the strand of its simulations named."""
    name_keys([f"conversion-simulation:{draft.place}"])
    return draft

"""Moving proposals on: by people, one step at a time, and by jobs, one span of learners at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chassis import clock
from chassis.database import transactional
from chassis.strands import name_keys
from services.creditbank.curricula import queries as curricula
from services.creditbank.curricula.domain import programme_now
from services.creditbank.ledger.queries import opened
from services.creditbank.proposals import models
from services.creditbank.proposals.domain import (
    Change,
    Enactment,
    Proposal,
    Rerate,
    Retirement,
    State,
    advanced,
    approved,
    asked,
    basis_of,
    check_no_rerate,
    edited,
    may_be_enacted,
    places_of,
    round_ended,
    rules_after,
    withdrawn,
)
from services.creditbank.proposals.simulator import Shift, effects_of, grouped, shifts
from services.creditbank.recognition import commands as recognition
from services.creditbank.recognition import queries as rules
from services.creditbank.recognition.domain import Rulebook

ALL_PROPOSALS = "proposals:recognition"
SPAN_OUTCOMES = 20_000  # how many outcomes a job looks at before it says how far it is
MOST_OUTCOMES = 500  # of them are moved in one transaction


@transactional
def draft(change: Change, author: str) -> Proposal:
    """Propose a change; Refusal when it does not fit the rules there are."""
    name_keys([ALL_PROPOSALS])
    rules_after(change, _rules(change))
    return _kept(Proposal(models.next_number(), State.DRAFT, author, moment(), change))


@transactional
def edit(number: int, change: Change) -> Proposal:
    """Say it in other words: simulation and approvals are void. Refusal when that does not fit, or it is over."""
    proposal = edited(_named(number), change)
    rules_after(change, _rules(change))
    return _kept(proposal)


@transactional
def withdraw(number: int) -> None:
    """Take a proposal back."""
    _kept(withdrawn(_named(number)))


def ask_simulation(number: int, by: str) -> Proposal:
    """Have it simulated, in the background, on the rules of now; approvals of an earlier simulation are void."""
    return _ask(number, by, rules.outcome_count())  # which can't be counted inside a transaction


@transactional
def _ask(number: int, by: str, outcomes: int) -> Proposal:
    proposal = _named(number)
    rules_after(proposal.change, _rules(proposal.change))
    return _kept(asked(proposal, _basis(proposal), by, moment(), outcomes))


@transactional
def approve(number: int, simulation: int, by: str) -> Proposal:
    """Approve it for one of two people, who looked at this simulation."""
    proposal = _named(number)
    return _kept(approved(proposal, simulation, by, moment(), _basis(proposal)))


@transactional
def enact(number: int, by: str) -> Proposal:
    """Carry out what two approved: publish or retire at once, or begin to move outcomes."""
    name_keys([ALL_PROPOSALS])
    proposal = _named(number)
    may_be_enacted(proposal, _basis(proposal))
    check_no_rerate(proposal, models.all_under_way())
    change, begun = proposal.change, Enactment(by, moment())
    if isinstance(change, Rerate):
        return _kept(replace(proposal, state=State.UNDER_WAY, enactment=begun))
    if isinstance(change, Retirement):
        recognition.retire_version(change.scheme, change.level, change.version, change.retired_from)
        version = change.version
    else:
        version = recognition.publish_decided(change.scheme, change.level, change.as_version(), change.supersedes)
    ended = replace(begun, version=version, ended_at=begun.at)
    return _kept(replace(proposal, state=State.CARRIED_OUT, enactment=ended))


def simulate_some() -> bool:
    """Look at the next span of learners for the oldest simulation that is under way; True when there is more.

    What it finds is written before it is counted: killed between the two, it finds the same again.
    """
    proposal = models.find_first(State.SIMULATING)
    if proposal is None or proposal.simulation is None:
        return False
    simulation, present = proposal.simulation, _rules(proposal.change)
    if basis_of(_concerned(proposal, present)) != simulation.basis:
        _give_up(proposal)
        return True
    if not simulation.after and models.purge_shifts(proposal.number, simulation.number):
        return True
    until = rules.span_end(simulation.after, SPAN_OUTCOMES)
    shifted, seen = _simulated(proposal, present, simulation.after, until)
    models.replace_shifts(proposal.number, simulation.number, (simulation.after, until), shifted)
    _advance(proposal, until, seen, shifted)
    return True


def _simulated(proposal: Proposal, present: Rulebook, after: str, until: str) -> tuple[list[Shift], int]:
    """What would change in a span on the rules there are, and at how many outcomes it looked."""
    effects = effects_of(proposal.change, present, rules_after(proposal.change, present))
    schemes = {scheme for scheme, _ in proposal.places()}
    outcomes = list(rules.span_of(after, until, schemes))
    shifted = list(shifts(outcomes, effects))
    having_accounts = opened({one.learner_id for one in shifted})
    return _with_programmes([one for one in shifted if one.learner_id in having_accounts]), len(outcomes)


def _with_programmes(shifted: list[Shift]) -> list[Shift]:
    """The same, each with what its learner studies."""
    records = curricula.records_by_learner({one.learner_id for one in shifted})
    programmes = {learner_id: programme_now(found) for learner_id, found in records.items()}
    return [replace(one, programme=programmes.get(one.learner_id, "")) for one in shifted]


@transactional
def _advance(proposal: Proposal, until: str, seen: int, shifted: list[Shift]) -> None:
    """Count a span, unless the proposal was changed meanwhile or another worker counted it."""
    if _named(proposal.number) == proposal:
        _kept(advanced(proposal, until, seen, grouped(shifted), moment()))


@transactional
def _give_up(proposal: Proposal) -> None:
    """A simulation whose rules have changed under it is void: it has to be asked for again."""
    if _named(proposal.number) == proposal:
        _kept(replace(proposal, state=State.DRAFT, simulation=None))


@transactional
def rerate_some(most: int | None = None) -> recognition.Moved | None:
    """Move the next outcomes of the oldest rerate under way, at most so many or 500; None when there is none.

    How far it is, is written with the effect: killed at any moment, it goes on where it was, each outcome moved once.
    """
    proposal = models.find_first(State.UNDER_WAY)
    if proposal is None:
        return None
    proposal = _named(proposal.number)
    change, enactment = proposal.change, proposal.enactment
    if not isinstance(change, Rerate) or enactment is None or proposal.state != State.UNDER_WAY:
        return None
    until = rules.span_end(enactment.after, SPAN_OUTCOMES)
    targets = change.by_place()
    most = most or MOST_OUTCOMES
    learner_ids, until = _next_learners(rules.pinned_elsewhere(enactment.after, until, targets, most), until, most)
    moved = recognition.move_pins(learner_ids, targets, proposal.number)
    _kept(_further(proposal, enactment, until, moved.outcomes))
    return moved


def _next_learners(listed: list[str], until: str, most: int) -> tuple[list[str], str]:
    """The learners whose outcomes are moved now, whole, and up to whom that is: the last one listed may have more."""
    if len(listed) < most:
        return sorted(set(listed)), until
    whole = sorted(set(listed) - {listed[-1]}) or [listed[-1]]
    return whole, whole[-1]


def _further(proposal: Proposal, enactment: Enactment, until: str, moved: int) -> Proposal:
    """The rerate, having moved so many outcomes up to a learner; without one, at the end of a round."""
    further = replace(enactment, after=until, moved=enactment.moved + moved, in_round=enactment.in_round + moved)
    if until:
        return replace(proposal, enactment=further)
    ended = round_ended(further, moment())
    return replace(proposal, enactment=ended, state=State.CARRIED_OUT if ended.ended_at else State.UNDER_WAY)


def moment() -> datetime:
    """The instant it is, as exactly as the database keeps it: what is answered is what will be read."""
    at = clock.now()
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _named(number: int) -> Proposal:
    """A proposal and the strands of what decides about it; Refusal when there is none."""
    name_keys([f"proposal:{number}"])
    return models.found(number)


def _kept(proposal: Proposal) -> Proposal:
    models.keep(proposal)
    return proposal


def _rules(change: Change) -> Rulebook:
    """The rules that a change concerns."""
    return rules.rulebook(places_of(change))


def _basis(proposal: Proposal) -> tuple[str, ...]:
    """The rules a simulation of the proposal rests on."""
    return basis_of(_concerned(proposal, _rules(proposal.change)))


def _concerned(proposal: Proposal, present: Rulebook) -> Rulebook:
    return {place: present.get(place, ()) for place in proposal.places()}

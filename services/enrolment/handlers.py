"""What enrolment does about what others announce; the one place where events become values of its own."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.bus.event import Event
from chassis.bus.handlers import Handlers
from contracts.assessment import CandidateRegistered, SchemePublished
from services.enrolment.applications.commands import Candidate, keep_schemes, register_candidates
from services.enrolment.applications.domain import Offer, Wish


def on_schemes(events: Sequence[Event[SchemePublished]]) -> None:
    """A scheme can be applied for as it is published."""
    keep_schemes([offer_of(event.body) for event in events])


def on_candidates(events: Sequence[Event[CandidateRegistered]]) -> None:
    """An application has led to an assessment plan."""
    register_candidates([candidate_of(event) for event in events])


def offer_of(said: SchemePublished) -> Offer:
    """The scheme as applications know it."""
    return Offer(said.scheme, said.name, said.aliases, said.levels)


def candidate_of(event: Event[CandidateRegistered]) -> Candidate:
    """The candidate as applications know one."""
    return Candidate(event.body.learner_id, Wish(event.body.scheme, event.body.level), event.id)


HANDLERS: Handlers = {
    SchemePublished: on_schemes,
    CandidateRegistered: on_candidates,
}

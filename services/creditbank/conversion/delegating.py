"""Delegating decisions: one person lets another decide in their stead, for some days, and takes that back."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import replace

from chassis import clock
from chassis.database import transactional
from chassis.errors import NOT_FOUND
from chassis.strands import name_keys
from contracts.terms import Role
from services.creditbank.conversion import models
from services.creditbank.conversion.applications import Actor, Application
from services.creditbank.conversion.delegations import (
    Delegation,
    check_delegation,
    is_about,
    is_staff,
    own_departments,
    revoked,
    standing_in,
)

NAMES = uuid.UUID("3b0f8a52-6a0b-5c0e-8e1d-0d5f6c1b7a90")


@transactional
def delegate(one: Delegation, actor: Actor) -> Delegation:
    """Delegate what is one's own to decide; without departments named, all of one's own. The same again is one.

    Refusal for what is not one's own, beyond one's scope, to oneself, or for days that make no sense.
    """
    name_keys([_given_by(actor.subject)])
    departments = own_departments(actor) if one.departments is None else tuple(sorted(set(one.departments)))
    one = replace(one, by=actor.subject, departments=departments, learners=tuple(sorted(actor.learners or ())))
    check_delegation(one, actor, clock.today())
    known = models.delegations_by(actor.subject)
    if again := next((each for each in known if each.says(one)), None):
        return again
    one = replace(one, id=uuid.uuid5(NAMES, f"{actor.subject}\n{len(known)}").hex, made_at=clock.now())
    models.keep_delegation(one)
    return one


@transactional
def revoke(delegation_id: str, actor: Actor) -> Delegation:
    """Take a delegation back: from now on nobody decides by it; what was decided stays. Again changes nothing."""
    found = models.delegation(delegation_id)
    if found is None:
        raise NOT_FOUND(what="delegation", id=delegation_id)
    name_keys([_given_by(found.by)])
    one = revoked(models.delegation(delegation_id) or found, actor, clock.now())
    models.keep_delegation(one)
    return one


def in_whose_stead(actor: Actor, on_behalf_of: str, one: Application, roles: Collection[Role]) -> Actor:
    """Who decides, in the open transaction: in their own right, or in another's stead as far as that was delegated."""
    if not on_behalf_of:
        return actor
    name_keys([_given_by(on_behalf_of)])
    given = models.delegations_by(on_behalf_of)
    return standing_in(actor, given, on_behalf_of, one, roles, clock.today())


def departments_for(actor: Actor) -> tuple[str, ...] | None:
    """The departments whose applications were delegated to somebody, today; None for all."""
    held = _held(actor)
    if any(each.departments is None for each in held):
        return None
    return tuple(sorted({one for each in held for one in each.departments or ()}))


def may_decide_in_stead(actor: Actor, application_id: str) -> bool:
    """Whether an application is one that somebody decides about in another's stead, today."""
    one = models.application(application_id)
    return one is not None and any(is_about(each, one) for each in _held(actor))


def _held(actor: Actor) -> list[Delegation]:
    """What was delegated to somebody and holds today; to whoever is no staff nothing is."""
    if not is_staff(actor):
        return []
    return [each for each in models.delegations_to(actor.subject) if each.holds_on(clock.today())]


def _given_by(subject: str) -> str:
    return f"delegations:{subject}"

"""Delegation 委托: who lets whom decide in their stead, about what and on which days; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime

from chassis.errors import Ground
from contracts.terms import Role
from services.creditbank.conversion.applications import Actor, Application

DELEGATED = frozenset({Role.DEPARTMENT, Role.REGISTRY})  # whose decisions may be delegated, and to whom
REVOKERS = frozenset({Role.REGISTRY, Role.OPERATOR})  # of anybody's delegations
MOST_DAYS = 92  # the scope is as it was when it was delegated: it is looked at again each quarter
TO_YOURSELF = Ground(
    "delegation_to_yourself",
    en="You can't delegate to yourself. Name another person.",
    zh="不能委托给本人，请填写另一人。",
)
ROLE_NOT_YOURS = Ground(
    "delegation_role_not_yours",
    en="Only decisions of your own may be delegated, as department or registry. You are: {roles}.",
    zh="只能委托本人作为院系或教务的审批，您的角色为：{roles}。",
)
SCOPE_NOT_YOURS = Ground(
    "delegation_scope_not_yours",
    en="A delegation reaches no further than you do. Not yours: {departments}.",
    zh="委托范围不得超出本人权限，以下院系不在您的权限内：{departments}。",
)
DAYS_WRONG = Ground(
    "delegation_days_wrong",
    en="A delegation lasts from its first day to a last one that is not over, {most} days at most.",
    zh="委托须有起止日期，截止日不得早于起始日或今天，最长 {most} 天。",
)
NOT_DELEGATED = Ground(
    "not_delegated_to_you",
    en="{by} has delegated nothing to you that is about this application today.",
    zh="{by} 目前没有将该申请的审批委托给您。",
    status=403,
)
NOT_STAFF = Ground(
    "delegate_not_staff",
    en="Only staff of a department or the registry decide in another's stead.",
    zh="只有院系或教务人员可以代他人审批。",
    status=403,
)
NOT_YOURS_TO_REVOKE = Ground(
    "delegation_not_yours",
    en="A delegation is revoked by who gave it, by who has it, or by the registry.",
    zh="委托只能由委托人、受托人或教务撤销。",
    status=409,
)


@dataclass(frozen=True)
class Delegation:
    """One person's word that another decides in their stead, from a first to a last day.

    `departments`: what it is about, None for all; `learners`: whom the one who gave it is, about whom neither decides.
    """

    id: str
    by: str
    to: str
    role: Role
    departments: tuple[str, ...] | None
    learners: tuple[str, ...]
    first: date
    until: date
    note: str
    made_at: datetime
    revoked_by: str = ""
    revoked_at: datetime | None = None

    def holds_on(self, day: date) -> bool:
        return self.revoked_at is None and self.first <= day <= self.until

    def says(self, other: Delegation) -> bool:
        """Whether it says the same as another, and neither was revoked."""
        mine, theirs = (replace(one, id="", note="", made_at=self.made_at) for one in (self, other))
        return mine == theirs and self.revoked_at is None


def check_delegation(one: Delegation, actor: Actor, today: date) -> None:
    """Refuse to delegate to oneself, what is not one's own to decide, beyond one's scope, or for days that are over."""
    if one.to == actor.subject:
        raise TO_YOURSELF()
    if one.role not in DELEGATED & set(actor.roles):
        raise ROLE_NOT_YOURS(roles=", ".join(sorted(actor.roles)))
    foreign = beyond(one.departments, actor)
    if foreign or one.departments == ():
        raise SCOPE_NOT_YOURS(departments="、".join(foreign) or "–")
    days = (one.until - one.first).days + 1
    if one.until < today or not 0 < days <= MOST_DAYS:
        raise DAYS_WRONG(most=MOST_DAYS)


def own_departments(actor: Actor) -> tuple[str, ...] | None:
    """The departments that a person decides for; None for all."""
    return tuple(sorted(actor.departments or ())) if actor.is_limited else None


def beyond(departments: Collection[str] | None, actor: Actor) -> list[str]:
    """Of these departments, those that are not the actor's."""
    own = own_departments(actor)
    if own is None:
        return []
    return ["*"] if departments is None else sorted(set(departments) - set(own))


def standing_in(
    actor: Actor, given: Iterable[Delegation], by: str, one: Application, roles: Collection[Role], today: date
) -> Actor:
    """The actor as they decide about an application on behalf of who gave one of these delegations.

    Refusal where none of them is theirs, holds today, and is about this application in one of these roles.
    """
    if not is_staff(actor):
        raise NOT_STAFF()
    mine = [each for each in given if (each.by, each.to) == (by, actor.subject) and each.holds_on(today)]
    found = next((each for each in mine if each.role in roles and is_about(each, one)), None)
    if found is None:
        raise NOT_DELEGATED(by=by)
    learners = {*(actor.learners or ()), *found.learners}
    return Actor(actor.subject, {found.role}, found.departments, learners, on_behalf_of=by)


def is_staff(actor: Actor) -> bool:
    """Whether somebody may decide in another's stead at all: they decide in their own right already."""
    return bool(DELEGATED & set(actor.roles))


def is_about(given: Delegation, one: Application) -> bool:
    """Whether an application is in the delegation's scope."""
    return given.departments is None or one.department in given.departments


def revoked(given: Delegation, actor: Actor, at: datetime) -> Delegation:
    """The delegation as it is revoked; again changes nothing. Refusal to whom it does not concern."""
    is_theirs = actor.subject in {given.by, given.to}
    if not is_theirs and (not REVOKERS & set(actor.roles) or actor.is_limited):
        raise NOT_YOURS_TO_REVOKE()
    return given if given.revoked_at else replace(given, revoked_by=actor.subject, revoked_at=at)

"""Appealing 申诉 against a refusal: once, with a reason, in time; its points are held until another person decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from chassis import clock
from chassis.bus import outbox
from chassis.database import transactional
from contracts.creditbank import AppealFiled
from services.creditbank.conversion.applications import (
    Appeal,
    Application,
    Because,
    State,
    check_appeal,
    deciders_before,
)
from services.creditbank.conversion.applying import (
    PASSING,
    held_or_waiting,
    kept,
    named_application,
    policy_of,
    rejudged,
    told_of,
)
from services.creditbank.conversion.college import last_of
from services.creditbank.conversion.forgotten import check_nothing_forgotten, is_forgotten


@transactional
def appeal(application_id: str, reason: str, by: str) -> Application:
    """Appeal against a refusal: its points are held, or it waits until they can be. Again, while it is open, changes
    nothing.

    Refusal when there is nothing to appeal, it is too late, a rule speaks against it by now, another application is
    about the same, or its points are bound elsewhere.
    """
    one, own = named_application(application_id)
    if one.is_under_appeal:
        return one
    until = None if is_forgotten(one, own) else _last_day(one)  # what was granted comes back at any time
    check_appeal(one, reason, until, clock.today())
    check_nothing_forgotten(one, own, is_approval=True)
    appealed = _appealed(one, reason.strip(), by)
    going = held_or_waiting(appealed, rejudged(appealed, own), PASSING)
    outbox.append(AppealFiled(**told_of(going), due_on=going.due_on), cause=appealed.cause)
    return kept(going)


def _last_day(one: Application) -> date | None:
    """The last day to appeal as it was told; where no calendar reached then, as one says now."""
    told = next((act.at for act in reversed(one.acts) if act.what == "told"), None)
    if one.appeal_until or told is None:
        return one.appeal_until
    return last_of(told.astimezone(clock.CAMPUS).date(), policy_of(one).appeal_days)


def _appealed(one: Application, reason: str, by: str) -> Application:
    """The application as it was appealed: nothing is decided, nothing offered, and who decided does not again."""
    said = Appeal(reason, clock.today(), one.because or Because("", "", ""))
    again = one.acted("appealed", by, clock.now(), state=State.WAITING, appeal=said, reviewers=deciders_before(one))
    return replace(again, because=None, offer=None, is_released=False, is_appealable=False)

"""Filing applications, holding their points, and what becomes of them as the credit they stand on changes."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from chassis import clock, waiters
from chassis.bus import outbox
from chassis.database import transactional
from chassis.errors import NOT_FOUND, Refusal
from chassis.strands import name_keys, survivor_of
from contracts.creditbank import ConversionDecided, ConversionOffered, ExemptionGranted, ExemptionWithdrawn
from services.creditbank.conversion import models
from services.creditbank.conversion.applications import (
    APPEALABLE,
    DECIDED,
    DOUBLED,
    FELL,
    OFFER_OVER,
    STANDING,
    Application,
    Because,
    Offer,
    State,
    because_of,
    doubled,
)
from services.creditbank.conversion.college import case_of, is_revoked, last_of, outcomes_from, passes_in
from services.creditbank.conversion.domain import ConversionRule, Policy, Step, Target, policy_for
from services.creditbank.conversion.forgotten import brought_back
from services.creditbank.conversion.judging import RULE_NOT_IN_FORCE, Case, Standing, has_ground, judge, target_in
from services.creditbank.ledger import commands as ledger
from services.creditbank.ledger.domain import (
    ACCOUNT_FROZEN,
    ACCOUNT_HELD_UP,
    CREDIT_PROVISIONAL,
    CREDIT_UNNUMBERED,
)
from services.creditbank.ledger.queries import holdings_of
from services.creditbank.recognition.domain import Outcome

LEARNER = "learner:"
NAMES = uuid.UUID("6c4a5b0e-8a5e-5d6b-9f3b-8b1d0c7e2a11")
APPLICATION = "application"  # what waits: an application for its result to be final
COMING = frozenset({CREDIT_PROVISIONAL.code, CREDIT_UNNUMBERED.code})  # what an application is filed on, and waits for
PASSING = COMING | {ACCOUNT_HELD_UP.code, ACCOUNT_FROZEN.code}  # what keeps one waiting that waits already
MACHINE = "bank"


@dataclass(frozen=True)
class Wish:
    """What a learner asks for: a course or module by a rule."""

    rule: str
    course: str
    module: str = ""


@transactional
def apply(learner_id: str, wish: Wish, by: str) -> Application:
    """File an application and hold its points, or have it wait for what is not final; filed twice, it is one.

    Refusal when a rule speaks against it, the points may not be spent, or a set-back forgot that some were.
    """
    learner_id = named_learner(learner_id)
    own = models.applications_of([learner_id])
    rule, policy = _in_force(wish.rule)
    target = target_in(rule, wish.course, wish.module)
    if again := _same(own, rule, target):
        return again
    return _filed(_new(learner_id, own, rule, policy, target, by), own)


@transactional
def accept_offer(application_id: str, by: str) -> Application:
    """Take the offer that came with a refusal, as an application of its own; Refusal when it is not open any more."""
    refused, own = named_application(application_id)
    offer = refused.offer
    if offer is None or not refused.is_released or offer.is_taken:
        raise OFFER_OVER()
    if offer.until and clock.today() > offer.until:
        raise OFFER_OVER()
    rule, policy = _pinned(offer.rule, offer.version, refused.policy, refused.policy_version)
    new = replace(
        _new(refused.learner_id, own, rule, policy, offer.target, by), offered_by=refused.id, term=refused.term
    )
    taken = refused.acted("offer_taken", by, clock.now(), offer=replace(offer, is_taken=True))
    models.keep_applications([taken])
    return _filed(new, own)


@transactional
def withdraw(application_id: str, by: str) -> Application:
    """Withdraw an application before it is decided; its points are available again. Again changes nothing."""
    one, _ = named_application(application_id)
    if one.state == State.WITHDRAWN:
        return one
    if one.state not in {State.WAITING, State.REVIEW}:
        raise DECIDED(state=str(State.REVIEW if one.is_undoable else one.state))
    waiters.done(APPLICATION, [one.id])
    return kept(released_hold(one.acted("withdrawn", by, clock.now(), state=State.WITHDRAWN, due_on=None)))


@transactional
def review_touched(touched: Collection[tuple[str, str]]) -> None:
    """Settling changed what learners have from schemes: what waited may go on, what lost its ground falls."""
    whose = models.whose_stand({learner_id for learner_id, _ in touched})
    concerned = sorted(pair for pair in touched if pair[0] in whose)
    name_keys(LEARNER + learner_id for learner_id, _ in concerned)
    for learner_id, scheme in concerned:
        _review(learner_id, scheme)


@transactional
def retry_waiting(application_ids: Sequence[str]) -> None:
    """Try again what waits for its result to be final; what waits no more is done waiting."""
    found = [models.application(one) for one in application_ids]
    waiting = [one for one in found if one and one.state == State.WAITING]
    waiters.done(APPLICATION, sorted(set(application_ids) - {one.id for one in waiting}))
    name_keys(LEARNER + one.learner_id for one in waiting)
    for one in waiting:
        _go_on(one)


@transactional
def move_applications(survivor_id: str, merged_id: str) -> None:
    """Two learners are one: the survivor applied for what both did, and each is reviewed anew.

    What was granted to the merged one is told at once: the points it spent were just handed over as spent.
    """
    survivor_id = named_learner(survivor_id)
    if survivor_id == merged_id:
        return
    schemes = {one.scheme for one in models.applications_of([survivor_id, merged_id])}
    granted = [one for one in models.applications_of([merged_id]) if one.is_undoable and one.spent]
    models.move_applications(merged_id, survivor_id)
    models.move_earlier(merged_id, survivor_id)
    for one in granted:
        tell(replace(one, learner_id=survivor_id))
    review_touched({(survivor_id, scheme) for scheme in schemes})


def named_application(application_id: str) -> tuple[Application, list[Application]]:
    """An application with its learner's strand named, and all of that learner's; Refusal when there is none."""
    found = models.application(application_id)
    if found is None:
        raise NOT_FOUND(what="application", id=application_id)
    own = models.applications_of([named_learner(found.learner_id)])
    return next(one for one in own if one.id == application_id), own


def rejudged(one: Application, own: Iterable[Application]) -> Standing:
    """What an application stands on now, by its pinned rule and policy; Refusal when something speaks against it."""
    return judge(_case(one, own))


def first_step(one: Application) -> Application:
    """The application at the first step of its policy, with its deadline; one that was appealed, at that."""
    policy = policy_of(one)
    return at(one, Step.APPEAL, policy.days_of(Step.APPEAL)) if one.appeal else at_step(one, policy, None)


def at_step(one: Application, policy: Policy, after: Step | None) -> Application:
    """The application at the step after another one."""
    step = policy.step_after(after)
    return at(one, step.step, step.working_days) if step else one


def at(one: Application, step: Step, working_days: int) -> Application:
    """The application at a step that has so many working days from today."""
    due_on = last_of(clock.today(), working_days)
    one = replace(one, is_reminded=False, is_escalated=False)
    return replace(one, state=State.REVIEW, step=step, due_on=due_on)


def policy_of(one: Application) -> Policy:
    """The policy version that an application is pinned to."""
    policy = models.policy_at(one.policy, one.policy_version)
    if policy is None:
        raise NOT_FOUND(what="policy document", id=f"{one.policy}/{one.policy_version}")
    return policy


def released_hold(one: Application) -> Application:
    """The application without its hold; its points are available again."""
    if one.held:
        ledger.release(one.learner_id, one.scheme, one.level, one.held, one.cause)
    return replace(one, held=0)


def kept(one: Application) -> Application:
    """Keep an application as it stands now."""
    models.keep_applications([one])
    return one


def refuse(one: Application, because: Because, by: str, undo_minutes: int = 0, on_behalf_of: str = "") -> Application:
    """Refuse an application; a person's refusal keeps its hold until it can't be undone any more."""
    at = clock.now()
    refused = one.acted("refused", by, at, because.code, on_behalf_of, state=State.REFUSED, because=because)
    if by == MACHINE:
        return tell(refused)
    return kept(replace(refused, release_at=at + undo_window(undo_minutes), is_released=False))


def tell(one: Application) -> Application:
    """Tell how an application ended, with the next best offer after a refusal; from now on nothing is undone."""
    one = one.acted("told", MACHINE, clock.now(), is_released=True, release_at=None, due_on=None)
    if one.state == State.REFUSED:
        one = released_hold(one)
        one = appealable(replace(one, offer=_next_best(one)))
    outbox.append(_decided(one), cause=one.cause)
    if one.state == State.GRANTED:
        outbox.append(ExemptionGranted(**exemption_of(one)), cause=one.cause)
    if one.offer:
        offered = told_of(one) | _told_target(one.offer.target)
        outbox.append(ConversionOffered(**offered, until=one.offer.until), cause=one.cause)
    return kept(one)


def appealable(one: Application) -> Application:
    """The refused application with the last day to appeal, where its refusal is one that may be, and its policy lets.

    The day is left open while no calendar reaches it.
    """
    days = policy_of(one).appeal_days
    if one.appeal or not days or not one.because or one.because.code not in APPEALABLE:
        return replace(one, is_appealable=False, appeal_until=None)
    return replace(one, is_appealable=True, appeal_until=last_of(clock.today(), days))


def _decided(one: Application) -> ConversionDecided:
    said = told_of(one) | reason_of(one) | {"decision": str(one.state), "is_appeal": one.appeal is not None}
    return ConversionDecided(**said, appeal_until=one.appeal_until if one.is_appealable else None)


def _new(
    learner_id: str, own: Sequence[Application], rule: ConversionRule, policy: Policy, target: Target, by: str
) -> Application:
    """An application as it is filed; who studies what is filled in when it is judged."""
    today = clock.today()
    window = policy.window_on(today)
    scheme = models.scheme_of(rule.scheme)
    return Application(
        id=_free_id(f"{learner_id}\n{rule.code}\n{target.course}\n{target.module}", {one.id for one in own}),
        learner_id=learner_id,
        filed_by=by,
        filed_on=today,
        rule=rule.code,
        rule_version=rule.version,
        policy=policy.code,
        policy_version=policy.version,
        programme=rule.programme,
        entry_year=rule.entry_year,
        student_number="",
        department="",
        class_name="",
        scheme=rule.scheme,
        level=rule.levels[0],
        target=target,
        term=window.term if window else "",
        teo=scheme.teo if scheme else "",
    ).acted("filed", by, clock.now())


def _free_id(wish: str, taken: Collection[str]) -> str:
    """The id that this wish has as its next application; after an undo another may have the one that counting gives."""
    numbered = (uuid.uuid5(NAMES, f"{wish}\n{number}").hex for number in range(1, len(taken) + 2))
    return next(one for one in numbered if one not in taken)


def _filed(one: Application, own: Sequence[Application]) -> Application:
    """Judge what is filed, and hold its points or have it wait."""
    one = brought_back(one, own)
    standing = rejudged(one, own)
    studies = standing.studies
    one = replace(
        one,
        level=standing.level,
        student_number=studies.student_number,
        department=studies.department,
        class_name=studies.class_name,
    )
    return kept(held_or_waiting(one, standing, COMING))


def held_or_waiting(one: Application, standing: Standing, reasons: Collection[str]) -> Application:
    """Hold the points and go to the first step, or wait, for these reasons; Refusal for any other."""
    points = one.target.credit_points
    try:
        if standing.is_final:
            held = one.acted("held", MACHINE, clock.now())
            ledger.hold(one.learner_id, one.scheme, standing.level, points, held.cause)
            waiters.done(APPLICATION, [one.id])
            return first_step(replace(held, held=points, level=standing.level))
    except Refusal as refusal:
        if refusal.code not in reasons:
            raise
    waiters.wait(APPLICATION, one.id, f"final:{one.learner_id}:{one.scheme}", one.cause)
    return replace(one, state=State.WAITING)


def _review(learner_id: str, scheme: str) -> None:
    """Look at every standing application of a learner on one holding, after it changed."""
    outcomes = outcomes_from(learner_id, scheme)
    known = models.applications_of([learner_id])
    own = [one for one in known if one.scheme == scheme and _may_be_lost(one)]
    lost = _lost(own, outcomes, doubled(known))
    _let_fall(learner_id, scheme, own, lost)
    _take_back(learner_id, scheme, own, lost)
    for one in own:
        if one.state == State.WAITING:
            _go_on(one)


def _lost(own: Iterable[Application], outcomes: Sequence[Outcome], twice: Collection[str]) -> dict[str, Because]:
    """By application, why it can't stay: its ground is gone, or another of its learner excuses from the same."""
    ungrounded = {one.id: _fell(one) for one in own if not _is_grounded(one, outcomes)}
    return {one.id: because_of(DOUBLED(target=one.target.code)) for one in own if one.id in twice} | ungrounded


def _may_be_lost(one: Application) -> bool:
    """Whether it stands, or still has the hold of a refusal that nobody was told of."""
    return one.state in STANDING or one.held > 0


def _go_on(one: Application) -> None:
    """Judge again what waited: it goes on, waits on, or is refused with the next best offer."""
    own = models.applications_of([one.learner_id])
    try:
        kept(held_or_waiting(one, rejudged(one, own), PASSING))
    except Refusal as refusal:
        waiters.done(APPLICATION, [one.id])
        refuse(one, because_of(refusal), MACHINE)


def _let_fall(learner_id: str, scheme: str, own: Sequence[Application], lost: Mapping[str, Because]) -> None:
    """Held points were taken back, or can't stay: the newest applications fall until the rest is covered."""
    held = [one for one in own if one.held]
    falling = [one for one in held if one.id in lost]
    staying = [one for one in held if one not in falling]
    have = _pocket(learner_id, scheme, "held")
    while staying and sum(one.held for one in staying) > have:
        falling.append(staying.pop())
    for one in falling:
        surplus = _pocket(learner_id, scheme, "held") - sum(other.held for other in staying)
        _fall(one, surplus, lost.get(one.id, _fell(one)))


def _fall(one: Application, surplus: int, because: Because) -> None:
    """An application falls; what is left of its points is available again."""
    fallen = one.acted("fell", MACHINE, clock.now(), state=State.FALLEN, due_on=None, because=because)
    kept_points = min(one.held, max(surplus, 0))
    tell(replace(released_hold(replace(fallen, held=kept_points)), held=0))


def _take_back(learner_id: str, scheme: str, own: Sequence[Application], lost: Mapping[str, Because]) -> None:
    """Spent points can't stay, or the account owes: exemptions are withdrawn, the newest first.

    What the registry's system has already is a case for the registry, and the debt stays.
    """
    spending = [(one.is_exported, one.id not in lost, one) for one in reversed(own) if one.spent]
    for _, stays, one in sorted(spending, key=lambda each: each[:2]):
        if stays and _pocket(learner_id, scheme, "available") >= 0:
            _close_case(one)
        elif one.is_exported:
            _open_case(one, lost.get(one.id, _fell(one)))
        else:
            _withdraw_exemption(one, lost.get(one.id, _fell(one)))


def _open_case(one: Application, because: Because) -> None:
    if not one.is_case:
        kept(one.acted("case", MACHINE, clock.now(), is_case=True, because=because))


def _close_case(one: Application) -> None:
    """Its credit is there again, and nothing is owed: it goes out as any other does, if the registry wants it anew."""
    if one.is_case:
        kept(one.acted("case_over", MACHINE, clock.now(), is_case=False, because=None))


def _withdraw_exemption(one: Application, because: Because) -> None:
    one = replace(one, state=State.FALLEN, because=because, is_case=False)
    fallen = one.acted("exemption_withdrawn", MACHINE, clock.now())
    ledger.unspend(one.learner_id, one.scheme, one.level, one.spent, fallen.cause)
    if not one.is_released:  # nobody was told that it was granted
        tell(replace(fallen, spent=0))
        return
    fallen = replace(fallen, spent=0)
    outbox.append(ExemptionWithdrawn(**exemption_of(fallen), **reason_of(fallen)), cause=fallen.cause)
    kept(fallen)


def _is_grounded(one: Application, outcomes: Sequence[Outcome]) -> bool:
    rule = models.rule_at(one.rule, one.rule_version)
    return rule is not None and has_ground(rule, passes_in(outcomes)) and not is_revoked(outcomes, rule)


def _next_best(one: Application) -> Offer | None:
    """The most that would stand instead, with the points there are; of as much, what is of the course asked for."""
    own = models.applications_of([one.learner_id])
    have = _pocket(one.learner_id, one.scheme, "available")
    policy = policy_of(one)
    standing = [
        (rule, target)
        for rule in models.rules_published(one.programme, one.entry_year)
        for target in rule.targets
        if target != one.target and target.credit_points <= have and _would_stand(one, rule, target, own)
    ]
    if not standing:
        return None
    rule, target = max(standing, key=lambda pair: _how_near(pair[1], one.target))
    return Offer(rule.code, rule.version, target, last_of(clock.today(), policy.offer_days))


def _how_near(target: Target, asked: Target) -> tuple[int, bool, str]:
    """How good an offer is: more points, then the same course, then by code so that it is always the same."""
    return target.credit_points, target.course == asked.course, target.code


def _would_stand(one: Application, rule: ConversionRule, target: Target, own: Sequence[Application]) -> bool:
    if rule.scheme != one.scheme:
        return False
    case = case_of(one.learner_id, rule, target, policy_of(one), clock.today(), own, one.id, is_offered=True)
    try:
        return judge(case).is_final
    except Refusal:
        return False


def _case(one: Application, own: Iterable[Application]) -> Case:
    rule, policy = _pinned(one.rule, one.rule_version, one.policy, one.policy_version)
    needs_no_window = bool(one.offered_by) or one.is_brought_back
    return case_of(one.learner_id, rule, one.target, policy, one.filed_on, own, one.id, needs_no_window)


def _in_force(code: str) -> tuple[ConversionRule, Policy]:
    """The published version of a rule and of its policy, as they hold today."""
    today = clock.today()
    rule = next((one for one in models.rules_of(code) if one.holds_on(today)), None)
    if rule is None:
        raise RULE_NOT_IN_FORCE(code=code, day=today.isoformat())
    policy = policy_for(models.policies_of(rule.policy), today)
    if policy is None:
        raise RULE_NOT_IN_FORCE(code=code, day=today.isoformat())
    return rule, policy


def _pinned(code: str, version: int, policy: str, policy_version: int) -> tuple[ConversionRule, Policy]:
    rule, kept_policy = models.rule_at(code, version), models.policy_at(policy, policy_version)
    if rule is None or kept_policy is None:
        raise NOT_FOUND(what="conversion rule", id=f"{code}/{version}")
    return rule, kept_policy


def _same(own: Iterable[Application], rule: ConversionRule, target: Target) -> Application | None:
    """An application for just this of which nobody was told how it ended."""
    fitting = (one for one in own if one.rule == rule.code and one.target == target)
    return next((one for one in fitting if one.state in {State.WAITING, State.REVIEW} or one.is_undoable), None)


def _pocket(learner_id: str, scheme: str, pocket: str) -> int:
    holding = holdings_of(learner_id).get(scheme)
    return int(getattr(holding, pocket)) if holding else 0


def named_learner(learner_id: str) -> str:
    """The learner a person is now, whose strand is named."""
    return survivor_of(LEARNER + learner_id).removeprefix(LEARNER)


def _fell(one: Application) -> Because:
    return because_of(FELL(what=one.scheme))


def told_of(one: Application) -> dict[str, Any]:
    """What every announcement says of an application."""
    said = {"learner_id": one.learner_id, "application_id": one.id, "scheme": one.scheme, "level": one.level}
    return said | _told_target(one.target)


def _told_target(target: Target) -> dict[str, Any]:
    return {"course": target.course, "module": target.module, "credit_points": target.credit_points}


def exemption_of(one: Application) -> dict[str, Any]:
    """What announcements say of an exemption."""
    names = ("student_number", "programme", "entry_year", "term")
    return told_of(one) | {name: getattr(one, name) for name in names} | {"kind": str(one.target.kind)}


def reason_of(one: Application) -> dict[str, Any]:
    """What announcements say of why an application ended, as far as somebody said so."""
    if one.because is None:
        return {}
    return {"code": one.because.code, "reason_en": one.because.en, "reason_zh": one.because.zh}


def undo_window(minutes: int) -> timedelta:
    """How long a decision can be undone."""
    return timedelta(minutes=minutes)

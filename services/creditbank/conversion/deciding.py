"""Deciding about applications: step by step, undone while nobody was told, told afterwards, watched for deadlines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from chassis import clock
from chassis.bus import outbox
from chassis.database import comes_from_outside, transactional
from chassis.errors import NOT_FOUND, Ground, Sifted, sift
from contracts.creditbank import DeadlineNear
from contracts.terms import Role
from services.creditbank.conversion import models
from services.creditbank.conversion.applications import (
    APPEAL_DISMISSED,
    APPEAL_LAPSED,
    LAPSED,
    REFUSED_BY_REVIEW,
    ROLES,
    Actor,
    Application,
    Because,
    State,
    because_of,
    check_actor,
    check_undo,
    deciders_before,
    is_repeat,
)
from services.creditbank.conversion.applying import (
    MACHINE,
    at_step,
    kept,
    named_application,
    policy_of,
    refuse,
    rejudged,
    tell,
    told_of,
    undo_window,
)
from services.creditbank.conversion.college import last_of
from services.creditbank.conversion.delegating import in_whose_stead
from services.creditbank.conversion.domain import ConversionRule, RuleState, Step, Target
from services.creditbank.conversion.forgotten import check_nothing_forgotten
from services.creditbank.conversion.judging import target_in
from services.creditbank.ledger import commands as ledger

AT_ONCE = 200
REASON_MISSING = Ground(
    "refusal_without_reason",
    en="A refusal needs a reason that the learner can read. Fill in reason.",
    zh="不批准须说明理由，请填写 reason。",
)


@dataclass(frozen=True)
class Decision:
    """One item of a request to decide, by its position; refused with a reason for the learner.

    `on_behalf_of`: who delegated it to whoever decides; empty where they do in their own right.
    """

    index: int
    application: str
    is_approval: bool
    reason: str = ""
    on_behalf_of: str = ""


@dataclass(frozen=True)
class Undo:
    """One item of a request to undo decisions; `rule_version`, `course`, `module` name what judges from now on."""

    index: int
    application: str
    rule_version: int = 0
    course: str = ""
    module: str = ""
    on_behalf_of: str = ""


def decide(decisions: Sequence[Decision], actor: Actor) -> Sifted[Decision, bool]:
    """Decide about applications, each alone and in a transaction of its own; whether anything changed."""
    return sift(lambda one: decide_one(one, actor), decisions)


def undo(asked: Sequence[Undo], actor: Actor) -> Sifted[Undo, bool]:
    """Take decisions back that nobody was told; each goes back with its hold kept."""
    return sift(lambda one: undo_one(one, actor), asked)


@transactional
def decide_one(decision: Decision, actor: Actor) -> bool:
    """Approve or refuse at the step an application is at, uphold or dismiss its appeal; an approval judges everything
    again.

    Refusal for whoever may not, for a refusal without a reason, for what does not stand any more, and before what a
    set-back forgot is back; the application stays as it is then.
    """
    if not decision.is_approval and not decision.reason.strip():
        raise REASON_MISSING()
    one, own = named_application(decision.application)
    asked = replace(actor, on_behalf_of=decision.on_behalf_of)
    if is_repeat(one, asked, State.GRANTED if decision.is_approval else State.REFUSED):
        return False
    actor = in_whose_stead(actor, decision.on_behalf_of, one, {ROLES[one.step or Step.REGISTRY]})
    check_actor(one, actor, clock.today())
    check_nothing_forgotten(one, own, decision.is_approval)
    if not decision.is_approval:
        code = APPEAL_DISMISSED if one.step == Step.APPEAL else REFUSED_BY_REVIEW
        reason = Because(code, decision.reason, decision.reason)
        refuse(_reviewed(one, actor), reason, actor.subject, policy_of(one).undo_minutes, actor.on_behalf_of)
        return True
    rejudged(one, own)
    _approve(one, actor)
    return True


@transactional
def undo_one(asked: Undo, actor: Actor) -> bool:
    """Take a decision back: the application is at its step again, its points on hold, judged by the version named."""
    one, own = named_application(asked.application)
    actor = in_whose_stead(actor, asked.on_behalf_of, one, {ROLES[one.step or Step.REGISTRY], Role.REGISTRY})
    check_undo(one, actor, clock.now(), names_version=bool(asked.rule_version))
    by = {"by": actor.subject, "on_behalf_of": actor.on_behalf_of}
    back = one.acted("undone", at=clock.now(), **by, release_at=None, because=None, state=State.REVIEW)
    if one.spent:
        ledger.undo(one.learner_id, one.scheme, one.level, one.spent, back.cause)
        back = replace(back, held=one.spent, spent=0)
    step = _step_back(one)
    due_on = last_of(clock.today(), policy_of(one).days_of(step))
    back = replace(back, step=step, due_on=due_on, is_escalated=False, is_reminded=False)
    back = replace(back, reviewers=approvers_before(one, step))
    if asked.rule_version:
        back = _under_version(back, asked)
        rejudged(kept(back), own)
    kept(back)
    return True


def _step_back(one: Application) -> Step:
    """The step that an application goes back to when its decision is undone."""
    if one.step == Step.APPEAL:
        return Step.APPEAL
    return Step.REGISTRY if one.state == State.GRANTED else one.step or Step.REGISTRY


def approvers_before(one: Application, step: Step) -> tuple[str, ...]:
    """Who approved at the steps before one, or decided before an appeal, and may therefore not decide there."""
    if step == Step.APPEAL:
        return deciders_before(one)
    earlier = {str(each) for each in Step if list(Step).index(each) < list(Step).index(step)}
    approved = [act for act in one.acts if act.what == "approved" and act.note in earlier]
    approvers = {person for act in approved for person in act.persons}
    return tuple(by for by in one.reviewers if by in approvers)


def release_decisions() -> bool:
    """Tell decisions that can't be undone any more; True when there are more."""
    return _each(models.to_release(clock.now(), AT_ONCE), _release)


def watch_deadlines() -> bool:
    """Date what no calendar had reached, remind of what is due, lead on what is overdue; True when there is more."""
    _each(models.undated(AT_ONCE), _date)
    near = last_of(clock.today(), 1) or clock.today() + timedelta(days=1)
    return _each(models.due_until(near, clock.today(), AT_ONCE), _watch)


def _each(application_ids: Sequence[str], deed: Callable[[str], None]) -> bool:
    """Do it for each; one that breaks holds up no other, and is raised in the end."""
    broken = [error for one in application_ids if (error := _try(deed, one))]
    if broken:
        raise broken[0]
    return len(application_ids) == AT_ONCE


def _try(deed: Callable[[str], None], application_id: str) -> Exception | None:
    try:
        deed(application_id)
    except Exception as error:
        if comes_from_outside(error):
            raise
        return error
    return None


@transactional
def _release(application_id: str) -> None:
    one, _ = named_application(application_id)
    if not one.is_released and one.release_at and one.release_at <= clock.now():
        tell(one)


@transactional
def _date(application_id: str) -> None:
    one, _ = named_application(application_id)
    if one.state != State.REVIEW or one.step is None or one.due_on:
        return
    came_on = one.acts[-1].at.astimezone(clock.CAMPUS).date()
    kept(replace(one, due_on=last_of(came_on, policy_of(one).days_of(one.step))))


@transactional
def _watch(application_id: str) -> None:
    """Remind once before a step is due. Overdue, the department's goes on to the registry, any other lapses later."""
    one, _ = named_application(application_id)
    if one.state != State.REVIEW or one.step is None or one.due_on is None:
        return
    if clock.today() > one.due_on:
        _overdue(one, one.step)
    elif not one.is_reminded:
        reminded = one.acted("reminded", MACHINE, clock.now(), is_reminded=True)
        outbox.append(
            DeadlineNear(**told_of(one), step=str(one.step), due_on=one.due_on),
            cause=reminded.cause,
        )
        kept(reminded)


def _overdue(one: Application, step: Step) -> None:
    policy = policy_of(one)
    late = one.acted("escalated", MACHINE, clock.now(), str(step))
    if step == Step.DEPARTMENT:
        kept(at_step(late, policy, step))
    elif not one.is_escalated:
        due_on = last_of(clock.today(), policy.days_of(step))
        kept(replace(late, is_escalated=True, is_reminded=False, due_on=due_on))
    else:
        refuse(one, because_of(APPEAL_LAPSED() if step == Step.APPEAL else LAPSED()), MACHINE)


def _approve(one: Application, actor: Actor) -> None:
    """On to the next step; after the last one the points are spent, and the exemption stands once it is told."""
    policy = policy_of(one)
    at = clock.now()
    if policy.step_after(one.step):
        approved = _reviewed(one.acted("approved", actor.subject, at, str(one.step), actor.on_behalf_of), actor)
        kept(at_step(approved, policy, one.step))
        return
    granted = _reviewed(one.acted("granted", actor.subject, at, "", actor.on_behalf_of, state=State.GRANTED), actor)
    ledger.spend(one.learner_id, one.scheme, one.level, one.held, granted.cause)
    kept(replace(granted, spent=one.held, held=0, release_at=at + undo_window(policy.undo_minutes), is_released=False))


def _reviewed(one: Application, actor: Actor) -> Application:
    return replace(one, reviewers=(*one.reviewers, *actor.persons))


def _under_version(one: Application, asked: Undo) -> Application:
    """The application under another version of its rule; its hold follows the points of its target there."""
    rule = models.rule_at(one.rule, asked.rule_version)
    if rule is None or rule.state not in {RuleState.PUBLISHED, RuleState.RETIRED}:
        raise NOT_FOUND(what="conversion rule", id=f"{one.rule}/{asked.rule_version}")
    target = _target_under(one, rule, asked)
    more = target.credit_points - one.held
    cause = f"{one.cause}:points"
    if more > 0:
        ledger.hold(one.learner_id, one.scheme, one.level, more, cause)
    elif more < 0:
        ledger.release(one.learner_id, one.scheme, one.level, -more, cause)
    return replace(one, rule_version=rule.version, target=target, held=target.credit_points)


def _target_under(one: Application, rule: ConversionRule, asked: Undo) -> Target:
    """The target that is named, or the one that stands where the old one stood."""
    if asked.course:
        return target_in(rule, asked.course, asked.module)
    before = models.rule_at(one.rule, one.rule_version)
    place = before.targets.index(one.target) if before and one.target in before.targets else 0
    return rule.targets[min(place, len(rule.targets) - 1)]

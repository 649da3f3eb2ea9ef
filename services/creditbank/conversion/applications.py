"""An application 申请: how it stands, and who may move it on; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Ground, Refusal
from contracts.terms import Level, Role
from services.creditbank.conversion.domain import Step, Target

NOT_UNDER_REVIEW = Ground(
    "application_not_under_review",
    en="This application is {state}: there is nothing to decide.",
    zh="该申请的状态为 {state}，无需审批。",
    status=409,
)
WAITS_FOR_FINAL = Ground(
    "application_waits_for_final",
    en="This application waits until its result is final and its certificate's number is on record.",
    zh="该申请正在等待成绩生效及证书编号登记。",
    status=409,
)
STEP_OF_OTHERS = Ground(
    "application_step_of_others",
    en="The application is at the step '{step}', which is not yours to decide.",
    zh="该申请处于“{step}”环节，不在您的审批权限内。",
    status=403,
)
OTHER_DEPARTMENT = Ground(
    "application_of_other_department",
    en="This application is of another department.",
    zh="该申请属于其他院系。",
    status=403,
)
OTHER_TEO = Ground(
    "application_of_other_teo",
    en="This application is about another organisation's certificate.",
    zh="该申请涉及其他培训评价组织的证书。",
    status=403,
)
OWN_APPLICATION = Ground(
    "application_of_your_own",
    en="Nobody decides about an application of their own. Another person has to.",
    zh="不得审批本人的申请，须由他人审批。",
    status=403,
)
REVIEWED_BEFORE = Ground(
    "application_reviewed_by_you",
    en="You have reviewed this application at an earlier step. Another person has to decide.",
    zh="您已在前一环节审核过该申请，须由另一人审批。",
    status=409,
)
DEADLINE_PASSED = Ground(
    "application_deadline_passed",
    en="The deadline for this step was {due_on}. The application goes on as the policy says.",
    zh="该环节的期限为 {due_on}，已逾期，申请将按管理办法继续处理。",
    status=409,
)
DECIDED = Ground(
    "application_decided",
    en="This application is {state} and can't be withdrawn any more.",
    zh="该申请的状态为 {state}，不能再撤回。",
    status=409,
)
UNDO_OVER = Ground(
    "undo_window_over",
    en="Nothing of this application can be undone any more: the decision was told, or none was made.",
    zh="该申请已无可撤销的决定：决定已告知学习者，或尚未作出。",
    status=409,
)
UNDO_OF_REGISTRY = Ground(
    "undo_version_of_registry",
    en="Only the registry or the bank names another rule version. Undo without one, or ask the registry.",
    zh="只有教务或学分银行可以指定另一规则版本，请不指定版本而撤销，或联系教务。",
    status=403,
)
OFFER_OVER = Ground(
    "offer_over",
    en="This offer is not open any more.",
    zh="该建议已失效。",
    status=409,
)
LAPSED = Ground(
    "application_lapsed",
    en="Nobody decided about this application in time. File it again in the next window, or ask the registry.",
    zh="该申请逾期未获审批而失效，请在下一时段重新申请，或咨询教务。",
)
APPEAL_LAPSED = Ground(
    "appeal_lapsed",
    en="Nobody decided about this appeal in time, so that the refusal stands. Ask the registry.",
    zh="该申诉逾期未获处理，原决定维持不变，请咨询教务。",
)
APPEALED_BEFORE = Ground(
    "appealed_before",
    en="This application was appealed once already, and that appeal is over. There is one appeal.",
    zh="该申请已申诉过一次且已办结，每份申请只能申诉一次。",
    status=409,
)
NOT_APPEALABLE = Ground(
    "application_not_appealable",
    en="There is nothing to appeal: an appeal is against a refusal that somebody decided, or left undecided, and that "
    "was told.",
    zh="该申请没有可申诉的决定：只有经审批未获批准或逾期未审批、且已告知的申请可以申诉。",
    status=409,
)
APPEAL_AFTER_OFFER = Ground(
    "appeal_after_offer",
    en="You took the offer that came with this refusal. Who takes it does not appeal.",
    zh="您已接受随该决定提供的方案，不能再申诉。",
    status=409,
)
APPEAL_TOO_LATE = Ground(
    "appeal_too_late",
    en="The last day to appeal was {until}.",
    zh="申诉期限为 {until}，已过期。",
    status=409,
)
APPEAL_WITHOUT_REASON = Ground(
    "appeal_without_reason",
    en="An appeal needs a reason. Say what the decision did not see.",
    zh="申诉须说明理由，请写明原决定未考虑的情况。",
)
DECIDED_AGAINST = Ground(
    "appeal_against_you",
    en="You decided about this application before it was appealed. Another person has to.",
    zh="该申请申诉前的决定由您作出，须由另一人处理。",
    status=409,
)
FELL = Ground(
    "application_fell",
    en="The credit this application stood on was taken back: {what}.",
    zh="该申请所依据的积分已被收回（{what}）。",
)
DOUBLED = Ground(
    "application_doubled",
    en="Two accounts turned out to be yours, and another application of yours excuses you from {target} already.",
    zh="经核实两个账户同属您一人，您的另一份申请已涉及 {target}，本申请不再有效。",
)
REFUSED_BY_REVIEW = "refused_by_review"
APPEAL_DISMISSED = "appeal_dismissed"
APPEALABLE = frozenset({REFUSED_BY_REVIEW, LAPSED.code})  # what a rule refused, it would refuse again
UNDOERS = frozenset({Role.REGISTRY, Role.OPERATOR})  # of decisions at any step
ROLES = {
    Step.DEPARTMENT: Role.DEPARTMENT,
    Step.REGISTRY: Role.REGISTRY,
    Step.TEO: Role.TEO,
    Step.BANK: Role.OPERATOR,
    Step.APPEAL: Role.REGISTRY,
}


class State(StrEnum):
    WAITING = "waiting"  # for its result to be final and its certificate's number
    REVIEW = "review"  # at one of the steps
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    FALLEN = "fallen"  # its credit was taken back


DECISIONS = frozenset({"granted", "refused"})  # by acts
STEPS_TAKEN = DECISIONS | {"approved"}
TAKEN_BACK = frozenset({"undone", "fell", "exemption_withdrawn"})


class Telling(StrEnum):
    """What a learner hears of an entry that comes of an untold decision."""

    NOT = "not"  # a spend, or its undoing
    AS_RELEASE = "as_release"  # spent points that came back: to the learner they were held until then


UNTOLD_BACK = {"undone": Telling.NOT, "exemption_withdrawn": Telling.AS_RELEASE}
STANDING = (State.WAITING, State.REVIEW, State.GRANTED)


class Export(StrEnum):
    """Where an exemption is on its way to the registry's system."""

    NONE = ""
    SENT = "sent"
    TAKEN = "taken"
    REJECTED = "rejected"  # it goes out again


@dataclass(frozen=True)
class Act:
    """One thing that happened to an application."""

    number: int
    what: str
    by: str
    at: datetime
    note: str = ""
    on_behalf_of: str = ""

    @property
    def persons(self) -> tuple[str, ...]:
        """Whose deed it counts as: who did it, and in whose stead."""
        return (self.by, self.on_behalf_of) if self.on_behalf_of else (self.by,)


@dataclass(frozen=True)
class Because:
    """Why it ended as it did, in two languages."""

    code: str
    en: str
    zh: str


@dataclass(frozen=True)
class Offer:
    """The next best that could be had instead, for some working days."""

    rule: str
    version: int
    target: Target
    until: date | None
    is_taken: bool = False


@dataclass(frozen=True)
class Appeal:
    """What a learner says against a refusal 申诉, and why it was refused."""

    reason: str
    filed_on: date
    against: Because


@dataclass(frozen=True)
class Application:
    """One learner's wish to be excused from one course or module. `held`, `spent`: its points in these pockets.

    `is_brought_back`: it was granted before the database was set back, which forgot it. `is_appealable`: it was told
    that it may be appealed, until `appeal_until` where a calendar reached that far; `appeal`: it was.
    """

    id: str
    learner_id: str
    filed_by: str
    filed_on: date
    rule: str
    rule_version: int
    policy: str
    policy_version: int
    programme: str
    entry_year: int
    student_number: str
    department: str
    class_name: str
    scheme: str
    level: Level
    target: Target
    term: str
    teo: str = ""
    state: State = State.WAITING
    step: Step | None = None
    held: int = 0
    spent: int = 0
    due_on: date | None = None
    is_reminded: bool = False
    is_escalated: bool = False
    reviewers: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()
    because: Because | None = None
    offer: Offer | None = None
    offered_by: str = ""
    release_at: datetime | None = None
    is_released: bool = False
    export: int = 0
    export_state: Export = Export.NONE
    export_note: str = ""
    is_case: bool = False
    is_brought_back: bool = False
    is_appealable: bool = False
    appeal_until: date | None = None
    appeal: Appeal | None = None

    @property
    def cause(self) -> str:
        """The name of the latest act, by which entries and announcements are named."""
        return f"conversion:{self.id}:{len(self.acts)}"

    @property
    def is_undoable(self) -> bool:
        """Whether it is decided and nobody was told: to its learner it is still under review."""
        return self.state in {State.GRANTED, State.REFUSED} and not self.is_released

    @property
    def decided(self) -> Act | None:
        """The latest decision at any step; none where it was undone and nobody decided since."""
        latest = next((act for act in reversed(self.acts) if act.what in STEPS_TAKEN | {"undone"}), None)
        return latest if latest and latest.what in STEPS_TAKEN else None

    def undo_until(self, now: datetime) -> datetime | None:
        """Until when its decision can be undone; None when it can't be, or not any more."""
        return self.release_at if self.is_undoable and self.release_at and now < self.release_at else None

    @property
    def untold(self) -> dict[str, Telling]:
        """By the cause of its entry, what its learner hears of decisions they were not told of: those that were undone,
        or taken back with their credit, or can still be; and of what took them back."""
        found: dict[int, Telling] = {}
        decided: dict[int, Telling] = {}
        for act in self.acts:
            if act.what in DECISIONS:
                decided = {act.number: Telling.NOT}
            elif act.what in TAKEN_BACK and decided:
                found |= decided | ({act.number: UNTOLD_BACK[act.what]} if act.what in UNTOLD_BACK else {})
                decided = {}
            elif act.what == "told":
                decided = {}
        return {f"conversion:{self.id}:{number}": telling for number, telling in (found | decided).items()}

    @property
    def is_under_appeal(self) -> bool:
        """Whether it was appealed and nobody was told what came of it."""
        return self.appeal is not None and (self.state in {State.WAITING, State.REVIEW} or self.is_undoable)

    def may_be_appealed(self, today: date) -> bool:
        """Whether its learner may appeal today, as far as it says."""
        is_open = self.state == State.REFUSED and self.is_released and self.is_appealable and self.appeal is None
        is_late = self.appeal_until is not None and today > self.appeal_until
        return is_open and not is_late and not (self.offer and self.offer.is_taken)

    @property
    def stands(self) -> bool:
        """Whether it stands in the way of others of its learner."""
        return self.state in STANDING or self.is_undoable

    @property
    def is_exported(self) -> bool:
        return self.export_state in {Export.SENT, Export.TAKEN}

    def acted(
        self, what: str, by: str, at: datetime, note: str = "", on_behalf_of: str = "", **changes: object
    ) -> Application:
        """The application after one more act."""
        act = Act(len(self.acts) + 1, what, by, at, note, on_behalf_of)
        return replace(self, acts=(*self.acts, act), **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Actor:
    """Who decides: `departments` and `teos` they may decide for, `learners` whom they are.

    As everywhere, who has any such scope is limited to it, also to an empty one; None of all is no limit.
    `on_behalf_of`: who delegated it to them; then roles and departments are those that were delegated.
    """

    subject: str
    roles: Collection[str]
    departments: Collection[str] | None = None
    learners: Collection[str] | None = None
    teos: Collection[str] | None = None
    on_behalf_of: str = ""

    @property
    def persons(self) -> tuple[str, ...]:
        """Whose decision it counts as: nobody makes two that different people have to make, nor in another's stead."""
        return (self.subject, self.on_behalf_of) if self.on_behalf_of else (self.subject,)

    @property
    def is_limited(self) -> bool:
        if self.on_behalf_of:
            return self.departments is not None
        return any(scope is not None for scope in (self.departments, self.teos, self.learners))


def check_actor(one: Application, actor: Actor, today: date) -> None:
    """Refuse who may not decide about this application at its step, or comes too late."""
    if one.state == State.WAITING:
        raise WAITS_FOR_FINAL()
    if one.state != State.REVIEW or one.step is None:
        raise NOT_UNDER_REVIEW(state=str(one.state))
    if ROLES[one.step] not in actor.roles:
        raise STEP_OF_OTHERS(step=str(one.step))
    check_scope(one, actor)
    if set(actor.persons) & set(one.reviewers):
        raise DECIDED_AGAINST() if one.step == Step.APPEAL else REVIEWED_BEFORE()
    if one.due_on and today > one.due_on:
        raise DEADLINE_PASSED(due_on=one.due_on.isoformat())


def check_scope(one: Application, actor: Actor) -> None:
    """Refuse whose department it is not, and whose own it is."""
    if one.filed_by in actor.persons or one.learner_id in (actor.learners or ()):
        raise OWN_APPLICATION()
    if one.step == Step.TEO:
        if actor.is_limited and one.teo not in (actor.teos or ()):
            raise OTHER_TEO()
    elif actor.is_limited and one.department not in (actor.departments or ()):
        raise OTHER_DEPARTMENT()


def check_appeal(one: Application, reason: str, until: date | None, today: date) -> None:
    """Refuse to appeal twice, without a reason, what nobody refused or who took an offer instead, and too late."""
    if one.appeal:
        raise APPEALED_BEFORE()
    if one.state != State.REFUSED or not one.is_released or not one.is_appealable:
        raise NOT_APPEALABLE()
    if one.offer and one.offer.is_taken:
        raise APPEAL_AFTER_OFFER()
    if until and today > until:
        raise APPEAL_TOO_LATE(until=until.isoformat())
    if not reason.strip():
        raise APPEAL_WITHOUT_REASON()


def deciders_before(one: Application) -> tuple[str, ...]:
    """Who decided about an application before it was appealed, undone or not; they do not decide about the appeal."""
    appealed = next((act.number for act in one.acts if act.what == "appealed"), len(one.acts) + 1)
    earlier = [act for act in one.acts if act.number < appealed and act.what in STEPS_TAKEN]
    return tuple(dict.fromkeys(person for act in earlier for person in act.persons))


def is_repeat(one: Application, actor: Actor, state: State) -> bool:
    """Whether this person decided just so before, or approved a step after which it is others' turn."""
    if one.state == State.REVIEW and one.step == Step.APPEAL:
        return False
    if actor.on_behalf_of:
        wanted = {"approved", "granted"} if state == State.GRANTED else {"refused"}
        act = one.decided if one.state in {state, State.REVIEW} else None
        return act is not None and act.what in wanted and act.persons == actor.persons
    if one.state == State.REVIEW and one.step and state == State.GRANTED:
        return actor.subject in one.reviewers and ROLES[one.step] not in actor.roles
    return one.state == state and bool(one.acts) and one.acts[-1].by == actor.subject


def check_undo(one: Application, actor: Actor, now: datetime, names_version: bool) -> None:
    """Refuse to undo what was told, or what nobody decided; and whoever may not decide at the step it was decided at.

    The registry and the bank undo at every step, and they alone name another rule version. Who decided before an
    appeal does not undo what came of it.
    """
    if one.undo_until(now) is None:
        raise UNDO_OVER()
    check_scope(one, actor)
    if one.step == Step.APPEAL and set(actor.persons) & set(deciders_before(one)):
        raise DECIDED_AGAINST()
    if UNDOERS & set(actor.roles):
        return
    if one.step is None or ROLES[one.step] not in actor.roles:
        raise STEP_OF_OTHERS(step=str(one.step or ""))
    if names_version:
        raise UNDO_OF_REGISTRY()


def doubled(own: Iterable[Application]) -> set[str]:
    """Those of a learner's applications, oldest first, that excuse from what another excuses from already.

    Only a merge brings them together. What the registry's system has goes before, then what is granted, then age; a
    refusal that nobody was told of is in nobody's way.
    """
    staying: list[Application] = []
    found: set[str] = set()
    standing = [one for one in own if one.stands and one.state != State.WAITING]  # who waits is judged as it goes on
    for one in sorted(standing, key=_in_the_way):
        if any(one.target.meets(other.target) for other in staying):
            found.add(one.id)
        else:
            staying.append(one)
    return found


def _in_the_way(one: Application) -> tuple[bool, bool, bool]:
    return not one.is_exported, one.state != State.GRANTED, one.state == State.REFUSED


def because_of(refusal: Refusal) -> Because:
    """A refusal as it is kept."""
    return Because(refusal.code, refusal.sentence("en"), refusal.sentence("zh"))

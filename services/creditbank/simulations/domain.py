"""How far a draft of a conversion rule or policy document is simulated, what that found, and what may follow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Ground

NOT_SIMULATED = Ground(
    "conversion_not_simulated",
    en="Version {version} of {code} as it stands has no finished simulation. Have it simulated and look at what it "
    "would change.",
    zh="{code} 第 {version} 版的当前内容尚无完成的模拟测算，请先测算并查看其影响。",
    status=409,
)
SIMULATION_OTHER = Ground(
    "conversion_simulation_is_another",
    en="Simulation {given} is not the latest of version {version} of {code}, which is {latest}. Look at that one.",
    zh="模拟测算 {given} 不是 {code} 第 {version} 版的最新测算（最新为 {latest}），请查看最新结果。",
    status=409,
)
MOVED_ON = Ground(
    "conversion_rules_moved_on",
    en="What version {version} of {code} was simulated on has changed since. Have it simulated again.",
    zh="{code} 第 {version} 版测算之后，其内容或所依据的规则、管理办法已有变动，请重新测算。",
    status=409,
)
OF_ONE_DRAFT = Ground(
    "simulation_of_one_draft",
    en="A simulation is of one draft: fill in rule or policy, and not both.",
    zh="一次测算只针对一份草案：rule、policy 二者填一。",
)


class Subject(StrEnum):
    """What is drafted."""

    RULE = "rule"
    POLICY = "policy"


class Effect(StrEnum):
    """What a draft does to one student's exemption from one course or module."""

    ALLOWED = "allowed"  # it could be filed then, and could not now
    TAKEN = "taken"  # it could be filed now, and could not then
    REPRICED = "repriced"  # it would cost other points
    APPLICATION = "application"  # it is applied for; that goes on by the versions it names, and falls by the draft
    OFFER = "offer"  # it is offered; likewise


class State(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    VOID = "void"  # what it rested on changed under it


@dataclass(frozen=True)
class Draft:
    """A version of a conversion rule or policy document."""

    subject: Subject
    code: str
    version: int

    @property
    def place(self) -> str:
        return f"{self.subject}:{self.code}:{self.version:04}"


@dataclass(frozen=True)
class Change:
    """What a draft does to one student's exemption. Points are what it costs, 0 where it can't be had.

    `because_zh`, `because_en`: of what is taken or falls, why; `application`: which one falls, or came with the offer.
    """

    effect: Effect
    learner_id: str
    student_number: str
    programme: str
    entry_year: int
    scheme: str
    rule: str
    course: str
    module: str
    before_points: int = 0
    after_points: int = 0
    application: str = ""
    because: str = ""
    because_zh: str = ""
    because_en: str = ""

    @property
    def group(self) -> Group:
        return Group(self.programme, self.scheme, self.course, self.tally)

    @property
    def tally(self) -> Tally:
        one = self.effect
        return Tally(
            allowed=int(one == Effect.ALLOWED),
            taken=int(one == Effect.TAKEN),
            repriced=int(one == Effect.REPRICED),
            applications=int(one == Effect.APPLICATION),
            offers=int(one == Effect.OFFER),
            allowed_points=self.after_points if one == Effect.ALLOWED else 0,
            taken_points=self.before_points if one == Effect.TAKEN else 0,
            dearer_points=self.after_points - self.before_points if one == Effect.REPRICED else 0,
        )


@dataclass(frozen=True)
class Tally:
    """Exemptions by what becomes of them. `dearer_points`: by how much those that are repriced cost more."""

    allowed: int = 0
    taken: int = 0
    repriced: int = 0
    applications: int = 0
    offers: int = 0
    allowed_points: int = 0
    taken_points: int = 0
    dearer_points: int = 0

    def __add__(self, other: Tally) -> Tally:
        names = self.__dataclass_fields__
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True)
class Group:
    """What changes for the students of a programme, of what one scheme buys, with one course."""

    programme: str
    scheme: str
    course: str
    tally: Tally


@dataclass(frozen=True)
class Place:
    """Up to where a simulation has looked: a programme and entry year, by number, and a student record there."""

    cohort: int = 0
    record: str = ""


@dataclass(frozen=True)
class Findings:
    """What was looked at, and found: students who gain or lose an exemption, and exemptions by group."""

    students: int = 0
    gainers: int = 0
    losers: int = 0
    groups: tuple[Group, ...] = ()

    @property
    def tally(self) -> Tally:
        return sum((one.tally for one in self.groups), Tally())

    def __add__(self, other: Findings) -> Findings:
        return Findings(
            self.students + other.students,
            self.gainers + other.gainers,
            self.losers + other.losers,
            added(self.groups, other.groups),
        )


@dataclass(frozen=True)
class Simulation:
    """What a draft would change. `basis`: by what it is known whether that is still so; `on`: for filing on this day.

    `cohorts`: how many programmes and entry years there are to look at; `steps`: how many steps that took so far;
    `replaces`: earlier ones of the same draft, whose findings are still to be removed.
    """

    number: int
    draft: Draft
    basis: str
    on: date
    asked_by: str
    asked_at: datetime
    cohorts: int
    replaces: tuple[int, ...] = ()
    state: State = State.RUNNING
    place: Place = Place()
    steps: int = 0
    findings: Findings = Findings()
    finished_at: datetime | None = None


def added(some: Iterable[Group], more: Iterable[Group]) -> tuple[Group, ...]:
    """Groups put together, one for each programme, scheme and course."""
    tallies: dict[tuple[str, str, str], Tally] = {}
    for one in (*some, *more):
        key = one.programme, one.scheme, one.course
        tallies[key] = tallies.get(key, Tally()) + one.tally
    return tuple(Group(*key, tally) for key, tally in sorted(tallies.items()))


def findings_of(students: int, changes: Iterable[Change]) -> Findings:
    """What a step found among so many students, each looked at once."""
    found = list(changes)
    gainers = {one.learner_id for one in found if one.effect == Effect.ALLOWED}
    losers = {one.learner_id for one in found if one.effect == Effect.TAKEN}
    return Findings(students, len(gainers), len(losers), added((), (one.group for one in found)))


def advanced(simulation: Simulation, place: Place, found: Findings, at: datetime) -> Simulation:
    """The simulation a step further; through once no programme and entry year is left."""
    further = replace(
        simulation, place=place, steps=simulation.steps + 1, findings=simulation.findings + found, replaces=()
    )
    is_through = place.cohort >= simulation.cohorts
    return replace(further, state=State.FINISHED, finished_at=at) if is_through else further


def check_simulated(draft: Draft, latest: Simulation | None, basis: str, looked_at: int | None) -> None:
    """Refuse what was not simulated as it stands, on what holds now; or whose latest simulation was not looked at."""
    told = {"code": draft.code, "version": draft.version}
    if latest is None or latest.state == State.RUNNING:
        raise NOT_SIMULATED(**told)
    if latest.state == State.VOID or latest.basis != basis:
        raise MOVED_ON(**told)
    if looked_at is not None and looked_at != latest.number:
        raise SIMULATION_OTHER(given=looked_at, latest=latest.number, **told)


def one_of(rule: tuple[str, int] | None, policy: tuple[str, int] | None) -> Draft:
    """The one draft that is given, of a rule or of a policy document; Refusal when it is none or both."""
    if (rule is None) == (policy is None):
        raise OF_ONE_DRAFT()
    return Draft(Subject.RULE, *rule) if rule else Draft(Subject.POLICY, *(policy or ("", 0)))

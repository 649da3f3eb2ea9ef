"""The life of a proposal: who may move it on, from what, and what its simulation has to show before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Ground
from services.creditbank.recognition.domain import (
    NO_POLICY,
    VERSION_UNKNOWN,
    Policy,
    Rulebook,
    RuleVersion,
    check_level,
    check_said,
    decided,
    retired,
)

APPROVALS = 2
OF_ONE_KIND = Ground(
    "proposal_of_one_kind",
    en="A proposal is one thing: fill in version, retirement or rerate, and no other of them.",
    zh="一项议案只能包含一项内容：version、retirement、rerate 三者填一。",
)
ANOTHER_KIND = Ground(
    "proposal_of_another_kind",
    en="Proposal {number} is a {kind} and stays one. Withdraw it and make a new one.",
    zh="议案 {number} 的类型为 {kind}，不能更改，请撤回后重新提交。",
    status=409,
)
TARGETS_REPEATED = Ground(
    "rerate_target_repeated",
    en="{scheme}/{level} stands in the rerate twice. Name one version for it.",
    zh="重新认定中 {scheme}/{level} 出现了两次，请只指定一个版本。",
)
NEVER_HOLDS = Ground(
    "rerate_version_never_holds",
    en="Version {version} of {scheme}/{level} holds for no session any more. Choose one that does.",
    zh="{scheme}/{level} 的第 {version} 版已不适用于任何考试，请选择仍有效的版本。",
)
IS_OVER = Ground(
    "proposal_is_over",
    en="Proposal {number} is {state}: it can't be changed any more. Make a new one.",
    zh="议案 {number} 的状态为 {state}，不能再更改，请提交新的议案。",
    status=409,
)
NOT_SIMULATED = Ground(
    "proposal_not_simulated",
    en="Proposal {number} as it stands has no finished simulation. Have it simulated and look at what it would change.",
    zh="议案 {number} 的当前内容尚无完成的模拟测算，请先测算并查看其影响。",
    status=409,
)
SIMULATION_OTHER = Ground(
    "simulation_is_another",
    en="Simulation {given} is not the latest of proposal {number}, which is {latest}. Look at that one.",
    zh="模拟测算 {given} 不是议案 {number} 的最新测算（最新为 {latest}），请查看最新结果。",
    status=409,
)
RULES_MOVED_ON = Ground(
    "rules_moved_on",
    en="The rules have changed since proposal {number} was simulated. Have it simulated again.",
    zh="议案 {number} 测算之后规则已有变动，请重新测算。",
    status=409,
)
APPROVED_BY_YOU = Ground(
    "approved_by_you",
    en="You have approved proposal {number} already. Another person has to.",
    zh="您已审批过议案 {number}，须由另一人审批。",
    status=409,
)
RERATE_UNDER_WAY = Ground(
    "rerate_under_way",
    en="Proposal {number} is moving outcomes by these rules. Carry this one out when that has ended.",
    zh="议案 {number} 正在按相关规则重新认定，请待其完成后再执行本议案。",
    status=409,
)
NOT_APPROVED = Ground(
    "proposal_not_approved",
    en="Proposal {number} has {count} of {needed} approvals.",
    zh="议案 {number} 需要 {needed} 人审批，目前 {count} 人。",
    status=409,
)


class Kind(StrEnum):
    VERSION = "version"
    RETIREMENT = "retirement"
    RERATE = "rerate"


class State(StrEnum):
    DRAFT = "draft"
    SIMULATING = "simulating"
    SIMULATED = "simulated"
    APPROVED = "approved"
    UNDER_WAY = "under_way"  # a rerate that moves outcomes
    CARRIED_OUT = "carried_out"  # the version is published or retired, every outcome moved
    WITHDRAWN = "withdrawn"


OVER = {State.UNDER_WAY, State.CARRIED_OUT, State.WITHDRAWN}
Place = tuple[str, int]  # scheme, level


@dataclass(frozen=True)
class VersionDraft:
    """What a scheme's level is to be worth for sessions of some days; `supersedes`: decided versions that give way."""

    scheme: str
    level: int
    credit_points: int
    sessions_from: date
    sessions_until: date | None = None
    policy: Policy = NO_POLICY
    note: str = ""
    supersedes: tuple[int, ...] = ()

    def as_version(self) -> RuleVersion:
        """The version it would be, not numbered yet."""
        return RuleVersion(
            version=0,
            credit_points=self.credit_points,
            sessions_from=self.sessions_from,
            note=self.note,
            sessions_until=self.sessions_until,
            policy=self.policy,
        )


@dataclass(frozen=True)
class Retirement:
    """From which day's sessions on a version is to hold no more."""

    scheme: str
    level: int
    version: int
    retired_from: date


@dataclass(frozen=True)
class Target:
    """The version to which outcomes of a scheme's level are to be moved, as far as it holds for their sessions."""

    scheme: str
    level: int
    version: int


@dataclass(frozen=True)
class Rerate:
    """Which pinned outcomes are to be moved to which versions."""

    targets: tuple[Target, ...]

    def by_place(self) -> dict[Place, int]:
        """The version by scheme and level."""
        return {(one.scheme, one.level): one.version for one in self.targets}


Change = VersionDraft | Retirement | Rerate


@dataclass(frozen=True)
class Tally:
    """Holdings that change and by how much: credit_points to come and available together.

    `published`: by how much publishing alone changes them, when pinned outcomes stay where they are.
    """

    holdings: int = 0
    gainers: int = 0
    losers: int = 0
    gained_points: int = 0
    lost_points: int = 0
    published_points: int = 0

    def __add__(self, other: Tally) -> Tally:
        names = self.__dataclass_fields__
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True)
class Group:
    """What changes for the holdings of one scheme at one level."""

    scheme: str
    level: int
    tally: Tally


@dataclass(frozen=True)
class ProgrammeGroup:
    """What changes for the holdings of those who study one programme; of none, for those who never studied here."""

    programme: str
    tally: Tally


@dataclass(frozen=True)
class Found:
    """What a simulation found in a span of learners: by scheme and level, and by programme."""

    groups: tuple[Group, ...] = ()
    programmes: tuple[ProgrammeGroup, ...] = ()

    def __add__(self, other: Found) -> Found:
        return Found(added(self.groups, other.groups), added_up(self.programmes, other.programmes))


@dataclass(frozen=True)
class Simulation:
    """What a proposal would change. `after`: the learner up to whom it has looked; `basis`: the rules it saw."""

    number: int
    basis: tuple[str, ...]
    asked_by: str
    asked_at: datetime
    outcomes: int
    after: str = ""
    seen: int = 0
    tally: Tally = Tally()
    groups: tuple[Group, ...] = ()
    programmes: tuple[ProgrammeGroup, ...] = ()
    finished_at: datetime | None = None


@dataclass(frozen=True)
class Approval:
    """Who approved, when, having looked at which simulation."""

    by: str
    at: datetime
    simulation: int


@dataclass(frozen=True)
class Enactment:
    """That a proposal is carried out: by whom, since when, and how far. A rerate is through when a round moves nothing.

    `version`: the number a published version got; `moved`: the outcomes moved; `in_round`: of them in this round.
    """

    by: str
    at: datetime
    version: int = 0
    after: str = ""
    moved: int = 0
    in_round: int = 0
    rounds: int = 0
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Proposal:
    """One change of what is recognised. `revision` grows with every change of what it says."""

    number: int
    state: State
    author: str
    made_at: datetime
    change: Change
    revision: int = 1
    simulations: int = 0
    simulation: Simulation | None = None
    approvals: tuple[Approval, ...] = ()
    enactment: Enactment | None = None

    @property
    def kind(self) -> Kind:
        return kind_of(self.change)

    def places(self) -> set[Place]:
        """The schemes and levels whose rules it concerns."""
        return places_of(self.change)


def one_of(version: VersionDraft | None, retirement: Retirement | None, rerate: Rerate | None) -> Change:
    """The one thing of the three that is given; Refusal when it is none or more."""
    given = [one for one in (version, retirement, rerate) if one is not None]
    if len(given) != 1:
        raise OF_ONE_KIND()
    return given[0]


def kind_of(change: Change) -> Kind:
    """Of which kind a change is."""
    kinds = {VersionDraft: Kind.VERSION, Retirement: Kind.RETIREMENT, Rerate: Kind.RERATE}
    return kinds[type(change)]


def places_of(change: Change) -> set[Place]:
    """The schemes and levels that a change concerns."""
    return {(one.scheme, one.level) for one in (change.targets if isinstance(change, Rerate) else (change,))}


def rules_after(change: Change, rules: Rulebook) -> dict[Place, list[RuleVersion]]:
    """The rules concerned as they would be; Refusal when the change does not fit them."""
    after = {place: list(rules.get(place, ())) for place in places_of(change)}
    if isinstance(change, Rerate):
        check_targets(change, rules)
        return after
    check_level(change.scheme, change.level)
    place = change.scheme, change.level
    if isinstance(change, Retirement):
        check_known(change.scheme, change.level, change.version, rules)
        after[place] = retired(after[place], change.version, change.retired_from)
        return after
    check_said(change.as_version())
    for version in change.supersedes:
        check_known(change.scheme, change.level, version, rules)
    after[place] = decided(after[place], change.as_version(), change.supersedes)
    return after


def check_targets(rerate: Rerate, rules: Rulebook) -> None:
    """Refuse a rerate to versions that are not there, hold for nothing, or are two for one level."""
    for place in rerate.by_place():
        if sum((one.scheme, one.level) == place for one in rerate.targets) > 1:
            raise TARGETS_REPEATED(scheme=place[0], level=place[1])
    for target in rerate.targets:
        version = check_known(target.scheme, target.level, target.version, rules)
        if version.last_day < version.sessions_from:
            raise NEVER_HOLDS(scheme=target.scheme, level=target.level, version=target.version)


def check_known(scheme: str, level: int, version: int, rules: Rulebook) -> RuleVersion:
    """A version of a rule; Refusal when there is none of that number."""
    for one in rules.get((scheme, level), ()):
        if one.version == version:
            return one
    raise VERSION_UNKNOWN(scheme=scheme, level=level, version=version)


def basis_of(rules: Mapping[Place, Sequence[RuleVersion]]) -> tuple[str, ...]:
    """What of the rules a simulation rests on: versions never change, so which there are and until when they hold."""
    return tuple(
        f"{scheme}:{level}:" + ",".join(f"{one.version}/{one.retired_from or ''}" for one in versions)
        for (scheme, level), versions in sorted(rules.items())
    )


def must_be_open(proposal: Proposal) -> None:
    """Refuse what is done to a proposal that is over."""
    if proposal.state in OVER:
        raise IS_OVER(number=proposal.number, state=proposal.state)


def edited(proposal: Proposal, change: Change) -> Proposal:
    """The proposal with other words: what was simulated and approved of it is void."""
    must_be_open(proposal)
    if kind_of(change) != proposal.kind:
        raise ANOTHER_KIND(number=proposal.number, kind=proposal.kind)
    revision = proposal.revision + 1
    return replace(proposal, state=State.DRAFT, change=change, revision=revision, simulation=None, approvals=())


def withdrawn(proposal: Proposal) -> Proposal:
    """The proposal taken back."""
    must_be_open(proposal)
    return replace(proposal, state=State.WITHDRAWN)


def asked(proposal: Proposal, basis: tuple[str, ...], by: str, at: datetime, outcomes: int) -> Proposal:
    """The proposal with a simulation begun; approvals of an earlier one are void."""
    must_be_open(proposal)
    number = proposal.simulations + 1
    simulation = Simulation(number, basis, by, at, outcomes)
    return replace(proposal, state=State.SIMULATING, simulations=number, simulation=simulation, approvals=())


def advanced(proposal: Proposal, until: str, seen: int, found: Found, at: datetime) -> Proposal:
    """The proposal, its simulation having looked as far as a learner; without one, at everybody."""
    now = proposal.simulation
    if now is None:
        raise NOT_SIMULATED(number=proposal.number)
    together = Found(now.groups, now.programmes) + found
    tally = sum((one.tally for one in together.groups), Tally())
    further = replace(now, after=until or now.after, seen=now.seen + seen, tally=tally, **vars(together))
    if until:
        return replace(proposal, simulation=further)
    return replace(proposal, state=State.SIMULATED, simulation=replace(further, finished_at=at))


def added(some: Iterable[Group], more: Iterable[Group]) -> tuple[Group, ...]:
    """Groups put together, one for each scheme and level."""
    tallies: dict[Place, Tally] = {}
    for one in (*some, *more):
        tallies[one.scheme, one.level] = tallies.get((one.scheme, one.level), Tally()) + one.tally
    return tuple(Group(*place, tally) for place, tally in sorted(tallies.items()))


def added_up(some: Iterable[ProgrammeGroup], more: Iterable[ProgrammeGroup]) -> tuple[ProgrammeGroup, ...]:
    """Groups put together, one for each programme."""
    tallies: dict[str, Tally] = {}
    for one in (*some, *more):
        tallies[one.programme] = tallies.get(one.programme, Tally()) + one.tally
    return tuple(ProgrammeGroup(*each) for each in sorted(tallies.items()))


def approved(proposal: Proposal, simulation: int, by: str, at: datetime, basis: tuple[str, ...]) -> Proposal:
    """The proposal with one approval more, of the simulation that was looked at; two people have to."""
    must_be_open(proposal)
    check_simulated(proposal, basis)
    if simulation != proposal.simulations:
        raise SIMULATION_OTHER(number=proposal.number, given=simulation, latest=proposal.simulations)
    if by in {one.by for one in proposal.approvals}:
        raise APPROVED_BY_YOU(number=proposal.number)
    approvals = (*proposal.approvals, Approval(by, at, simulation))
    state = State.APPROVED if len(approvals) >= APPROVALS else State.SIMULATED
    return replace(proposal, approvals=approvals, state=state)


def check_simulated(proposal: Proposal, basis: tuple[str, ...]) -> None:
    """Refuse what was not simulated as it stands, or on other rules."""
    if proposal.simulation is None or proposal.simulation.finished_at is None:
        raise NOT_SIMULATED(number=proposal.number)
    if proposal.simulation.basis != basis:
        raise RULES_MOVED_ON(number=proposal.number)


def check_no_rerate(proposal: Proposal, under_way: Iterable[Proposal]) -> None:
    """Refuse to change a rule while outcomes are moved by it: some would be moved by the old one, some not at all."""
    for other in under_way:
        if other.places() & proposal.places():
            raise RERATE_UNDER_WAY(number=other.number)


def may_be_enacted(proposal: Proposal, basis: tuple[str, ...]) -> None:
    """Refuse to carry out what two people have not approved on these rules."""
    must_be_open(proposal)
    check_simulated(proposal, basis)
    if proposal.state != State.APPROVED:
        raise NOT_APPROVED(number=proposal.number, count=len(proposal.approvals), needed=APPROVALS)


def round_ended(enactment: Enactment, at: datetime) -> Enactment:
    """A rerate that has come to the last learner: it begins again, since a merge may have carried an outcome behind it,
    and is through when a whole round moved nothing."""
    ended_at = None if enactment.in_round else at
    return replace(enactment, after="", in_round=0, rounds=enactment.rounds + 1, ended_at=ended_at)

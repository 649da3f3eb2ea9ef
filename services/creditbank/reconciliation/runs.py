"""A comparison under way, what it found, and how far people are with it; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chassis.errors import Ground
from services.creditbank.reconciliation.domain import Finding, Kind, Scope

RUN_NOT_FINISHED = Ground(
    "reconciliation_not_finished",
    en="Reconciliation {run} is still comparing. Wait until it has finished.",
    zh="对账 {run} 尚在比对中，请等待完成。",
    status=409,
)
REPORT_NOT_ALL_IN = Ground(
    "report_not_all_in",
    en="Report {report} is not all in yet. Wait: once it is, it is compared by itself.",
    zh="报表 {report} 尚未全部入库，请等待：入库完成后会自动对账。",
    status=409,
)
OWN_REPORT = Ground(
    "own_report",
    en="You uploaded the report yourself, or had it committed. Another person of the registry has to approve.",
    zh="报表由您本人上传或确认入库，须由教务的另一人审批。",
    status=403,
)
DISCREPANCY_GONE = Ground(
    "discrepancy_gone",
    en="This no longer stands: what was compared has changed since. Have it compared again.",
    zh="该差异已不成立：所比对的数据在此期间已有变化，请重新对账。",
    status=409,
)
DISCREPANCY_ENDED = Ground(
    "discrepancy_ended",
    en="Reconciliation {run} has looked at this since. Decide about what it found.",
    zh="对账 {run} 已重新核对此项，请以其结果为准。",
    status=409,
)
JOURNAL_DISAGREES = Ground(
    "journal_disagrees",
    en="This account does not show what its entries say. An operator runs onex ledger verify first.",
    zh="该账户与其账链不符，请管理员先运行 onex ledger verify 核查。",
    status=409,
)


class Stage(StrEnum):
    """What a run is at."""

    ROWS = "rows"  # the report's rows, against what stands here
    HOLDINGS = "holdings"  # what stands here, against the report and the ledger
    ACCOUNTS = "accounts"  # what the ledger shows, against what stands here
    CLOSING = "closing"  # what earlier runs found, against what this one found
    FINISHED = "finished"


ABOUT_THE_REPORT = {Kind.SCHEME_UNKNOWN, Kind.SCHEME_OF_ANOTHER, Kind.LEVEL_NOT_OFFERED}
UNDER_WAY = (Stage.ROWS, Stage.HOLDINGS, Stage.ACCOUNTS, Stage.CLOSING)


class State(StrEnum):
    """How far a discrepancy is."""

    OPEN = "open"
    TASKED = "tasked"  # approved, and a task for somebody else
    MENDED = "mended"  # approved, and the bank has acted
    CLOSED = "closed"  # a later run does not find it any more
    CARRIED_ON = "carried_on"  # a later run finds it again, and goes on with it


STANDING = (State.OPEN, State.TASKED, State.MENDED)


@dataclass(frozen=True)
class Run:
    """One comparison: of a report if it names one, else of all that stands here with the ledger.

    `after`: how far its stage is. `found`: the serial of the last discrepancy; `seen`: rows, holdings and accounts.
    """

    number: int
    asked_by: str
    begun_at: datetime
    stage: str = Stage.HOLDINGS
    report: int = 0
    teo: str = ""
    night: str | None = None
    after: str = ""
    found: int = 0
    seen: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    finished_at: datetime | None = None

    @property
    def basis(self) -> str:
        """What is compared with: runs on the same basis close each other's discrepancies."""
        return f"report:{self.teo}" if self.report else "bank"

    def cause(self, finding: Finding, serial: int) -> str:
        """The name under which all that an approval leads to can be found."""
        return f"reconciliation:{self.number}:{finding.row or f'found-{serial}'}"


@dataclass(frozen=True)
class Discrepancy:
    """A finding of a run, and what a person said of it. `ended_by`: the run that closed it, or goes on with it."""

    run: int
    serial: int
    basis: str
    finding: Finding
    state: State = State.OPEN
    approved_by: str = ""
    approved_at: datetime | None = None
    ended_by: int = 0

    @property
    def id(self) -> str:
        return f"{self.run:08}:{self.serial:07}"


@dataclass(frozen=True)
class Profile:
    """How a TEO heads its columns: by column, further headers; and what it sends besides."""

    teo: str
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    left_out: Sequence[str] = ()


def numbered(run: Run, findings: Iterable[Finding]) -> list[Discrepancy]:
    """What a run has found now, as it is kept."""
    return [Discrepancy(run.number, serial, run.basis, one) for serial, one in enumerate(findings, run.found + 1)]


def further(run: Run, found: Sequence[Discrepancy], seen: int, after: str) -> Run:
    """A run that is further by so many; without `after` its stage is done."""
    counts = dict(run.counts)
    for one in found:
        counts[one.finding.kind] = counts.get(one.finding.kind, 0) + 1
    moved = replace(run, found=run.found + len(found), seen=run.seen + seen, counts=counts, after=after)
    return moved if after else replace(moved, stage=next_stage(run))


def next_stage(run: Run) -> Stage:
    """What comes after a stage: accounts without results are looked for where no report limits what is compared."""
    match run.stage:
        case Stage.ROWS:
            return Stage.HOLDINGS
        case Stage.HOLDINGS:
            return Stage.CLOSING if run.report else Stage.ACCOUNTS
        case Stage.ACCOUNTS:
            return Stage.CLOSING
    return Stage.FINISHED


def is_covered(earlier: Discrepancy, scope: Scope | None, numbers: Collection[str]) -> bool:
    """Whether a run that does not find an earlier discrepancy may say that it is gone: one without a report, or with
    one that speaks for it, by its `numbers` or else by its scheme and days. What no organisation could mean ends with
    the next report."""
    finding = earlier.finding
    if scope is None or finding.kind in ABOUT_THE_REPORT or finding.certificate_number in numbers:
        return True
    if finding.scheme not in scope.schemes or not scope.is_whole:
        return False
    return finding.issued_on is None or scope.issued_from <= finding.issued_on <= scope.issued_until


def ended(earlier: Discrepancy, again: Discrepancy | None, run: int) -> tuple[Discrepancy, Discrepancy | None]:
    """An earlier discrepancy after a run; and the one that goes on with it, a task that was given with it."""
    if again is None:
        return replace(earlier, state=State.CLOSED, ended_by=run), None
    carried = replace(earlier, state=State.CARRIED_ON, ended_by=run)
    if earlier.state != State.TASKED or again.state != State.OPEN:
        return carried, None
    tasked = replace(again, state=State.TASKED, approved_by=earlier.approved_by, approved_at=earlier.approved_at)
    return carried, tasked


def check_open(one: Discrepancy) -> None:
    """Refuse what a later run has looked at."""
    if one.state not in STANDING:
        raise DISCREPANCY_ENDED(run=one.ended_by)

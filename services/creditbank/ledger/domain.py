"""What moves on an account when what is earned differs from what is shown, and the chain of its entries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from chassis.errors import Ground

ISSUED = "issued"
POCKETS = ("provisional", "available", "held", "spent")
ANNOUNCED = ("CreditPosted", "OutcomeCredited", "AccountFrozen", "AccountUnfrozen")  # one of them tells of each entry
Body = dict[str, Any]
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


ACCOUNT_FROZEN = Ground(
    "account_frozen",
    en="This account is frozen: nothing is spent from it. The registry says why, and lifts it.",
    zh="该账户已冻结，暂不能使用学分。原因与解冻请联系教务。",
    status=409,
)
ABOVE_BALANCE = Ground(
    "above_balance",
    en="This takes {wanted} points of {scheme}; {available} are available. Choose something that costs less.",
    zh="此项需要 {scheme} 的积分 {wanted}，可用积分为 {available}，请选择所需积分较少的项目。",
)
CREDIT_PROVISIONAL = Ground(
    "credit_provisional",
    en="The points of {scheme} are provisional until publicity ends. Wait until the result is final.",
    zh="{scheme}的积分在公示期间为暂记，请待成绩生效后再使用。",
)
CREDIT_UNNUMBERED = Ground(
    "credit_unnumbered",
    en="The points of {scheme} can be spent once the certificate's number is on record. Wait for the number.",
    zh="{scheme}的证书编号登记后方可使用其积分，请等待编号登记。",
)
CERTIFICATE_IS_REVOKED = Ground(
    "certificate_is_revoked",
    en="The certificate behind the points of {scheme} was revoked. Ask the registry.",
    zh="{scheme}积分所依据的证书已被撤销，请咨询教务。",
)
ACCOUNT_IN_DEBT = Ground(
    "account_in_debt",
    en="The account owes {owed} points of {scheme}, taken back after they were spent. The registry settles this first.",
    zh="账户尚欠 {scheme} 积分 {owed}（已使用后被收回），请先由教务处理。",
)
ACCOUNT_HELD_UP = Ground(
    "account_held_up",
    en="News about this learner is held up and being looked into. Try again when it has been dealt with.",
    zh="该学习者有消息尚待处理，处理完成后请重试。",
    status=409,
)


AT_IN_FUTURE = Ground(
    "at_in_future",
    en="{at} has not come yet. Ask for a past instant, or read the account as it is now.",
    zh="{at} 尚未到来。请查询过去的时刻，或直接查看账户当前状态。",
)


class Move(StrEnum):
    """What is done with points that an application is about; the words stand in entries."""

    HOLD = "hold"  # available to held, as it is filed
    SPEND = "spend"  # held to spent, as it is approved
    RELEASE = "release"  # held to available, as it is refused or withdrawn
    UNDO = "undo"  # spent to held: the approval is taken back, the application goes on
    UNSPEND = "unspend"  # spent to available: the exemption is withdrawn


WAYS = {
    Move.HOLD: ("available", "held"),
    Move.SPEND: ("held", "spent"),
    Move.RELEASE: ("held", "available"),
    Move.UNDO: ("spent", "held"),
    Move.UNSPEND: ("spent", "available"),
}
SPENDING = frozenset({Move.HOLD, Move.SPEND})


class CertificateState(StrEnum):
    """Whether the certificate behind what counts is on record."""

    NONE = ""
    RECORDED = "recorded"
    REVOKED = "revoked"


class Worth(NamedTuple):
    """What is earned from one scheme, or shown of it, in credit_points. 100 are one credit."""

    provisional: int = 0
    available: int = 0


class Posting(NamedTuple):
    """Points moved from one address to another; whatever it says, the sum over both is zero."""

    source: str
    target: str
    credit_points: int


@dataclass(slots=True)
class Holding:
    """What one learner has from one scheme. `level` is the highest that counts, 0 for none.

    A negative `available` is a debt: points were taken back after they had been spent.
    """

    learner_id: str
    scheme: str
    level: int = 0
    certificate: str = CertificateState.NONE
    provisional: int = 0
    available: int = 0
    held: int = 0
    spent: int = 0

    def shown(self) -> Worth:
        """What was issued to the holding and not taken back: spent and held points count as issued."""
        return Worth(self.provisional, self.available + self.held + self.spent)

    def says_nothing(self) -> bool:
        return not any((self.level, self.certificate, self.provisional, self.available, self.held, self.spent))


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an entry was made: the event or command, and the result and rule version it was about."""

    cause: str
    what: str
    scheme: str
    level: int
    result_id: str = ""
    revision: int = 0
    rule_version: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a learner has earned from one scheme by now, and the one thing that happened to make it so.

    `is_remark` marks what is worth an entry only if it changes something, such as a certificate's number.
    """

    learner_id: str
    reason: Reason
    earned: Worth
    level: int
    certificate: str = CertificateState.NONE
    is_remark: bool = False


@dataclass(frozen=True, slots=True)
class Freezing:
    """That an account is frozen from now on, or is no more: why, and on whose word."""

    cause: str
    what: str
    is_frozen: bool
    reason: str
    by: str


class Entry(NamedTuple):
    """One thing that happened to an account, with the points it moved, chained to the entry before."""

    learner_id: str
    number: int
    body: Body
    previous: bytes
    hash: bytes

    def change(self) -> Worth:
        """By how much the entry moved what is to come, and what may be spent."""
        moved = dict.fromkeys((*POCKETS, ISSUED), 0)
        for posting in self.body["postings"]:
            moved[posting["from"]] -= posting["points"]
            moved[posting["to"]] += posting["points"]
        return Worth(moved["provisional"], moved["available"])


@dataclass(slots=True)
class Account:
    """A personal learning account 个人学习账户: its holdings and the end of its chain of entries.

    A frozen one takes deposits and spends nothing.
    """

    learner_id: str
    entries: int = 0
    head: bytes = b""
    holdings: dict[str, Holding] = field(default_factory=dict)
    merged_into: str = ""
    is_frozen: bool = False

    def __post_init__(self) -> None:
        self.head = self.head or opening(self.learner_id)

    def holding(self, scheme: str) -> Holding:
        """The holding from a scheme, an empty one if there was none."""
        found = self.holdings.get(scheme)
        if found is None:
            found = self.holdings[scheme] = Holding(self.learner_id, scheme)
        return found

    def balance(self) -> Worth:
        """What can be seen of all holdings together: points to come, and points that may be spent."""
        held = self.holdings.values()
        return Worth(sum(one.provisional for one in held), sum(one.available for one in held))


def difference(holding: Holding, earned: Worth, shown: Worth) -> Iterator[Posting]:
    """Move what is shown to what is earned."""
    bank = f"bank:{ISSUED}:{holding.scheme}"
    for pocket, due, have in zip(Worth._fields, earned, shown, strict=True):
        if due > have:
            yield Posting(source=bank, target=address(holding, pocket), credit_points=due - have)
        elif due < have:
            yield from taken_back(holding, pocket, have - due)


def taken_back(holding: Holding, pocket: str, credit_points: int) -> Iterator[Posting]:
    """Take points back into the bank: from available, then held, and what is left becomes a debt."""
    bank = f"bank:{ISSUED}:{holding.scheme}"
    if pocket == "provisional":
        yield Posting(address(holding, pocket), bank, credit_points)
        return
    free = min(credit_points, max(holding.available, 0))
    held = min(credit_points - free, holding.held)
    for source, points in (("available", free), ("held", held), ("available", credit_points - free - held)):
        if points:
            yield Posting(address(holding, source), bank, points)


def moved(account: Account, move: Move, reason: Reason, credit_points: int) -> Entry:
    """Enter on an account that points went from one pocket to another; whoever says so knows that they are there."""
    holding = account.holding(reason.scheme)
    source, target = WAYS[move]
    if not 0 < credit_points <= getattr(holding, source):
        raise ValueError(f"{move} of {credit_points} points, {getattr(holding, source)} are {source}")
    posting = Posting(address(holding, source), address(holding, target), credit_points)
    return enter(account, reason, [posting], holding.level, CertificateState(holding.certificate))


def check_spending(account: Account, move: Move, scheme: str, credit_points: int, needs_number: bool) -> None:
    """Refuse to hold or spend what is not there, not final, not numbered; or anything of a frozen or owing account."""
    check_open(account)
    holding = account.holding(scheme)
    if holding.certificate == CertificateState.REVOKED:
        raise CERTIFICATE_IS_REVOKED(scheme=scheme)
    have = getattr(holding, WAYS[move][0])
    if have < credit_points <= have + holding.provisional:
        raise CREDIT_PROVISIONAL(scheme=scheme)
    if have < credit_points:
        raise ABOVE_BALANCE(wanted=credit_points, scheme=scheme, available=have)
    if needs_number and not holding.certificate:
        raise CREDIT_UNNUMBERED(scheme=scheme)


def check_open(account: Account) -> None:
    """Refuse to hold or spend anything of an account that is frozen or owes."""
    if account.is_frozen:
        raise ACCOUNT_FROZEN()
    if owing := next((one for one in account.holdings.values() if one.available < 0), None):
        raise ACCOUNT_IN_DEBT(owed=-owing.available, scheme=owing.scheme)


def is_unnumbered(holding: Holding, needs_number: bool) -> bool:
    """Whether what is available must not be spent yet: its certificate's number is wanted, or was revoked."""
    if holding.available == 0:
        return False
    return holding.certificate == CertificateState.REVOKED or (needs_number and not holding.certificate)


def emptied(holding: Holding) -> Iterator[Posting]:
    """Take everything out of a holding, as it is handed to another account."""
    bank = f"bank:{ISSUED}:{holding.scheme}"
    for pocket in POCKETS:
        yield from _moved(address(holding, pocket), bank, getattr(holding, pocket))


def received(holding: Holding, given: Holding) -> Iterator[Posting]:
    """Put into a holding what another account's held, pocket by pocket."""
    bank = f"bank:{ISSUED}:{holding.scheme}"
    for pocket in POCKETS:
        yield from _moved(bank, address(holding, pocket), getattr(given, pocket))


def _moved(source: str, target: str, credit_points: int) -> Iterator[Posting]:
    """A posting in the direction that the sign says; none for nothing."""
    if credit_points > 0:
        yield Posting(source, target, credit_points)
    elif credit_points < 0:
        yield Posting(target, source, -credit_points)


def address(holding: Holding, pocket: str) -> str:
    """Where a holding's points in a pocket sit."""
    return f"learner:{holding.learner_id}:{pocket}:{holding.scheme}"


def pocket_of(posting_address: str) -> str:
    """`learner:<id>:<pocket>:<scheme>` or `bank:issued:<scheme>` to its pocket, or `issued`."""
    return posting_address.rsplit(":", 2)[1]


def enter(
    account: Account, reason: Reason, postings: Iterable[Posting], level: int, certificate: str = CertificateState.NONE
) -> Entry:
    """Add an entry to an account: apply its postings to the holding and lengthen the chain."""
    return _lengthened(account, body_of(reason, postings, level, certificate))


def freeze(account: Account, freezing: Freezing) -> Entry | None:
    """Freeze an account or lift it, with an entry that moves nothing; None when it is so already."""
    if account.is_frozen == freezing.is_frozen:
        return None
    body: Body = {"cause": freezing.cause, "what": freezing.what, "postings": [], "is_frozen": freezing.is_frozen}
    return _lengthened(account, body | {"reason": freezing.reason, "by": freezing.by})


def _lengthened(account: Account, body: Body) -> Entry:
    number, previous = account.entries + 1, account.head
    fold(account, body, chained(previous, account.learner_id, number, body))
    return Entry(account.learner_id, number, body, previous, account.head)


def body_of(reason: Reason, postings: Iterable[Posting], level: int, certificate: str) -> Body:
    """What an entry says, as it is kept and hashed: no wall clock, no random id, nothing empty."""
    body: Body = {"cause": reason.cause, "what": reason.what, "scheme": reason.scheme, "level": reason.level}
    body["postings"] = [
        {"from": pocket_of(one.source), "to": pocket_of(one.target), "points": one.credit_points} for one in postings
    ]
    body["holding_level"] = level
    for name in ("result_id", "revision", "rule_version"):
        if value := getattr(reason, name):
            body[name] = value
    if certificate:
        body["certificate"] = str(certificate)
    return body


def fold(account: Account, body: Mapping[str, Any], head: bytes) -> None:
    """Apply what an entry says to its account."""
    account.entries += 1
    account.head = head
    if "is_frozen" in body:
        account.is_frozen = body["is_frozen"]
        return
    holding = account.holding(body["scheme"])
    for posting in body["postings"]:
        source, target, points = posting["from"], posting["to"], posting["points"]
        if source != ISSUED:
            setattr(holding, source, getattr(holding, source) - points)
        if target != ISSUED:
            setattr(holding, target, getattr(holding, target) + points)
    holding.level = body["holding_level"]
    holding.certificate = body.get("certificate", CertificateState.NONE)


def opening(learner_id: str) -> bytes:
    """The hash before an account's first entry: chains of two accounts share nothing."""
    return hashlib.sha256(b"onex-ledger-1\n" + learner_id.encode()).digest()


def chained(previous: bytes, learner_id: str, number: int, body: Mapping[str, Any]) -> bytes:
    """An entry's own hash: over the hash before it and its canonical content."""
    return digest(previous, _canonical([learner_id, number, body]).encode())


def digest(previous: bytes, content: bytes) -> bytes:
    """The hash of canonical content behind another hash."""
    return hashlib.sha256(previous + content).digest()


def settled(account: Account, settlement: Settlement, given: Holding | None = None) -> Entry | None:
    """Enter a settlement on an account, with what another account's holding gives it at the same time.

    None for a remark that changes nothing.
    """
    reason = settlement.reason
    holding = account.holding(reason.scheme)
    postings = list(received(holding, given)) if given else []
    combined = _together(holding, given) if given else holding
    postings += difference(combined, settlement.earned, combined.shown())
    unchanged = not postings and (holding.level, holding.certificate) == (settlement.level, settlement.certificate)
    if settlement.is_remark and unchanged:
        return None
    return enter(account, reason, postings, settlement.level, settlement.certificate)


def _together(one: Holding, other: Holding) -> Holding:
    return Holding(
        one.learner_id,
        one.scheme,
        max(one.level, other.level),
        one.certificate,
        **{pocket: getattr(one, pocket) + getattr(other, pocket) for pocket in POCKETS},
    )


def full_address(learner_id: str, scheme: str, pocket: str) -> str:
    """The address of a pocket as an entry keeps it."""
    return f"bank:{ISSUED}:{scheme}" if pocket == ISSUED else f"learner:{learner_id}:{pocket}:{scheme}"

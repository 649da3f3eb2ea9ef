"""Opening accounts and posting to them; nobody else announces what was credited."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

from chassis.bus import outbox
from chassis.database import transactional
from chassis.errors import NOT_FOUND
from chassis.strands import is_parked, name_keys, survivor_of
from contracts.creditbank import AccountFrozen, AccountsMerged, AccountUnfrozen, CreditPosted, OutcomeCredited
from contracts.terms import Level, OutcomeKind, kind_of, rank_of
from services.creditbank.ledger import models
from services.creditbank.ledger.domain import (
    ACCOUNT_HELD_UP,
    SPENDING,
    Account,
    Entry,
    Freezing,
    Holding,
    Move,
    Reason,
    Settlement,
    Worth,
    check_spending,
    emptied,
    enter,
    freeze,
    moved,
    settled,
)


@transactional
def open_accounts(learner_ids: Collection[str]) -> list[str]:
    """Give each learner an account who has none; those who had none."""
    _name(learner_ids)
    known = models.find_accounts(learner_ids)
    opened = [Account(learner_id) for learner_id in dict.fromkeys(learner_ids) if learner_id not in known]
    models.add_accounts(opened)
    return [one.learner_id for one in opened]


@transactional
def post_difference(settlements: Sequence[Settlement]) -> set[str]:
    """Move each account, in order, from what it shows to what is earned; the learners who have no account yet.

    Every settlement is an entry and an announcement, with or without points; a mere remark only if it changes
    something. Nothing is posted for learners without an account.
    """
    learner_ids = {one.learner_id for one in settlements}
    _name(learner_ids)
    accounts = models.find_accounts(learner_ids)
    entries = []
    for one in settlements:
        account = accounts.get(one.learner_id)
        if account and (entry := settled(account, one)):
            entries.append(entry)
            _announce(account, entry)
    _keep(accounts, entries)
    return learner_ids - accounts.keys()


def hold(learner_id: str, scheme: str, level: int, credit_points: int, cause: str) -> None:
    """Put available points aside for an application; Refusal when they may not be spent."""
    _move(Move.HOLD, learner_id, scheme, level, credit_points, cause)


def spend(learner_id: str, scheme: str, level: int, credit_points: int, cause: str) -> None:
    """Spend held points, as their application is approved; Refusal when they may not be spent any more."""
    _move(Move.SPEND, learner_id, scheme, level, credit_points, cause)


def release(learner_id: str, scheme: str, level: int, credit_points: int, cause: str) -> None:
    """Make held points available again, as their application ends without an exemption."""
    _move(Move.RELEASE, learner_id, scheme, level, credit_points, cause)


def undo(learner_id: str, scheme: str, level: int, credit_points: int, cause: str) -> None:
    """Hold points again that an approval had spent, as it is taken back."""
    _move(Move.UNDO, learner_id, scheme, level, credit_points, cause)


def unspend(learner_id: str, scheme: str, level: int, credit_points: int, cause: str) -> None:
    """Make spent points available again, as the exemption they bought is withdrawn; a debt becomes less by them."""
    _move(Move.UNSPEND, learner_id, scheme, level, credit_points, cause)


@transactional
def _move(move: Move, learner_id: str, scheme: str, level: int, credit_points: int, cause: str) -> None:
    """Enter a move between pockets. The cause is of this one act alone, since entries and events are named by it."""
    _name([learner_id])
    accounts = models.find_accounts([learner_id])
    account = accounts.get(learner_id)
    if account is None:
        raise NOT_FOUND(what="account", id=learner_id)
    if move in SPENDING:
        _check(move, account, scheme, credit_points)
    entry = moved(account, move, Reason(cause, str(move), scheme, level), credit_points)
    _announce(account, entry)
    _keep(accounts, [entry])


def _check(move: Move, account: Account, scheme: str, credit_points: int) -> None:
    if is_parked(f"learner:{account.learner_id}"):
        raise ACCOUNT_HELD_UP()
    needs_number = scheme in models.schemes_that_need_numbers()
    check_spending(account, move, scheme, credit_points, needs_number)


@transactional
def merge_accounts(survivor_id: str, merged_id: str, settlements: Sequence[Settlement], cause: str) -> bool:
    """Hand what one account holds to another, then settle the two together; False when that was done before.

    Either account is opened if it was not there: its learner is known, and the news of that merely late.
    """
    _name((survivor_id, merged_id))
    open_accounts((survivor_id, merged_id))
    accounts = models.find_accounts((survivor_id, merged_id))
    survivor, merged = accounts[survivor_id], accounts[merged_id]
    if merged.merged_into:
        return False
    entries = list(_kept_frozen(survivor, merged, cause))
    for one in _with_rest(merged, survivor, settlements, cause):
        given = merged.holdings.get(one.reason.scheme, Holding(merged_id, one.reason.scheme))
        if entry := settled(survivor, one, given=given):
            entries.append(_announced(survivor, entry))
        if not given.says_nothing():
            entries.append(_announced(merged, enter(merged, one.reason, emptied(given), level=0)))
    _keep(accounts, entries)
    models.mark_merged(merged_id, survivor_id)
    outbox.append(AccountsMerged(learner_id=survivor_id, merged_id=merged_id), cause=cause)
    return True


def _with_rest(
    merged: Account, survivor: Account, settlements: Sequence[Settlement], cause: str
) -> Iterable[Settlement]:
    """The settlements, and one for each holding that none of them is about: it is added as it stands."""
    yield from settlements
    for scheme in sorted(merged.holdings.keys() - {one.reason.scheme for one in settlements}):
        given, own = merged.holdings[scheme], survivor.holding(scheme)
        level = max(given.level, own.level, key=partial(rank_of, scheme))
        earned = Worth(*(sum(pair) for pair in zip(given.shown(), own.shown(), strict=True)))
        reason = Reason(cause, "LearnersMerged", scheme, level or 1)
        yield Settlement(survivor.learner_id, reason, earned, level, own.certificate or given.certificate, True)


def _kept_frozen(survivor: Account, merged: Account, cause: str) -> Iterable[Entry]:
    """A freeze of either account is one of both together."""
    if merged.is_frozen and (entry := freeze(survivor, Freezing(cause, "LearnersMerged", True, "", ""))):
        yield entry
        _announce_freezing(entry)


@transactional
def set_frozen(learner_id: str, is_frozen: bool, reason: str, by: str) -> str:
    """Freeze a person's account or lift it, for a reason; again changes nothing. Whose account it is now.

    Refusal when nobody opened the account.
    """
    key = survivor_of(f"learner:{learner_id}")
    learner_id = key.removeprefix("learner:")
    accounts = models.find_accounts([learner_id])
    if not accounts:
        raise NOT_FOUND(what="account", id=learner_id)
    account = accounts[learner_id]
    cause = f"freezing:{learner_id}:{account.entries + 1}"
    what = (AccountFrozen if is_frozen else AccountUnfrozen).__name__
    if entry := freeze(account, Freezing(cause, what, is_frozen, reason, by)):
        _announce_freezing(entry)
        _keep(accounts, [entry])
    return learner_id


def _announce_freezing(entry: Entry) -> None:
    body = entry.body
    kind = AccountFrozen if body["is_frozen"] else AccountUnfrozen
    said = {"reason": body["reason"], "what": body["what"]}
    told = kind(learner_id=entry.learner_id, entry_number=entry.number, entry_hash=entry.hash.hex(), **said)
    outbox.append(told, cause=body["cause"])


def _announced(account: Account, entry: Entry) -> Entry:
    _announce(account, entry)
    return entry


def _announce(account: Account, entry: Entry) -> None:
    change, balance, body = entry.change(), account.balance(), entry.body
    said = {
        "learner_id": account.learner_id,
        "entry_number": entry.number,
        "entry_hash": entry.hash.hex(),
        "what": body["what"],
        "scheme": body["scheme"],
        "provisional_points": change.provisional,
        "available_points": change.available,
        "provisional_balance": balance.provisional,
        "available_balance": balance.available,
    }
    kind, level = kind_of(body["scheme"]), body["level"]
    if kind is OutcomeKind.CERTIFICATE:
        outbox.append(CreditPosted(**said, level=Level(level)), cause=body["cause"])
    else:
        outbox.append(OutcomeCredited(**said, kind=str(kind), level=level), cause=body["cause"])


def _keep(accounts: Mapping[str, Account], entries: Sequence[Entry]) -> None:
    models.add_entries(entries)
    changed = {one.learner_id for one in entries}
    models.change_accounts(account for learner_id, account in accounts.items() if learner_id in changed)


def _name(learner_ids: Iterable[str]) -> None:
    name_keys(f"learner:{one}" for one in learner_ids)


def note_schemes(needs_certificate_number: Mapping[str, bool]) -> None:
    """Remember which schemes want a certificate's number on record before points may be spent."""
    models.keep_schemes(needs_certificate_number)

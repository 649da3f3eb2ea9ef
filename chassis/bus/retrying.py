"""What a partition's owner does with its dead letters: tries them again or gives them up, and drains what waited."""

from __future__ import annotations

from collections.abc import Callable

from chassis.bus.arrivals import Arrival, types_of
from chassis.bus.batches import handle, take
from chassis.bus.dead_letters import DeadLetters, LetterState, arrival_again, broke_again, lift, settle
from chassis.bus.handlers import Handlers
from chassis.bus.parking import drained
from chassis.bus.unknown import Language
from chassis.database import Row, comes_from_outside, rows_of, run_transaction
from chassis.strands import strand
from chassis.watch import log

Deed = Callable[[Row, Handlers, bool, Language], list[Arrival]]


class NotHandled(Exception):
    """A rehearsal's end: everything it did is taken back."""


def serve(name: str, handlers: Handlers, language: Language = None) -> list[Arrival]:
    """Do what an operator asked for one letter; what had its effect. Another defect has it wait for an operator again.

    Transient and outages come through: the letter stays asked for.
    """
    deeds: dict[str, Deed] = {LetterState.ASKED: try_again, LetterState.DISCARDING: give_up}

    def deed(is_alone: bool) -> list[Arrival]:
        return _stands(name, lambda row: deeds[row["state"]](row, handlers, is_alone, language))

    try:
        return _with_or_alone(deed)
    except Exception as error:
        if comes_from_outside(error):
            raise
        log.warning("a dead letter broke again", letter=name, kind=type(error).__name__)
        _stays(name, error)
        return []


def rehearse(name: str, handlers: Handlers) -> None:
    """Try a letter in a transaction that is taken back; raises what the handling raises."""

    def body(row: Row) -> list[Arrival]:
        try_again(row, handlers, is_alone=True)
        raise NotHandled

    try:
        run_transaction(lambda: _stands(name, body))
    except NotHandled:
        return


def try_again(row: Row, handlers: Handlers, is_alone: bool, language: Language = None) -> list[Arrival]:
    """Take a letter's event in as if it had just come."""
    lift(row)
    due = take([arrival_again(row, types_of(handlers))], handlers, is_alone, language)
    settle(row, LetterState.HANDLED)
    return due


def give_up(row: Row, handlers: Handlers, is_alone: bool, language: Language = None) -> list[Arrival]:
    """Let a letter's number count as seen without its effect, and take in what waited behind it."""
    lift(row)
    settle(row, LetterState.DISCARDED)
    held = strand(row["key"]) if row["key"] else None
    if held is None or held.seen.get(row["source"], 0) + 1 != row["seq"]:
        return []
    held.seen[row["source"]] = row["seq"]
    due = list(drained(held, row["source"], {}, types_of(handlers), is_alone))
    handle(due, handlers, language)
    return due


def _stays(name: str, error: Exception) -> None:
    def body(row: Row) -> list[Arrival]:
        broke_again(row, error)
        return []

    run_transaction(lambda: _stands(name, body))


def _stands(name: str, deed: Callable[[Row], list[Arrival]]) -> list[Arrival]:
    """Do it in the open transaction unless another owner has done it meanwhile."""
    found = rows_of(DeadLetters, {"_id": name})
    return deed(found[0]) if found and found[0]["state"] not in {LetterState.HANDLED, LetterState.DISCARDED} else []


def _with_or_alone(deed: Callable[[bool], list[Arrival]]) -> list[Arrival]:
    """With what waited behind; when that breaks, without, so that the guilty one is tried by itself."""
    try:
        return run_transaction(lambda: deed(False))
    except Exception as error:
        if comes_from_outside(error):
            raise
        return run_transaction(lambda: deed(True))

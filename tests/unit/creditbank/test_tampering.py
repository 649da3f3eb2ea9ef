"""Whoever owns the database changes the ledger: each way is found, and the entry is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chassis.database import database
from services.creditbank.ledger import queries
from services.creditbank.ledger.audit import rebuild, verify
from services.creditbank.ledger.judging import Wrong
from services.creditbank.ledger.roots import Root, Roots
from tests.unit.creditbank.ledgers import (
    alter,
    append,
    cut,
    place,
    prepared,
    put,
    rechain,
    row_of,
    show_journal,
    swap,
    unsay,
)

Deed = Callable[[], object]
FORGED = [{"from": "issued", "to": "available", "points": 40_000}]


@pytest.fixture
def kept(mongo: str, tmp_path: Path) -> tuple[Roots, Root]:
    return prepared(tmp_path)


@pytest.fixture
def roots(kept: tuple[Roots, Root]) -> Roots:
    return kept[0]


def rewritten(number: int, **change: Any) -> None:
    """An entry made anew, every hash behind it, and the account with them."""
    alter(number, **change)
    rechain(number)
    show_journal()


def tail_cut(*numbers: int) -> None:
    cut(*numbers)
    show_journal()


def all_gone(learner: str) -> None:
    """An account, its journal, its strand and all it announced."""
    cut(1, 2, 3, 4, learner=learner)
    unsay(1, 2, 3, 4, learner=learner)
    for collection, name in (("accounts", learner), ("strands", f"learner:{learner}")):
        database()[collection].delete_one({"_id": name})


def unsealed_behind() -> None:
    """An entry that follows from nothing, sealed as it stands."""
    put(row_of(3) | {"previous": b"x" * 32})
    row = row_of(3)
    put(row | {"hash": b"y" * 32})


def of_another() -> None:
    """Lan's entry in Mei's chain."""
    put(row_of(1, "lan") | {"_id": place(3)})


def appended_and_shown() -> None:
    append()
    show_journal()


def misplaced() -> None:
    """An entry sealed as the third of another chain."""
    before = row_of(2)
    put(before | {"hash": b"z" * 32})
    rechain(3)
    put(before)


def told_as(number: int, body: bytes) -> None:
    """Have an announcement say something else."""
    database()["outbox"].update_one({"key": "learner:mei", "seq": number}, {"$set": {"body": body}})


def announcement(number: int, digest: str) -> bytes:
    return json.dumps({"learner_id": "mei", "entry_number": number, "entry_hash": digest}).encode()


TAMPERING: dict[str, tuple[Deed, str, int, Wrong]] = {
    "points changed": (lambda: alter(2, postings=FORGED), "mei", 2, Wrong.ALTERED),
    "one point more": (lambda: alter(1, **{"postings.0.points": 201}), "mei", 1, Wrong.ALTERED),
    "a field added": (lambda: alter(4, note="x"), "mei", 4, Wrong.ALTERED),
    "a level taken out": (lambda: alter(4, level=2), "mei", 4, Wrong.ALTERED),
    "one bit of a hash": (lambda: put(row_of(2) | {"hash": b"\1" * 32}), "mei", 2, Wrong.ALTERED),
    "a hash of another kind": (lambda: put(row_of(2) | {"hash": "none"}), "mei", 2, Wrong.ALTERED),
    "a value that is no JSON": (lambda: alter(2, cause=b"\0"), "mei", 2, Wrong.ALTERED),
    "follows from nothing": (unsealed_behind, "mei", 3, Wrong.ALTERED),
    "another's entry": (of_another, "mei", 3, Wrong.ALTERED),
    "of a chain that was": (misplaced, "mei", 3, Wrong.MISPLACED),
    "the first deleted": (lambda: cut(1), "mei", 1, Wrong.MISSING),
    "one deleted": (lambda: cut(3), "mei", 3, Wrong.MISSING),
    "two deleted": (lambda: cut(2, 3), "mei", 2, Wrong.MISSING),
    "two swapped": (lambda: swap(2, 3), "mei", 2, Wrong.SWAPPED),
    "two far swapped": (lambda: swap(1, 4), "mei", 1, Wrong.SWAPPED),
    "appended": (append, "mei", 5, Wrong.APPENDED),
    "appended and shown": (appended_and_shown, "mei", 5, Wrong.APPENDED),
    "the tail cut": (lambda: cut(4), "mei", 4, Wrong.MISSING),
    "the young tail cut, head and strand rewritten": (lambda: tail_cut(4), "mei", 4, Wrong.MISSING),
    "the signed tail cut and unsaid": (lambda: (unsay(3, 4), tail_cut(3, 4)), "mei", 3, Wrong.MISSING),
    "a young entry rewritten": (lambda: rewritten(4, postings=FORGED), "mei", 4, Wrong.UNLIKE_ANNOUNCED),
    "the chain recomputed": (lambda: rewritten(1, postings=FORGED), "mei", 3, Wrong.UNLIKE_ROOT),
    "a chain recomputed and unsaid": (
        lambda: (unsay(1, 2, 3, 4), cut(4), rewritten(2, postings=FORGED)),
        "mei",
        3,
        Wrong.UNLIKE_ROOT,
    ),
    "content nobody can fold": (lambda: (alter(4, postings=[{"from": "x"}]), rechain(4)), "mei", 4, Wrong.UNREADABLE),
    "a pocket nobody has": (
        lambda: (alter(4, postings=[{"from": "issued", "to": "purse", "points": 1}]), rechain(4)),
        "mei",
        4,
        Wrong.UNREADABLE,
    ),
    "an entry at no number": (lambda: put(row_of(4) | {"_id": "mei:nonumb"}), "mei", 5, Wrong.MISPLACED),
    "an announcement spoilt": (lambda: told_as(4, b"no json"), "mei", 4, Wrong.APPENDED),
    "another hash announced": (lambda: told_as(4, announcement(4, "00" * 32)), "mei", 4, Wrong.UNLIKE_ANNOUNCED),
    "an account's points": (
        lambda: database()["accounts"].update_one({"_id": "mei"}, {"$inc": {"available_points": 100}}),
        "mei",
        4,
        Wrong.UNLIKE_JOURNAL,
    ),
    "an account set back": (
        lambda: database()["accounts"].update_one({"_id": "mei"}, {"$set": {"entries": 3}}),
        "mei",
        4,
        Wrong.UNLIKE_JOURNAL,
    ),
    "an account deleted": (lambda: database()["accounts"].delete_one({"_id": "lan"}), "lan", 1, Wrong.UNLIKE_JOURNAL),
    "an account without a journal": (
        lambda: database()["accounts"].update_one({"_id": "xin"}, {"$set": {"entries": 1}}),
        "xin",
        0,
        Wrong.UNLIKE_JOURNAL,
    ),
    "a whole account gone": (lambda: all_gone("lan"), "lan", 1, Wrong.MISSING),
    "the account behind the last": (lambda: all_gone("mei"), "mei", 1, Wrong.MISSING),
}


@pytest.mark.parametrize("how", TAMPERING)
def test_whatever_is_tampered_with_is_found_and_named(roots: Roots, how: str) -> None:
    assert verify(roots).faults == []
    deed, account, entry, wrong = TAMPERING[how]
    deed()
    found = [one for one in verify(roots).faults if one.account]
    assert [(one.account, one.entry, one.wrong) for one in found] == [(account, entry, wrong)]
    assert str(found[0]).startswith(f"{account}: ")


NOT_MENDED = [how for how, (_, _, _, wrong) in TAMPERING.items() if wrong is not Wrong.UNLIKE_JOURNAL]


@pytest.mark.parametrize("how", NOT_MENDED)
def test_a_broken_chain_is_not_written_into_its_account(roots: Roots, how: str) -> None:
    TAMPERING[how][0]()
    before = list(database()["accounts"].find().sort("_id", 1))
    assert rebuild(roots).restored == 0
    assert list(database()["accounts"].find().sort("_id", 1)) == before
    assert verify(roots).faulty > 0


@pytest.mark.parametrize("how", ["an account's points", "an account set back", "an account deleted"])
def test_an_account_that_differs_is_restored_to_the_same_head(roots: Roots, how: str) -> None:
    before = list(database()["accounts"].find().sort("_id", 1))
    TAMPERING[how][0]()
    assert rebuild(roots).restored == 1
    assert list(database()["accounts"].find().sort("_id", 1)) == before
    assert verify(roots).faults == []


def test_a_journal_folds_to_the_live_heads(roots: Roots) -> None:
    heads = {learner: queries.account_of(learner)["head"] for learner in ("mei", "lan")}
    database()["accounts"].delete_many({})
    assert rebuild(roots).restored == 2
    assert {learner: queries.account_of(learner)["head"] for learner in ("mei", "lan")} == heads


def test_without_a_root_announcements_alone_still_testify(roots: Roots) -> None:
    tail_cut(4)
    (fault,) = verify().faults
    assert (fault.account, fault.entry, fault.wrong) == ("mei", 4, Wrong.MISSING)
    assert verify().root == ""


def test_a_young_account_that_vanished_is_missed_by_its_announcement(roots: Roots) -> None:
    database()["outbox"].update_many({"key": "learner:lan"}, {"$set": {"key": "learner:zoe"}})
    found = {(one.account, one.entry, one.wrong) for one in verify().faults}
    assert ("zoe", 1, Wrong.MISSING) in found


def test_more_young_accounts_than_are_remembered_are_asked_for(roots: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.creditbank.ledger.audit.MOST_YOUNG", 0)
    assert verify(roots).faults == []
    tail_cut(4)
    assert [(one.account, one.entry) for one in verify(roots).faults] == [("mei", 4)]


def test_many_faults_are_counted_and_the_first_are_named(roots: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.creditbank.ledger.audit.NAMED_FAULTS", 1)
    alter(2, postings=FORGED)
    all_gone("lan")
    audit = verify(roots)
    assert len([one for one in audit.faults if one.account]) == 1
    assert audit.faulty == 2

"""The ledger's rules alone: differences, debts, chains."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.creditbank.ledger.audit import _fast, refolded
from services.creditbank.ledger.domain import (
    Account,
    Entry,
    Holding,
    Posting,
    Reason,
    Settlement,
    Worth,
    _canonical,
    difference,
    enter,
    opening,
    settled,
)
from services.creditbank.ledger.judging import folded

MEI = "mei"
BANK = "bank:issued:cloud-ops"


def held(**pockets: int) -> Holding:
    return Holding(MEI, "cloud-ops", **pockets)


def reason(cause: str = "event-1") -> Reason:
    return Reason(cause, "ResultFinalised", "cloud-ops", 2, "result-1", 1, 1)


def settlement(earned: Worth, cause: str = "event-1", **more: object) -> Settlement:
    return Settlement(MEI, reason(cause), earned, level=2, **more)  # type: ignore[arg-type]


def moves(holding: Holding, earned: Worth) -> list[Posting]:
    return list(difference(holding, earned, holding.shown()))


def test_a_first_pass_posts_all() -> None:
    assert moves(held(), Worth(0, 400)) == [Posting(BANK, "learner:mei:available:cloud-ops", 400)]


def test_a_repeat_posts_nothing() -> None:
    assert moves(held(available=400), Worth(0, 400)) == []


def test_spent_points_count_as_shown_so_a_higher_level_posts_only_the_rest() -> None:
    assert moves(held(spent=200), Worth(0, 400)) == [Posting(BANK, "learner:mei:available:cloud-ops", 200)]


def test_the_end_of_publicity_moves_provisional_to_available_through_the_bank() -> None:
    assert moves(held(provisional=400), Worth(0, 400)) == [
        Posting("learner:mei:provisional:cloud-ops", BANK, 400),
        Posting(BANK, "learner:mei:available:cloud-ops", 400),
    ]


def test_taking_back_empties_available_then_held_then_makes_a_debt() -> None:
    assert moves(held(available=100, held=50, spent=250), Worth(0, 0)) == [
        Posting("learner:mei:available:cloud-ops", BANK, 100),
        Posting("learner:mei:held:cloud-ops", BANK, 50),
        Posting("learner:mei:available:cloud-ops", BANK, 250),
    ]


def test_a_debt_is_paid_by_the_next_pass() -> None:
    account = Account(MEI, holdings={"cloud-ops": held(spent=400)})
    settled(account, settlement(Worth(0, 0)))
    assert account.balance() == Worth(0, -400)
    settled(account, settlement(Worth(0, 400), "event-2"))
    assert account.balance() == Worth(0, 0)
    assert account.holdings["cloud-ops"].spent == 400


def test_an_account_that_spent_shows_what_it_was_issued() -> None:
    assert held(available=-100, held=200, spent=300).shown() == Worth(0, 400)


def test_every_settlement_is_an_entry_with_or_without_points() -> None:
    account = Account(MEI)
    entry = settled(account, settlement(Worth(0, 0)))
    assert entry is not None
    assert entry.body["postings"] == []
    assert (entry.number, entry.previous, entry.hash) == (1, opening(MEI), account.head)


def test_a_remark_that_changes_nothing_is_no_entry() -> None:
    account = Account(MEI)
    settled(account, settlement(Worth(0, 400), certificate="recorded"))
    assert settled(account, settlement(Worth(0, 400), "event-2", certificate="recorded", is_remark=True)) is None
    assert settled(account, settlement(Worth(0, 400), "event-2", certificate="revoked", is_remark=True)) is not None


def test_what_another_account_gives_comes_as_it_was_and_counts_once() -> None:
    account = Account(MEI, holdings={"cloud-ops": held(available=400)})
    given = Holding("mei-2", "cloud-ops", available=100, spent=300)
    entry = settled(account, settlement(Worth(0, 400)), given=given)
    assert entry is not None
    assert entry.change() == Worth(0, -300)
    assert account.holdings["cloud-ops"].shown() == Worth(0, 400)
    assert account.holdings["cloud-ops"].spent == 300


def chain(*earned: int) -> tuple[Account, list[Entry]]:
    account = Account(MEI)
    made = [settled(account, settlement(Worth(0, points), f"event-{i}")) for i, points in enumerate(earned)]
    return account, [entry for entry in made if entry]


def test_the_chain_folds_again_to_the_same_head() -> None:
    account, entries = chain(200, 400, 0, 600)
    assert folded(MEI, entries) == (account, None)
    assert refolded(MEI, entries) == account


def test_the_chains_of_two_learners_share_no_hash() -> None:
    one, other = Account("mei"), Account("lan")
    assert enter(one, reason(), [], level=0).hash != enter(other, reason(), [], level=0).hash


@pytest.mark.parametrize("field", ["cause", "what", "level", "result_id", "holding_level", "revision"])
def test_an_entry_that_was_changed_breaks_the_chain(field: str) -> None:
    _, entries = chain(200, 400)
    entries[0].body[field] = 7
    assert fault_in(entries) == "mei: entry 1 was altered: its content does not give its hash"


def test_points_that_were_changed_break_the_chain() -> None:
    _, entries = chain(200, 400)
    entries[1].body["postings"][0]["points"] += 1
    assert fault_in(entries) == "mei: entry 2 was altered: its content does not give its hash"


def test_an_entry_that_was_removed_breaks_the_chain() -> None:
    _, entries = chain(200, 400, 600)
    assert fault_in([entries[0], entries[2]]) == "mei: entry 2 is missing"
    assert refolded(MEI, [entries[0], entries[2]]) is None


def fault_in(entries: list[Entry]) -> str:
    """What is said of a chain, which the fast fold suspects as well."""
    assert refolded(MEI, entries) is None
    return str(folded(MEI, entries)[1])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=12,
    )
)
def test_the_fast_encoder_writes_the_canonical_form(content: object) -> None:
    assert _fast((MEI, 1, {"x": content})) == _canonical([MEI, 1, {"x": content}]).encode()


pockets = st.integers(0, 1000)


@given(
    st.builds(held, provisional=pockets, available=st.integers(-1000, 1000), held=pockets, spent=pockets),
    st.builds(Worth, provisional=pockets, available=pockets),
)
def test_whatever_is_shown_becomes_what_is_earned_and_spent_stays(holding: Holding, earned: Worth) -> None:
    account = Account(MEI, holdings={"cloud-ops": holding})
    spent, total = holding.spent, sum(holding.shown())
    entry = settled(account, settlement(earned))
    assert entry is not None
    assert holding.shown() == earned
    assert (holding.spent, holding.held >= 0, holding.provisional >= 0) == (spent, True, True)
    issued = sum(
        posting["points"] * ((posting["from"] == "issued") - (posting["to"] == "issued"))
        for posting in entry.body["postings"]
    )
    assert issued == sum(earned) - total
    assert all(posting["points"] > 0 for posting in entry.body["postings"])

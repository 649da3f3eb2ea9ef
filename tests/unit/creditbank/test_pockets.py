"""Points that an application is about: held, spent, released, and what must not be spent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chassis.database import database, run_transaction
from chassis.errors import Refusal
from services.creditbank.ledger import commands as ledger
from services.creditbank.ledger.domain import (
    Account,
    CertificateState,
    Holding,
    Move,
    Reason,
    check_spending,
    is_unnumbered,
    moved,
)
from services.creditbank.ledger.queries import account_of
from tests.unit.creditbank.stories import (
    Assessment,
    announced,
    annulled,
    audited,
    balances,
    entries,
    finalised,
    holding,
    issued,
    merged,
    publicised,
    publish_annex,
    registered,
    revoked,
    scheme,
)

SCHEME = "cloud-ops"


@pytest.fixture
def assessment(mongo: str) -> Assessment:
    """A learner with 400 points and the certificate's number on record."""
    publish_annex()
    teller = Assessment()
    teller.tell(scheme(), registered("mei"), finalised("mei"), issued("mei"))
    return teller


def pockets(learner_id: str = "mei") -> tuple[int, int, int]:
    """Available, held and spent points."""
    if not account_of(learner_id)["holdings"]:
        return 0, 0, 0
    found = holding(learner_id)
    return found["available_points"], found["held_points"], found["spent_points"]


def move(verb: Callable[..., None], credit_points: int = 400, cause: str = "application:1", who: str = "mei") -> None:
    verb(who, SCHEME, 2, credit_points, f"{cause}:{verb.__name__}")


def refused(deed: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as refusal:
        deed()
    assert refusal.value.sentence("zh") != refusal.value.sentence("en")
    return refusal.value.code


def test_what_is_held_is_spent_and_every_step_is_an_entry_that_sums_to_zero(assessment: Assessment) -> None:
    move(ledger.hold)
    assert pockets() == (0, 400, 0)
    move(ledger.spend)
    assert pockets() == (0, 0, 400)
    hold, spend = entries("mei")[-2:]
    assert [hold["what"], spend["what"]] == ["hold", "spend"]
    assert (hold["available_points"], spend["available_points"]) == (-400, 0)
    assert hold["postings"] == [
        {"source": "learner:mei:available:cloud-ops", "target": "learner:mei:held:cloud-ops", "credit_points": 400}
    ]
    audited()


def test_a_release_makes_held_points_available_again(assessment: Assessment) -> None:
    move(ledger.hold, 300)
    move(ledger.release, 300)
    assert pockets() == (400, 0, 0)
    audited()


def test_an_approval_taken_back_keeps_the_points_on_hold(assessment: Assessment) -> None:
    move(ledger.hold)
    move(ledger.spend)
    move(ledger.undo)
    assert pockets() == (0, 400, 0)
    audited()


def test_a_withdrawn_exemption_gives_its_points_back(assessment: Assessment) -> None:
    move(ledger.hold)
    move(ledger.spend)
    move(ledger.unspend)
    assert pockets() == (400, 0, 0)
    audited()


def test_each_move_is_announced_with_the_balance_it_leaves(assessment: Assessment) -> None:
    move(ledger.hold, 300)
    said = announced()[-1]
    assert b'"what":"hold"' in bytes(said["body"])
    assert b'"available_points":-300' in bytes(said["body"])
    assert b'"available_balance":100' in bytes(said["body"])
    assert said["cause"] == "application:1:hold"


def test_no_more_is_held_than_is_available(assessment: Assessment) -> None:
    move(ledger.hold, 300)
    before = len(entries("mei"))
    assert refused(lambda: move(ledger.hold, 200, "application:2")) == "above_balance"
    assert (pockets(), len(entries("mei"))) == ((100, 300, 0), before)


def test_provisional_points_are_not_held(assessment: Assessment) -> None:
    assessment.tell(registered("lan"), publicised("lan", "0002"))
    assert refused(lambda: move(ledger.hold, who="lan")) == "credit_provisional"


def test_points_wait_for_the_certificates_number(assessment: Assessment) -> None:
    assessment.tell(registered("lan"), finalised("lan", "0002"))
    assert refused(lambda: move(ledger.hold, who="lan")) == "credit_unnumbered"
    assessment.tell(issued("lan", "0002", number="X-2"))
    move(ledger.hold, who="lan")
    assert pockets("lan") == (0, 400, 0)


def test_what_is_held_is_not_spent_once_its_certificate_was_revoked(assessment: Assessment) -> None:
    move(ledger.hold)
    assessment.tell(revoked("mei"))
    assert refused(lambda: move(ledger.spend)) == "certificate_is_revoked"
    assert pockets() == (0, 400, 0)


def test_an_annulment_takes_what_is_held_before_anything_becomes_a_debt(assessment: Assessment) -> None:
    move(ledger.hold, 300)
    assessment.tell(annulled("mei"))
    assert pockets() == (0, 0, 0)
    audited()


def test_who_owes_spends_nothing(assessment: Assessment) -> None:
    move(ledger.hold)
    move(ledger.spend)
    assessment.tell(annulled("mei"))
    assert pockets() == (-400, 0, 400)
    assert refused(lambda: move(ledger.hold, 1)) == "account_in_debt"
    move(ledger.unspend)
    assert pockets() == (0, 0, 0)
    audited()


def test_nothing_is_spent_while_news_of_the_person_is_held_up(assessment: Assessment) -> None:
    move(ledger.hold, 100)
    assessment.tell(registered("twin"), merged("mei", "twin"))
    database()["strands"].update_one({"_id": "learner:twin"}, {"$set": {"parked": ["assessment"]}})
    assert refused(lambda: move(ledger.hold, 100, "application:2")) == "account_held_up"
    assert refused(lambda: move(ledger.spend, 100)) == "account_held_up"
    move(ledger.release, 100)
    assert pockets() == (400, 0, 0)


def test_nobody_without_an_account_spends(assessment: Assessment) -> None:
    assert refused(lambda: move(ledger.hold, who="nobody")) == "not_found"


def test_a_move_of_what_is_not_there_is_a_mistake_of_ours(assessment: Assessment) -> None:
    with pytest.raises(ValueError, match="release of 1 points, 0 are held"):
        move(ledger.release, 1)


def test_moves_join_the_transaction_of_who_makes_them(assessment: Assessment) -> None:
    def both() -> None:
        move(ledger.hold)
        move(ledger.spend)
        raise RuntimeError("the rest went wrong")

    with pytest.raises(RuntimeError):
        run_transaction(both)
    assert pockets() == (400, 0, 0)
    assert balances("mei") == (0, 400)


@pytest.mark.parametrize(
    ("pockets_", "move_", "points", "code"),
    [
        ({"available": 200}, Move.HOLD, 400, "above_balance"),
        ({"available": 200, "provisional": 200}, Move.HOLD, 400, "credit_provisional"),
        ({"available": -100}, Move.HOLD, 1, "account_in_debt"),
        ({"available": 400, "certificate": CertificateState.NONE}, Move.HOLD, 400, "credit_unnumbered"),
        ({"available": 400, "certificate": CertificateState.REVOKED}, Move.HOLD, 400, "certificate_is_revoked"),
        ({"held": 200}, Move.SPEND, 400, "above_balance"),
        ({"held": 400, "available": -1}, Move.SPEND, 400, "account_in_debt"),
        ({"held": 400, "certificate": CertificateState.NONE}, Move.SPEND, 400, "credit_unnumbered"),
    ],
)
def test_what_may_not_be_spent(pockets_: dict[str, int], move_: Move, points: int, code: str) -> None:
    given = {"certificate": CertificateState.RECORDED} | pockets_
    account = Account("mei", holdings={SCHEME: Holding("mei", SCHEME, 2, **given)})  # type: ignore[arg-type]
    assert refused(lambda: check_spending(account, move_, SCHEME, points, needs_number=True)) == code


def test_a_scheme_without_numbers_lets_final_points_be_spent() -> None:
    account = Account("mei", holdings={SCHEME: Holding("mei", SCHEME, 2, available=400)})
    check_spending(account, Move.HOLD, SCHEME, 400, needs_number=False)
    assert not is_unnumbered(account.holding(SCHEME), needs_number=False)
    moved(account, Move.HOLD, Reason("cause", "hold", SCHEME, 2), 400)
    assert (account.holding(SCHEME).held, account.balance()) == (400, (0, 0))

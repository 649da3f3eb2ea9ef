"""What becomes of results in the bank, on a real mongod."""

from __future__ import annotations

import msgspec
import pytest

from chassis.database import database
from chassis.errors import Refusal
from contracts.creditbank import CreditPosted
from contracts.terms import Level, Verdict
from services.creditbank.jobs import settle_waiting
from services.creditbank.ledger import queries
from services.creditbank.ledger.audit import rebuild
from services.creditbank.recognition.commands import publish_rule
from tests.unit.creditbank.stories import (
    PILOT,
    TEO,
    Assessment,
    announced,
    annulled,
    audited,
    balances,
    corrected,
    deliver,
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


@pytest.fixture
def assessment(mongo: str) -> Assessment:
    """An empty bank with the annex's rules and two learners, and what assessment says to it."""
    publish_annex()
    teller = Assessment()
    teller.tell(registered("mei"), registered("lan"))
    return teller


def test_a_pass_is_provisional_during_publicity_and_available_when_final(assessment: Assessment) -> None:
    assessment.tell(publicised("mei"))
    assert balances("mei") == (400, 0)
    assessment.tell(finalised("mei"))
    assert balances("mei") == (0, 400)
    assert [(one["provisional_points"], one["available_points"]) for one in entries("mei")] == [(400, 0), (-400, 400)]
    audited()


def test_passing_twice_credits_once(assessment: Assessment) -> None:
    assessment.tell(publicised("mei"), finalised("mei"), publicised("mei", "0002"), finalised("mei", "0002"))
    assert balances("mei") == (0, 400)
    assert len(entries("mei")) == 4
    audited()


def test_a_higher_level_posts_only_the_difference(assessment: Assessment) -> None:
    assessment.tell(publicised("mei", "0001", level=1), finalised("mei", "0001", level=1))
    assessment.tell(publicised("mei", "0002", level=3))
    assert balances("mei") == (400, 200)
    assessment.tell(finalised("mei", "0002", level=3))
    assert balances("mei") == (0, 600)
    assert entries("mei")[-1]["postings"] == [
        {"source": "learner:mei:provisional:cloud-ops", "target": "bank:issued:cloud-ops", "credit_points": 400},
        {"source": "bank:issued:cloud-ops", "target": "learner:mei:available:cloud-ops", "credit_points": 400},
    ]
    assert (holding("mei")["level"], holding("mei")["available_points"]) == (3, 600)
    audited()


def test_an_annulment_takes_back_and_leaves_the_lower_level(assessment: Assessment) -> None:
    assessment.tell(publicised("mei", "0001", level=1), finalised("mei", "0001", level=1))
    assessment.tell(publicised("mei", "0002", level=3), finalised("mei", "0002", level=3))
    assessment.tell(annulled("mei", "0002", level=3))
    assert balances("mei") == (0, 200)
    assert holding("mei")["level"] == 1
    audited()


def test_a_correction_takes_back_and_gives_again(assessment: Assessment) -> None:
    assessment.tell(publicised("mei"), finalised("mei"), corrected("mei", verdict=Verdict.FAILED))
    assert balances("mei") == (0, 0)
    assessment.tell(corrected("mei", revision=4))
    assert balances("mei") == (0, 400)
    audited()


def test_failing_is_an_entry_without_points(assessment: Assessment) -> None:
    assessment.tell(publicised("mei", verdict=Verdict.FAILED), finalised("mei", verdict=Verdict.ABSENT))
    assert balances("mei") == (0, 0)
    assert [one["postings"] for one in entries("mei")] == [[], []]
    assert queries.totals() == []
    audited()


def test_every_entry_is_announced_with_its_change_and_the_balances(assessment: Assessment) -> None:
    told = assessment.tell(publicised("mei"), finalised("mei"))
    rows = announced()
    assert [row["cause"] for row in rows] == [one.envelope.id for one in told]
    assert [msgspec.json.decode(row["body"], type=CreditPosted) for row in rows] == [
        CreditPosted(
            learner_id="mei",
            entry_number=number,
            entry_hash=entries("mei")[number - 1]["hash"],
            scheme="cloud-ops",
            level=Level.INTERMEDIATE,
            provisional_points=provisional,
            available_points=available,
            provisional_balance=400 * (number == 1),
            available_balance=400 * (number == 2),
            what=what,
        )
        for number, provisional, available, what in (
            (1, 400, 0, "ResultPublicised"),
            (2, -400, 400, "ResultFinalised"),
        )
    ]


def test_an_entry_says_why_it_was_made(assessment: Assessment) -> None:
    told = assessment.tell(publicised("mei"))
    (entry,) = entries("mei")
    reason = {name: entry[name] for name in ("cause", "what", "result_id", "revision", "rule_version", "level")}
    assert reason == {
        "cause": told[0].envelope.id,
        "what": "ResultPublicised",
        "result_id": f"{TEO}:plan:0001:1",
        "revision": 1,
        "rule_version": 1,
        "level": 2,
    }
    (step,) = queries.life_of(told[0].envelope.id)
    assert (step["id"], step["detail"]["provisional_points"]) == ("mei:000001", 400)
    assert queries.life_of("nothing") == []


def test_everything_delivered_again_changes_nothing(assessment: Assessment) -> None:
    told = assessment.tell(publicised("mei"), finalised("mei"), issued("mei"))
    before = (entries("mei"), announced())
    deliver(told)
    assert (entries("mei"), announced()) == before


def test_a_result_waits_for_its_learner(assessment: Assessment) -> None:
    assessment.tell(publicised("new"), finalised("new"), publicised("new", "0002", level=3))
    with pytest.raises(Refusal, match="not_found"):
        queries.account_of("new")
    assert waiting() == 2
    assessment.tell(registered("new"))
    assert balances("new") == (200, 400)
    assert [(one["result_id"], one["provisional_points"], one["available_points"]) for one in entries("new")] == [
        (f"{TEO}:plan:0001:1", 0, 400),
        (f"{TEO}:plan:0002:1", 200, 0),
    ]
    assert waiting() == 0
    audited()


def test_a_pass_waits_for_its_rule_and_the_sweep_settles_it(assessment: Assessment) -> None:
    assessment.tell(*(publicised("mei", scheme="smart-finance"),))
    assert waiting() == 1
    settle_waiting()
    assert (balances("mei"), waiting()) == ((0, 0), 1)
    publish_rule("smart-finance", Level.INTERMEDIATE, 300, PILOT)
    settle_waiting()
    assert (balances("mei"), waiting()) == ((300, 0), 0)
    audited()


def test_a_pass_before_every_rules_first_session_goes_on_waiting(assessment: Assessment) -> None:
    early = PILOT.replace(year=2018)
    assessment.tell(publicised("mei", session_date=early))
    assert waiting() == 1
    publish_rule("cloud-ops", Level.INTERMEDIATE, 100, early)
    settle_waiting()
    assert balances("mei") == (100, 0)


def test_a_pass_that_was_annulled_while_it_waited_waits_no_more(assessment: Assessment) -> None:
    assessment.tell(publicised("mei", scheme="smart-finance"))
    assessment.tell(annulled("mei", revision=2, scheme="smart-finance"))
    assert (balances("mei"), waiting()) == ((0, 0), 0)


def test_a_new_rule_version_leaves_what_is_recognised(assessment: Assessment) -> None:
    assessment.tell(publicised("mei"))
    publish_rule("cloud-ops", Level.INTERMEDIATE, 999, PILOT)
    assessment.tell(finalised("mei"), publicised("lan"))
    assert (balances("mei"), balances("lan")) == ((0, 400), (999, 0))


def test_a_holding_is_unnumbered_until_its_certificate_is_on_record(assessment: Assessment) -> None:
    assessment.tell(scheme(), publicised("mei"), finalised("mei"))
    assert (holding("mei")["unnumbered"], balances("mei")) == (True, (0, 400))
    assessment.tell(issued("mei"))
    assert (holding("mei")["unnumbered"], holding("mei")["certificate"]) == (False, "recorded")
    assessment.tell(revoked("mei"))
    assert (holding("mei")["unnumbered"], holding("mei")["certificate"]) == (True, "revoked")
    assert [one["what"] for one in entries("mei")][2:] == ["CertificateIssued", "CertificateRevoked"]
    audited()


def test_a_revoked_number_stays_revoked_and_a_new_one_makes_the_same_points_count_again(assessment: Assessment) -> None:
    assessment.tell(scheme(), finalised("mei"), issued("mei"), revoked("mei"))
    assessment.tell(issued("mei"))
    assert (holding("mei")["certificate"], holding("mei")["unnumbered"]) == ("revoked", True)
    assessment.tell(issued("mei", number="X-2"))
    assert (holding("mei")["certificate"], holding("mei")["unnumbered"]) == ("recorded", False)
    assert balances("mei") == (0, 400)
    audited()


def test_a_scheme_that_asks_for_no_number_marks_nothing(assessment: Assessment) -> None:
    assessment.tell(finalised("mei"), scheme(needs_number=False))
    assert not holding("mei")["unnumbered"]
    assessment.tell(scheme(needs_number=True))
    assert holding("mei")["unnumbered"]


def test_two_learners_in_one_count_the_same_content_once(assessment: Assessment) -> None:
    assessment.tell(finalised("mei"), finalised("lan", "0002", level=3), publicised("lan", "0003", scheme="unruled"))
    told = assessment.tell(merged("mei", "lan"))
    assert (balances("mei"), balances("lan")) == ((0, 600), (0, 0))
    assert queries.account_of("lan")["merged_into"] == "mei"
    assert [one["available_points"] for one in entries("mei")] == [400, 200]
    assert [one["available_points"] for one in entries("lan")] == [600, -600]
    assert len(announced("AccountsMerged")) == 1
    publish_rule("unruled", Level.INTERMEDIATE, 50, PILOT)
    settle_waiting()
    assert balances("mei") == (50, 600)
    deliver(told)
    assert len(announced("AccountsMerged")) == 1
    audited()


def test_later_results_of_a_merged_learner_are_the_survivors(assessment: Assessment) -> None:
    assessment.tell(publicised("lan"))
    assessment.tell(merged("mei", "lan"))
    assert balances("mei") == (400, 0)
    assessment.tell(finalised("lan"), issued("lan"))
    assert (balances("mei"), balances("lan")) == ((0, 400), (0, 0))
    assert holding("mei")["certificate"] == "recorded"
    audited()


def test_a_merge_may_come_before_either_learner_is_known(assessment: Assessment) -> None:
    assessment.tell(finalised("old"), finalised("young", "0002", level=3))
    assessment.tell(merged("old", "young"))
    assert balances("old") == (0, 600)
    assessment.tell(registered("old"), registered("young"))
    assert (balances("old"), balances("young"), waiting()) == ((0, 600), (0, 0), 0)
    audited()


def test_a_chain_of_merges_ends_at_the_last_survivor(assessment: Assessment) -> None:
    assessment.tell(registered("third"), finalised("mei"), finalised("lan", "0002", level=3))
    assessment.tell(merged("lan", "mei"))
    assessment.tell(merged("third", "lan"))
    assessment.tell(annulled("lan", "0002", level=3))
    assert [balances(one) for one in ("mei", "lan", "third")] == [(0, 0), (0, 0), (0, 400)]
    audited()


def test_a_revocation_that_overtakes_the_merge_is_not_lost(assessment: Assessment) -> None:
    assessment.tell(finalised("lan"), issued("lan"))
    assessment.tell(revoked("mei"))
    assert (holding("lan")["certificate"], queries.account_of("mei")["holdings"]) == ("recorded", [])
    assessment.tell(merged("mei", "lan"))
    assert (balances("mei"), holding("mei")["certificate"], holding("mei")["unnumbered"]) == ((0, 400), "revoked", True)
    audited()


def test_a_certificate_that_overtakes_its_result_does_not_hide_its_rule(mongo: str) -> None:
    Assessment().tell(registered("mei"), issued("mei"), finalised("mei"))
    assert waiting() == 1
    publish_annex()
    settle_waiting()
    assert (balances("mei"), holding("mei")["certificate"], waiting()) == ((0, 400), "recorded", 0)


@pytest.mark.parametrize("is_merged_first", [True, False])
def test_the_earlier_pin_stays_whenever_the_merge_comes(assessment: Assessment, is_merged_first: bool) -> None:
    early, late = (merged("mei", "lan"),) * is_merged_first, (merged("mei", "lan"),) * (not is_merged_first)
    assessment.tell(*early, finalised("mei"))
    publish_rule("cloud-ops", Level.INTERMEDIATE, 999, PILOT)
    assessment.tell(publicised("lan"), *late)
    assert (balances("mei"), balances("lan")) == ((0, 400), (0, 0))
    audited()


def test_what_waits_for_an_account_takes_nothing_back_when_it_is_merged(assessment: Assessment) -> None:
    assessment.tell(finalised("mei"))
    assessment.tell(corrected("new"), merged("mei", "new"))
    assert [(one["what"], one["available_points"]) for one in entries("mei")] == [
        ("ResultFinalised", 400),
        ("ResultCorrected", 0),
    ]
    audited()


def test_what_is_settled_by_a_merge_waits_no_more(assessment: Assessment) -> None:
    assessment.tell(publicised("new"), annulled("lan"))
    assert waiting() == 1
    assessment.tell(merged("new", "lan"))
    assert (balances("new"), waiting()) == ((0, 0), 0)


def test_an_account_that_was_handed_over_shows_nothing(assessment: Assessment) -> None:
    publish_rule("cloud-ops", Level.INTERMEDIATE, 0, PILOT)
    assessment.tell(finalised("lan"), issued("lan"))
    assert (holding("lan")["level"], holding("lan")["certificate"]) == (2, "recorded")
    assessment.tell(merged("mei", "lan"))
    assert (holding("mei")["level"], holding("mei")["certificate"]) == (2, "recorded")
    assert queries.account_of("lan")["holdings"] == []
    audited()


def test_the_bank_counts_what_stands_at_each_stage(assessment: Assessment) -> None:
    assessment.tell(publicised("mei"), finalised("lan", level=3), publicised("nobody"))
    assert {one["stage"]: one["count"] for one in queries.flow()} == {
        "accounts": 2,
        "provisional": 1,
        "credited": 1,
        "waiting": 1,
        "entries": 2,
        "available_points": 600,
    }
    assert queries.totals() == [
        {"scheme": "cloud-ops", "level": 2, "holdings": 1, "provisional_points": 400, "available_points": 0},
        {"scheme": "cloud-ops", "level": 3, "holdings": 1, "provisional_points": 0, "available_points": 600},
    ]
    assert queries.books() == {"learners_points": 1000, "bank_points": -1000, "sum": 0}


def test_rebuilding_folds_the_journal_to_the_same_heads(assessment: Assessment) -> None:
    assessment.tell(publicised("mei"), finalised("mei"), issued("mei"), finalised("lan", level=3))
    assessment.tell(merged("mei", "lan"))
    before = list(database()["accounts"].find().sort("_id", 1))
    database()["accounts"].update_one({"_id": "mei"}, {"$set": {"head": b"x", "available_points": 7, "holdings": []}})
    audit = rebuild()
    assert (audit.restored, audit.faulty) == (1, 0)
    assert list(database()["accounts"].find().sort("_id", 1)) == before
    database()["accounts"].delete_many({})
    assert rebuild().restored == 2
    merged_away = {"merged_into": "mei"}
    assert list(database()["accounts"].find().sort("_id", 1)) == [
        {name: value for name, value in row.items() if name not in merged_away} for row in before
    ]
    audited()


def waiting() -> int:
    (count,) = [one["count"] for one in queries.flow() if one["stage"] == "waiting"]
    return int(count)

"""Every kind of imbalance is found by its name, what has a reason is none, and a person who agrees has nothing."""

from __future__ import annotations

from typing import Any

import pytest

from onex.audit.comparison import Findings, Person, compare
from onex.audit.kinds import KINDS
from tests.unit.audit.told import (
    GRACE,
    JUST_NOW,
    LONG_AGO,
    NOW,
    OTHER,
    account,
    announced,
    entry,
    notice,
    of_assessment,
    of_notify,
    outcome,
    person,
    result,
)

YOUNG = announced("final", "ResultFinalised", JUST_NOW)
UNPUBLISHED = announced("final", "ResultFinalised", is_published=False)
EMPTY: dict[str, Any] = {"entry_count": 0, "entries": [], "holdings": [], "outcomes": []}
GAP = [{"source": "assessment", "reason": "gap"}]


def found_in(one: Person) -> Findings:
    return compare(one, NOW, GRACE)


def kinds_of(one: Person) -> list[str]:
    return [imbalance.kind for imbalance in found_in(one).imbalances]


def with_entries(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return account(entries=list(entries), **{"entry_count": len(entries), **more})


PUBLICISED, FINAL = account()["entries"]
HOLDING = account()["holdings"][0]
AGAIN = entry(3, "issued", "available", revision=2, announced=announced("posted-3", "CreditPosted"))
FAILED = result(OTHER, verdict="failed", announced=announced("failed", "ResultFinalised"))
FAILED_OUTCOME = outcome(OTHER, verdict="failed", rule_version=0, credit_points=0)
FAILED_ENTRY = entry(3, "", "", result_id=OTHER, revision=2, postings=[])
FAILED_ACCOUNT = with_entries(PUBLICISED, FINAL, FAILED_ENTRY, outcomes=[outcome(), FAILED_OUTCOME])
MAIL = notice(id="mail", channel="email", state="waiting")

WRONG: dict[str, Person] = {
    "result_not_announced": person([result(announced=None)]),
    "result_not_at_bank": person(bank=account(**EMPTY), notices=[]),
    "result_behind_at_bank": person([result(revision=3)]),
    "result_differs_at_bank": person([result(verdict="failed", announced=announced("c", "ResultCorrected"))]),
    "result_unknown": person([]),
    "result_not_entered": person(bank=with_entries(PUBLICISED, FINAL | {"revision": 9})),
    "waits_for_nothing": person(bank=account(**EMPTY | {"outcomes": [outcome(is_waiting=True)]}), notices=[]),
    "worth_differs": person(bank=account(outcomes=[outcome(credit_points=300)])),
    "sum_not_zero": person(
        bank=with_entries(PUBLICISED, FINAL | {"postings": [*FINAL["postings"], *PUBLICISED["postings"]]})
    ),
    "pocket_differs": person(bank=account(holdings=[HOLDING | {"available_points": 50, "spent_points": 150}])),
    "chain_broken": person(bank=account(entry_count=3)),
    "credit_not_announced": person(bank=with_entries(PUBLICISED | {"announced": None}, FINAL)),
    "credit_not_told": person(notices=[]),
    "final_not_told": person([result(), FAILED], FAILED_ACCOUNT),
    "told_twice": person(notices=[notice(), notice(id="another")]),
    "told_without_credit": person(notices=[notice(), notice("nothing")]),
    "mail_waits_for_nothing": person(notices=[notice(), MAIL]),
    "merge_not_followed": Person(
        [of_assessment(result(), learner_id="lan")],
        [account("lan", **EMPTY, merged_into="mei", merged_at=LONG_AGO), account(merged_from=["lan"])],
        [of_notify(notice())],
    ),
}


def test_a_person_of_whom_all_agrees_has_no_imbalance() -> None:
    found = found_in(person())
    assert (found.imbalances, sum(found.waiting.values())) == ([], 0)
    assert (found.compared["finals"], found.compared["entries"], found.compared["points"]) == (1, 2, 200)


@pytest.mark.parametrize("kind", WRONG)
def test_each_kind_is_found_by_its_name_and_no_other(kind: str) -> None:
    assert kinds_of(WRONG[kind]) == [kind]


def test_a_double_posting_is_named() -> None:
    doubled = with_entries(PUBLICISED, FINAL, AGAIN, holdings=[HOLDING | {"available_points": 400}])
    one = person(bank=doubled, notices=[notice(), notice("posted-3")])
    assert kinds_of(one) == ["worth_differs", "credited_twice"]


def test_every_kind_that_is_published_is_found_by_a_test() -> None:
    assert {*WRONG, "credited_twice"} == set(KINDS)


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (person([result(announced=YOUNG)], account(**EMPTY), []), "assessment: on its way"),
        (person([result(announced=UNPUBLISHED)], account(**EMPTY), []), "assessment: not published yet"),
        (person(bank=account(**EMPTY, held_up=GAP), notices=[]), "assessment: behind a gap"),
        (
            person(
                notices=[],
                held_up=[{"source": "creditbank", "reason": "dead_letter"}],
            ),
            "creditbank: behind a dead letter",
        ),
        (
            person(
                bank=account(**EMPTY | {"outcomes": [outcome(is_waiting=True, waiting_for="rule:cloud-ops:1")]}),
                notices=[],
            ),
            "credit: rule to come",
        ),
        (person(notices=[notice(), MAIL | {"waiting_for": "contact:mei"}]), "e-mail: contact to come"),
        (person(notices=[notice(), MAIL | {"state": "held"}]), "e-mail: held"),
        (
            Person(
                [of_assessment(result(), learner_id="lan")],
                [account("lan", **EMPTY, merged_into="mei", merged_at=JUST_NOW), account(merged_from=["lan"])],
                [of_notify(notice())],
            ),
            "merge: on its way",
        ),
    ],
)
def test_what_waits_with_a_reason_is_no_imbalance(one: Person, reason: str) -> None:
    found = found_in(one)
    assert found.imbalances == []
    assert found.waiting == {reason: 1}


def test_what_waits_at_another_source_is_no_excuse() -> None:
    bank = account(**EMPTY, held_up=[{"source": "enrolment", "reason": "gap"}])
    assert kinds_of(person(bank=bank, notices=[])) == ["result_not_at_bank"]


def test_a_merged_learner_is_one_with_the_survivor() -> None:
    """What was credited before stays in the merged account's journal; its notice is in the survivor's mailbox."""
    back = entry(3, "available", "issued", what="LearnersMerged", result_id=None, revision=None)
    over = entry(1, "issued", "available", what="LearnersMerged", result_id=None, revision=None)
    over |= {"announced": announced("posted-over", "CreditPosted")}
    merged = with_entries(PUBLICISED, FINAL, back, merged_into="mei", merged_at=LONG_AGO, holdings=[], outcomes=[])
    one = Person(
        [of_assessment(result())],
        [merged | {"learner_id": "lan"}, with_entries(over, merged_from=["lan"])],
        [of_notify(notice())],
    )
    assert found_in(one).imbalances == []
    assert one.learner_id == "mei"


def test_a_failure_is_told_by_its_final_result() -> None:
    told = notice("failed", event="ResultFinalised")
    assert kinds_of(person([result(), FAILED], FAILED_ACCOUNT, [notice(), told])) == []


def test_a_higher_level_counts_once() -> None:
    """Level 1 for 200, level 2 for 500: the account shows 500."""
    higher = outcome(OTHER, level=2, credit_points=500)
    rest = entry(3, "issued", "available", result_id=OTHER, revision=2)
    rest["postings"][0]["credit_points"] = 300
    bank = with_entries(
        PUBLICISED, FINAL, rest, outcomes=[outcome(), higher], holdings=[HOLDING | {"available_points": 500}]
    )
    assert kinds_of(person([result(), result(OTHER, level=2)], bank, [notice(), notice("posted-3")])) == []


@pytest.mark.parametrize("what", ["hold", "release", "undo", "spend", "unspend"])
def test_points_that_move_for_an_application_are_not_told(what: str) -> None:
    """They stay worth what they are, whichever of the three pockets they are in."""
    away = entry(3, "available", "held", what=what, result_id=None, revision=None)
    bank = with_entries(PUBLICISED, FINAL, away, holdings=[HOLDING | {"available_points": 0, "held_points": 200}])
    assert found_in(person(bank=bank)).imbalances == []


def test_points_in_a_pocket_that_no_entry_put_them_into_are_found() -> None:
    bank = account(holdings=[HOLDING | {"available_points": 0, "held_points": 200}])
    assert kinds_of(person(bank=bank)) == ["pocket_differs"]


def of_licences() -> Person:
    """Somebody with a licence of level five and one of level four, submitted when they were old, of which nobody was
    told."""
    posted = [announced(f"posted-{number}", "OutcomeCredited") for number in (1, 2)]
    more = {"scheme": "licence.electrician", "what": "OldOutcomeSubmitted", "revision": 1}
    entries = [
        entry(number, "issued", "available", **more, result_id=f"outcome:college:L-{number}", announced=told)
        for number, told in enumerate(posted, start=1)
    ]
    worth = {5: 200, 4: 400}
    outcomes = [
        outcome(one["result_id"], scheme=one["scheme"], level=level, revision=1, credit_points=points)
        for one, (level, points) in zip(entries, worth.items(), strict=True)
    ]
    holding = HOLDING | {"scheme": "licence.electrician", "available_points": 400}
    return person([], with_entries(*entries, outcomes=outcomes, holdings=[holding]), [])


def test_licences_are_no_results_of_assessment_and_rank_the_other_way_and_old_ones_are_told_in_a_digest() -> None:
    assert found_in(of_licences()).imbalances == []


def test_a_licence_that_was_not_old_has_to_be_told() -> None:
    one = of_licences()
    one.entries[1][1]["what"] = "OutcomeSubmitted"
    assert kinds_of(one) == ["credit_not_told"]


def test_a_licence_that_is_taken_back_has_to_be_told_however_old() -> None:
    one = of_licences()
    taken = entry(3, "available", "issued", what="OldOutcomeSubmitted", scheme="licence.electrician", revision=2)
    one.entries.append(("mei", taken | {"announced": announced("posted-3", "OutcomeCredited")}))
    assert kinds_of(one) == ["credit_not_told"]


def test_a_notice_of_a_licence_that_was_not_credited_is_found() -> None:
    one = of_licences()
    one.notices.append(notice("nothing", event="OutcomeCredited"))
    assert kinds_of(one) == ["told_without_credit"]

"""Recognition's rules alone: what holds for a session, what counts, what is news."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import permutations

import pytest

from chassis.errors import Refusal
from contracts.terms import Verdict
from services.creditbank.ledger.domain import CertificateState, Worth
from services.creditbank.recognition.domain import (
    CertificateMark,
    Known,
    Outcome,
    OutcomeState,
    RuleVersion,
    certificate_state,
    chosen,
    counted_level,
    review,
    review_marks,
    scheme_of,
    superseding,
    worth,
)

SESSION = date(2020, 11, 21)
RULES = {("cloud-ops", level): [RuleVersion(1, 200 * level, date(2019, 4, 1))] for level in (1, 2, 3)}


def outcome(result_id: str = "r1", **more: object) -> Outcome:
    plain = Outcome(
        learner_id="mei",
        result_id=result_id,
        scheme="cloud-ops",
        level=2,
        revision=1,
        state=OutcomeState.FINAL,
        verdict=Verdict.PASSED,
        session_date=SESSION,
        cause=f"event-{result_id}",
        what="ResultFinalised",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def passed(result_id: str, level: int, state: OutcomeState = OutcomeState.FINAL, **more: object) -> Outcome:
    return outcome(result_id, level=level, state=state, rule_version=1, credit_points=200 * level, **more)


def test_the_highest_level_counts_once() -> None:
    assert worth([passed("r1", 1), passed("r2", 3), passed("r3", 3), passed("r4", 2)]) == Worth(0, 600)


def test_what_publicity_may_still_add_is_provisional() -> None:
    assert worth([passed("r1", 1), passed("r2", 3, OutcomeState.PUBLICISED)]) == Worth(400, 200)
    assert worth([passed("r1", 3), passed("r2", 1, OutcomeState.PUBLICISED)]) == Worth(0, 600)


@pytest.mark.parametrize(
    "changed",
    [
        {"state": OutcomeState.ANNULLED},
        {"verdict": Verdict.FAILED},
        {"verdict": Verdict.ABSENT},
        {"is_waiting": True},
        {"rule_version": 0},
    ],
)
def test_what_is_no_recognised_pass_is_worth_nothing(changed: dict[str, object]) -> None:
    assert worth([replace(passed("r1", 2), **changed)]) == Worth(0, 0)  # type: ignore[arg-type]
    assert counted_level([replace(passed("r1", 2), **changed)]) == 0  # type: ignore[arg-type]


def test_a_holding_stands_at_its_highest_final_level() -> None:
    assert counted_level([passed("r1", 1), passed("r2", 3, OutcomeState.PUBLICISED)]) == 1
    assert counted_level([passed("r2", 3, OutcomeState.PUBLICISED)]) == 3


def test_a_rule_is_chosen_by_the_session_and_the_later_of_two_for_one_day() -> None:
    versions = [
        RuleVersion(1, 200, date(2019, 4, 1)),
        RuleVersion(2, 300, date(2021, 1, 1)),
        RuleVersion(3, 250, date(2019, 4, 1)),
    ]
    assert chosen(versions, date(2019, 3, 31)) is None
    assert chosen(versions, date(2020, 12, 31)) == versions[2]
    assert chosen(versions, date(2021, 1, 1)) == versions[1]


def test_publishing_the_same_rule_again_is_no_new_version() -> None:
    first = RuleVersion(1, 200, date(2019, 4, 1), "a guess", is_folklore_default=True)
    assert superseding([first], replace(first, version=0)) is None
    other = superseding([first], replace(first, version=0, credit_points=300))
    assert other == replace(first, version=2, credit_points=300)
    assert other is not None
    assert superseding([first, other], replace(first, version=0)) == replace(first, version=3)


def test_passing_twice_credits_once() -> None:
    found = review({}, [outcome("r1"), outcome("r2")], RULES)
    assert [one.earned for one in found.settlements] == [Worth(0, 400), Worth(0, 400)]


def test_an_older_revision_that_arrives_late_changes_nothing() -> None:
    known: Known = {}
    review(known, [outcome(revision=3, state=OutcomeState.ANNULLED)], RULES)
    found = review(known, [outcome(revision=2)], RULES)
    assert not found.changed
    assert not found.settlements


def test_a_pin_stays_when_the_rule_moves_on() -> None:
    known: Known = {}
    review(known, [outcome(state=OutcomeState.PUBLICISED)], RULES)
    newer = {("cloud-ops", 2): [*RULES["cloud-ops", 2], RuleVersion(2, 999, date(2019, 4, 1))]}
    found = review(known, [outcome(revision=2)], newer)
    assert found.settlements[0].earned == Worth(0, 400)
    assert found.settlements[0].reason.rule_version == 1


def test_a_pass_without_a_rule_waits_and_a_failure_needs_none() -> None:
    found = review({}, [outcome("r1"), outcome("r2", verdict=Verdict.FAILED)], {})
    assert [one.result_id for one in found.lacking] == ["r1"]
    assert [one.reason.result_id for one in found.settlements] == ["r2"]


def test_what_waited_is_news_when_its_rule_has_come() -> None:
    known: Known = {}
    lacking = review(known, [outcome()], {}).lacking
    found = review(known, lacking, RULES)
    assert found.settlements[0].earned == Worth(0, 400)
    assert not found.lacking


def test_the_order_of_revisions_decides_and_not_of_arrival() -> None:
    story = [
        outcome("r1", revision=1, state=OutcomeState.PUBLICISED),
        outcome("r1", revision=2),
        outcome("r1", revision=3, verdict=Verdict.FAILED),
        outcome("r2", level=1),
    ]
    ends = set()
    for order in permutations(story):
        known: Known = {}
        review(known, order, RULES)
        ends.add(worth(known["mei", "cloud-ops"].values()))
    assert ends == {Worth(0, 200)}


def mark(number: str = "X-1", **more: object) -> CertificateMark:
    plain = CertificateMark("mei", "cloud-ops", 2, number, "event-c", "CertificateIssued", "r1")
    return replace(plain, **more)  # type: ignore[arg-type]


def test_a_certificate_is_on_record_for_the_result_that_counts() -> None:
    known: Known = {}
    review(known, [outcome()], RULES)
    found = review_marks(known, [mark()])
    assert found.settlements[0].certificate == CertificateState.RECORDED
    assert found.settlements[0].is_remark
    later = review(known, [outcome("r2", level=3)], RULES)
    assert later.settlements[0].certificate == CertificateState.NONE


def test_a_certificate_that_precedes_its_result_is_kept_for_it() -> None:
    known: Known = {}
    assert not review_marks(known, [mark()]).settlements
    found = review(known, [outcome()], RULES)
    assert found.settlements[0].certificate == CertificateState.RECORDED


REVOKED = {"what": "CertificateRevoked", "result_id": "", "is_revoked": True}


def test_a_revoked_certificate_marks_and_a_new_one_clears() -> None:
    known: Known = {}
    review(known, [outcome()], RULES)
    for act, state in (
        (mark(), CertificateState.RECORDED),
        (mark(**REVOKED), CertificateState.REVOKED),
        (mark("X-2"), CertificateState.RECORDED),
    ):
        review_marks(known, [act])
        assert certificate_state(known["mei", "cloud-ops"].values()) == state


def test_a_revocation_is_kept_for_the_certificate_it_overtook() -> None:
    known: Known = {}
    review(known, [outcome()], RULES)
    assert not review_marks(known, [mark(**REVOKED)]).settlements
    (settlement,) = review_marks(known, [mark()]).settlements
    assert (settlement.certificate, settlement.reason.what) == (CertificateState.REVOKED, "CertificateIssued")


def test_a_revocation_is_of_one_number_in_one_scheme() -> None:
    known: Known = {}
    review(known, [outcome()], RULES)
    review_marks(known, [mark("X-2", **REVOKED), mark(scheme="smart-finance", **REVOKED), mark()])
    assert certificate_state(known["mei", "cloud-ops"].values()) == CertificateState.RECORDED


def test_certificates_issued_and_revoked_in_any_order_end_alike() -> None:
    story = [mark(), mark(**REVOKED), mark("X-2"), mark("X-2", **REVOKED), mark("X-3")]
    for length, state in ((2, CertificateState.REVOKED), (4, CertificateState.REVOKED), (5, CertificateState.RECORDED)):
        for order in permutations(story[:length]):
            known: Known = {}
            review_marks(known, order[:2])
            review(known, [outcome()], RULES)
            review_marks(known, order[2:])
            assert certificate_state(known["mei", "cloud-ops"].values()) == state, order


def test_a_schemes_code_stands_in_addresses() -> None:
    assert scheme_of("cloud-ops") == "cloud-ops"
    for code in ("", "cloud:ops", "Cloud", "a" * 65, "云"):
        with pytest.raises(Refusal, match="scheme_malformed"):
            scheme_of(code)

"""One notice for each thing that happened, whatever the order and however often it is told; on a real database."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from chassis import waiters
from chassis.bus.batches import Arrival
from chassis.database import database, rows_of
from contracts.creditbank import POCKET_MOVES
from contracts.enrolment import LearnerChanged, LearnerErased, LearnersMerged
from contracts.terms import LearnerKind, Verdict
from services.notify.contacts.domain import Language
from services.notify.contacts.models import Contacts
from services.notify.contacts.queries import contacts_of
from services.notify.notices.commands import WAITER
from services.notify.notices.models import EarlyPoints, claim, claimed_rows
from services.notify.notices.queries import mailbox_page, notice_counts, stages
from tests.support.arrivals import arrival
from tests.unit.notify import told

pytestmark = pytest.mark.usefixtures("mongo")


def counted() -> dict[tuple[str, str, str], int]:
    return {(row["event"], row["channel"], row["state"]): row["count"] for row in notice_counts()}


def a_whole_road() -> list[Arrival]:
    """Everything that happens to ann, who passes, and bo, who fails and has no address."""
    pass_of_ann, failure_of_bo = told.publicised("ann"), told.publicised("bo", Verdict.FAILED)
    final_of_ann, final_of_bo = told.finalised("ann"), told.finalised("bo", Verdict.FAILED)
    return [
        told.scheme(),
        *(told.registered("ann"), told.registered("bo", email=None)),
        *(told.approved("ann"), told.approved("bo")),
        *(told.candidate("ann"), told.candidate("bo")),
        *(pass_of_ann, failure_of_bo),
        told.credited(pass_of_ann, 1, provisional=200),
        told.credited(failure_of_bo, 1, provisional=0),
        *(final_of_ann, final_of_bo),
        told.credited(final_of_ann, 2, provisional=-200, available=200),
        told.credited(final_of_bo, 2, provisional=0),
        told.certified("ann"),
    ]


def test_a_whole_road_is_told_once_on_each_channel() -> None:
    told.deliver(*a_whole_road())
    expected = {
        ("EnrolmentApproved", "mailbox", "delivered"): 2,
        ("EnrolmentApproved", "email", "queued"): 1,
        ("CandidateRegistered", "mailbox", "delivered"): 2,
        ("CandidateRegistered", "email", "queued"): 1,
        ("ResultPublicised", "mailbox", "delivered"): 2,
        ("ResultPublicised", "email", "queued"): 1,
        ("ResultFinalised", "mailbox", "delivered"): 1,
        ("CreditPosted", "mailbox", "delivered"): 1,
        ("CreditPosted", "email", "queued"): 1,
        ("CertificateIssued", "mailbox", "delivered"): 1,
        ("CertificateIssued", "email", "queued"): 1,
    }
    assert counted() == expected
    assert {stage["stage"]: stage["count"] for stage in stages()} == {
        "notices": 9,
        "emails_queued": 5,
        "emails_held": 0,
        "emails_sent": 0,
        "waiting": 0,
    }


@pytest.mark.parametrize("seed", range(12))
def test_in_another_order_and_told_twice_the_notices_are_the_same(seed: int, mongo: str) -> None:
    road = a_whole_road()
    told.deliver(*road)
    expected = told.stand()
    _forget(mongo)
    shuffled = [*road, *road]
    random.Random(seed).shuffle(shuffled)
    for one in shuffled:
        told.deliver(one)
    told.sweep()
    told.sweep()
    assert told.stand() == expected
    assert waiters.waiting(WAITER) == 0


def _forget(mongo: str) -> None:
    assert database().name == mongo
    for name in database().list_collection_names():
        database()[name].delete_many({})


def test_handlers_that_run_again_add_and_change_nothing() -> None:
    road = a_whole_road()
    told.deliver(*road)
    before = told.notices()
    told.handle_again(road)
    told.handle_again(list(reversed(road)))
    assert [row | {"due_at": None} for row in told.notices()] == [row | {"due_at": None} for row in before]
    assert rows_of(EarlyPoints, {}) == []


def test_an_email_waits_for_a_contact_that_is_late() -> None:
    told.deliver(told.scheme(), told.candidate("ann"))
    assert counted()["CandidateRegistered", "email", "waiting"] == 1
    told.sweep()
    assert counted()["CandidateRegistered", "email", "waiting"] == 1
    told.deliver(told.registered("ann"))
    told.sweep()
    assert counted()["CandidateRegistered", "email", "queued"] == 1
    assert waiters.waiting(WAITER) == 0


def test_an_email_that_waited_for_a_contact_without_an_address_was_never_due() -> None:
    told.deliver(told.scheme(), told.candidate("ann"), told.registered("ann", email=None))
    told.sweep()
    assert counted() == {("CandidateRegistered", "mailbox", "delivered"): 1}


def test_an_email_waits_for_the_name_of_its_scheme() -> None:
    told.deliver(told.registered("ann"), told.candidate("ann"))
    assert waiters.waiting(WAITER, "scheme:smart-finance") == 1
    told.deliver(told.scheme())
    told.sweep()
    assert counted()["CandidateRegistered", "email", "queued"] == 1


def test_points_make_the_email_of_a_pass_leave_at_once() -> None:
    result = told.publicised("ann", seq=1)
    told.deliver(told.scheme(), told.registered("ann"), result)
    assert claim("round", 100, 60) == []
    told.deliver(told.credited(result, 1, provisional=200))
    (row,) = claimed_rows("round", claim("round", 100, 60))
    assert row["points"] == 200


def test_points_that_overtake_their_result_wait_for_it() -> None:
    result = told.publicised("ann", seq=1)
    told.deliver(told.scheme(), told.registered("ann"), told.credited(result, 1, provisional=200))
    assert len(rows_of(EarlyPoints, {})) == 1
    told.deliver(result)
    assert [row["points"] for row in told.notices()] == [200, 200]
    assert rows_of(EarlyPoints, {}) == []
    assert told.notices(channel="email")[0]["due_at"] <= datetime.now(UTC)


def test_a_mailbox_shows_points_as_soon_as_they_are_here_in_either_language() -> None:
    result = told.publicised("ann", seq=1)
    told.deliver(told.scheme(), told.registered("ann"), result)
    assert "正在记入" in mailbox_page("ann", None, 10, None)[0]["text"]
    told.deliver(told.credited(result, 1, provisional=200))
    assert "暂记 2 学分" in mailbox_page("ann", None, 10, None)[0]["text"]


def test_a_mailbox_is_read_newest_first_page_by_page() -> None:
    for one in a_whole_road():
        told.deliver(one)
    everything = [one["event"] for one in mailbox_page("ann", None, 10, None)]
    assert everything == [
        "CertificateIssued",
        "CreditPosted",
        "ResultPublicised",
        "CandidateRegistered",
        "EnrolmentApproved",
    ]
    first = mailbox_page("ann", None, 2, None)
    rest = mailbox_page("ann", (first[-1]["queued_at"], first[-1]["id"]), 10, None)
    assert [one["event"] for one in first + rest] == everything


def test_a_merged_learners_mailbox_and_address_are_the_survivors() -> None:
    told.deliver(told.scheme(), told.registered("old"), told.approved("old"))
    told.deliver(told.registered("ann", email=None))
    merge = LearnersMerged(survivor_id="ann", merged_id="old")
    told.deliver(arrival(merge, 2, key="learner:ann"), arrival(merge, 3, key="learner:old"))
    told.deliver(told.candidate("old"))
    assert {row["mailbox"] for row in told.notices()} == {"ann"}
    assert len(mailbox_page("ann", None, 10, None)) == 2
    assert contacts_of(["ann"])["ann"].learner_id == "old"


def test_an_email_that_waited_for_a_merged_learners_contact_finds_the_survivors() -> None:
    told.deliver(told.scheme(), told.registered("ann"), told.candidate("old"))
    merge = LearnersMerged(survivor_id="ann", merged_id="old")
    told.deliver(arrival(merge, 1, key="learner:old"))
    told.sweep()
    assert counted()["CandidateRegistered", "email", "queued"] == 1


@pytest.mark.parametrize("what", sorted(POCKET_MOVES))
def test_points_that_move_for_an_application_are_no_news(what: str) -> None:
    final = told.finalised("ann", seq=1)
    told.deliver(told.scheme(), told.registered("ann"), final)
    told.deliver(told.credited(final, 1, 0, available=-200, what=what), told.credited(final, 2, 0, what=what))
    assert told.notices() == []
    assert rows_of(EarlyPoints, {}) == []


def test_an_erased_learners_contact_is_gone_and_nothing_more_leaves() -> None:
    told.deliver(told.scheme(), told.registered("ann"), told.approved("ann"), told.candidate("ann"))
    told.deliver(arrival(LearnerErased(learner_id="ann"), 3))
    told.deliver(told.certified("ann", seq=2))
    assert {row["facts"] == {} for row in told.notices()} == {True}
    assert counted() == {
        ("EnrolmentApproved", "mailbox", "delivered"): 1,
        ("EnrolmentApproved", "email", "refused"): 1,
        ("CandidateRegistered", "mailbox", "delivered"): 1,
        ("CandidateRegistered", "email", "refused"): 1,
        ("CertificateIssued", "mailbox", "delivered"): 1,
    }
    assert {one["title"] for one in mailbox_page("ann", None, 10, None)} == {"通知内容已删除"}
    assert [set(row) for row in rows_of(Contacts, {})] == [{"_id", "mailbox", "erased"}]


def test_contacts_are_kept_as_they_came_and_the_last_one_counts() -> None:
    told.deliver(told.registered("ann"))
    fields = told.sealed("ann", name="黄玉梅", email="new@example.cn")
    change = arrival(LearnerChanged(learner_id="ann", kind=LearnerKind.STUDENT, **fields), 2)
    told.deliver(change)
    kept = contacts_of(["ann"])["ann"]
    assert (kept.name, kept.email, kept.phone) == (fields["name"], fields["email"], "")
    assert "example.cn" not in str(rows_of(Contacts, {}))
    assert "黄玉梅" not in str(rows_of(Contacts, {}))


def test_credit_of_another_outcome_is_told_by_its_own_words_and_its_mail_waits_for_the_name() -> None:
    told.deliver(told.registered("ann"), told.outcome_credited("ann", 1))
    assert counted() == {("OutcomeCredited", "mailbox", "delivered"): 1, ("OutcomeCredited", "email", "waiting"): 1}
    told.deliver(told.source_named())
    told.sweep()
    assert counted() == {("OutcomeCredited", "mailbox", "delivered"): 1, ("OutcomeCredited", "email", "queued"): 1}
    [notice] = mailbox_page("ann", None, 10, Language.ZH)
    said = "职业资格证书“电工”，四级（中级工）已认定，2 学分已存入你的学分账户，当前可用 2 学分。"
    assert (notice["title"], notice["text"]) == ("学习成果已认定", said)


def test_old_outcomes_are_credited_silently_and_taken_back_aloud() -> None:
    told.deliver(
        told.registered("ann", email=None),
        told.outcome_credited("ann", 1, what="OldOutcomeSubmitted"),
        told.outcome_credited("ann", 2, available=-200, what="OldOutcomeSubmitted"),
    )
    [notice] = mailbox_page("ann", None, 10, Language.EN)
    assert notice["title"] == "Credits taken back"

"""Approvals, withdrawals, candidates, merges: what may become of an application."""

from __future__ import annotations

import threading
from datetime import date

import pytest

from chassis.bus.arrivals import arrival_of, types_of
from chassis.bus.batches import take
from chassis.bus.event import encode_body, event_id, headers_of
from chassis.clock import now
from chassis.database import Row, database, rows_of, run_transaction
from chassis.errors import Refusal, Sifted
from contracts.assessment import CandidateRegistered, SchemePublished
from contracts.terms import Level
from services.enrolment.applications.commands import Asked, approve, merge, withdraw
from services.enrolment.applications.domain import State, furthest
from services.enrolment.applications.models import Applications
from services.enrolment.applications.queries import counts, offers_by_word, steps
from services.enrolment.handlers import HANDLERS
from services.enrolment.learners.models import Learners
from services.enrolment.learners.queries import match, particulars, person_of, survivors_of
from tests.unit.enrolment.rosters import (
    KEYRING,
    announced,
    identity,
    neighbour,
    open_the_annex,
    statuses,
    student,
    upload,
)


@pytest.fixture(autouse=True)
def annex(mongo: str) -> None:
    open_the_annex()


def application(number: str = "", level: int = 1) -> Row:
    [learner_id] = match([("", number or identity(1))], KEYRING)
    [row] = rows_of(Applications, {"learner_id": learner_id, "level": level})
    return row


def asked(*ids: str, reason: str = "") -> list[Asked]:
    return [Asked(index, one, reason) for index, one in enumerate(ids)]


def verdicts(judged: Sifted[Asked, bool]) -> dict[int, bool | str]:
    return {one.index: value for one, value in judged.accepted} | {one.index: why.code for one, why in judged.refused}


def deliver(*said: CandidateRegistered | SchemePublished, first: int = 1) -> None:
    """Hand announcements of assessment to the handlers as a batch of its own."""
    arrivals = []
    for seq, body in enumerate(said, start=first):
        name, key = type(body).__name__, body.keys()[0]
        row: Row = {"_id": event_id(f"test:{seq}", name, key, 0), "key": key, "seq": seq, "type": name}
        row |= {"source": "assessment", "cause": "test", "time": now()}
        arrivals.append(arrival_of(headers_of(row), encode_body(body), types_of(HANDLERS)))
    run_transaction(lambda: take(arrivals, HANDLERS))


def candidate(learner_id: str, level: int = 1) -> CandidateRegistered:
    return CandidateRegistered(
        learner_id=learner_id,
        teo="91110000000000019B",
        plan="2020-11",
        scheme="smart-finance",
        level=Level(level),
        admission_number="1",
        session_date=date(2020, 11, 21),
    )


def test_an_approval_is_announced_once_and_a_repeat_is_unchanged() -> None:
    upload(student())
    one = application()["_id"]
    assert verdicts(approve(asked(one, one))) == {0: True, 1: False}
    assert verdicts(approve(asked(one))) == {0: False}
    [said] = announced("EnrolmentApproved")
    assert (said["application_id"], said["scheme"], said["level"], said["kind"]) == (one, "smart-finance", 1, "student")
    assert said["cause"] == f"approval:{one}:r2"


def test_each_item_of_a_list_is_judged_alone() -> None:
    upload(student(1), student(2))
    first, second = application()["_id"], application(identity(2))["_id"]
    withdraw(asked(second, reason="moved away"))
    judged = verdicts(approve(asked("nobody:smart-finance:1", second, first)))
    assert judged == {0: "not_found", 1: "application_withdrawn", 2: True}


def test_a_department_decides_about_its_own_learners_only() -> None:
    upload(student(1), student(2, 院系="商贸学院"), neighbour())
    ids = [row["_id"] for row in rows_of(Applications, {}, sort=[("department", 1)])]
    judged = verdicts(approve(asked(*ids), departments={"财会学院"}))
    assert sorted(judged.values(), key=str) == [True, "other_department", "other_department"]
    assert application()["state"] == "approved"


def test_a_withdrawn_approval_is_announced_and_a_withdrawn_wish_is_not() -> None:
    upload(student(1), student(2))
    first, second = application()["_id"], application(identity(2))["_id"]
    approve(asked(first))
    assert verdicts(withdraw(asked(first, second, first, reason="moved away"))) == {0: True, 1: True, 2: False}
    assert [said["application_id"] for said in announced("EnrolmentWithdrawn")] == [first]
    assert [step["reason"] for step in application()["history"][1:]] == ["", "moved away"]


def test_a_candidate_cannot_be_withdrawn_by_the_registry() -> None:
    upload(student())
    row = application()
    approve(asked(row["_id"]))
    deliver(candidate(row["learner_id"]))
    assert application()["state"] == "registered"
    assert verdicts(withdraw(asked(row["_id"], reason="moved away"))) == {0: "candidate_already"}
    assert verdicts(approve(asked(row["_id"]))) == {0: False}
    assert counts() == {"applications": 1, "approved": 1}


def test_the_same_candidate_twice_is_noted_once() -> None:
    upload(student())
    row = application()
    deliver(candidate(row["learner_id"]))
    deliver(candidate(row["learner_id"]))
    assert [step["state"] for step in application()["history"]] == ["applied", "registered"]


def test_a_candidate_who_never_applied_here_breaks_nothing() -> None:
    deliver(candidate("0" * 32))
    assert rows_of(Applications, {}) == []


def test_a_scheme_can_be_applied_for_from_its_publication_by_name_and_alias() -> None:
    assert statuses(upload(student(申请证书="直播电商")))[0] == "scheme_unknown"
    published = SchemePublished(
        scheme="live-commerce", name="直播电商", aliases=("直播带货",), teo="x", levels=(Level(1), Level(2))
    )
    deliver(published)
    assert statuses(upload(student(申请证书="直播带货"))) == ["new"]
    assert offers_by_word()["直播带货"].scheme == "live-commerce"


def test_a_life_shows_what_a_row_and_an_approval_did() -> None:
    upload(student())
    row = application()
    approve(asked(row["_id"]))
    [applied] = steps(row["history"][0]["cause"])
    [approved] = steps(f"approval:{row['_id']}:r2")
    assert (applied["what"], approved["what"]) == ("ApplicationApplied", "ApplicationApproved")
    assert applied["learner_id"] == row["learner_id"]


def test_approving_and_withdrawing_at_once_never_leaves_both_done(tries: int) -> None:
    upload(*(student(serial) for serial in range(1, min(tries, 40) + 1)))
    for row in rows_of(Applications, {}):
        met = threading.Barrier(2)
        threads = [
            threading.Thread(target=lambda met=met, one=row["_id"]: (met.wait(5), approve(asked(one)))),
            threading.Thread(target=lambda met=met, one=row["_id"]: (met.wait(5), withdraw(asked(one, reason="x")))),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    withdrawn = {said["application_id"] for said in announced("EnrolmentWithdrawn")}
    approved = {said["application_id"] for said in announced("EnrolmentApproved")}
    assert (
        withdrawn == approved
    )  # whoever was approved first was withdrawn after; whoever was withdrawn first is refused
    assert {row["state"] for row in rows_of(Applications, {})} == {"withdrawn"}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("applied", "approved", "approved"),
        ("withdrawn", "applied", "applied"),
        ("registered", "approved", "registered"),
    ],
)
def test_of_two_applications_for_one_thing_the_one_that_got_further_counts(one: str, other: str, expected: str) -> None:
    assert furthest(State(one), State(other)) is furthest(State(other), State(one)) is State(expected)


def two_learners() -> tuple[str, str]:
    """One person who came with an identity card as a student and with a passport as a neighbour."""
    passport = neighbour(证件类型="护照", 证件号码="E12345678", 申请证书="智能财税", 申请等级="初级")
    upload(student(手机=""), passport, passport | {"申请等级": "中级"})
    [survivor, other] = match([("", identity(1)), ("护照", "E12345678")], KEYRING)
    assert survivor
    assert other
    return survivor, other


def test_two_learners_become_one_with_documents_records_and_applications() -> None:
    survivor, other = two_learners()
    approve(asked(f"{other}:smart-finance:1"))
    assert merge(survivor, other, KEYRING)
    assert match([("", identity(1)), ("护照", "E12345678")], KEYRING) == [survivor, survivor]
    states = {row["_id"]: row["state"] for row in rows_of(Applications, {})}
    assert states == {f"{survivor}:smart-finance:1": "approved", f"{survivor}:smart-finance:2": "applied"}
    assert {row["department"] for row in rows_of(Applications, {})} == {"财会学院"}
    shown = particulars(survivor, KEYRING)
    assert (shown["name"], shown["phone"]) == ("陈晓岚1", "13900000000")
    assert sorted(one["masked_number"] for one in shown["documents"]) == [
        "440***********0011"[:3] + "*" * 11 + identity(1)[-4:],
        "E12**5678",
    ]


def test_a_merge_is_announced_on_both_keys_and_a_repeat_changes_nothing() -> None:
    survivor, other = two_learners()
    merge(survivor, other, KEYRING)
    before = announced()
    keys = {row["key"] for row in database()["outbox"].find({"type": "LearnersMerged"})}
    assert keys == {f"learner:{survivor}", f"learner:{other}"}
    assert not merge(survivor, other, KEYRING)
    assert announced() == before
    assert survivors_of([survivor, other]) == {other: survivor}


def test_a_roster_with_either_document_finds_the_survivor() -> None:
    survivor, other = two_learners()
    merge(survivor, other, KEYRING)
    passport = neighbour(证件类型="护照", 证件号码="E12345678", 姓名="陈晓岚1", 申请证书="智能财税", 申请等级="高级")
    assert statuses(upload(passport)) == ["new"]
    assert {row["learner_id"] for row in rows_of(Applications, {})} == {survivor}
    assert len(rows_of(Learners, {"merged_into": {"$exists": False}})) == 1
    assert person_of(survivor, KEYRING).particulars.name == "陈晓岚1"


def test_two_rows_about_one_person_under_two_documents_add_up() -> None:
    survivor, other = two_learners()
    merge(survivor, other, KEYRING)
    card = student(手机="13811111111", 申请证书="", 申请等级="")
    passport = neighbour(
        证件类型="护照",
        证件号码="E12345678",
        姓名="陈晓岚1",
        手机="",
        邮箱="new@example.cn",
        申请等级="初级",
        申请证书="智能财税",
    )
    assert statuses(upload(card, passport)) == ["changed", "changed"]
    now = person_of(survivor, KEYRING).particulars
    assert (now.phone, now.email) == ("13811111111", "new@example.cn")
    assert statuses(upload(card, passport)) == ["unchanged", "unchanged"]


def test_what_is_asked_under_the_merged_learner_acts_on_the_survivor() -> None:
    survivor, other = two_learners()
    merge(survivor, other, KEYRING)
    assert verdicts(approve(asked(f"{other}:smart-finance:2"))) == {0: True}
    deliver(candidate(other, level=2))
    [row] = rows_of(Applications, {"level": 2})
    assert (row["learner_id"], row["state"]) == (survivor, "registered")


def test_merges_that_make_no_sense_are_refused() -> None:
    survivor, other = two_learners()
    merge(survivor, other, KEYRING)
    for pair, code in (
        ((survivor, survivor), "merge_with_self"),
        ((other, survivor), "merged_already"),
        ((survivor, "x"), "not_found"),
    ):
        with pytest.raises(Refusal) as refused:
            merge(*pair, KEYRING)
        assert refused.value.code == code

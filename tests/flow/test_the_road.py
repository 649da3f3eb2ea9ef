"""The road of one result, told in one process: from a roster to the mailbox, whatever order the news comes in."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest

from chassis import waiters
from chassis.bus.outbox import Outbox
from chassis.clock import CAMPUS
from chassis.database import rows_of
from contracts.terms import Level
from services.assessment.catalogue.commands import put_scheme, put_teo
from services.assessment.catalogue.domain import Scheme, Teo, Weighted
from services.assessment.plans.commands import put_plan
from services.assessment.plans.domain import Plan, plan_id_of
from services.assessment.plans.models import Candidates
from services.assessment.plans.sheet import candidates_sheet
from services.assessment.results import commands as results
from services.assessment.results.domain import Marks, Remark, Sitting
from services.creditbank.ledger.queries import account_of, books
from services.creditbank.recognition.commands import OUTCOME, publish_rule, settle_again
from services.enrolment.applications.commands import Asked, approve, merge
from services.enrolment.applications.models import Applications
from services.enrolment.learners.models import Learners
from services.enrolment.programmes.commands import publish_programme
from services.notify.notices.queries import mailbox_page
from services.training.classes.commands import put_class
from services.training.classes.domain import TrainingClass
from services.training.completions.commands import record_completions
from services.training.completions.domain import Completion
from tests.support.campus import Campus
from tests.unit.assessment.stories import candidate_row, upload
from tests.unit.enrolment import rosters

TEO = "91110000000000043U"
ELEMENTARY = Plan(TEO, "SF-2021-A1", "smart-finance", Level.ELEMENTARY, date(2021, 1, 9), 400, 5)
INTERMEDIATE = Plan(TEO, "SF-2021-B1", "smart-finance", Level.INTERMEDIATE, date(2021, 6, 19), 400, 0)
PLANS = (ELEMENTARY, INTERMEDIATE)
SMART_FINANCE = Scheme(
    "smart-finance",
    "智能财税",
    TEO,
    (Level.ELEMENTARY, Level.INTERMEDIATE, Level.ADVANCED),
    (Weighted(1, date(2019, 4, 1), theory=40, practical=60, pass_at=60),),
    needs_training=True,
)


@pytest.fixture
def campus(mongo_url: str) -> Iterator[Campus]:
    made = Campus(mongo_url, f"flow_{uuid.uuid4().hex[:8]}")
    made.sweeps["creditbank"] = [lambda: waiters.sweep(OUTCOME, settle_again)]
    made.sweeps["assessment"] = [results.close_due_publicity]
    yield made
    made.drop()


class Register:
    """What enrolment's match route answers, in this process."""

    def __init__(self, learner_id: str) -> None:
        self.learner_id = learner_id

    def match(self, documents: Any) -> list[str | None]:
        return [self.learner_id for _ in documents]


def open_the_college(campus: Campus, with_rules: bool = True) -> None:
    def annex() -> None:
        put_teo(Teo(TEO, "中联集团教育科技有限公司"))
        put_scheme(SMART_FINANCE)
        for plan in PLANS:
            put_plan(plan)

    campus.do("assessment", annex)
    campus.do("enrolment", lambda: publish_programme(rosters.ACCOUNTING))
    for plan in PLANS:
        wanted = TrainingClass(f"C{plan.level:d}", plan.scheme, plan.level, 40, date(2020, 9, 1), date(2020, 12, 1), 48)
        campus.do("training", lambda wanted=wanted: put_class(wanted))
    if with_rules:
        publish_rules(campus)
    campus.pump()


def publish_rules(campus: Campus) -> None:
    for level in SMART_FINANCE.levels:
        worth = 200 * int(level)
        campus.do(
            "creditbank", lambda level=level, worth=worth: publish_rule("smart-finance", level, worth, date(2019, 4, 1))
        )


def enrol_and_train(campus: Campus) -> str:
    """One student with both levels approved, trained and registered in both plans; the learner's id."""
    with campus.at("enrolment"):
        rosters.upload(rosters.student(), rosters.student(申请等级="中级"))
        rows = rows_of(Applications, {})
    learner_id = str(rows[0]["learner_id"])
    campus.do("enrolment", lambda: approve([Asked(index, row["_id"]) for index, row in enumerate(rows)]))
    campus.pump()
    campus.do("training", lambda: record_completions([(completion(row), f"row:{row['_id']}") for row in rows]))
    campus.pump()
    with campus.at("assessment"):
        table = [candidate_row(n, plan, f"ZK{plan.level:d}", learner_id) for n, plan in enumerate(PLANS, start=2)]
        upload(candidates_sheet(Register(learner_id)), table)
        assert len(rows_of(Candidates, {})) == 2
    campus.pump()
    return learner_id


def completion(row: dict[str, Any]) -> Completion:
    level = Level(row["level"])
    return Completion(
        row["_id"],
        row["learner_id"],
        f"C{level:d}",
        row["scheme"],
        level,
        48,
        passed=True,
        completed_on=date(2020, 12, 1),
    )


def sit(campus: Campus, plan: Plan, theory: int, practical: int) -> None:
    as_of = datetime(plan.session_date.year, plan.session_date.month, plan.session_date.day, 18, tzinfo=CAMPUS)
    sitting = Sitting(
        plan_id=plan_id_of(plan.teo, plan.code),
        admission_number=f"ZK{plan.level:d}",
        attempt=1,
        marks=Marks(theory, practical, Remark.NONE),
        as_of=as_of,
    )
    campus.do("assessment", lambda: results.record_results([sitting]), because=f"row:{plan.code}")
    campus.pump()


def close(campus: Campus, plan: Plan) -> None:
    with campus.at("assessment"):
        results.close_publicity(plan_id_of(plan.teo, plan.code))
    campus.pump()


def account(campus: Campus, learner_id: str) -> tuple[int, int, int]:
    """Provisional, available, entries."""
    with campus.at("creditbank"):
        found = account_of(learner_id)
    return found["balances"]["provisional"], found["balances"]["available"], found["entries"]


def told(campus: Campus, learner_id: str) -> list[str]:
    """The events of the learner's mailbox, oldest first."""
    with campus.at("notify"):
        return [one["event"] for one in reversed(mailbox_page(learner_id, None, 100, None))]


def take_the_road(campus: Campus) -> str:
    open_the_college(campus)
    learner_id = enrol_and_train(campus)
    sit(campus, ELEMENTARY, 80, 70)
    close(campus, ELEMENTARY)
    sit(campus, INTERMEDIATE, 60, 61)
    return learner_id


def test_a_pass_becomes_credit_and_a_message_by_itself(campus: Campus) -> None:
    open_the_college(campus)
    learner_id = enrol_and_train(campus)
    sit(campus, ELEMENTARY, 80, 70)
    assert account(campus, learner_id)[:2] == (200, 0), "provisional while in publicity"
    close(campus, ELEMENTARY)
    assert account(campus, learner_id)[:2] == (0, 200)
    sit(campus, INTERMEDIATE, 60, 61)
    assert account(campus, learner_id)[:2] == (0, 400), (
        "a plan without publicity is final at once; the difference counts"
    )
    assert sorted(told(campus, learner_id)) == sorted(
        ["EnrolmentApproved", "CandidateRegistered", "ResultPublicised", "CreditPosted"] * 2
    )


def test_a_fail_earns_nothing_and_is_told(campus: Campus) -> None:
    open_the_college(campus)
    learner_id = enrol_and_train(campus)
    sit(campus, ELEMENTARY, 80, 40)
    close(campus, ELEMENTARY)
    assert account(campus, learner_id)[:2] == (0, 0)
    assert told(campus, learner_id)[-2:] == ["ResultPublicised", "ResultFinalised"]


def test_a_pass_without_a_rule_waits_and_is_settled_when_the_rule_comes(campus: Campus) -> None:
    open_the_college(campus, with_rules=False)
    learner_id = enrol_and_train(campus)
    sit(campus, ELEMENTARY, 80, 70)
    close(campus, ELEMENTARY)
    assert account(campus, learner_id)[:2] == (0, 0)
    publish_rules(campus)
    campus.pump()
    assert account(campus, learner_id)[:2] == (0, 200)


@pytest.mark.parametrize("seed", range(4))
def test_everything_delivered_again_in_any_order_changes_nothing(campus: Campus, seed: int) -> None:
    learner_id = take_the_road(campus)
    before = account(campus, learner_id), told(campus, learner_id), len(campus.announced())
    campus.deliver_again(random.Random(seed))
    assert (account(campus, learner_id), told(campus, learner_id), len(campus.announced())) == before
    with campus.at("creditbank"):
        assert books()["sum"] == 0


@pytest.mark.parametrize("seed", range(4))
def test_news_in_any_order_ends_in_the_same_balances(mongo_url: str, campus: Campus, seed: int) -> None:
    """A second bank and a second notify hear everything for the first time, shuffled across keys and services."""
    learner_id = take_the_road(campus)
    rows = campus.announced()
    late = Campus(mongo_url, f"late_{uuid.uuid4().hex[:8]}")
    late.sweeps = campus.sweeps
    try:
        publish_rules(late)
        random.Random(seed).shuffle(rows)
        for name in ("creditbank", "notify"):
            late.hear(name, [row for row in rows if row["source"] != "creditbank"])
        late.pump()
        assert account(late, learner_id)[:2] == account(campus, learner_id)[:2]
        assert sorted(told(late, learner_id)) == sorted(told(campus, learner_id))
        with late.at("creditbank"):
            assert books()["sum"] == 0
    finally:
        late.drop()


def test_every_announcement_names_its_cause(campus: Campus) -> None:
    take_the_road(campus)
    ids = {row["_id"] for row in campus.announced()}
    posted = [row for row in campus.announced() if row["type"] == "CreditPosted"]
    assert len(posted) == 4
    assert all(row["cause"] in ids for row in posted)
    assert all(row["cause"] for row in campus.announced())
    with campus.at("assessment"):
        assert {row["cause"] for row in rows_of(Outbox, {"type": "ResultPublicised"})} == {
            f"result:{plan_id_of(plan.teo, plan.code)}:ZK{plan.level:d}:1:r1" for plan in PLANS
        }


def test_two_accounts_of_one_person_become_one_and_the_same_content_counts_once(campus: Campus) -> None:
    learner_id = take_the_road(campus)
    with campus.at("enrolment"):
        rosters.upload(rosters.student(2, 证件类型="护照", 证件号码="E12345678", 学号="2019990001"))
        [other] = [row["_id"] for row in rows_of(Learners, {"_id": {"$ne": learner_id}})]
    campus.pump()
    before = told(campus, learner_id)
    campus.do("enrolment", lambda: merge(other, learner_id, rosters.KEYRING))
    campus.pump()
    assert account(campus, other)[:2] == (0, 400)
    assert sorted(told(campus, other)) == sorted(before), "the mailbox moved; moving points is no news"
    with campus.at("creditbank"):
        assert books()["sum"] == 0
    campus.deliver_again(random.Random(7))
    assert account(campus, other)[:2] == (0, 400)

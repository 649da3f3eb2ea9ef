"""The road of a licence and of an old course: from whoever knows of them to the mailbox, whatever comes first."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from chassis import waiters
from chassis.clock import today
from contracts.terms import OutcomeKind
from services.creditbank.jobs import settle_waiting
from services.creditbank.ledger.queries import account_of, books
from services.creditbank.outcomes.commands import submit
from services.creditbank.outcomes.digests import tell_digests
from services.creditbank.outcomes.domain import Item, Sender, State
from services.creditbank.recognition.commands import publish_rule
from services.enrolment.applications.commands import merge
from services.enrolment.programmes.commands import publish_programme
from services.notify.contacts.domain import Language
from services.notify.notices.commands import WAITER, settle_emails
from services.notify.notices.queries import mailbox_page
from tests.support.campus import Campus
from tests.unit.assessment.stories import CampusClock
from tests.unit.enrolment import rosters

PILOT = date(2019, 4, 1)
AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
LICENCE = Item("L-1", OutcomeKind.LICENCE, "electrician", "", today(), State.FINAL, AS_OF, "中级", "电工")


@pytest.fixture
def campus(mongo_url: str) -> Iterator[Campus]:
    made = Campus(mongo_url, f"flow_{uuid.uuid4().hex[:8]}")
    made.sweeps["creditbank"] = [settle_waiting]
    made.sweeps["notify"] = [lambda: waiters.sweep(WAITER, settle_emails)]
    yield made
    made.drop()


def enrol(campus: Campus, *serials: int) -> list[str]:
    with campus.at("enrolment"):
        rosters.upload(*[rosters.student(serial, 申请证书="", 申请等级="") for serial in serials])
        told = rosters.announced("StudentRecordChanged")
    return [one["learner_id"] for one in told]


def send(campus: Campus, *items: Item) -> None:
    campus.do("creditbank", lambda: submit(items, Sender(), 180))


def rule(campus: Campus, scheme: str, level: int, points: int) -> None:
    campus.do("creditbank", lambda: publish_rule(scheme, level, points, PILOT))


def texts(campus: Campus, learner_id: str) -> list[tuple[str, str]]:
    with campus.at("notify"):
        return [(one["title"], one["text"]) for one in mailbox_page(learner_id, None, 50, Language.ZH)]


def shown(campus: Campus, learner_id: str) -> dict[str, tuple[int, int]]:
    with campus.at("creditbank"):
        assert books()["sum"] == 0
        return {one["scheme"]: (one["level"], one["available_points"]) for one in account_of(learner_id)["holdings"]}


TOLD = ("学习成果已认定", "职业资格证书“电工”，四级（中级工）已认定，2 学分已存入你的学分账户，当前可用 2 学分。")


@pytest.mark.parametrize("order", ["rule, learner, licence", "licence, learner, rule", "learner, licence, rule"])
def test_a_licence_reaches_the_mailbox_whatever_comes_first(campus: Campus, order: str) -> None:
    campus.do("enrolment", lambda: publish_programme(rosters.ACCOUNTING))
    [lan] = enrol(campus, 1)
    deeds = {
        "rule": lambda: rule(campus, "licence.electrician", 4, 200),
        "learner": campus.pump,
        "licence": lambda: send(campus, replace(LICENCE, learner_id=lan)),
    }
    for name in order.split(", "):
        deeds[name]()
    campus.pump()
    assert shown(campus, lan) == {"licence.electrician": (4, 200)}
    assert texts(campus, lan) == [TOLD]
    campus.deliver_again(random.Random(7))
    assert (shown(campus, lan), texts(campus, lan)) == ({"licence.electrician": (4, 200)}, [TOLD])


def test_old_courses_reach_the_mailbox_of_who_the_learner_is_in_one_digest(
    campus: Campus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = CampusClock(tmp_path, monkeypatch)
    clock.stand_at("2026-03-02T09:00")
    campus.do("enrolment", lambda: publish_programme(rosters.ACCOUNTING))
    lan, mei = enrol(campus, 1, 2)
    rule(campus, "online.python-basics", 1, 150)
    rule(campus, "online.excel", 1, 50)
    campus.pump()
    old = replace(
        LICENCE, kind=OutcomeKind.ONLINE, level="", learner_id=lan, day=date(2026, 3, 2) - timedelta(days=900)
    )
    send(
        campus,
        replace(old, external_id="C-1", code="python-basics", title="Python 基础"),
        replace(old, external_id="C-2", code="excel", title="Excel"),
    )
    campus.pump()
    assert shown(campus, lan) == {"online.python-basics": (1, 150), "online.excel": (1, 50)}
    assert texts(campus, lan) == []
    campus.do("enrolment", lambda: merge(mei, lan, rosters.KEYRING))
    campus.pump()
    clock.stand_at("2026-03-03T00:05")
    campus.do("creditbank", tell_digests)
    campus.pump()
    said = "你早前取得的 2 项学习成果已补录认定，共存入 2 学分，当前可用 2 学分。逐项见账户明细。"
    assert texts(campus, mei) == [("早前的学习成果已入账", said)]
    campus.deliver_again(random.Random(3))
    assert texts(campus, mei) == [("早前的学习成果已入账", said)]

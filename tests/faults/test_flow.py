"""The flow's truth agrees with the rules, and an outage neither ends it nor gets into its journal."""

from __future__ import annotations

import json
import socket
from datetime import date
from itertools import product
from pathlib import Path

import pytest

from onex.demo.samples import Samples
from services.assessment.catalogue.domain import EachPart, PassRule, Weighted
from services.assessment.results.domain import Marks, judge
from tests.faults.college import SCHEMES, Seat, admission_number
from tests.faults.flow import Fact, Flow

KEY = "A" * 43
CALLED = ("portal", "enrolment", "training", "assessment", "creditbank", "notify")


@pytest.fixture
def away(tmp_path: Path) -> Flow:
    """A flow whose whole stack is away."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    flow = Flow(dict.fromkeys(CALLED, url), 7, tmp_path / "journal.jsonl", KEY)
    flow.seats = [seat_of(flow, number) for number in range(40)]
    return flow


def seat_of(flow: Flow, number: int) -> Seat:
    plan = flow.college.plans[number % len(flow.college.plans)]
    admission = admission_number(plan, number)
    return Seat(plan.teo, plan.code, plan.scheme, plan.level, admission, f"L{number}", plan.worth, is_weighted=True)


def rule_of(scheme: str) -> PassRule:
    (rule,) = next(one for one in Samples().annex("schemes") if one["code"] == scheme)["pass_rules"]
    if rule["kind"] == "weighted":
        return Weighted(1, date(2019, 4, 1), rule["theory"], rule["practical"], rule["pass_at"])
    return EachPart(1, date(2019, 4, 1), rule["pass_at"], rule["resits"], rule["resit_within_days"])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_flow_passes_whom_the_rule_passes(scheme: str) -> None:
    rule = rule_of(scheme)
    seat = Seat("T", "P", scheme, 1, "ZK1", "L1", 200, isinstance(rule, Weighted))
    for theory, practical in product(range(40, 101), repeat=2):
        fact = Fact("T:P:ZK1:1", seat, 1, theory, practical, "")
        verdict = judge(rule, Marks(theory, practical), (date(2020, 12, 12), 1)).verdict
        assert fact.line()["verdict"] == verdict
        assert fact.line()["credit_points"] == (200 if verdict == "passed" else 0)


def test_an_annulled_pass_is_worth_nothing() -> None:
    seat = Seat("T", "P", "smart-finance", 1, "ZK1", "L1", 200, is_weighted=True)
    line = Fact("T:P:ZK1:1", seat, 1, 90, 90, "", is_annulled=True).line()
    assert (line["verdict"], line["state"], line["credit_points"]) == ("passed", "annulled", 0)


def test_what_nobody_acknowledged_stays_pending_and_out_of_the_journal(away: Flow) -> None:
    for _ in range(40):
        away.step()
    assert away.pending
    assert not away.journal.exists()
    assert not away.facts
    with pytest.raises(TimeoutError, match="submissions pending"):
        away.finish(0.5)


def test_nothing_touches_a_result_that_is_on_its_way(away: Flow) -> None:
    """Else two submissions about one result could arrive in another order than the journal tells."""
    for seat in away.seats:
        away._keep(Fact(f"T:{seat.plan}:{seat.admission_number}:1", seat, 1, 90, 90, "2026-01-01T00:00:00Z"))
    for _ in range(200):
        away.step()
    touched = [name for one in away.pending for name in one.touches]
    assert touched
    assert len(touched) == len(set(touched))
    assert len(away.journal.read_text().splitlines()) == len(away.seats)


def test_the_same_seed_makes_the_same_choices(tmp_path: Path, away: Flow) -> None:
    other = Flow(dict(away.addresses.urls), 7, tmp_path / "other.jsonl", KEY)
    other.seats = list(away.seats)
    for flow in (away, other):
        for _ in range(60):
            flow.step()
    assert [(one.kind, one.touches) for one in away.pending] == [(one.kind, one.touches) for one in other.pending]


def test_a_line_of_the_journal_names_its_result() -> None:
    seat = Seat("T", "P", "smart-finance", 2, "ZK1", "L1", 400, is_weighted=True)
    line = json.loads(json.dumps(Fact("T:P:ZK1:1", seat, 1, 60, 60, "").line()))
    assert line == {
        "fact": "result",
        "result_id": "T:P:ZK1:1",
        "learner_id": "L1",
        "scheme": "smart-finance",
        "level": 2,
        "verdict": "passed",
        "state": "final",
        "credit_points": 400,
    }

"""Two who decide at once: the last seat of a plan, one sitting submitted twice, a merge under a submission."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from chassis.errors import Busy
from contracts.assessment import CandidateRegistered, ResultFinalised, ResultPublicised
from contracts.enrolment import LearnersMerged
from services.assessment.plans import queries as plans
from services.assessment.plans.models import read_candidates
from services.assessment.plans.sheet import candidates_sheet
from services.assessment.results.commands import close_due_publicity, close_publicity
from services.assessment.results.models import read_results
from tests.support.arrivals import arrival
from tests.unit.assessment.stories import (
    AS_OF,
    SF2,
    Register,
    announced,
    approved,
    candidate_row,
    deliver,
    open_college,
    publish_2021,
    seat,
    sitting,
    submit,
    trained,
    upload,
    verdicts,
)

pytestmark = pytest.mark.usefixtures("mongo", "clock")
ROUNDS = 20


def at_once(*deeds: Callable[[], object]) -> list[object]:
    """Do all at the same moment; what each returned, or the exception it ended with."""
    barrier = threading.Barrier(len(deeds))
    ends: list[object] = [None] * len(deeds)

    def run(index: int) -> None:
        barrier.wait(10)
        try:
            ends[index] = deeds[index]()
        except Exception as failure:  # noqa: BLE001 -- judged by the test
            ends[index] = failure

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(deeds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [end for end in ends if isinstance(end, Exception) and not isinstance(end, Busy)]
    return ends


def test_the_last_seat_of_a_plan_is_given_once() -> None:
    for n in range(ROUNDS):
        plan = replace(SF2, code=f"P{n}", quota=1)
        open_college(plan)
        for who in (f"a{n}", f"b{n}"):
            deliver(approved(who, plan), trained(who, plan))
        kind = candidates_sheet(Register())
        ends = at_once(
            lambda: verdicts(upload(kind, [candidate_row(1, plan, "A1", f"a{n}")], 1)),  # noqa: B023
            lambda: verdicts(upload(kind, [candidate_row(1, plan, "A2", f"b{n}")], 2)),  # noqa: B023
        )
        assert sorted(map(str, ends)) == ["['new']", "['quota_full']"]
        assert len(read_candidates({"plan_id": plan.id})) == 1
    assert len(announced(CandidateRegistered)) == ROUNDS


def test_two_workers_of_an_organisation_submit_the_same_at_once() -> None:
    open_college(SF2)
    publish_2021()
    seat(SF2, *[f"l{n}" for n in range(1, ROUNDS + 1)])
    for n in range(1, ROUNDS + 1):
        ends = at_once(
            lambda: submit(sitting(SF2, f"A{n}", 70, 70)),  # noqa: B023
            lambda: submit(sitting(SF2, f"A{n}", 71, 71)),  # noqa: B023
        )
        assert sorted(map(str, ends)) == ["['accepted']", "['conflicting_submission']"]
    assert len(announced(ResultPublicised)) == ROUNDS


def test_a_learner_merged_while_a_result_arrives_has_it_under_one_id() -> None:
    open_college(SF2)
    publish_2021()
    seat(SF2, *[f"old{n}" for n in range(1, ROUNDS + 1)])
    for n in range(1, ROUNDS + 1):
        body = LearnersMerged(survivor_id=f"new{n}", merged_id=f"old{n}")
        at_once(
            lambda: submit(sitting(SF2, f"A{n}", 70, 70)),  # noqa: B023
            lambda: deliver(arrival(body, 2, key=f"learner:old{n}")),  # noqa: B023
        )
    held = {one.learner_id for one in read_results({})}
    assert held == {f"new{n}" for n in range(1, ROUNDS + 1)}


def test_a_result_closed_while_newer_values_arrive_is_one_or_the_other() -> None:
    open_college(SF2)
    publish_2021()
    seat(SF2, *[f"l{n}" for n in range(1, ROUNDS + 1)])
    for n in range(1, ROUNDS + 1):
        submit(sitting(SF2, f"A{n}", 50, 50))
        close_publicity(SF2.id)
        newer = sitting(SF2, f"A{n}", 70, 70, as_of=AS_OF.replace(hour=20))
        _, told = at_once(close_due_publicity, lambda: submit(newer))  # noqa: B023
        close_due_publicity()
        kept = read_results({"admission_number": f"A{n}"})[0]
        final = [one for one in announced(ResultFinalised) if one.result_id == kept.id]
        assert (kept.state, len(final)) == ("final", 1)
        assert kept.verdict == final[0].verdict == ("passed" if told == ["accepted"] else "failed")
    assert plans.stages()["candidates"] == ROUNDS

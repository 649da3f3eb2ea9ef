"""A short run of the fault suite: every process at risk, the network, the messages; `make faults` is the long one."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import pytest

from tests.faults.breaking import CHEAP
from tests.faults.run import Outcome, run
from tests.support.stack import LIMIT_SECONDS

SEED = 4
KILLS = 12

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("alone"), pytest.mark.timeout(2 * LIMIT_SECONDS)]


def broken() -> Outcome:
    return run(SEED, KILLS, [replace(fault, weight=1) for fault in CHEAP], between=1, name="short")


def test_a_broken_stack_loses_nothing_and_doubles_nothing() -> None:
    # a process of its own: kafka-python leaves sockets of brokers that went away behind, and here they do on purpose
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        outcome = alone.submit(broken).result()
    assert outcome.findings == []
    assert outcome.done["kill"] >= KILLS
    assert {fault.kind for fault in CHEAP} <= set(outcome.done)
    assert outcome.told["results submitted"] > 0
    assert outcome.told["credit points shown"] == outcome.told["credit points due"] > 0

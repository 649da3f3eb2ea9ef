"""Counting what callers ask, in memory: many requests at once, none lost and none broken by the counting itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from limits.storage import storage_from_string

from chassis.web.limits import MEMORY

AT_ONCE = 8


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads give way to each other as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
def test_requests_at_once_are_all_counted_and_none_breaks(tries: int) -> None:
    storage = storage_from_string(MEMORY)
    begin = Barrier(AT_ONCE)

    def ask(n: int) -> int:
        begin.wait()
        return storage.incr(f"caller-{n}", 60)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for n in range(tries):
            counted = list(pool.map(ask, [n] * AT_ONCE))
            storage.timer.join()  # the expiry comes to rest, so that the next ones find it so
            assert max(counted) == AT_ONCE

"""A short run of the fault suite: every process at risk, the network, the messages; `make faults` is the long one."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from socket import socket
from typing import Any

import pytest
from kafka.net.inet import KafkaNetSocket

from tests.faults.breaking import CHEAP
from tests.faults.run import run
from tests.support.stack import LIMIT_SECONDS

SEED = 4
KILLS = 12

pytestmark = [
    pytest.mark.stack,
    pytest.mark.usefixtures("alone"),
    pytest.mark.timeout(2 * LIMIT_SECONDS),
    # kafka-python leaves the sockets of brokers that went away to the collector; here they go away on purpose
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture(autouse=True)
def _closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What could not be connected is closed, which kafka-python forgets; what else a run leaves to the collector is
    collected here, and neither in the middle of another test nor after the last one."""
    plain = KafkaNetSocket.sock_connect

    async def connected(self: KafkaNetSocket, net: Any, sock: socket, *where: Any, **until: Any) -> Any:
        try:
            return await plain(self, net, sock, *where, **until)
        except BaseException:
            sock.close()
            raise

    monkeypatch.setattr(KafkaNetSocket, "sock_connect", connected)
    yield
    gc.collect()


def test_a_broken_stack_loses_nothing_and_doubles_nothing() -> None:
    each_once = [replace(fault, weight=1) for fault in CHEAP]
    outcome = run(SEED, KILLS, each_once, between=1, name="short")
    assert outcome.findings == []
    assert outcome.done["kill"] >= KILLS
    assert {fault.kind for fault in CHEAP} <= set(outcome.done)
    assert outcome.told["results submitted"] > 0
    assert outcome.told["credit points shown"] == outcome.told["credit points due"] > 0

"""Every process killed three times in the middle of its own stage: the same numbers in the end.

Where a service has two workers, the first is killed: the second takes its partitions, shards and jobs over.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pymongo import MongoClient

from onex.stack import status
from onex.stack.home import Home
from tests.support.stack import LIMIT_SECONDS, ROOT, Stack, environment, running_stack

EXPECTED: dict[str, Any] = json.loads((ROOT / "deploy" / "samples" / "expectation.json").read_text())
KILLS = 3
LOOK_SECONDS = 0.02
# By service: the collections that its stages fill, and how many documents they hold in the end.
STAGES: dict[str, dict[str, int]] = {
    "enrolment": {name: EXPECTED[name] for name in ("learners", "student_records", "applications")},
    "training": {"places": EXPECTED["places"], "completions": EXPECTED["completed"]},
    "assessment": {
        "candidates": EXPECTED["candidates"],
        "results": EXPECTED["final"],
        "certificates": EXPECTED["certificates"],
    },
    "creditbank": {"outcomes": EXPECTED["final"], "accounts": EXPECTED["learners"]},
    "notify": {"notices": sum(one["count"] for one in EXPECTED["notices"] if one["channel"] == "mailbox")},
}
# Kills stand apart, so that each finds the process restarted and its stage still between a tenth and nine tenths.
APP_AT = (0.15, 0.35, 0.60)
WORKER_AT = (0.20, 0.45, 0.70)
TWO_WORKERS = ("assessment", "creditbank", "notify")

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("alone"), pytest.mark.timeout(3 * LIMIT_SECONDS)]


@dataclass
class Victim:
    """A process, where its stage shall stand when it is killed, and where it stood."""

    name: str
    service: str
    at: tuple[float, ...]
    stood: list[float] = field(default_factory=list)
    killed_pid: int = 0

    def is_due(self, stands: float, pid: int) -> bool:
        number = len(self.stood)
        return number < KILLS and self.at[number] <= stands < 0.9 and pid not in (0, self.killed_pid)

    def kill(self, pid: int, stands: float) -> None:
        """SIGKILL the process and what it started."""
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        for process in family:
            os.kill(process.pid, signal.SIGKILL)
        self.stood.append(stands)
        self.killed_pid = pid


def standing(client: MongoClient[dict[str, Any]], service: str) -> float:
    """How far a service's stages are, from 0 to 1."""
    stages = STAGES[service]
    found = sum(client[f"onex_{service}"][name].estimated_document_count() for name in stages)
    return found / sum(stages.values())


def kill_in_the_middle(stack: Stack, demo: subprocess.Popen[str], victims: list[Victim]) -> None:
    """Watch the stages until the demo ends, and kill whoever's time has come."""
    with MongoClient(stack.running.variables["MONGO"]) as client:
        while not has_ended(demo):
            kill_who_is_due(stack, client, victims)


def has_ended(demo: subprocess.Popen[str]) -> bool:
    """Whether it ends within a moment."""
    try:
        demo.wait(LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def kill_who_is_due(stack: Stack, client: MongoClient[dict[str, Any]], victims: list[Victim]) -> None:
    """Look where the stages stand, and kill those whose moment it is."""
    stands = {service: standing(client, service) for service in STAGES}
    near = [victim for victim in victims if victim.is_due(stands[victim.service], -1)]
    pids: Mapping[str, int] = stack.pids() if near else {}
    for victim in near:
        now = standing(client, victim.service)
        if victim.is_due(now, pids.get(victim.name, 0)):
            victim.kill(pids[victim.name], now)


def done_by(stack: Stack, worker: str) -> dict[str, float]:
    """What a worker counted since it started, by metric."""
    port = next(one.port for one in status.status(Home(stack.home)).processes if one.name == worker)
    metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    counted: dict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            counted[sample.name] += sample.value
    return counted


def test_each_process_killed_three_times_in_its_own_stage(tmp_path: Path) -> None:
    victims = [Victim(name, name, APP_AT) for name in STAGES]
    victims += [Victim(f"{name}-worker", name, WORKER_AT) for name in STAGES]
    names = [victim.name for victim in victims]
    several = [word for name in TWO_WORKERS for word in ("--workers", f"{name}=2")]
    with running_stack(tmp_path / "stack", *several) as stack, (tmp_path / "demo.log").open("w+") as said:
        command = [sys.executable, "-m", "onex", "demo"]
        demo = subprocess.Popen(command, cwd=ROOT, env=environment(stack.home), stdout=said, stderr=said, text=True)
        kill_in_the_middle(stack, demo, victims)
        said.seek(0)
        told = said.read()
        assert {victim.name: len(victim.stood) for victim in victims} == dict.fromkeys(names, KILLS), told
        assert all(0.1 <= stands <= 0.9 for victim in victims for stands in victim.stood), victims
        assert demo.returncode == 0, told
        assert "the books balance" in told
        for name in TWO_WORKERS:
            counted = done_by(stack, f"{name}-worker-2")
            assert counted["onex_events_handled_total"] > 0, name
            assert counted["onex_events_published_total"] > 0 or name == "notify", name

"""Killed between any two steps, an import is finished by the next worker: no row lost, none twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chassis.database import database

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(("what", "at_least"), [("preview", 10), ("commit", 20)])
def test_a_worker_killed_before_any_of_its_commands_loses_and_doubles_nothing(
    mongo: str, mongo_url: str, what: str, at_least: int
) -> None:
    command = [sys.executable, "-m", "tests.chassis.sheet.crashing", mongo_url, f"{mongo}_{what}", what]
    ended = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=250,
    )
    database().client.drop_database(f"{mongo}_{what}")
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) > at_least

"""The house stands in one order, and whoever breaks it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support import seeds
from tests.support.seeds import SEEDS, WHOLE, Seed, copy_of_house

ROOT = Path(__file__).parents[2]
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
ALL_KEPT = {rule["name"]: "KEPT" for rule in RULES}


Verdicts = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    """What import-linter says of a copy of the house, by what was sown in it; in a process that sees the copy alone."""
    house = copy_of_house(ROOT, tmp_path_factory.mktemp("house"))
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    surroundings["COLUMNS"] = "200"  # lines are broken at the terminal's width
    command = [sys.executable, seeds.__file__]
    done = subprocess.run(command, cwd=house, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
    found: Verdicts = json.loads(done.stdout)
    return found


def test_every_contract_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "200")
    assert seeds.verdicts("--no-cache") == ALL_KEPT


def test_the_copy_that_is_spoilt_is_in_order_before(verdicts: Verdicts) -> None:
    assert verdicts[WHOLE] == ALL_KEPT


@pytest.mark.parametrize("seed", SEEDS, ids=str)
def test_a_violation_is_caught(verdicts: Verdicts, seed: Seed) -> None:
    assert verdicts[str(seed)][seed.contract] == "BROKEN"


def test_every_contract_has_a_violation_that_it_catches() -> None:
    assert {seed.contract for seed in SEEDS} == set(ALL_KEPT)

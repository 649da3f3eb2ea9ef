"""The main job on the whole stack: as expected, again without effect, and a changed mark is named."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from openpyxl import load_workbook

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "deploy" / "samples"
LIMIT_SECONDS = 900
FIRST_PORTS = (8080, 8101, 8105, 8111, 8125, 9092, 27017)  # some that a stack takes; it needs all of them free

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3 * LIMIT_SECONDS)]


def onex(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would, with a home of its own."""
    environment = {**os.environ, "ONEX_HOME": str(home), "DEMO": "1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "onex", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


def free_offset() -> int:
    """By how much to move all ports so that they are free."""
    return next(offset for offset in range(2000, 30000, 500) if all(is_free(port + offset) for port in FIRST_PORTS))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stack of this test's own, nothing in it."""
    folder = tmp_path_factory.mktemp("stack")
    started = onex(folder, "up", "--port-offset", str(free_offset()))
    assert started.returncode == 0, started.stdout + started.stderr
    yield folder
    assert onex(folder, "down", "--wipe").returncode == 0


@pytest.fixture(scope="module")
def first_run(home: Path) -> subprocess.CompletedProcess[str]:
    return onex(home, "demo")


def with_another_mark(folder: Path) -> tuple[Path, int]:
    """The samples with one mark of one row changed, and that row."""
    copy = folder / "samples"
    shutil.copytree(SAMPLES, copy)
    file = copy / "results-industrial-robot.xlsx"
    book = load_workbook(io.BytesIO(file.read_bytes()))
    table = book.worksheets[0]
    row = next(row for row in range(3, table.max_row) if type(table.cell(row, 3).value) is int)
    table.cell(row, 3).value = int(table.cell(row, 3).value or 0) - 1
    book.save(file)
    return copy, row


def test_the_main_job_comes_out_as_expected(first_run: subprocess.CompletedProcess[str]) -> None:
    assert first_run.returncode == 0, first_run.stdout + first_run.stderr
    assert "the books balance" in first_run.stdout
    assert "✗" not in first_run.stdout


def test_a_second_run_changes_nothing(home: Path, first_run: subprocess.CompletedProcess[str]) -> None:
    assert first_run.returncode == 0
    again = onex(home, "demo")
    assert again.returncode == 0, again.stdout + again.stderr
    for what in ("rows uploaded again and not as before", "entries that the repeat added", "notices that the repeat"):
        assert what in again.stdout


def test_a_changed_mark_is_named_with_its_row(
    home: Path, first_run: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    assert first_run.returncode == 0
    copy, row = with_another_mark(tmp_path)
    changed = onex(home, "demo", "--samples", str(copy))
    assert changed.returncode == 1, changed.stdout + changed.stderr
    assert f"results-industrial-robot.xlsx row {row}" in changed.stdout

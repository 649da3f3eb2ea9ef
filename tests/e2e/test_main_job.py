"""The main job on the whole stack: as expected, again without effect, and a changed mark is named."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from openpyxl import load_workbook

from tests.support.stack import LIMIT_SECONDS, ROOT, Stack, running_stack

SAMPLES = ROOT / "deploy" / "samples"

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3 * LIMIT_SECONDS)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of this test's own, nothing in it."""
    with running_stack(tmp_path_factory.mktemp("main-job")) as made:
        yield made


@pytest.fixture(scope="module")
def main_job(stack: Stack) -> str:
    """The main job has run on it, as expected; what it said."""
    run = stack.onex("demo")
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


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


def test_the_main_job_comes_out_as_expected(main_job: str) -> None:
    assert "the books balance" in main_job
    assert "✗" not in main_job


@pytest.mark.usefixtures("main_job")
def test_a_second_run_changes_nothing(stack: Stack) -> None:
    again = stack.onex("demo")
    assert again.returncode == 0, again.stdout + again.stderr
    for what in ("rows uploaded again and not as before", "entries that the repeat added", "notices that the repeat"):
        assert what in again.stdout


@pytest.mark.usefixtures("main_job")
def test_a_changed_mark_is_named_with_its_row(stack: Stack, tmp_path: Path) -> None:
    copy, row = with_another_mark(tmp_path)
    changed = stack.onex("demo", "--samples", str(copy))
    assert changed.returncode == 1, changed.stdout + changed.stderr
    assert f"results-industrial-robot.xlsx row {row}" in changed.stdout

"""The college's clock, for stories with dates."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.assessment.stories import CampusClock


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CampusClock:
    made = CampusClock(tmp_path, monkeypatch)
    made.stand_at("2021-09-16T10:00")
    return made

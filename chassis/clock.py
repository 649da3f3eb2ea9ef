"""The field's time: dates, windows and deadlines. Leases and time-outs use the machine's clock."""

from __future__ import annotations

import os
from datetime import UTC as UTC
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

CAMPUS = ZoneInfo("Asia/Shanghai")


def now() -> datetime:
    """The instant it is for rules and records, aware, in UTC.

    In a demonstration (`DEMO=1`) the stack may stand at an instant written in the file `CLOCK_FILE`.
    """
    if os.environ.get("DEMO") == "1" and (name := os.environ.get("CLOCK_FILE")):
        file = Path(name)
        if file.exists() and (text := file.read_text().strip()):
            return max(datetime.fromisoformat(text).astimezone(UTC), datetime(2019, 1, 1, tzinfo=UTC))
    return datetime.now(UTC)


def today() -> date:
    """The date on campus."""
    return now().astimezone(CAMPUS).date()

"""The field's time of a demonstration's stack: it stands at an instant, and only goes forward."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from onex.stack.home import Home
from onex.stack.trouble import Trouble

CAMPUS = ZoneInfo("Asia/Shanghai")
EARLIEST = datetime(2019, 1, 1, tzinfo=UTC)


def instant_of(text: str) -> datetime:
    """An instant as a person writes it, on campus unless it says otherwise; `Trouble` when it is none."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise Trouble(f"{text} is no instant. Write 2021-09-25T00:00, which is campus time.") from error
    return read if read.tzinfo else read.replace(tzinfo=CAMPUS)


def standing(home: Home) -> datetime | None:
    """The instant that the stack stands at; None while it goes with the machine."""
    file = home / "clock"
    text = file.read_text().strip() if file.exists() else ""
    return datetime.fromisoformat(text) if text else None


def set_clock(home: Home, to: datetime) -> None:
    """Have every process of the stack stand at an instant from now on; `Trouble` for one that is behind.

    A stack that was never started may begin at any instant since 2019; what it records afterwards keeps its order.
    """
    now = standing(home) or (datetime.now(UTC) if (home / "stack.json").exists() else EARLIEST)
    if to < now:
        shown = now.astimezone(CAMPUS).isoformat(timespec="minutes")
        raise Trouble(f"The clock only goes forward: it is {shown}. Only a new stack (onex down --wipe) begins anew.")
    write(home, to)


def write(home: Home, instant: datetime) -> None:
    """Write the instant so that no process ever reads half of it."""
    half = home.made() / "clock.half"
    half.write_text(f"{instant.isoformat()}\n")
    half.replace(home / "clock")

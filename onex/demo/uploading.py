"""Upload sheets as a person would: preview, look, commit; again when facts were still on their way."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from onex.demo.http import Speaker
from onex.demo.samples import Samples, SampleSheet
from onex.demo.screen import Bar
from onex.demo.trouble import Answered, Halt

POLL_SECONDS = 0.3
STANDSTILL_SECONDS = 90.0
EARLY_SECONDS = 60.0
# What a preview says of a row whose facts have not arrived from another service yet.
EARLY_CODES = frozenset({"scheme_unknown", "level_not_offered", "not_enrolled", "training_not_completed", "not_passed"})


@dataclass
class Import:
    """One upload of a sheet, and how it stands."""

    sheet: SampleSheet
    speaker: Speaker
    state: dict[str, Any] = field(default_factory=dict)
    uploads: int = 0

    @property
    def path(self) -> str:
        return f"/imports/{self.state['number']}"

    def look(self) -> None:
        """Ask how it stands."""
        self.state = self.speaker.get(self.sheet.service, self.path)

    def refused(self) -> dict[int, str]:
        """The refused rows by number, with the code of why."""
        rows = self.speaker.listed(self.sheet.service, f"{self.path}/rows", status="refused")
        return {row["row"]: row["code"] for row in rows}

    def differences(self) -> list[str]:
        """A sentence for each row that was refused and should not be, or the other way round."""
        found, expected = self.refused(), self.sheet.refused
        return [
            f"{self.sheet.file} row {row}: expected {expected.get(row, 'to be taken')}, found {found.get(row, 'taken')}"
            for row in sorted(found.keys() | expected.keys())
            if found.get(row) != expected.get(row)
        ]


def upload_all(
    samples: Samples, sheets: list[SampleSheet], speakers: dict[str, Speaker], bar: Bar, early_seconds: float
) -> list[Import]:
    """Upload, preview and commit the sheets of one stage, side by side.

    `early_seconds`: for how long rows may be refused because facts are still on their way.
    """
    imports = [Import(sheet, speakers[sheet.client]) for sheet in sheets]
    for one in imports:
        upload(samples, one)
    wait_for_state(imports, "previewed", bar)
    settle_early(samples, imports, bar, early_seconds)
    for one in imports:
        one.speaker.post(one.sheet.service, f"{one.path}/commit")
    wait_for_state(imports, "committed", bar)
    return imports


def upload(samples: Samples, one: Import) -> None:
    """Send the file under a new request id; the same id while nobody has answered."""
    one.uploads += 1
    one.state = one.speaker.post(
        one.sheet.service,
        "/imports",
        params={"kind": one.sheet.kind, "language": "zh"},
        files={"file": (one.sheet.file, samples.content(one.sheet))},
        headers={"Idempotency-Key": str(uuid.uuid4())},
    )


def settle_early(samples: Samples, imports: list[Import], bar: Bar, early_seconds: float) -> None:
    """Preview again what was refused only because facts were still under way."""
    until = time.monotonic() + early_seconds
    early = imports
    while (early := [one for one in early if is_early(one)]) and time.monotonic() < until:
        time.sleep(POLL_SECONDS * 3)
        for one in early:
            discard(one)
            upload(samples, one)
        wait_for_state(early, "previewed", bar)
    if early and early_seconds:
        raise Halt(
            f"{bar.title} stands still: {early[0].sheet.service} does not know yet what others announced; "
            f"after {early_seconds:.0f} s {'; '.join(early[0].differences()[:3])}."
        )


def discard(one: Import) -> None:
    """Throw a preview away; it may be gone already when the answer to a first request was lost."""
    try:
        one.speaker.delete(one.sheet.service, one.path)
    except Answered as refusal:
        if refusal.status != HTTPStatus.NOT_FOUND:
            raise


def is_early(one: Import) -> bool:
    """Whether rows are refused that should not be, for want of facts that others announce."""
    if one.state["counts"]["refused"] <= len(one.sheet.refused):
        return False
    return any(code in EARLY_CODES for row, code in one.refused().items() if row not in one.sheet.refused)


def wait_for_state(imports: list[Import], state: str, bar: Bar) -> None:
    """Wait until all stand in a state; Halt when one cannot be read, or when none moves any more."""
    moved_at, before = time.monotonic(), ""
    total = sum(one.sheet.rows for one in imports)
    while True:
        open_ones = [one for one in imports if one.state["state"] != state]
        for one in open_ones:
            one.look()
            check_readable(one)
        now = f"{[(one.state['state'], one.state['processed']) for one in imports]}"
        moved_at, before = (time.monotonic(), now) if now != before else (moved_at, before)
        bar.at(sum(rows_done(one, state) for one in imports), total, state)
        if all(one.state["state"] == state for one in imports):
            return
        if time.monotonic() - moved_at > STANDSTILL_SECONDS:
            names = ", ".join(f"{one.sheet.file} ({one.state['state']})" for one in open_ones)
            raise Halt(f"{bar.title} stands still: not {state} after {STANDSTILL_SECONDS:.0f} s: {names}.")
        time.sleep(POLL_SECONDS)


def rows_done(one: Import, state: str) -> int:
    """How many rows of a sheet have been through."""
    return one.sheet.rows if one.state["state"] == state else int(one.state["processed"])


def check_readable(one: Import) -> None:
    """Halt at a file that a service cannot read."""
    if one.state["state"] == "unreadable":
        problem = one.state.get("problem") or {}
        raise Halt(f"{one.sheet.file} cannot be read: {problem.get('code')} {problem.get('detail')}")


def row_differences(imports: Iterable[Import]) -> list[str]:
    """The rows that became something else than expected."""
    return [sentence for one in imports for sentence in one.differences()]


def changed_rows(imports: Iterable[Import]) -> int:
    """How many rows an upload added or changed."""
    return sum(int(one.state["done"]["new"]) + int(one.state["done"]["changed"]) for one in imports)

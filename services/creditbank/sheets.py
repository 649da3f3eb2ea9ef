"""The sheets that the credit bank takes, for its doors."""

from __future__ import annotations

from chassis.sheet.imports import Sheets
from services.creditbank.outcomes.sheet import outcomes_sheet
from services.creditbank.reconciliation.sheet import report_sheet
from services.creditbank.register import Register


def sheets(register: Register, master: bytes, old_after_days: int) -> Sheets:
    """Outcomes of other kinds and certificate reports; `master` wraps the key of each import.

    `old_after_days`: from which age on outcomes are told in a digest.
    """
    return Sheets("creditbank", (outcomes_sheet(register, old_after_days), report_sheet(register)), master)

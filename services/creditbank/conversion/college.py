"""What the college says that conversion depends on: curricula, as far as they have arrived."""

from __future__ import annotations

from services.creditbank.conversion.domain import Plan


def plan_of(programme: str, entry_year: int) -> Plan | None:  # noqa: ARG001 -- until curricula arrive here
    """The curriculum of a programme and entry year; None while none is known."""
    return None

"""Drawings of what goes up beside what goes down, as bars to the right and to the left of a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portal.pages.conversions import Found

MOST_BARS = 24  # of one drawing; the table has all
HALF = 220  # of a drawing, in its own units: the longest bar


def drawn(rows: Sequence[Found], right: str, left: str) -> dict[str, Any]:
    """A bar for each row that has something of either, the largest first: these two of its figures, to the right and to
    the left. Rows of one size stay in their order."""
    shown = sorted((one for one in rows if one[right] or one[left]), key=lambda one: -(one[right] + one[left]))
    most = max((max(one[right], one[left]) for one in shown), default=1)
    bars = [
        one | {"right": round(one[right] * HALF / most, 1), "left": round(one[left] * HALF / most, 1)}
        for one in shown[:MOST_BARS]
    ]
    return {"bars": bars, "half": HALF, "is_cut": len(shown) > len(bars)}

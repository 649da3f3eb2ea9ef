"""Whose external ids a caller speaks of."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from chassis.web.access import INSUFFICIENT, OUTSIDE_YOUR_SCOPE
from services.creditbank.outcomes.domain import COLLEGE, Sender


def sender_of(named: str, owns: Mapping[str, Collection[str]]) -> Sender:
    """The college's, or another source's that it names; of an organisation its own. Refusal for anybody else."""
    if not owns:
        return Sender(named or COLLEGE)
    own = sorted(owns.get("teo", ()))
    if len(own) != 1 or named not in ("", own[0]):
        raise OUTSIDE_YOUR_SCOPE(challenge=INSUFFICIENT)
    return Sender(own[0], own[0])

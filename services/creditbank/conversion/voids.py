"""Voiding 作废 an exemption that a set-back forgot and nobody can file again: proposed, approved by another; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.errors import Ground
from contracts.terms import Level

VOIDED = "exemption_voided"
REASON_MISSING = Ground(
    "void_without_reason",
    en="To void an exemption takes a reason that the learner can read. Fill in reason.",
    zh="作废免修须说明理由，学习者会读到它，请填写 reason。",
)
NOT_FORGOTTEN = Ground(
    "exemption_not_forgotten",
    en="No exemption under the name {application} was announced and forgotten, or it is back, or voided.",
    zh="没有名为 {application} 的已公布而系统遗失的免修，或其已恢复、已作废。",
    status=409,
)
PROPOSED_BY_YOU = Ground(
    "void_proposed_by_you",
    en="You proposed to void this exemption. A second person has to approve.",
    zh="该作废由您提出，须由另一人批准。",
    status=409,
)
PROPOSED_ANEW = Ground(
    "void_proposed_anew",
    en="What you looked at was proposal {seen}; by now it is proposal {revision}. Look at it again.",
    zh="您查看的是第 {seen} 次提案，现已更新为第 {revision} 次，请重新查看。",
    status=409,
)


class VoidState(StrEnum):
    PROPOSED = "proposed"
    VOIDED = "voided"


@dataclass(frozen=True)
class Void:
    """The proposal to void one forgotten exemption, and what came of it. `is_exported`: the registry's system has it.

    `revision` counts what was proposed: an approval is of the one that was looked at.
    """

    application: str
    learner_id: str
    scheme: str
    level: Level
    course: str
    module: str
    credit_points: int
    reason: str
    is_exported: bool
    proposed_by: str
    proposed_at: datetime
    revision: int = 1
    state: VoidState = VoidState.PROPOSED
    approved_by: str = ""
    approved_at: datetime | None = None

    def says(self, other: Void) -> bool:
        """Whether it proposes the same as another, whoever did."""
        return (self.reason, self.is_exported) == (other.reason, other.is_exported)


def proposed(before: Void | None, one: Void) -> Void:
    """What is proposed now: the same again is what it was, anything else takes its place. Refusal without a reason."""
    if not one.reason.strip():
        raise REASON_MISSING()
    if before is None:
        return one
    return before if before.says(one) else replace(one, revision=before.revision + 1)


def approved(one: Void, seen: int, by: str, at: datetime) -> Void:
    """The proposal as a second person approved it. Refusal to its author, and of what was not looked at."""
    if one.revision != seen:
        raise PROPOSED_ANEW(seen=seen, revision=one.revision)
    if by == one.proposed_by:
        raise PROPOSED_BY_YOU()
    return replace(one, state=VoidState.VOIDED, approved_by=by, approved_at=at)

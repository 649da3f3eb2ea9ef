"""Digests: credit of outcomes that were old when they came is told once a day, in place of a notice each."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from chassis import clock
from chassis.bus import outbox
from chassis.database import transactional
from chassis.strands import name_keys, survivor_of
from contracts.creditbank import OutcomesDigested
from services.creditbank.ledger import queries as ledger
from services.creditbank.outcomes import models
from services.creditbank.outcomes.domain import OLD
from services.creditbank.recognition.queries import outcomes_of

LEARNER = "learner:"
BATCH = 100  # accounts a transaction
MOST_ENTRIES = 2_000  # of one account in one digest; the rest is told with the next
A_DAY = timedelta(days=1)


def note_old(touched: Collection[tuple[str, str]]) -> None:
    """Of the (learner, source) pairs that settling touched, have those told of tomorrow who have old outcomes there."""
    others = {(learner_id, scheme) for learner_id, scheme in touched if "." in scheme}
    known = outcomes_of({learner_id for learner_id, _ in others}) if others else {}
    of_old = {place for place, found in known.items() if any(one.what == OLD for one in found.values())}
    if due := others & of_old:
        models.mark_due({learner_id for learner_id, _ in due}, clock.today() + A_DAY)


@transactional
def tell_digests() -> bool:
    """Tell the next accounts what old outcomes have brought them; True when there are more."""
    due = models.due(clock.today(), BATCH)
    name_keys(LEARNER + learner_id for learner_id, _ in due)
    models.mark_told({learner_id: _told(learner_id, after) for learner_id, after in due})
    return len(due) == BATCH


def _told(learner_id: str, after: int) -> int:
    """Tell one account, or whoever has it since a merge; up to which entry it was told of."""
    points, last = ledger.made_available(learner_id, after, OLD, MOST_ENTRIES)
    if points:
        owner = survivor_of(LEARNER + learner_id).removeprefix(LEARNER)
        digest = OutcomesDigested(
            learner_id=owner,
            day=clock.today(),
            outcomes=len(points),
            available_points=sum(points.values()),
            available_balance=ledger.available_points(owner),
        )
        outbox.append(digest, cause=f"digest:{learner_id}:{last}")
    return last

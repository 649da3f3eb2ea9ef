"""What a proposal would change for one holding after the other; nothing is written, nobody is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from services.creditbank.ledger.domain import Worth
from services.creditbank.proposals.domain import (
    Change,
    Found,
    Group,
    ProgrammeGroup,
    Rerate,
    Tally,
    VersionDraft,
    added,
    added_up,
)
from services.creditbank.recognition.domain import (
    Outcome,
    Rulebook,
    counted_level,
    moved,
    next_version,
    pinned,
    worth,
)

Deed = Callable[[Outcome], Outcome]


@dataclass(frozen=True)
class Effects:
    """What becomes of an outcome when the proposal is carried out, and when its version's outcomes are moved, too."""

    enacted: Deed
    rerated: Deed


@dataclass(frozen=True)
class Shift:
    """What a learner has from a scheme, and would have: by the proposal alone, and after a rerate to its version.

    `programme`: what they study, or studied last.
    """

    learner_id: str
    scheme: str
    level: int
    before: Worth
    enacted: Worth
    rerated: Worth
    programme: str = ""

    @property
    def change(self) -> int:
        """By how many credit_points it grows in the end, to come and available together."""
        return sum(self.rerated) - sum(self.before)

    @property
    def tally(self) -> Tally:
        change, published = self.change, sum(self.enacted) - sum(self.before)
        return Tally(1, int(change > 0), int(change < 0), max(change, 0), max(-change, 0), published)


def effects_of(change: Change, rules: Rulebook, rules_after: Rulebook) -> Effects:
    """What a change does to outcomes, between the rules there are and those there would be."""
    if isinstance(change, VersionDraft):
        return _of_version(change, rules, rules_after)
    if isinstance(change, Rerate):
        targets = change.by_place()
        deed: Deed = lambda one: moved(one, rules, targets, 0) or one  # noqa: E731
        return Effects(deed, deed)
    return Effects(_left, _left)


def _left(outcome: Outcome) -> Outcome:
    """A retirement leaves what is pinned, and what waits goes on waiting."""
    return outcome


def _of_version(draft: VersionDraft, rules: Rulebook, after: Rulebook) -> Effects:
    """Publishing pins what waits for the rule; moving what is pinned elsewhere takes a rerate."""
    place = draft.scheme, draft.level
    targets = {place: next_version(rules.get(place, ()))}

    def enacted(one: Outcome) -> Outcome:
        if (one.scheme, one.level) != place or not one.is_waiting or one.rule_version:
            return one
        return pinned(replace(one, is_waiting=False), after)

    def rerated(one: Outcome) -> Outcome:
        found = enacted(one)
        return moved(found, after, targets, 0) or found

    return Effects(enacted, rerated)


def shifts(outcomes: Iterable[Outcome], effects: Effects) -> Iterator[Shift]:
    """The holdings that would change, from outcomes that come learner by learner; as if everybody had an account."""
    by_learner = groupby(outcomes, key=lambda one: one.learner_id)
    holdings = (held for _, of_learner in by_learner for held in _by_scheme(of_learner).values())
    for shift in (_shift(held, effects) for held in holdings):
        if not shift.before == shift.enacted == shift.rerated:
            yield shift


def _by_scheme(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for one in outcomes:
        found.setdefault(one.scheme, []).append(one)
    return found


def _shift(outcomes: Sequence[Outcome], effects: Effects) -> Shift:
    """What becomes of one holding, by all of its outcomes."""
    rerated = [effects.rerated(one) for one in outcomes]
    return Shift(
        learner_id=outcomes[0].learner_id,
        scheme=outcomes[0].scheme,
        level=counted_level(rerated) or counted_level(outcomes),
        before=worth(outcomes),
        enacted=worth(effects.enacted(one) for one in outcomes),
        rerated=worth(rerated),
    )


def grouped(found: Iterable[Shift]) -> Found:
    """The tallies of some shifts."""
    shifted = list(found)
    groups = added((), (Group(one.scheme, one.level, one.tally) for one in shifted))
    return Found(groups, added_up((), (ProgrammeGroup(one.programme, one.tally) for one in shifted)))

"""Take in outcomes of every kind: keep them, have them recognised, and say what their sources are called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from chassis import clock
from chassis.bus import outbox
from chassis.database import transactional
from chassis.errors import Refusal, sift
from chassis.strands import name_keys, survivor_of
from contracts.creditbank import OutcomeSourceNamed
from services.creditbank.conversion.applying import review_touched
from services.creditbank.outcomes import models
from services.creditbank.outcomes.digests import note_old
from services.creditbank.outcomes.domain import Intake, Item, Known, Sender, Source, Weighed, outcome_of, place_of
from services.creditbank.papers.commands import name_schemes, review_credentials
from services.creditbank.recognition.commands import settle
from services.creditbank.recognition.domain import scheme_of
from services.creditbank.recognition.queries import outcomes_of

LEARNER = "learner:"


@transactional
def submit(
    items: Sequence[Item], sender: Sender, old_after_days: int, submitted_by: str = ""
) -> list[Weighed | Refusal]:
    """Take in at most 500 outcomes; each is judged by itself, in order, and a repeat changes nothing."""
    items = of_survivors(items)
    intake = Intake(known_of(items, sender, old_after_days))
    sifted = sift(lambda numbered: intake.weigh(numbered[1], sender, submitted_by), enumerate(items))
    keep_weighed([weighed for _, weighed in sifted.accepted])
    judged: dict[int, Weighed | Refusal] = {numbered[0]: weighed for numbered, weighed in sifted.accepted}
    judged |= {numbered[0]: refusal for numbered, refusal in sifted.refused}
    return [judged[index] for index in range(len(items))]


def of_survivors(items: Sequence[Item]) -> list[Item]:
    """The same for the learners they concern now, whose strands are named."""
    name_keys(LEARNER + one.learner_id for one in items)
    return [replace(one, learner_id=_now(one.learner_id)) for one in items]


def _now(learner_id: str) -> str:
    return survivor_of(LEARNER + learner_id).removeprefix(LEARNER)


def known_of(items: Iterable[Item], sender: Sender, old_after_days: int) -> Known:
    """What these items are judged against."""
    items = list(items)
    return Known(
        submissions=models.find({place_of(sender.code, one.external_id) for one in items}),
        sources=models.find_sources({f"{one.kind}.{one.code}" for one in items}),
        today=clock.today(),
        old_after_days=old_after_days,
    )


@transactional
def keep_weighed(weighed: Sequence[Weighed]) -> None:
    """Keep what was weighed in this transaction, and have what is news recognised; applications and credentials that
    rest on it are looked at again."""
    name_keys(LEARNER + one.after.learner_id for one in weighed)
    weighed = [replace(one, after=replace(one.after, learner_id=_now(one.after.learner_id))) for one in weighed]
    name_sources([one.source for one in weighed if one.source])
    models.keep(one.after for one in weighed if one.renews)
    touched = settle([outcome_of(one.after) for one in weighed if one.is_change])
    review_touched(touched)
    review_credentials({learner_id for learner_id, _ in touched})
    note_old(touched)


def put_source(source: Source) -> Source:
    """Enter what a source is called and whose licence it is; the same again changes nothing."""
    return _put_source(replace(source, scheme=scheme_of(source.scheme)))


@transactional
def _put_source(source: Source) -> Source:
    name_keys([f"scheme:{source.scheme}"])
    before = models.find_sources([source.scheme]).get(source.scheme)
    if before != source:
        name_sources([source], is_told=before is None or before.title != source.title)
    return source


def name_sources(sources: Sequence[Source], is_told: bool = True) -> None:
    """Keep what sources are called, and announce it."""
    models.keep_sources(sources)
    if not is_told:
        return
    name_schemes({one.scheme: (one.title, one.teo) for one in sources})
    for one in sources:
        outbox.append(OutcomeSourceNamed(scheme=one.scheme, name=one.title), cause=f"source:{one.scheme}:{one.title}")


@transactional
def move_submissions(survivor_id: str, merged_id: str) -> None:
    """Two learners are one person: the survivor has the outcomes of both. Again changes nothing."""
    survivor_id = _now(survivor_id)
    models.move(survivor_id, merged_id)
    note_old(outcomes_of([survivor_id]).keys())

"""Record results, close their publicity, correct and annul them; each with its announcement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from chassis import clock
from chassis.bus import outbox
from chassis.bus.event import Announcement
from chassis.database import transactional
from chassis.errors import NOT_FOUND, Refusal, sift
from chassis.strands import name_keys
from contracts.assessment import OfResult, ResultAnnulled, ResultCorrected, ResultFinalised, ResultPublicised
from services.assessment.catalogue import commands as catalogue_commands
from services.assessment.catalogue import queries as catalogue
from services.assessment.plans import queries as plans
from services.assessment.plans.domain import candidate_id_of
from services.assessment.results import models
from services.assessment.results.domain import (
    Docket,
    Kind,
    Known,
    Marks,
    Result,
    Sitting,
    State,
    Step,
    Weighed,
    annulled,
    end_of,
    finalised,
    taken,
)

BATCH = 500
CALENDAR_SETTLES = timedelta(seconds=60)  # longer than any transaction that may have read the calendar before


@transactional
def record_results(sittings: Sequence[Sitting]) -> list[Weighed | Refusal]:
    """Record at most 500 sittings; each is judged by itself, in order, and a repeat changes nothing."""
    docket = Docket(known_of(sittings))
    sifted = sift(lambda numbered: docket.weigh(numbered[1]), enumerate(sittings))
    keep_weighed([weighed for _, weighed in sifted.accepted])
    judged: dict[int, Weighed | Refusal] = {numbered[0]: weighed for numbered, weighed in sifted.accepted}
    judged |= {numbered[0]: refusal for numbered, refusal in sifted.refused}
    return [judged[index] for index in range(len(sittings))]


def known_of(sittings: Sequence[Sitting]) -> Known:
    """What these sittings are weighed against, read with a handful of queries."""
    found = plans.plans_of({one.plan_id for one in sittings})
    schemes = catalogue.schemes({plan.scheme for plan in found.values()})
    candidates = plans.candidates_of({candidate_id_of(one.plan_id, one.admission_number) for one in sittings})
    results = {one.id: one for one in models.results_by_id({one.result_id for one in sittings})}
    learners = set[str]()
    for one in sittings:
        candidate = candidates.get(candidate_id_of(one.plan_id, one.admission_number))
        if candidate and _looks_further(one, results.get(one.result_id)):
            learners.add(candidate.learner_id)
    if learners:
        results |= {one.id: one for one in models.results_of_learners(learners, schemes)}
    names = {f"{one.plan_id.partition(':')[0]}:{one.external_id}" for one in sittings if one.external_id}
    return Known(
        plans=found,
        schemes=schemes,
        candidates=candidates,
        results=list(results.values()),
        external_ids=models.external_ids_of(names),
        days=catalogue.working_days(),
        now=clock.now(),
    )


def _looks_further(sitting: Sitting, known: Result | None) -> bool:
    """Whether the learner's other results matter: to carry a part over, or because one may be carried over."""
    return sitting.marks != known.marks if known else sitting.marks.is_of_one_part


@transactional
def keep_weighed(weighed: Sequence[Weighed]) -> None:
    """Keep what sittings did that were weighed in this transaction, and announce it."""
    name_keys(f"learner:{one.after.learner_id}" for one in weighed if one.steps)
    weighed = [taken(one, beyond_forgotten(one.steps)) for one in weighed]
    models.save_weighed(weighed)
    models.save_external_ids(_new_external_ids(weighed))
    _announce(step for one in weighed for step in one.steps)


def _new_external_ids(weighed: Iterable[Weighed]) -> dict[str, str]:
    named = {f"{one.after.teo}:{one.sitting.external_id}": one.after.id for one in weighed if one.sitting.external_id}
    known = models.external_ids_of(named)
    return {name: result_id for name, result_id in named.items() if name not in known}


def beyond_forgotten(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Steps of one result; what was not announced before a set-back gets a revision that was not announced, either.

    Readers ignore a revision they know (ADR 9).
    """
    beyond = list(steps)
    for at, step in enumerate(steps):
        told = [one for one in _forgotten(step.result.learner_id) if one.result_id == step.result.id]
        last = max([*(one.revision for one in told), *(one.result.revision for one in beyond[:at])], default=0)
        if step.result.revision <= last and ANNOUNCEMENTS[step.kind](step) not in told:
            beyond[at] = replace(step, result=replace(step.result, revision=last + 1))
    return tuple(beyond)


def _forgotten(learner_id: str) -> list[OfResult]:
    return outbox.forgotten_on(f"learner:{learner_id}", OF_RESULTS)


def _announce(steps: Iterable[Step], cause: str = "") -> None:
    for step in steps:
        outbox.append(ANNOUNCEMENTS[step.kind](step), cause or step.result.submitted_by)


def _publicised(step: Step) -> Announcement:
    return ResultPublicised(**_common(step.result), due_on=step.result.due_on)


def _finalised(step: Step) -> Announcement:
    return ResultFinalised(**_common(step.result))


def _corrected(step: Step) -> Announcement:
    return ResultCorrected(**_common(step.result), final=step.result.state == State.FINAL)


def _annulled(step: Step) -> Announcement:
    return ResultAnnulled(**_common(step.result), reason=step.reason)


ANNOUNCEMENTS: dict[Kind, Callable[[Step], Announcement]] = {
    "publicised": _publicised,
    "finalised": _finalised,
    "corrected": _corrected,
    "annulled": _annulled,
}


OF_RESULTS: dict[str, type[OfResult]] = {
    one.__name__: one for one in (ResultPublicised, ResultFinalised, ResultCorrected, ResultAnnulled)
}


def _common(one: Result) -> dict[str, Any]:
    return {
        "learner_id": one.learner_id,
        "result_id": one.id,
        "revision": one.revision,
        "teo": one.teo,
        "plan": one.plan,
        "scheme": one.scheme,
        "level": one.level,
        "attempt": one.attempt,
        "session_date": one.session_date,
        "verdict": one.verdict,
    }


def close_due_publicity() -> bool:
    """Make final whatever stood in publicity long enough, 500 a transaction; True when there is more."""
    return _close_batch() == BATCH


@transactional
def _close_batch() -> int:
    due = models.results_due(clock.now(), BATCH)
    name_keys(f"learner:{one.learner_id}" for one in due)
    steps = [beyond_forgotten([Step("finalised", finalised(one))])[0] for one in due]
    models.save_steps(zip(due, steps, strict=True))
    _announce(steps)
    return len(due)


def close_publicity(plan_id: str) -> int:
    """Have the job close a plan's publicity now, whatever its due date; how many results that concerns."""
    plans.plan_of(plan_id)
    return models.mark_closing(plan_id, clock.now())


def date_open_publicity() -> None:
    """Give open results the due date of the calendar as published; where it does not reach, they keep what they had.

    What a command closes keeps its date, too.
    """
    began = datetime.now(UTC)
    changed = catalogue.calendar_changes(began - CALENDAR_SETTLES)
    days = catalogue.working_days()
    for opening in models.openings(undated_only=not changed):
        due_on = days.last_of(date.fromisoformat(opening[0]), opening[1])
        if due_on and due_on.isoformat() != opening[2]:
            models.set_due(opening, due_on, end_of(due_on))
    if changed:
        catalogue_commands.calendar_applied(changed, began)


@transactional
def correct_result(result_id: str, marks: Marks, reason: str) -> Result:
    """Give a result other marks, final or not, on the exam office's word; the same marks change nothing."""
    before, docket = _opened(result_id)
    if before.marks == marks and before.state != State.ANNULLED:
        return before
    after = docket.corrected(before, marks, clock.now())
    _keep_step(before, Step("corrected", after, reason), after.submitted_by)
    return after


@transactional
def annul_result(result_id: str, reason: str) -> Result:
    """Take a result back; annulled already, it stays so."""
    before, docket = _opened(result_id)
    if before.state == State.ANNULLED:
        return before
    after = annulled(before, docket.others(before.subject, before.id))
    _keep_step(before, Step("annulled", after, reason), f"result:{result_id}:r{after.revision}")
    return after


def _opened(result_id: str) -> tuple[Result, Docket]:
    """A result, and what it is judged against: its learner's other results."""
    for one in models.results_by_id([result_id]):
        name_keys([f"learner:{one.learner_id}"])
        known = Known(
            plans={},
            schemes=catalogue.schemes([one.scheme]),
            candidates={},
            results=models.results_of_learners([one.learner_id], [one.scheme]),
            external_ids={},
            days=catalogue.working_days(),
            now=clock.now(),
        )
        return one, Docket(known)
    raise NOT_FOUND(what="result", id=result_id)


def _keep_step(before: Result, step: Step, cause: str) -> None:
    (step,) = beyond_forgotten([step])
    models.save_steps([(before, step)])
    _announce([step], cause)


@transactional
def move_learners(moves: Sequence[tuple[str, str]]) -> None:
    """Give the results of merged learners to their survivors: (merged, survivor)."""
    models.move_results(moves)

"""Voiding exemptions that were granted and told, and that a set-back forgot: taken back, in nobody's way any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from chassis import clock, waiters
from chassis.bus import outbox
from chassis.database import transactional
from chassis.errors import NOT_FOUND
from contracts.creditbank import ConversionDecided, ExemptionGranted, ExemptionWithdrawn
from services.creditbank.conversion import models
from services.creditbank.conversion.applications import Application, Because, Export, State
from services.creditbank.conversion.applying import APPLICATION, MACHINE, kept, named_learner, reason_of
from services.creditbank.conversion.college import studies_of
from services.creditbank.conversion.domain import ExemptionKind, Target
from services.creditbank.conversion.forgotten import Granted, announced_of, lost_of
from services.creditbank.conversion.voids import NOT_FORGOTTEN, VOIDED, Void, VoidState, approved, proposed
from services.creditbank.ledger import commands as ledger

FORGOTTEN = "forgotten"  # the note of a grant that is known from the topic alone


@transactional
def lost_by(learner_id: str) -> list[tuple[Granted, Void | None]]:
    """What a learner was granted and a set-back forgot, each with the proposal to void it."""
    learner_id = named_learner(learner_id)
    lost = lost_of(learner_id, models.applications_of([learner_id]))
    return [(one, models.void_of(one.application_id)) for one in lost]


@transactional
def propose_void(learner_id: str, application_id: str, reason: str, is_exported: bool, by: str) -> Void:
    """Propose to void a forgotten exemption; the same again changes nothing. Refusal where none is forgotten."""
    learner_id = named_learner(learner_id)
    granted = _lost(learner_id, application_id, models.applications_of([learner_id]))
    names = ("scheme", "level", "course", "module", "credit_points")
    said = {name: getattr(granted, name) for name in names}
    one = Void(application_id, learner_id, **said, reason=reason.strip(), is_exported=is_exported,
               proposed_by=by, proposed_at=clock.now())  # fmt: skip
    one = proposed(models.void_of(application_id), one)
    models.keep_void(one)
    return one


@transactional
def approve_void(application_id: str, revision: int, by: str) -> Void:
    """Void it, as a second person: it is announced as withdrawn, and a case where the registry's system has it.

    Its learner may convert again. Refusal when it is back by now; again changes nothing.
    """
    found = models.void_of(application_id)
    if found is None:
        raise NOT_FOUND(what="void", id=application_id)
    learner_id = named_learner(found.learner_id)
    one = models.void_of(application_id) or found
    if one.state == VoidState.VOIDED and by == one.approved_by:
        return one
    own = models.applications_of([learner_id])
    granted = _lost(learner_id, application_id, own)
    done = replace(approved(one, revision, by, clock.now()), learner_id=learner_id)
    models.keep_void(done)
    _void(done, granted, own)
    return done


def _lost(learner_id: str, application_id: str, own: Sequence[Application]) -> Granted:
    found = next((one for one in lost_of(learner_id, own) if one.application_id == application_id), None)
    if found is None:
        raise NOT_FORGOTTEN(application=application_id)
    return found


def _void(void: Void, granted: Granted, own: Sequence[Application]) -> None:
    """What was announced is known again, and taken back: to whoever heard of it."""
    cause = f"exemption-void:{void.application}"
    for body in announced_of(void.learner_id, void.application):
        outbox.append(body, cause=cause)  # claims what the topic has; nothing is announced twice
    found = next((one for one in own if one.id == void.application), None)
    fallen = _fallen(_ended(found, cause) if found else _from(granted, void), void)
    outbox.append(_taken_back(granted, {"learner_id": void.learner_id} | reason_of(fallen)), cause=cause)
    kept(fallen)


def _taken_back(granted: Granted, why: dict[str, Any]) -> ConversionDecided | ExemptionWithdrawn:
    """What says that a grant counts no more; where the learner alone had heard of it, that it fell."""
    if isinstance(granted, ExemptionGranted):
        return ExemptionWithdrawn(**msgspec.structs.asdict(granted) | why)
    return msgspec.structs.replace(granted, decision=str(State.FALLEN), **why)


def _ended(one: Application, cause: str) -> Application:
    """An application that the set-back left on its way: it waits for nothing, and its points are available again."""
    waiters.done(APPLICATION, [one.id])
    if one.held:
        ledger.release(one.learner_id, one.scheme, one.level, one.held, cause)
    return replace(one, held=0, release_at=None, due_on=None, offer=None, is_appealable=False)


def _fallen(one: Application, void: Void) -> Application:
    """The application as it stands from now on: granted once, as everybody knows, and voided."""
    at = clock.now()
    known = one.acted("granted", MACHINE, at, FORGOTTEN)
    because = Because(VOIDED, void.reason, void.reason)
    voided = known.acted("voided", void.approved_by, at, void.proposed_by, state=State.FALLEN, because=because)
    export_state = Export.TAKEN if void.is_exported else Export.NONE
    return replace(voided, is_released=True, is_case=void.is_exported, export_state=export_state)


def _from(granted: Granted, void: Void) -> Application:
    """An application as far as its announcement tells of it."""
    kind = ExemptionKind(granted.kind) if isinstance(granted, ExemptionGranted) else ExemptionKind.COURSE
    studies = studies_of(void.learner_id)
    names = ("student_number", "programme", "entry_year", "term")
    told = {name: getattr(granted, name) for name in names} if isinstance(granted, ExemptionGranted) else {}
    mine = studies[0] if studies else None
    said = {"student_number": "", "programme": "", "entry_year": 0, "term": ""} | told
    return Application(
        id=void.application,
        learner_id=void.learner_id,
        filed_by=MACHINE,
        filed_on=clock.today(),
        rule="",
        rule_version=0,
        policy="",
        policy_version=0,
        department=mine.department if mine else "",
        class_name=mine.class_name if mine else "",
        scheme=granted.scheme,
        level=granted.level,
        target=Target(granted.course, granted.credit_points, kind.zh, kind, granted.module),
        **said,  # type: ignore[arg-type]
    )

"""What was granted and announced before the database was set back and is not known here now: until it is back, nothing
else is spent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeGuard

from chassis.bus.event import Announcement
from chassis.bus.outbox import forgotten_on
from chassis.errors import Ground
from contracts.creditbank import ConversionDecided, ExemptionGranted, ExemptionWithdrawn
from services.creditbank.conversion.applications import Application, State
from services.creditbank.conversion.voids import VOIDED
from services.creditbank.ledger.queries import merged_from

Granted = ConversionDecided | ExemptionGranted
ANNOUNCED = {one.__name__: one for one in (ConversionDecided, ExemptionGranted, ExemptionWithdrawn)}
EXEMPTION_NOT_BACK = Ground(
    "exemption_not_back",
    en="Before the database was set back, the exemption from {target} was granted and announced; it is not known here "
    "now. Have it filed and approved again, window or not; then the rest goes on. Where that can't be, the registry "
    "voids it.",
    zh="数据库回退前已批准并公布 {target} 的免修，系统目前没有该记录。"
    "请先重新提交该申请并批准（不受申请时段限制），再办理其他转换；无法重新办理的，由教务作废。",
    status=409,
)


def brought_back(one: Application, own: Sequence[Application]) -> Application:
    """A new application: where it asks for what was granted and forgotten, under its name, for its term, in a window or
    not. Refusal when something else was."""
    lost = lost_of(one.learner_id, own)
    found = [each for each in lost if _is_about(one, each)]
    if lost and not found:
        raise _not_back(lost[0])
    free = {each.application_id for each in found} - {each.id for each in own}
    again = replace(one, id=min(free)) if free else one
    terms = [each.term for each in found if isinstance(each, ExemptionGranted)]
    return replace(again, term=terms[0] if terms else one.term, is_brought_back=bool(found))


def check_nothing_forgotten(one: Application, own: Sequence[Application], is_approval: bool) -> None:
    """Refuse to approve anything before what was granted and forgotten, and to refuse that."""
    lost = lost_of(one.learner_id, own)
    about = [each for each in lost if _is_about(one, each)]
    if lost and bool(about) != is_approval:
        raise _not_back(lost[0])


def is_forgotten(one: Application, own: Sequence[Application]) -> bool:
    """Whether what an application asks for was granted, and the database forgot it."""
    return any(_is_about(one, each) for each in lost_of(one.learner_id, own))


def announced_of(learner_id: str, application_id: str) -> list[Granted]:
    """What the topic alone knows to be announced of one exemption's grant."""
    found = [one for whom in _everybody(learner_id) for one in forgotten_on(f"learner:{whom}", ANNOUNCED)]
    return [one for one in found if is_grant(one) and one.application_id == application_id]


def is_grant(one: Announcement) -> TypeGuard[Granted]:
    """Whether something announced a grant."""
    match one:
        case ExemptionGranted() | ConversionDecided(decision=State.GRANTED.value):
            return True
    return False


def lost_of(learner_id: str, own: Sequence[Application]) -> list[Granted]:
    """What was granted to a learner, or to whom they were before a merge, and is neither back nor withdrawn."""
    granted = [one for whom in _everybody(learner_id) for one in _granted_to(whom)]
    return [one for one in granted if not any(_is_back(each, one) for each in own)]


def _everybody(learner_id: str) -> Iterable[str]:
    """A learner, and all whom merges made this one, however many merges ago."""
    found, latest = [learner_id], [learner_id]
    while latest:
        into = merged_from(latest)
        latest = [one for whom in latest for one in into.get(whom, ()) if one not in found]
        found += latest
    return found


def _granted_to(learner_id: str) -> Iterable[Granted]:
    """What the topic alone knows to be granted, in the order it was announced."""
    found: dict[str, Granted] = {}
    for one in forgotten_on(f"learner:{learner_id}", ANNOUNCED):
        match one:
            case ExemptionWithdrawn():
                found.pop(one.application_id, None)
            case ExemptionGranted():
                found[one.application_id] = one
            case ConversionDecided(decision=State.GRANTED.value):
                found.setdefault(one.application_id, one)
    return found.values()


def _is_about(one: Application, granted: Granted) -> bool:
    """Whether an application asks for what was granted, under whatever name."""
    wanted = one.scheme, one.target.course, one.target.module
    return one.id == granted.application_id or wanted == (granted.scheme, granted.course, granted.module)


def _is_back(one: Application, granted: Granted) -> bool:
    """Whether an application is what was granted, or was granted in its stead; one that was voided is only itself."""
    if one.because and one.because.code == VOIDED:
        return one.id == granted.application_id
    return _is_about(one, granted) and _was_granted(one)


def _was_granted(one: Application) -> bool:
    return one.state in {State.GRANTED, State.FALLEN} and any(act.what == "granted" for act in one.acts)


def _not_back(granted: Granted) -> Exception:
    return EXEMPTION_NOT_BACK(target=granted.module or granted.course)

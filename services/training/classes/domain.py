"""Who gets a place in which class, and what a class may become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from chassis.errors import Ground
from contracts.terms import Level

DATES_REVERSED = Ground(
    "dates_reversed",
    en="The class ends on {ends_on}, before it starts on {starts_on}. Exchange the dates.",
    zh="结束日期 {ends_on} 早于开始日期 {starts_on}，请更正。",
)
PLACES_HELD = Ground(
    "places_held",
    en="{taken} learners hold a place in class {code}; give it at least as many places.",
    zh="班级 {code} 已有 {taken} 人占用名额，名额数不能少于该人数。",
    status=409,
)
CLASS_IN_USE = Ground(
    "class_in_use",
    en="Class {code} has learners; its scheme and level stay as they are. Open another class.",
    zh="班级 {code} 已有学员，不能更改证书和等级，请另开班级。",
    status=409,
)


Queue = tuple[str, Level]  # who asks for a place in a class of this scheme and level


class PlaceState(StrEnum):
    WAITING = "waiting"  # no class of its scheme and level has room
    HELD = "held"
    COMPLETED = "completed"


@dataclass(frozen=True)
class TrainingClass:
    """A class. `taken`: how many places are held, by learners who completed it too."""

    code: str
    scheme: str
    level: Level
    places: int
    starts_on: date
    ends_on: date
    class_hours: int
    taken: int = 0

    @property
    def queue(self) -> Queue:
        return self.scheme, self.level

    @property
    def room(self) -> int:
        return max(self.places - self.taken, 0)


@dataclass(frozen=True)
class Approval:
    """An approved application: who may be trained for what. `cause` is the event that said so, `turn` its number in
    the queue."""

    application_id: str
    learner_id: str
    scheme: str
    level: Level
    cause: str = ""
    turn: int = 0

    @property
    def queue(self) -> Queue:
        return self.scheme, self.level


@dataclass(frozen=True)
class Place:
    application_id: str
    learner_id: str
    scheme: str
    level: Level
    state: PlaceState
    class_code: str = ""
    turn: int = 0

    @property
    def queue(self) -> Queue:
        return self.scheme, self.level


def check_class(wanted: TrainingClass, present: TrainingClass | None) -> None:
    """Refuse what would turn learners out of a class, or time around."""
    if wanted.ends_on < wanted.starts_on:
        raise DATES_REVERSED(starts_on=wanted.starts_on, ends_on=wanted.ends_on)
    if present is None or not present.taken:
        return
    if (wanted.scheme, wanted.level) != (present.scheme, present.level):
        raise CLASS_IN_USE(code=wanted.code)
    if wanted.places < present.taken:
        raise PLACES_HELD(code=wanted.code, taken=present.taken)


def without_place(approvals: Iterable[Approval], places: Iterable[Place]) -> list[Approval]:
    """Approvals of which no place is known yet; one for each learner, scheme and level."""
    known = {(place.learner_id, place.scheme, place.level) for place in places}
    fresh: dict[tuple[str, str, Level], Approval] = {}
    for approval in approvals:
        wanted = (approval.learner_id, approval.scheme, approval.level)
        if wanted not in known:
            fresh.setdefault(wanted, approval)
    return list(fresh.values())


def allocate(approvals: Iterable[Approval], classes: Iterable[TrainingClass]) -> dict[str, str]:
    """Class codes by application: the class that starts first is filled first. Who is not in it waits."""
    free: dict[tuple[str, Level], list[str]] = {}
    for each in sorted(classes, key=lambda one: (one.starts_on, one.code), reverse=True):
        free.setdefault((each.scheme, each.level), []).extend([each.code] * each.room)
    seated = {}
    for approval in approvals:
        if codes := free.get((approval.scheme, approval.level)):
            seated[approval.application_id] = codes.pop()
    return seated


def doubled(places: Sequence[Place], survivor_id: str) -> list[Place]:
    """Places that two learners who are one person had both; what is further along stays, of two that wait the one whose
    turn comes first, of two others the survivor's."""
    order = [PlaceState.COMPLETED, PlaceState.HELD, PlaceState.WAITING]

    def rank(one: Place) -> tuple[int, int, bool]:
        turn = one.turn if one.state is PlaceState.WAITING else 0
        return order.index(one.state), turn, one.learner_id != survivor_id

    best: dict[Queue, Place] = {}
    for place in sorted(places, key=rank):
        best.setdefault(place.queue, place)
    return [place for place in places if best[place.queue] is not place]


def room_by_queue(classes: Iterable[TrainingClass]) -> dict[Queue, int]:
    """How many places are free for each queue."""
    room: Counter[Queue] = Counter()
    for one in classes:
        room[one.queue] += one.room
    return dict(room)


def fact(queue: Queue) -> str:
    """What those without a place wait for."""
    scheme, level = queue
    return f"class:{scheme}:{int(level)}"


def queue_key(queue: Queue) -> str:
    """The strand of all who give, take or ask for places of this scheme and level; it numbers their turns."""
    scheme, level = queue
    return f"queue:{scheme}:{int(level)}"

"""Look classes and places up."""

from __future__ import annotations

from collections.abc import Iterable

from chassis.database import Row
from chassis.errors import NOT_FOUND
from services.training.classes import models
from services.training.classes.domain import Place, PlaceState, TrainingClass


def class_by_code(code: str) -> TrainingClass:
    """A class; refusal: not_found."""
    found = models.find_classes([code]).get(code)
    if found is None:
        raise NOT_FOUND(what="class", id=code)
    return found


def classes_by_code(codes: Iterable[str]) -> dict[str, TrainingClass]:
    """Classes by code."""
    return models.find_classes(codes)


def classes_page(after: str, limit: int, scheme: str = "", level: int = 0) -> list[TrainingClass]:
    """Classes by code, after the one named."""
    where = {**({"scheme": scheme} if scheme else {}), **({"level": level} if level else {})}
    return [models.class_of(row) for row in models.rows_of_classes(after, limit, where)]


def places_page(code: str, after: str, limit: int) -> list[Row]:
    """The places of a class, by application, after the one named; refusal: not_found."""
    return models.rows_of_class(class_by_code(code).code, after, limit)


def places_of(learner_ids: Iterable[str]) -> list[Place]:
    """The places of these learners, waiting ones too."""
    return models.places_of_learners(learner_ids)


def places_after(application_id: str, limit: int) -> list[Place]:
    """All places in the order of their applications, after the one named."""
    return models.places_after(application_id, limit)


def caused_by(cause: str) -> list[Row]:
    """The places an approval led to."""
    return models.rows_caused_by(cause)


def place_counts() -> dict[PlaceState, int]:
    """How many places stand in which state."""
    counts = models.count_by_state()
    return {state: counts.get(state, 0) for state in PlaceState}

"""Look completions up."""

from __future__ import annotations

from collections.abc import Iterable

from chassis.database import Row
from services.training.completions import models
from services.training.completions.domain import Completion


def completions_of(application_ids: Iterable[str]) -> list[Completion]:
    """What is recorded for these applications."""
    return models.find(application_ids)


def caused_by(cause: str) -> list[Row]:
    """The completions a row of a sheet led to."""
    return models.rows_caused_by(cause)

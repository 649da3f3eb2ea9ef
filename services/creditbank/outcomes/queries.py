"""Looking outcomes up, with what those that are not credited yet wait for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from contracts.terms import level_words
from services.creditbank.outcomes import models
from services.creditbank.outcomes.domain import RESULT, Source, Submission, kind_and_code
from services.creditbank.recognition.queries import waiting_facts


def submissions(where: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    """Submissions in the order of their names, as far as they are credited."""
    found = models.page_of(dict(where), limit)
    facts = waiting_facts([(one.learner_id, RESULT + one.place) for one in found])
    return [shown(one, facts.get((one.learner_id, RESULT + one.place), "")) for one in found]


def caused_by(cause: str) -> list[tuple[Submission, datetime]]:
    """The submissions whose values a sheet's row gave, and when they were kept."""
    return models.caused_by(cause)


def shown(one: Submission, waiting_for: str) -> dict[str, Any]:
    """A submission as it is shown."""
    kind, code = kind_and_code(one.scheme)
    names = ("sender", "external_id", "scheme", "level", "learner_id", "day", "state", "as_of", "evidence", "revision")
    return {
        **{name: getattr(one, name) for name in names},
        "id": one.place,
        "kind": kind,
        "code": code,
        "level_name": level_words(one.scheme, one.level)[0],
        "is_old": one.is_old,
        "submitted_by": one.submitted_by,
        "waiting_for": waiting_for or None,
    }


def sources_after(after: str, limit: int) -> list[dict[str, Any]]:
    """Sources in the order of their names."""
    return [source_shown(one) for one in models.page_of_sources(after, limit)]


def source_shown(one: Source) -> dict[str, Any]:
    """A source as it is shown."""
    kind, code = kind_and_code(one.scheme)
    return {"scheme": one.scheme, "kind": kind, "code": code, "title": one.title, "teo": one.teo or None}

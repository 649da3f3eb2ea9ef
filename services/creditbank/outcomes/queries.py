"""Looking outcomes up, with what those that are not credited yet wait for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from contracts.terms import level_words
from services.creditbank.outcomes import models
from services.creditbank.outcomes.domain import RESULT, Source, Submission, kind_and_code
from services.creditbank.recognition.queries import awaiting_rules as awaiting
from services.creditbank.recognition.queries import waiting_facts

MOST_SOURCES = 200  # of one kind; that many the database reads side by side, in order


def submissions(where: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    """Submissions in the order of their names, as far as they are credited."""
    found = models.page_of(dict(where), limit)
    facts = waiting_facts([(one.learner_id, RESULT + one.place) for one in found])
    return [shown(one, facts.get((one.learner_id, RESULT + one.place), "")) for one in found]


def awaiting_rules(
    where: Mapping[str, Any], sources: Sequence[str], behind: dict[str, Any], limit: int
) -> list[tuple[list[str | int], dict[str, Any] | None]]:
    """What waits for rules of sources that begin with these words, each with its place in the list; None in the place
    of what is no submission, or not among those asked for."""
    waiting = awaiting(sources, behind, limit)
    places = {item: item.partition(f":{RESULT}")[2] for _, item, _ in waiting}
    found = models.page_of({"$and": [{"_id": {"$in": sorted(filter(None, places.values()))}}, dict(where)]}, limit)
    known = {one.place: one for one in found}
    return [
        ([fact, name], shown(known[places[item]], fact) if places[item] in known else None)
        for name, item, fact in waiting
    ]


def sources_of(kind: str) -> list[str]:
    """The sources of a kind that have a name."""
    return [one.scheme for one in models.page_of_sources(f"{kind}.", MOST_SOURCES, f"{kind}/")]


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

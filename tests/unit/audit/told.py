"""One passed result as three services tell of it, all in agreement, to be spoilt by tests."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from onex.audit.comparison import Person

NOW = datetime(2021, 3, 1, 12, tzinfo=UTC)
GRACE = timedelta(minutes=10)
LONG_AGO = (NOW - timedelta(hours=3)).isoformat()
JUST_NOW = (NOW - timedelta(minutes=3)).isoformat()
RESULT, OTHER = "teo:plan:A1:1", "teo:plan:A2:1"
Told = dict[str, Any]


def announced(event_id: str, event: str, at: str = LONG_AGO, is_published: bool = True) -> Told:
    return {"event_id": event_id, "event": event, "at": at, "is_published": is_published}


def result(result_id: str = RESULT, **more: Any) -> Told:
    row = {"result_id": result_id, "scheme": "cloud-ops", "level": 1, "revision": 2, "state": "final"}
    told = announced(f"final-{result_id}", "ResultFinalised")
    return row | {"verdict": "passed", "announced": told, "final_at": LONG_AGO} | more


def outcome(result_id: str = RESULT, **more: Any) -> Told:
    row = {"result_id": result_id, "scheme": "cloud-ops", "level": 1, "revision": 2, "state": "final"}
    row |= {"verdict": "passed", "rule_version": 1, "credit_points": 200}
    return row | {"is_waiting": False, "waiting_for": None, "waiting_since": None} | more


def entry(number: int, source: str, target: str, **more: Any) -> Told:
    posting = {"source": source, "target": target, "credit_points": 200}
    row = {"number": number, "cause": "c", "what": "ResultFinalised", "scheme": "cloud-ops", "result_id": RESULT}
    return (
        row
        | {"revision": number, "postings": [posting], "announced": announced(f"posted-{number}", "CreditPosted")}
        | more
    )


def notice(cause: str = "posted-2", **more: Any) -> Told:
    row = {"id": f"notice-{cause}", "cause": cause, "event": "CreditPosted", "channel": "mailbox", "state": "delivered"}
    return row | {"waiting_for": None, "reason": None} | more


def account(learner_id: str = "mei", **more: Any) -> Told:
    publicised = entry(1, "issued", "provisional", what="ResultPublicised")
    final = entry(2, "provisional", "available")
    holding = {"scheme": "cloud-ops", "provisional_points": 0, "available_points": 200}
    row = {"learner_id": learner_id, "merged_into": None, "merged_at": None, "merged_from": [], "held_up": []}
    row |= {"entry_count": 2, "entries": [publicised, final], "outcomes": [outcome()]}
    return copy.deepcopy(row | {"holdings": [holding | {"held_points": 0, "spent_points": 0}]} | more)


def of_assessment(*results: Told, learner_id: str = "mei") -> Told:
    return {"learner_id": learner_id, "results": list(results)}


def of_notify(*notices: Told, learner_id: str = "mei", held_up: Sequence[Told] = ()) -> Told:
    return {"learner_id": learner_id, "held_up": list(held_up), "notices": list(notices)}


def person(
    results: Sequence[Told] | None = None, bank: Told | None = None, notices: Sequence[Told] | None = None, **more: Any
) -> Person:
    """The agreeing person, with what a test says otherwise."""
    told = [notice()] if notices is None else notices
    return Person(
        assessment=[of_assessment(*([result()] if results is None else results))],
        creditbank=[account() if bank is None else bank],
        notify=[of_notify(*told, **more)],
    )

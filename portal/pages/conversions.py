"""What the services know of a learner's conversions, put together for pages: options, applications, names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from flask import g

from chassis import clock
from chassis.errors import Transient
from portal.pages.asking import GLANCE_SECONDS, address, ask, every, every_or_none, found_or_none
from portal.pages.options import Facts, Row, facts_of, holding_on, in_force, names_of, options, window_of

BANK, COLLEGE = "creditbank", "enrolment"
MOST_APPLICATIONS = 500  # of one learner
MOST_CURRICULA = 20  # of one page; of others the codes are shown
Place = tuple[str, int]
Found = dict[str, Any]


def options_for(learner_id: str, account: Row, applications: Sequence[Row]) -> Found:
    """What a learner's credits can buy where they study, None while nobody can say, with policies and windows."""
    records = every_or_none(COLLEGE, address("learners", learner_id, "records"))
    if records is None:
        return {"options": None, "policies": {}, "windows": []}
    places = {(one["programme"], one["entry_year"]) for one in records if one["status"] == "enrolled"}
    rules = in_force([one for place in sorted(places) for one in rules_of(place)], clock.today())
    policies = policies_of({str(one["policy"]) for one in rules})
    windows = {code: window_of(one, clock.today()) for code, one in policies.items()}
    facts = facts_about(learner_id, account, applications)
    return {
        "options": options(rules, curricula_of(places if rules else ()), windows, facts),
        "policies": policies,
        "windows": sorted({(one.opens_on, one.closes_on, one.is_open) for one in windows.values() if one}),
    }


def facts_about(learner_id: str, account: Row, applications: Sequence[Row]) -> Facts:
    """What services know of the learner that decides what can be asked for."""
    results = every_or_none("assessment", "/results", learner_id=learner_id)
    courses = every_or_none("training", "/course-results", learner_id=learner_id)
    return facts_of(account, results, courses or [], applications)


def rules_of(place: Place) -> list[Found]:
    """The published rules of a programme and entry year."""
    programme, entry_year = place
    return every(BANK, "/conversion-rules", programme=programme, entry_year=entry_year, state="published")


def policies_of(codes: Iterable[str]) -> dict[str, Found]:
    """The policy documents, each as it holds today."""
    versions = {code: ask(BANK).get(address("conversion-policies", code)) for code in codes}
    return {code: one for code, each in versions.items() if (one := holding_on(each, clock.today()))}


def curricula_of(places: Iterable[Place]) -> dict[Place, Found]:
    """The curricula of some programmes and entry years that enrolment has, asked once a request."""
    kept: dict[Place, Found] = g.setdefault("curricula", {})
    for place in sorted(set(places) - set(kept))[:MOST_CURRICULA]:
        kept[place] = _curriculum(place)
    return kept


def _curriculum(place: Place) -> Found:
    silent: set[str] = g.setdefault("silent", set())
    if COLLEGE in silent:
        return {}
    path = address("programmes", place[0], "curricula", str(place[1]))
    try:
        return found_or_none(lambda: ask(COLLEGE, GLANCE_SECONDS).get(path)) or {}
    except Transient:
        silent.add(COLLEGE)
        return {}


def applications_of(learner_id: str) -> list[Found]:
    """A learner's applications with names, those that are open first, then the newest."""
    found = every(BANK, "/conversion-applications", limit=MOST_APPLICATIONS, learner_id=learner_id)
    newest = sorted(found, key=lambda one: (one["filed_on"], one["application"]), reverse=True)
    return with_names(sorted(newest, key=lambda one: one["state"] not in {"waiting", "review"}))


def with_names(applications: Iterable[Found]) -> list[Found]:
    """Applications with what their courses and modules are called, their offers' too."""
    listed = list(applications)
    curricula = curricula_of((one["programme"], one["entry_year"]) for one in listed)
    return [_named(one, curricula.get((one["programme"], one["entry_year"]), {})) for one in listed]


def _named(one: Found, curriculum: Row) -> Found:
    today, offer = clock.today().isoformat(), one["offer"]
    if offer:
        is_open = not offer["is_taken"] and (not offer["until"] or today <= offer["until"])
        offer = offer | {"names": names_of(offer["target"], curriculum), "is_open": is_open}
    is_overdue = one["state"] == "review" and bool(one["due_on"]) and one["due_on"] < today
    return one | {"names": names_of(one["target"], curriculum), "offer": offer, "is_overdue": is_overdue}

"""Forms whose refusals stand at the field that they are about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from chassis.web.client import Answered

Value = TypeVar("Value")
ANYWHERE = ""  # where a refusal stands that is about no one field
SAID_ON_THE_FORM = {HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.CONFLICT}
FIELDS_INVALID = "fields_invalid"


def attempt(deed: Callable[[], Value]) -> Value | Answered:
    """What came of a deed, or the refusal that belongs on the form; any other refusal is a page of its own."""
    try:
        return deed()
    except Answered as refusal:
        if refusal.status not in SAID_ON_THE_FORM:
            raise
        return refusal


def at_fields(refusal: Answered, fields: Collection[str], places: Mapping[str, str]) -> dict[str, str]:
    """What a refusal says by the field it is about: where its shape is wrong, else by its code."""
    errors = refusal.problem.get("errors", []) if refusal.code == FIELDS_INVALID else []
    if not errors:
        return {places.get(refusal.code, ANYWHERE): refusal.detail}
    told: dict[str, str] = {}
    for one in errors:
        name = field_of(one["field"], fields, places)
        told[name] = " ".join(dict.fromkeys([*filter(None, [told.get(name)]), one["detail"]]))
    return told


def field_of(path: str, fields: Collection[str], places: Mapping[str, str]) -> str:
    """The field of the form that a path of the request belongs to: `version.policy.code` to `policy-code`."""
    parts = [part for part in path.split(".") if not part.isdecimal()]
    tails = ["-".join(parts[at:]) for at in range(len(parts))]
    named = (places.get(name, name) for name in (*tails, *reversed(parts)))
    return next((name for name in named if name in fields), ANYWHERE)


def whole(text: str) -> Any:
    """A whole number as it was typed; what is none is left for the service to refuse."""
    text = text.strip()
    return int(text) if text.isdecimal() else text


def filled(text: str) -> str | None:
    """What was filled in; None for nothing."""
    return text.strip() or None

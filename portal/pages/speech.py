"""How a page speaks: the reader's language, and how times, spans and points are written."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from flask import request

from chassis.clock import CAMPUS
from portal.pages.words import Language, level_word, word

LANGUAGE_COOKIE = "language"
MINUTE, HOUR, DAY = 60, 3600, 86400


def language() -> Language:
    """The reader's language: as chosen, else as the browser asks, else Chinese."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in ("zh", "en"):
        return cast("Language", chosen)
    asked = (tag.lower()[:2] for tag in request.accept_languages.values())
    return cast("Language", next((tag for tag in asked if tag in ("zh", "en")), "zh"))


def say(name: str, *facts: object) -> str:
    """A word in the reader's language."""
    return word(name, language(), *facts)


def level(number: int | None, scheme: str = "") -> str:
    """A level of a scheme or other source in the reader's language."""
    return level_word(number, language(), scheme)


def moment(text: str | datetime | None, with_milliseconds: bool = False) -> str:
    """An instant as the campus clock shows it."""
    if not text:
        return "—"
    at = (datetime.fromisoformat(text) if isinstance(text, str) else text).astimezone(CAMPUS)
    return at.strftime("%Y-%m-%d %H:%M:%S") + (f".{at.microsecond // 1000:03d}" if with_milliseconds else "")


def span(seconds: float) -> str:
    """How long something took, in the two largest units."""
    whole = int(seconds)
    if whole < MINUTE:
        return say("span_seconds", f"{seconds:.1f}")
    if whole < HOUR:
        return say("span_minutes", whole // MINUTE, whole % MINUTE)
    if whole < DAY:
        return say("span_hours", whole // HOUR, whole % HOUR // MINUTE)
    return say("span_days", whole // DAY, whole % DAY // HOUR)


def points(number: int) -> str:
    """A change of points with its sign."""
    return f"+{number}" if number > 0 else f"−{-number}" if number < 0 else "0"

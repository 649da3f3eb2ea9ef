"""Enrolment's settings, read once by its doors."""

from __future__ import annotations

from chassis.settings import Settings, read


class EnrolmentSettings(Settings, frozen=True, kw_only=True):
    """`seal_key` wraps the learners' keys; `pepper` makes the blind index."""

    pepper: str


def settings() -> EnrolmentSettings:
    """Read them from the environment."""
    return read(EnrolmentSettings)

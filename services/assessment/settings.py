"""Assessment's settings, read once by its doors."""

from __future__ import annotations

from chassis.seal import key_of
from chassis.settings import Settings, read
from chassis.web.client import Client
from contracts.directory import Directory


class AssessmentSettings(Settings, frozen=True, kw_only=True):
    """Where the people of a sheet are found."""

    enrolment_url: str

    def directory(self) -> Directory:
        """The way to enrolment's learners."""
        return Directory(Client(self.enrolment_url, "enrolment", self.portal_url, "assessment", self.client_secret))

    def master(self) -> bytes:
        """The key that wraps the keys of imports."""
        return key_of(self.seal_key)


def settings() -> AssessmentSettings:
    """Read them from the environment."""
    return read(AssessmentSettings)

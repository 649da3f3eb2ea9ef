"""Notify's settings, read once by its doors."""

from __future__ import annotations

from chassis.settings import Settings, read
from chassis.web.client import Client
from contracts.directory import Directory


class NotifySettings(Settings, frozen=True, kw_only=True):
    """Where contacts are opened, and how e-mails leave."""

    enrolment_url: str
    smtp_host: str
    smtp_port: int
    mail_from: str

    def directory(self) -> Directory:
        """The way to the keys of learners' sealed fields."""
        return Directory(Client(self.enrolment_url, "enrolment", self.portal_url, "notify", self.client_secret))


def settings() -> NotifySettings:
    """Read them from the environment."""
    return read(NotifySettings)

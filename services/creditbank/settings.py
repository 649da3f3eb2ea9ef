"""The credit bank's settings, read once by its doors."""

from __future__ import annotations

from pathlib import Path

from chassis.seal import key_of
from chassis.settings import Settings, read
from chassis.web.client import Client
from contracts.directory import Directory
from services.creditbank.ledger.roots import Roots
from services.creditbank.papers.desk import Desk
from services.creditbank.papers.domain import Addresses

PURPOSE = "credential or statement"


class CreditbankSettings(Settings, frozen=True, kw_only=True):
    """Where names are opened; where papers are published for machines, and where people verify them.

    `guesses`: how many codes that nobody has a visitor may try. `roots_folder`: where signed roots of the ledger are
    exported; on other storage than the database, so that they outlive it.
    """

    enrolment_url: str = "http://localhost:8101"
    papers_url: str = "http://localhost:8104"
    public_url: str = "http://localhost:8080"
    guesses: str = "30 per minute"
    roots_folder: str = "roots"

    def directory(self) -> Directory:
        """The way to learners' names."""
        return Directory(Client(self.enrolment_url, "enrolment", self.portal_url, "creditbank", self.client_secret))

    def master(self) -> bytes:
        """The key that wraps the keys of imports."""
        return key_of(self.seal_key)

    def roots(self) -> Roots:
        """The folder of the ledger's roots."""
        return Roots(Path(self.roots_folder), key_of(self.seal_key))

    def desk(self) -> Desk:
        """The desk at which papers are written."""
        directory = self.directory()
        return Desk(
            seal_key=key_of(self.seal_key),
            addresses=Addresses(self.papers_url.rstrip("/"), self.public_url.rstrip("/")),
            name_of=lambda learner_id: str(directory.particulars(learner_id, PURPOSE)["name"]),
            guesses=self.guesses,
        )


def settings() -> CreditbankSettings:
    """Read them from the environment."""
    return read(CreditbankSettings)

"""The desk at which papers are written: its key, its addresses, and the way to a person's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Flask, current_app

from chassis import seal
from chassis.web.client import Answered
from services.creditbank.papers.domain import NAME_CLOSED, Addresses
from services.creditbank.papers.signing import Signer

KEPT = "creditbank.papers"


@dataclass(frozen=True)
class Desk:
    """`name_of` opens a learner's name by enrolment's audited route, and raises what its client raises."""

    seal_key: bytes = field(repr=False)
    addresses: Addresses
    name_of: Callable[[str], str]
    guesses: str

    def signer(self) -> Signer:
        """The signer, with the keys as they are now."""
        return Signer(self.seal_key, self.addresses.papers_url)

    def open_name(self, learner_id: str) -> str:
        """A learner's name; Refusal when nobody can open it any more."""
        try:
            name = self.name_of(learner_id)
        except Answered:
            raise NAME_CLOSED() from None
        if not name:
            raise NAME_CLOSED()
        return name

    def seal(self, place: str, token: str) -> str:
        """A token as it rests."""
        return seal.seal(self.seal_key, token, f"credential:{place}")

    def open(self, place: str, sealed: str) -> str:
        """A token out of its stored form."""
        return seal.open_(self.seal_key, sealed, f"credential:{place}")


def carry(app: Flask, desk: Desk) -> None:
    """Have an application carry its desk."""
    app.extensions[KEPT] = desk


def carried() -> Desk:
    """The desk of the application that answers now."""
    found: Desk = current_app.extensions[KEPT]
    return found

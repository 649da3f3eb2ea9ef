"""The two secrets of enrolment: the master key that wraps learners' keys, the pepper of the blind index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, current_app

from chassis import seal
from services.enrolment.learners.domain import Document, Particulars


@dataclass(frozen=True, slots=True)
class Keyring:
    master: bytes = field(repr=False)
    pepper: bytes = field(repr=False)

    @classmethod
    def of(cls, seal_key: str, pepper: str) -> Keyring:
        """The keyring that settings describe."""
        return cls(seal.key_of(seal_key), pepper.encode())

    def blind(self, document: Document) -> str:
        """A document's entry in the blind index."""
        return seal.blind_index(self.pepper, f"{document.type}:{document.number}")

    def blind_name(self, name: str) -> str:
        """A name's entry in the index that finds learners by their whole name."""
        return seal.blind_index(self.pepper, f"name:{name}")

    def wrap(self, key: bytes) -> str:
        return seal.wrap(self.master, key)

    def unwrap(self, wrapped: str) -> bytes:
        return seal.unwrap(self.master, wrapped)


def carry(app: Flask, keyring: Keyring) -> None:
    """Have an application carry its keyring."""
    app.extensions["enrolment.keyring"] = keyring


def carried() -> Keyring:
    """The keyring of the application that answers now."""
    found: Keyring = current_app.extensions["enrolment.keyring"]
    return found


def place(learner_id: str, field_name: str) -> str:
    """Where a sealed field belongs."""
    return f"learner:{learner_id}:{field_name}"


def sealed_particulars(key: bytes, learner_id: str, particulars: Particulars) -> dict[str, str | None]:
    """Particulars sealed under the learner's own key, by field."""
    fields = {"name": particulars.name, "phone": particulars.phone, "email": particulars.email}
    return {name: seal.seal(key, text, place(learner_id, name)) if text else None for name, text in fields.items()}


def opened_particulars(key: bytes, learner_id: str, row: Mapping[str, Any]) -> Particulars:
    """A learner's particulars out of their stored row."""
    opened = {
        name: seal.open_(key, row[name], place(learner_id, name)) if row.get(name) else None
        for name in ("name", "phone", "email")
    }
    return Particulars(opened["name"] or "", opened["phone"], opened["email"])


def sealed_number(key: bytes, learner_id: str, number: str) -> str:
    """A document's number under the learner's own key."""
    return seal.seal(key, number, place(learner_id, "document_number"))


def opened_number(key: bytes, learner_id: str, sealed: str) -> str:
    """A document's number out of its stored form."""
    return seal.open_(key, sealed, place(learner_id, "document_number"))

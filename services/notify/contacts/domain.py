"""Which of a person's contacts counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    ZH = "zh"
    EN = "en"


@dataclass(frozen=True)
class Contact:
    """How a learner is reached; name, phone and email are sealed under the key of `learner_id`.

    `mailbox` is the learner the person is now: another one after a merge. An erased contact holds nothing.
    """

    learner_id: str
    mailbox: str
    name: str = ""
    phone: str = ""
    email: str = ""
    erased: bool = False


def contact_of(contacts: Iterable[Contact]) -> Contact | None:
    """The contact of a mailbox that counts: one with an address before others, its own before merged ones."""
    best = sorted(contacts, key=lambda one: (not one.email, one.learner_id != one.mailbox, one.learner_id))
    if any(one.erased and one.learner_id == one.mailbox for one in best):
        return next(one for one in best if one.erased and one.learner_id == one.mailbox)
    return best[0] if best else None

"""Look up how learners are reached."""

from __future__ import annotations

from collections.abc import Iterable

from services.notify.contacts import models
from services.notify.contacts.domain import Contact, Language, contact_of


def contacts_of(mailboxes: Iterable[str]) -> dict[str, Contact]:
    """The contact that counts, by mailbox; missing where none has arrived."""
    found: dict[str, list[Contact]] = {}
    for contact in models.in_mailboxes(mailboxes):
        found.setdefault(contact.mailbox, []).append(contact)
    return {mailbox: best for mailbox, contacts in found.items() if (best := contact_of(contacts))}


def languages_of(mailboxes: Iterable[str]) -> dict[str, Language]:
    """Preferred languages by mailbox, Chinese where nothing was said."""
    wanted = set(mailboxes)
    return dict.fromkeys(wanted, Language.ZH) | models.languages(wanted)

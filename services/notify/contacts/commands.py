"""Keep contacts as they are announced, unopened."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.database import transactional
from services.notify.contacts import models
from services.notify.contacts.domain import Contact, Language


@transactional
def keep_contacts(contacts: Sequence[Contact]) -> None:
    """Keep each learner's contact as it is now."""
    models.keep(contacts)


@transactional
def move_contacts(survivor_id: str, merged_id: str) -> None:
    """Two learners were one person: the survivor is reached as both were."""
    models.give_to(survivor_id, merged_id)


@transactional
def erase_contacts(mailbox: str) -> None:
    """Forget how a learner is reached, for good."""
    models.erase(mailbox)


@transactional
def prefer_language(learner_id: str, language: Language) -> None:
    """Write to this learner in this language."""
    models.prefer(learner_id, language)

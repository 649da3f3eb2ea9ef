"""Contacts and preferences at rest."""

from __future__ import annotations

from collections.abc import Iterable

import mongoengine as me
from pymongo import ReplaceOne, UpdateMany, UpdateOne

from chassis.database import Row, rows_of, write
from services.notify.contacts.domain import Contact, Language


class Contacts(me.Document):
    """By the learner under whose key it is sealed; `mailbox` is whose it is since the last merge."""

    meta = {"collection": "contacts", "auto_create_index": False, "strict": False, "indexes": [("mailbox",)]}
    learner_id = me.StringField(primary_key=True)
    mailbox = me.StringField()
    name = me.StringField()
    phone = me.StringField()
    email = me.StringField()
    erased = me.BooleanField()


class Preferences(me.Document):
    meta = {"collection": "preferences", "auto_create_index": False, "strict": False}
    learner_id = me.StringField(primary_key=True)
    language = me.StringField()


def keep(contacts: Iterable[Contact]) -> None:
    """Keep contacts as they were announced last; an erased learner's stays empty."""
    rows = {one.learner_id: _row(one) for one in contacts}
    for erased in rows_of(Contacts, {"_id": {"$in": sorted(rows)}, "erased": True}, {"_id": 1}):
        del rows[erased["_id"]]
    write(Contacts, [ReplaceOne({"_id": learner_id}, row, upsert=True) for learner_id, row in rows.items()])


def _row(one: Contact) -> Row:
    fields = {"name": one.name, "phone": one.phone, "email": one.email}
    return {"_id": one.learner_id, "mailbox": one.mailbox} | {name: value for name, value in fields.items() if value}


def in_mailboxes(mailboxes: Iterable[str]) -> list[Contact]:
    """Every contact in these mailboxes."""
    return [
        Contact(
            learner_id=row["_id"],
            mailbox=row["mailbox"],
            name=row.get("name", ""),
            phone=row.get("phone", ""),
            email=row.get("email", ""),
            erased=row.get("erased", False),
        )
        for row in rows_of(Contacts, {"mailbox": {"$in": sorted(set(mailboxes))}})
    ]


def give_to(survivor_id: str, merged_id: str) -> None:
    """Put the merged learner's contacts into the survivor's mailbox."""
    write(Contacts, [UpdateMany({"mailbox": merged_id}, {"$set": {"mailbox": survivor_id}})])


def erase(mailbox: str) -> None:
    """Empty the mailbox's contacts and remember that they stay empty."""
    emptied = {"$set": {"erased": True}, "$unset": {"name": "", "phone": "", "email": ""}}
    own = UpdateOne({"_id": mailbox}, {"$set": {"mailbox": mailbox, "erased": True}}, upsert=True)
    write(Contacts, [UpdateMany({"mailbox": mailbox}, emptied), own], ordered=True)


def languages(learner_ids: Iterable[str]) -> dict[str, Language]:
    """Languages of those who said one."""
    rows = rows_of(Preferences, {"_id": {"$in": sorted(set(learner_ids))}})
    return {row["_id"]: Language(row["language"]) for row in rows}


def prefer(learner_id: str, language: Language) -> None:
    """Keep a preferred language."""
    write(Preferences, [UpdateOne({"_id": learner_id}, {"$set": {"language": language}}, upsert=True)])

"""A database that was set back and recovered from its topic: of what it forgot, the outbox and the numbers are back."""

from __future__ import annotations

from collections.abc import Collection

from chassis.bus.outbox import Outbox
from chassis.database import database, rows_of


def forget(collections: Collection[str], types: Collection[str]) -> None:
    """These collections are empty, and what was announced of these types is known from the topic alone."""
    for name in collections:
        database()[name].delete_many({})
    outbox, told = database()["outbox"], {"type": {"$in": list(types)}}
    outbox.update_many(told, {"$set": {"forgotten": True}, "$unset": {"due": ""}})
    database()["strands"].update_many({"_id": {"$in": outbox.distinct("key", told)}}, {"$set": {"forgotten": True}})


def forgotten() -> list[str]:
    """The types of what nothing has announced anew, in the order of their numbers."""
    return [row["type"] for row in rows_of(Outbox, {"forgotten": True}, sort=[("key", 1), ("seq", 1)])]

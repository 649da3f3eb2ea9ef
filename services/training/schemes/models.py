"""Schemes at rest."""

from __future__ import annotations

from collections.abc import Iterable

import mongoengine as me
from pymongo import ReplaceOne

from chassis.database import rows_of, write
from contracts.terms import Level
from services.training.schemes.domain import Scheme


class KnownSchemes(me.Document):
    meta = {"collection": "schemes", "auto_create_index": False, "strict": False}
    code = me.StringField(primary_key=True)
    name = me.StringField()
    aliases = me.ListField(me.StringField())
    levels = me.ListField(me.IntField())


def keep(schemes: Iterable[Scheme]) -> None:
    """Keep schemes as they are now."""
    rows = {
        scheme.code: {
            "_id": scheme.code,
            "name": scheme.name,
            "aliases": list(scheme.aliases),
            "levels": [int(level) for level in scheme.levels],
        }
        for scheme in schemes
    }
    write(KnownSchemes, [ReplaceOne({"_id": code}, row, upsert=True) for code, row in rows.items()])


def all_schemes() -> list[Scheme]:
    """Every scheme; there are few."""
    return [
        Scheme(row["_id"], row["name"], tuple(row["aliases"]), tuple(Level(level) for level in row["levels"]))
        for row in rows_of(KnownSchemes, {}, sort=[("_id", 1)])
    ]

"""How far a service has read, kept beside the effects of what it read (ADR 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mongoengine as me


class Positions(me.Document):
    """By topic and partition: what is read next, the id of the record before it, and in which turn: each time the
    records are others than those that were read, a new turn begins at the earliest of them.

    So turn and offset together only grow, as long as the database is not set back.
    """

    meta = {"collection": "positions", "auto_create_index": False, "strict": False}
    place = me.StringField(primary_key=True)
    topic_id = me.StringField()
    turn = me.IntField()
    next_offset = me.IntField()
    last_event = me.StringField()


def how_far(row: Mapping[str, Any]) -> tuple[int, int]:
    """Turn and offset of a position."""
    return row.get("turn", 0), row["next_offset"]

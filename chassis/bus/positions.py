"""How far a service has read, kept beside the effects of what it read (ADR 3)."""

from __future__ import annotations

import mongoengine as me


class Positions(me.Document):
    """By topic and partition: what is read next, and the id of the record before it."""

    meta = {"collection": "positions", "auto_create_index": False, "strict": False}
    place = me.StringField(primary_key=True)
    topic_id = me.StringField()
    next_offset = me.IntField()
    last_event = me.StringField()

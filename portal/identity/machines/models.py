"""Machines an operator registered. Those of the system are not stored: their secrets are derived."""

from __future__ import annotations

import mongoengine as me


class Machines(me.Document):
    """`secrets`: [{number, digest, made_at}], at most two; `next_number`: the number the next one gets."""

    meta = {"collection": "machines", "auto_create_index": False, "strict": False}
    client_id = me.StringField(primary_key=True)
    roles = me.ListField(me.StringField())
    owns = me.DictField()
    disabled = me.BooleanField()
    secrets = me.ListField(me.DictField())
    next_number = me.IntField()
    changed_at = me.DateTimeField()

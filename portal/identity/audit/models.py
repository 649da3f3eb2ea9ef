"""Audit rows: kept for half a year."""

from __future__ import annotations

import mongoengine as me

KEEP_DAYS = 183


class AuditRows(me.Document):
    """`id` sorts by time; `who` did `act` to or for `about`."""

    meta = {
        "collection": "audit",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["at"], "expireAfterSeconds": KEEP_DAYS * 86_400, "name": "expiry"},
            {"fields": ["who", "id"], "name": "who"},
        ],
    }
    id = me.StringField(primary_key=True)
    at = me.DateTimeField()
    who = me.StringField()
    act = me.StringField()
    about = me.StringField()

"""Users, their failed sign-ins, and their sessions in a browser."""

from __future__ import annotations

import mongoengine as me

IDLE_MINUTES = 30
ATTEMPTS_KEPT_MINUTES = 60


class Users(me.Document):
    meta = {"collection": "users", "auto_create_index": False, "strict": False}
    name = me.StringField(primary_key=True)
    password_hash = me.StringField()
    roles = me.ListField(me.StringField())
    owns = me.DictField()
    language = me.StringField()
    disabled = me.BooleanField()
    changed_at = me.DateTimeField()


class SignInAttempts(me.Document):
    """Failures in a row under a name, whether somebody has it or not."""

    meta = {
        "collection": "sign_in_attempts",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["last_at"], "expireAfterSeconds": ATTEMPTS_KEPT_MINUTES * 60, "name": "expiry"}],
    }
    name = me.StringField(primary_key=True)
    failures = me.IntField()
    last_at = me.DateTimeField()


class Sessions(me.Document):
    """A browser that is signed in; `id` is the digest of what its cookie holds."""

    meta = {
        "collection": "sessions",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["seen_at"], "expireAfterSeconds": IDLE_MINUTES * 60, "name": "expiry"},
            {"fields": ["user"], "name": "user"},
        ],
    }
    id = me.StringField(primary_key=True)
    user = me.StringField()
    csrf = me.StringField()
    started_at = me.DateTimeField()
    seen_at = me.DateTimeField()

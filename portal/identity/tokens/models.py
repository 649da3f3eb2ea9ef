"""Signing keys, sealed."""

from __future__ import annotations

import mongoengine as me


class SigningKeys(me.Document):
    """The newest signs, all are published. `sealed`: the private key as a JWK, under SEAL_KEY."""

    meta = {"collection": "signing_keys", "auto_create_index": False, "strict": False}
    number = me.IntField(primary_key=True)
    kid = me.StringField()
    sealed = me.StringField()
    made_at = me.DateTimeField()

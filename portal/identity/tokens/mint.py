"""The mint: signs tokens, and publishes the keys they are verified with."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from chassis import seal
from chassis.database import collection_of, rows_of, transactional
from chassis.web.tokens import ALGORITHM, TYPE, Issuer
from portal.identity.tokens.domain import Grant, claims_of
from portal.identity.tokens.models import SigningKeys

CURVE = "P-256"


class Mint:
    """Issues tokens in the name of this portal; trusted by the portal's own API without asking itself."""

    def __init__(self, name: str, seal_key: bytes) -> None:
        self.name = name
        keys = signing_keys(seal_key)
        self._key = keys[-1]
        self._issuer = Issuer(name, {str(key.kid): key for key in keys})

    def issue(self, grant: Grant, audience: str) -> str:
        """A token of five minutes for one audience."""
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": self._key.kid}
        return jwt.encode(header, claims_of(grant, self.name, audience, int(time.time())), self._key)

    def issuer(self, stale: bool = False) -> Issuer:  # noqa: ARG002 -- what is here is never stale
        return self._issuer

    def published(self) -> Mapping[str, Any]:
        """The public keys as a JWKS document."""
        public = [key.as_dict(private=False) for key in self._issuer.keys.values()]
        return {"keys": [dict(key) | {"alg": ALGORITHM, "use": "sig"} for key in public]}


def signing_keys(seal_key: bytes) -> list[ECKey]:
    """The portal's signing keys, oldest first; the first one is made when there is none.

    SystemExit when SEAL_KEY is not the one they were sealed with.
    """
    rows = rows_of(SigningKeys, {}, sort=[("_id", 1)]) or _make_first(seal_key)
    try:
        texts = [(row["kid"], seal.open_(seal_key, row["sealed"], _place(row["_id"]))) for row in rows]
    except seal.SealBroken as broken:
        raise SystemExit(
            "SEAL_KEY does not open the portal's signing keys: give it the value it had before."
        ) from broken
    return [ECKey.import_key(json.loads(text), {"kid": kid}) for kid, text in texts]


@transactional
def _make_first(seal_key: bytes) -> list[dict[str, Any]]:
    """Make the first key, unless another process has just done so."""
    if rows := rows_of(SigningKeys, {}, sort=[("_id", 1)]):
        return rows
    key = ECKey.generate_key(CURVE)
    sealed = seal.seal(seal_key, json.dumps(key.as_dict(private=True)), _place(1))
    row = {"_id": 1, "kid": key.thumbprint(), "sealed": sealed, "made_at": datetime.now(UTC)}
    collection_of(SigningKeys).insert_one(row)
    return [row]


def _place(number: int) -> str:
    return f"signing-key:{number}"

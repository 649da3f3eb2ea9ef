"""Signing papers: ES256 tokens under a key of the credit bank's own, and the keys they are verified with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from chassis import seal
from chassis.database import Row, transactional
from services.creditbank.papers import models

CURVE, ALGORITHM, TYPE = "P-256", "ES256", "JWT"


class Signer:
    """Signs with the newest key; SystemExit when SEAL_KEY is not the one the keys were sealed with."""

    def __init__(self, seal_key: bytes, papers_url: str) -> None:
        self._keys = _keys(seal_key)
        self._papers_url = papers_url

    def sign(self, document: Mapping[str, Any]) -> str:
        """A paper as a signed token; its header says where the key is published."""
        key = self._keys[-1]
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": f"{self._papers_url}/credential-keys#{key.kid}"}
        return jwt.encode(header, dict(document), key)

    def published(self) -> dict[str, Any]:
        """The public keys as a JWKS document, by the names that headers give them."""
        said = {"alg": ALGORITHM, "use": "sig"}
        return {
            "keys": [
                {**key.as_dict(private=False), **said, "kid": f"{self._papers_url}/credential-keys#{key.kid}"}
                for key in self._keys
            ]
        }


def _keys(seal_key: bytes) -> Sequence[ECKey]:
    rows = models.key_rows() or _make_first(seal_key)
    try:
        texts = [(row["kid"], seal.open_(seal_key, row["sealed"], _place(row["_id"]))) for row in rows]
    except seal.SealBroken as broken:
        raise SystemExit("SEAL_KEY does not open the credential keys: give it the value it had before.") from broken
    return [ECKey.import_key(json.loads(text), {"kid": kid}) for kid, text in texts]


@transactional
def _make_first(seal_key: bytes) -> list[Row]:
    """Make the first key, unless another process has just done so."""
    if rows := models.key_rows():
        return rows
    key = ECKey.generate_key(CURVE)
    sealed = seal.seal(seal_key, json.dumps(key.as_dict(private=True)), _place(1))
    return [models.add_key(1, key.thumbprint(), sealed, datetime.now(UTC))]


def _place(number: int) -> str:
    return f"credential-key:{number}"

"""Signing papers: ES256 tokens under a key of the credit bank's own, and the keys they are verified with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from joserfc import jwt

from chassis.signatures import ALGORITHM, KeyShelf, published, signing_keys
from services.creditbank.papers import models

TYPE = "JWT"
SHELF = KeyShelf("credential", models.key_rows, models.add_key)


class Signer:
    """Signs with the newest key; SystemExit when SEAL_KEY is not the one the keys were sealed with."""

    def __init__(self, seal_key: bytes, papers_url: str) -> None:
        self._keys = signing_keys(SHELF, seal_key)
        self._place = f"{papers_url}/credential-keys#"

    def sign(self, document: Mapping[str, Any]) -> str:
        """A paper as a signed token; its header says where the key is published."""
        key = self._keys[-1]
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": f"{self._place}{key.kid}"}
        return jwt.encode(header, dict(document), key)

    def published(self) -> dict[str, Any]:
        """The public keys as a JWKS document, by the names that headers give them."""
        return published(self._keys, self._place)

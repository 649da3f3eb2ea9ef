"""Keys of a service's own to sign with (ES256): made when first wanted, at rest under SEAL_KEY alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc.jwk import ECKey

from chassis import seal
from chassis.database import Row, transactional

CURVE, ALGORITHM = "P-256", "ES256"


@dataclass(frozen=True)
class KeyShelf:
    """Where keys for one `purpose` lie: all of them, oldest first, and how one more is added (number, kid, sealed, at).

    The purpose is part of what a key is sealed with, so that none can be put on another shelf.
    """

    purpose: str
    rows: Callable[[], list[Row]]
    add: Callable[[int, str, str, datetime], Row]


def signing_keys(shelf: KeyShelf, seal_key: bytes) -> Sequence[ECKey]:
    """The keys of a shelf, oldest first; SystemExit when SEAL_KEY is not the one they were sealed with."""
    rows = shelf.rows() or _make_first(shelf, seal_key)
    try:
        texts = [(row["kid"], seal.open_(seal_key, row["sealed"], _place(shelf, row["_id"]))) for row in rows]
    except seal.SealBroken as broken:
        raise SystemExit(
            f"SEAL_KEY does not open the {shelf.purpose} keys: give it the value it had before."
        ) from broken
    return [ECKey.import_key(json.loads(text), {"kid": kid}) for kid, text in texts]


@transactional
def _make_first(shelf: KeyShelf, seal_key: bytes) -> list[Row]:
    """Make the first key, unless another process has just done so."""
    if rows := shelf.rows():
        return rows
    key = ECKey.generate_key(CURVE)
    sealed = seal.seal(seal_key, json.dumps(key.as_dict(private=True)), _place(shelf, 1))
    return [shelf.add(1, key.thumbprint(), sealed, datetime.now(UTC))]


def _place(shelf: KeyShelf, number: int) -> str:
    return f"{shelf.purpose}-key:{number}"


def published(keys: Iterable[ECKey], before: str = "") -> dict[str, Any]:
    """The public keys as a JWKS document; `before` stands before each one's name."""
    said = {"alg": ALGORITHM, "use": "sig"}
    return {"keys": [{**key.as_dict(private=False), **said, "kid": f"{before}{key.kid}"} for key in keys]}

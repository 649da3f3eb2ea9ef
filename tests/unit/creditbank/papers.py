"""A desk for tests, and a verifier that shares no code with what signed: standard library and cryptography alone."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from services.creditbank.papers.desk import Desk
from services.creditbank.papers.domain import Addresses

PAPERS_URL, PUBLIC_URL = "https://papers.test", "https://onex.test"
NAMES = {"mei": "黄玉梅", "lan": "兰兰"}


def desk(names: Mapping[str, str] = NAMES) -> Desk:
    return Desk(b"k" * 32, Addresses(PAPERS_URL, PUBLIC_URL), lambda learner_id: names[learner_id], "30 per minute")


def unpacked(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def verified(token: str, jwks: Mapping[str, Any]) -> dict[str, Any]:
    """What a token says; raises InvalidSignature, or KeyError when nobody published its key."""
    head, body, signature = token.split(".")
    header = json.loads(unpacked(head))
    assert header["alg"] == "ES256"
    jwk = {one["kid"]: one for one in jwks["keys"]}[header["kid"]]
    x, y = (int.from_bytes(unpacked(jwk[name])) for name in "xy")
    raw = unpacked(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    key.verify(der, f"{head}.{body}".encode(), ec.ECDSA(SHA256()))
    found: dict[str, Any] = json.loads(unpacked(body))
    return found


def is_revoked(credential: Mapping[str, Any], status_list: Mapping[str, Any]) -> bool:
    """What a status list says of a credential's bit."""
    status = credential["credentialStatus"]
    assert status["statusListCredential"] == status_list["id"]
    assert status["statusPurpose"] == status_list["credentialSubject"]["statusPurpose"] == "revocation"
    encoded = status_list["credentialSubject"]["encodedList"]
    assert encoded[0] == "u"
    bits = gzip.decompress(unpacked(encoded[1:]))
    assert len(bits) * 8 >= 131_072
    index = int(status["statusListIndex"])
    return bool(bits[index // 8] >> (7 - index % 8) & 1)

"""Checks a credential without asking anybody: its signature by a public key, and its bit in a status list at hand."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from onex.stack.trouble import Trouble

MOST_LIST_BYTES = 16 * 1024 * 1024  # no status list is larger unpacked


def check(paper: Path, keys: Path, status: Path | None) -> dict[str, Any]:
    """What a credential says, by whom it is signed, and its standing; Trouble when it is not to be believed.

    `paper` holds the credential, or what its QR code says: an address with the credential behind #.
    """
    known = _keys(keys)
    document = _believed(paper, known)
    standing = "not asked: without a status list nobody knows" if status is None else "not revoked"
    if status is not None and _is_revoked(document, _believed(status, known)):
        raise Trouble("this credential is revoked: it vouches for nothing any more.")
    subject = document["credentialSubject"]
    return {
        "achievement": document["name"],
        "holder": subject["identifier"][0]["identityHash"],
        "issuer": document["issuer"]["id"],
        "issued": document["validFrom"],
        "verify_at": document["id"],
        "revocation": standing,
    }


def _keys(file: Path) -> KeySet:
    try:
        return KeySet.import_key_set(json.loads(_text(file)))
    except (ValueError, KeyError, TypeError, JoseError):
        raise Trouble(f"{file} holds no public keys: fetch them from the credit bank's /credential-keys.") from None


def _believed(file: Path, keys: KeySet) -> dict[str, Any]:
    """What a signed paper says; Trouble when the signature is not by one of the keys."""
    token = _text(file).strip().rpartition("#")[2]
    try:
        return dict(jwt.decode(token, keys, algorithms=["ES256"]).claims)
    except (ValueError, JoseError):
        raise Trouble(f"{file} is not signed by any of these keys, or was altered.") from None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):
        raise Trouble(f"{file} can't be read as text.") from None


def _is_revoked(document: Mapping[str, Any], listed: Mapping[str, Any]) -> bool:
    status = document["credentialStatus"]
    if status["statusListCredential"] != listed["id"]:
        raise Trouble(f"this is another status list: fetch {status['statusListCredential']}.")
    packed = listed["credentialSubject"]["encodedList"].removeprefix("u")
    with gzip.open(BytesIO(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))) as opened:
        bits = opened.read(MOST_LIST_BYTES)
    index = int(status["statusListIndex"])
    return bool(bits[index // 8] & 0x80 >> index % 8)

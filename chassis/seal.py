"""Sealing: personal fields travel and rest encrypted; keys rest wrapped by a master key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
KEY_BYTES = 32


class SealBroken(ValueError):
    """A sealed value cannot be opened: another key, another place, or altered."""


def new_key() -> bytes:
    """A random key."""
    return os.urandom(KEY_BYTES)


def key_of(text: str) -> bytes:
    """A key as settings carry it: base64url of 32 bytes; ValueError otherwise."""
    key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(key) != KEY_BYTES:
        raise ValueError("a key has 32 bytes, written as base64url")
    return key


def key_text(key: bytes) -> str:
    """A key as settings carry it."""
    return base64.urlsafe_b64encode(key).rstrip(b"=").decode()


def seal_bytes(key: bytes, content: bytes, aad: str) -> bytes:
    """AES-256-GCM under a random nonce, bound to the place it belongs to."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, aad.encode())


def open_bytes(key: bytes, token: bytes, aad: str) -> bytes:
    """Open what `seal_bytes` sealed; `SealBroken` when key or place are others."""
    try:
        return AESGCM(key).decrypt(token[:NONCE_BYTES], token[NONCE_BYTES:], aad.encode())
    except (InvalidTag, ValueError) as error:
        raise SealBroken("this value cannot be opened with this key in this place") from error


def seal(key: bytes, text: str, aad: str) -> str:
    """Seal a text; `aad` names its place, e.g. `learner:<id>:name`."""
    return key_text(seal_bytes(key, text.encode(), aad))


def open_(key: bytes, token: str, aad: str) -> str:
    """Open a sealed text; `SealBroken` when key or place are others."""
    return open_bytes(key, base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), aad).decode()


def wrap(master: bytes, key: bytes) -> str:
    """A key sealed under the master key."""
    return key_text(seal_bytes(master, key, "key"))


def unwrap(master: bytes, token: str) -> bytes:
    """The key that `wrap` sealed; `SealBroken` under another master key."""
    return open_bytes(master, base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), "key")


def blind_index(pepper: bytes, text: str) -> str:
    """A text's keyed fingerprint: equal for equal texts, useless without the pepper."""
    return hmac.new(pepper, text.encode(), hashlib.sha256).hexdigest()

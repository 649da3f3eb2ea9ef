"""Passwords: argon2id, two at a time, so that a rush of sign-ins does not take all memory."""

from __future__ import annotations

import functools
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE = 2
_hasher = PasswordHasher()  # RFC 9106, low memory: 64 MiB and three passes, about 130 ms
_gate = threading.BoundedSemaphore(AT_ONCE)


def hashed(password: str) -> str:
    """What is kept instead of a password."""
    with _gate:
        return _hasher.hash(password)


def fits(password: str, password_hash: str) -> bool:
    """Whether the password is the one; takes as long when there is nobody, whose hash is empty."""
    with _gate:
        try:
            return _hasher.verify(password_hash or _nobody(), password) and bool(password_hash)
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(password_hash: str) -> bool:
    """Whether it was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


@functools.cache
def _nobody() -> str:
    return _hasher.hash("nobody")

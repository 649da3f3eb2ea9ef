"""What a token says, and how OAuth 2 says no."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from contracts.terms import Role
from portal.identity.machines.domain import SERVICES

LIFETIME_SECONDS = 300
GRANT = "client_credentials"
PORTAL = "portal"
AUDIENCES = (*SERVICES, PORTAL)


class TokenRefused(Exception):
    """An error of RFC 6749, section 5.2, or of RFC 8707 for the audience."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


@dataclass(frozen=True)
class Grant:
    """For whom a token is."""

    subject: str
    client_id: str
    roles: Sequence[Role]
    owns: Mapping[str, Sequence[str]]


def claims_of(grant: Grant, issuer: str, audience: str, now: int) -> dict[str, Any]:
    """What the token says (RFC 9068)."""
    return {
        "iss": issuer,
        "sub": grant.subject,
        "aud": audience,
        "iat": now,
        "exp": now + LIFETIME_SECONDS,
        "jti": secrets.token_urlsafe(12),
        "client_id": grant.client_id,
        "roles": [role.value for role in grant.roles],
        "owns": {kind: list(ids) for kind, ids in grant.owns.items()},
    }


def check_request(form: Mapping[str, str]) -> str:
    """The audience asked for; TokenRefused when the request is not one we answer."""
    grant_type = form.get("grant_type")
    if not grant_type:
        raise TokenRefused("invalid_request", "grant_type is missing")
    if grant_type != GRANT:
        raise TokenRefused("unsupported_grant_type", f"grant_type is {GRANT}")
    audience = form.get("audience")
    if not audience:
        raise TokenRefused("invalid_request", f"audience is missing, one of {', '.join(AUDIENCES)}")
    if audience not in AUDIENCES:
        raise TokenRefused("invalid_target", f"audience is one of {', '.join(AUDIENCES)}")
    return audience


def credentials_of(authorization: str, form: Mapping[str, str]) -> tuple[str, str]:
    """Client id and secret, from the header or else from the form; TokenRefused without them, or with both."""
    if not authorization:
        if not form.get("client_id") or not form.get("client_secret"):
            raise TokenRefused("invalid_client", "client_id and client_secret are missing", 401)
        return form["client_id"], form["client_secret"]
    if "client_secret" in form:
        raise TokenRefused("invalid_request", "authenticate by the header or by the form, not by both")
    scheme, _, encoded = authorization.partition(" ")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    client_id, separator, secret = text.partition(":")
    if scheme.lower() != "basic" or not separator:
        raise TokenRefused("invalid_client", "the Authorization header is not Basic", 401)
    return unquote_plus(client_id), unquote_plus(secret)

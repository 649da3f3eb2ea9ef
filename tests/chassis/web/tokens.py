"""Tokens for tests: an issuer of their own, whom an application is told to trust."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from chassis.web.tokens import ALGORITHM, TYPE, Issuer

NAME = "http://issuer.test"


class TestIssuer:
    """Signs tokens, and is the `trust` of `create_app(..., trust=issuer)`."""

    __test__ = False

    def __init__(self, kid: str = "test-1") -> None:
        self.key = ECKey.generate_key("P-256", {"kid": kid})

    def issuer(self, stale: bool = False) -> Issuer:
        return Issuer(NAME, {str(self.key.kid): self.key})

    def token(
        self,
        audience: str,
        *roles: str,
        owns: Mapping[str, Sequence[str]] | None = None,
        subject: str = "someone",
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        now = int(time.time())
        content = {
            "iss": NAME,
            "sub": subject,
            "aud": audience,
            "iat": now,
            "exp": now + 300,
            "jti": "1",
            "client_id": "portal",
            "roles": list(roles),
            "owns": {kind: list(ids) for kind, ids in (owns or {}).items()},
        } | claims
        return jwt.encode({"alg": ALGORITHM, "typ": TYPE, "kid": self.key.kid} | dict(header or {}), content, self.key)

    def bearer(self, audience: str, *roles: str, **more: Any) -> dict[str, str]:
        """The headers of a person with these roles."""
        return {"Authorization": f"Bearer {self.token(audience, *roles, **more)}"}

    def machine(self, audience: str, *roles: str, subject: str = "robot", **more: Any) -> dict[str, str]:
        """The headers of a machine with these roles."""
        return self.bearer(audience, *roles, subject=subject, client_id=subject, **more)

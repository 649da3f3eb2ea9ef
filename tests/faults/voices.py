"""Clients that ask once: whoever sends again must know that nobody has answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from onex.demo.http import Addresses, Speaker
from onex.demo.trouble import Answered
from onex.person import Person

HTTP_REFUSALS = range(400, 500)
NOT_ANSWERS = frozenset({401, 408, 429})


@dataclass(frozen=True)
class Answer:
    """What a service said; `is_refused`: it said no, and will say so again."""

    status: int
    body: Any

    @property
    def is_refused(self) -> bool:
        return self.status in HTTP_REFUSALS


class Voice(Speaker):
    """One client that asks once; an outage is no answer."""

    def ask(self, service: str, method: str, path: str, **request: Any) -> Answer | None:
        """The answer, None when there was none worth the name."""
        try:
            answer = self._once(service, method, path, request.pop("headers", {}), request)
        except httpx.TransportError:
            return None
        except Answered as refusal:  # by the portal, for a token
            if refusal.status in HTTP_REFUSALS and refusal.status not in NOT_ANSWERS:
                raise
            return None
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self.addresses.tokens.pop((self.client_id, service), None)
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or answer.status_code in NOT_ANSWERS:
            return None
        return Answer(answer.status_code, answer.json() if answer.content else None)


class PersonVoice(Person, Voice):
    """A person who asks once, by the tokens of their own sign-in."""


class OwnVoice(Voice):
    """A client that an operator registered, with a secret of its own."""

    def __init__(self, addresses: Addresses, client_id: str, secret: str) -> None:
        super().__init__(addresses, client_id)
        self.secret = secret

    def _secret(self) -> str:
        return self.secret

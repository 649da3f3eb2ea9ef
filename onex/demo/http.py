"""Speak to the services and the portal as one of their clients: tokens, pages, and patience with restarts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from onex.demo.trouble import Answered, Halt
from onex.stack.secrets import client_secret

COME_BACK = frozenset({429, 502, 503, 504})
PATIENCE_SECONDS = 120.0
REQUEST_SECONDS = 30.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 3.0
PAGE = 500
TOKEN_MARGIN_SECONDS = 30.0


@dataclass
class Addresses:
    """Where the five services and the portal are, and the key that all built-in clients' secrets derive from."""

    urls: Mapping[str, str]
    clients_key: str = field(repr=False)
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=REQUEST_SECONDS, trust_env=False))
    tokens: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict, repr=False)

    def close(self) -> None:
        """Let the connections go."""
        self.http.close()


class Speaker:
    """One built-in client, speaking to any service. Repeats a request until it is answered, within bounds."""

    def __init__(self, addresses: Addresses, client_id: str) -> None:
        self.addresses = addresses
        self.client_id = client_id

    def get(self, service: str, path: str, **query: Any) -> Any:
        """Read one resource."""
        return self.send(service, "GET", path, params=query)

    def put(self, service: str, path: str, body: Any) -> Any:
        """Create or replace one resource."""
        return self.send(service, "PUT", path, json=body)

    def post(self, service: str, path: str, body: Any = None, **more: Any) -> Any:
        """Ask for a deed; the caller sees to it that a repeat changes nothing."""
        return self.send(service, "POST", path, **({"json": body} if body is not None else {}), **more)

    def delete(self, service: str, path: str) -> Any:
        """Remove one resource."""
        return self.send(service, "DELETE", path)

    def listed(self, service: str, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        cursor: dict[str, Any] = {}
        while True:
            page = self.get(service, path, limit=PAGE, **query, **cursor)
            yield from page["items"]
            if page["next"] is None:
                return
            cursor = {"cursor": page["next"]}

    def flow(self, service: str) -> dict[str, int]:
        """How many stand at each stage of a service."""
        return {one["stage"]: one["count"] for one in self.get(service, "/flow")["stages"]}

    def send(self, service: str, method: str, path: str, **request: Any) -> Any:
        """Send a request until a service answers it; Answered when it refuses, Halt when nobody answers."""
        what = f"{method} {self.addresses.urls[service]}{path}"
        headers = {"Accept-Language": "zh", **request.pop("headers", {})}
        renewed = False
        for answer in patiently(what, lambda: self._once(service, method, path, headers, request)):
            if answer.status_code == 401 and not renewed:
                renewed = True
                self.addresses.tokens.pop((self.client_id, service), None)
            elif answer.is_success:
                return answer.json() if answer.content else None
            elif answer.status_code not in COME_BACK:
                raise Answered(what, answer.status_code, problem_of(answer))
        raise Halt(f"{what} was not answered within {PATIENCE_SECONDS:.0f} s.")

    def _once(
        self, service: str, method: str, path: str, headers: Mapping[str, str], request: Mapping[str, Any]
    ) -> httpx.Response:
        bearer = {"Authorization": f"Bearer {self.token(service)}"}
        url = self.addresses.urls[service] + path
        return self.addresses.http.request(method, url, headers={**headers, **bearer}, **request)

    def _secret(self) -> str:
        return client_secret(self.addresses.clients_key, self.client_id)

    def _asked_for_token(self, audience: str) -> httpx.Response:
        form = {"grant_type": "client_credentials", "audience": audience}
        url = self.addresses.urls["portal"] + "/oauth/token"
        return self.addresses.http.post(url, data=form, auth=(self.client_id, self._secret()))

    def token(self, audience: str) -> str:
        """A token for one service, kept until it is about to expire."""
        known, until = self.addresses.tokens.get((self.client_id, audience), ("", 0.0))
        if known and time.monotonic() < until:
            return known
        answer = self._asked_for_token(audience)
        if answer.status_code in COME_BACK:
            raise httpx.TransportError(f"the portal answered {answer.status_code}")
        if not answer.is_success:
            raise Answered(f"POST {answer.url} as {self.client_id}", answer.status_code, problem_of(answer))
        given = answer.json()
        until = time.monotonic() + given["expires_in"] - TOKEN_MARGIN_SECONDS
        self.addresses.tokens[self.client_id, audience] = (given["access_token"], until)
        return str(given["access_token"])


def patiently(what: str, ask: Any) -> Iterator[httpx.Response]:
    """Ask again and again, ever more slowly, until the patience is used up; give each answer that came."""
    until = time.monotonic() + PATIENCE_SECONDS
    pause, silence = FIRST_PAUSE_SECONDS, ""
    while time.monotonic() < until:
        try:
            answer = ask()
        except httpx.TransportError as error:
            silence = f"{type(error).__name__}: {error}"
        else:
            silence = f"status {answer.status_code}"
            yield answer
        time.sleep(pause)
        pause = min(pause * 1.6, LONGEST_PAUSE_SECONDS)
    raise Halt(f"{what} was not answered within {PATIENCE_SECONDS:.0f} s ({silence}). Is the stack up?")


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    """The problem document of an answer, or what there is instead."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return {"detail": answer.text[:300]}
    return {"code": found.get("error", ""), "detail": found.get("error_description", ""), **found}

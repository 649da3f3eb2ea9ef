"""Reading the services' `/audit` over HTTP, page by page, with the standard library alone."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from onex.audit.comparison import Item, Person

SERVICES = ("assessment", "creditbank", "notify")
PAGE = 100  # learners; a page of the bank is some hundred kilobytes
NAMED = 50  # learners in one request of a second look
PATIENCE_SECONDS = 60.0
REQUEST_SECONDS = 30.0
PAUSE_SECONDS = 1.0
TOKEN_MARGIN_SECONDS = 30.0
COME_BACK = frozenset({429, 500, 502, 503, 504})
UNAUTHORIZED = 401
PATH = "/audit"


class Unreadable(Exception):
    """A service did not answer for too long, or refused: nothing can be said of the books."""


@dataclass
class Reader:
    """Reads as one machine. Every request is repeated until it is answered, within bounds."""

    urls: Mapping[str, str]
    client_id: str
    secret: str = field(repr=False)
    patience_seconds: float = PATIENCE_SECONDS
    lines: dict[str, http.client.HTTPConnection] = field(default_factory=dict, repr=False)
    tokens: dict[str, tuple[str, float]] = field(default_factory=dict, repr=False)

    def learners(self, service: str) -> Iterator[Item]:
        """Every learner a service knows, in the order of their ids, one page in memory."""
        query: dict[str, Any] = {"limit": PAGE}
        while True:
            page = self.get(service, query)
            yield from page["items"]
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    def named(self, service: str, learner_ids: Sequence[str]) -> list[Item]:
        """What a service has of these learners, empty where it has nothing."""
        found: list[Item] = []
        for start in range(0, len(learner_ids), NAMED):
            found += self.get(service, {"owner": learner_ids[start : start + NAMED]})["items"]
        return found

    def get(self, service: str, query: Mapping[str, Any]) -> Any:
        """One page; `Unreadable` when there is none to be had."""
        path = f"{PATH}?{urlencode(query, doseq=True)}"
        until, last = time.monotonic() + self.patience_seconds, ""
        while True:
            try:
                status, body = self._ask(service, "GET", path, {"Authorization": f"Bearer {self._token(service)}"})
            except (OSError, http.client.HTTPException) as error:
                self._hang_up(service, "portal")
                status, body = 503, type(error).__name__.encode()
            if status == http.client.OK:
                return json.loads(body)
            if status == UNAUTHORIZED and last != "401":
                self.tokens.pop(service, None)
            elif status not in COME_BACK:
                raise Unreadable(f"{service} answers {status} to {PATH}: {body[:200].decode(errors='replace')}")
            last = str(status)
            if time.monotonic() > until:
                raise Unreadable(f"{service} did not answer {PATH} within {self.patience_seconds:.0f} s ({last})")
            time.sleep(PAUSE_SECONDS if status != UNAUTHORIZED else 0)

    def _token(self, audience: str) -> str:
        known, until = self.tokens.get(audience, ("", 0.0))
        if known and time.monotonic() < until:
            return known
        form = urlencode({"grant_type": "client_credentials", "audience": audience})
        named = base64.b64encode(f"{quote(self.client_id)}:{quote(self.secret)}".encode()).decode()
        headers = {"Authorization": f"Basic {named}", "Content-Type": "application/x-www-form-urlencoded"}
        status, body = self._ask("portal", "POST", "/oauth/token", headers, form)
        if status in COME_BACK:
            raise ConnectionError(f"the portal answers {status}")
        if status != http.client.OK:
            raise Unreadable(f"the portal answers {status} to {self.client_id}")
        given = json.loads(body)
        until = time.monotonic() + given["expires_in"] - TOKEN_MARGIN_SECONDS
        self.tokens[audience] = (given["access_token"], until)
        return str(given["access_token"])

    def _ask(
        self, name: str, method: str, path: str, headers: Mapping[str, str], body: str | None = None
    ) -> tuple[int, bytes]:
        line = self.lines.get(name) or self._call(name)
        line.request(method, path, body, dict(headers))
        answer = line.getresponse()
        content = answer.read()
        if answer.will_close:
            self._hang_up(name)
        return answer.status, content

    def _call(self, name: str) -> http.client.HTTPConnection:
        url = urlsplit(self.urls[name])
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self.lines[name] = kind(url.hostname or "", url.port, timeout=REQUEST_SECONDS)
        return self.lines[name]

    def _hang_up(self, *names: str) -> None:
        for name in names:
            if line := self.lines.pop(name, None):
                line.close()

    def close(self) -> None:
        """Let the connections go."""
        self._hang_up(*list(self.lines))


def together(streams: Mapping[str, Iterable[Item]]) -> Iterator[Person]:
    """Streams that are sorted by learner as one stream of persons: a sorted merge, one item of each in memory.

    ValueError when a stream is not in order, since nothing it says could be trusted then.
    """
    reading = {name: in_order(name, stream) for name, stream in streams.items()}
    heads = {name: next(stream, None) for name, stream in reading.items()}
    while any(heads.values()):
        learner_id = min(item["learner_id"] for item in heads.values() if item)
        here = {name: item for name, item in heads.items() if item and item["learner_id"] == learner_id}
        yield Person(**{name: [item] for name, item in here.items()})
        heads |= {name: next(reading[name], None) for name in here}


def in_order(name: str, stream: Iterable[Item]) -> Iterator[Item]:
    """The stream as it is, as long as each learner comes after the one before."""
    last = ""
    for item in stream:
        if item["learner_id"] <= last:
            raise ValueError(f"{name} is not in the order of its learners")
        last = item["learner_id"]
        yield item

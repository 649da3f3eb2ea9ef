"""Speaking to another service: a token is kept while it is good, what fails in passing is tried again a few times."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from chassis.errors import Language, Transient
from chassis.watch import current_cause

CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 30.0
TRIES = 4
PATIENCE_SECONDS = 40.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0
MADE_PAUSE_SECONDS = 0.3  # between two looks at a file that is being made
RENEW_BEFORE_SECONDS = 30.0
RETRIED = {429, 500, 502, 503, 504}


class Answered(Exception):
    """The other service refused: its problem document, whole."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code', '')}: {problem.get('detail', '')}")
        self.status = status
        self.problem = dict(problem)

    @property
    def code(self) -> str:
        return str(self.problem.get("code", ""))

    @property
    def detail(self) -> str:
        return str(self.problem.get("detail", ""))


class ClientToken:
    """A machine's token for one audience, renewed shortly before it expires."""

    def __init__(self, http: httpx.Client, portal_url: str, audience: str, client_id: str, client_secret: str) -> None:
        self._http = http
        self._url = f"{portal_url.rstrip('/')}/oauth/token"
        self._form = {"grant_type": "client_credentials", "audience": audience}
        self._auth = httpx.BasicAuth(client_id, client_secret)
        self._lock = threading.Lock()
        self._token = ""
        self._good_until = 0.0

    def __call__(self) -> str:
        """The token; Transient while the portal is away, Answered when it refuses."""
        with self._lock:
            if time.monotonic() >= self._good_until:
                self._renew()
            return self._token

    def _renew(self) -> None:
        response = persist(lambda: self._http.post(self._url, data=self._form, auth=self._auth))
        if response.status_code != httpx.codes.OK:
            raise Answered(response.status_code, refusal_of(response))
        answer = response.json()
        self._token = answer["access_token"]
        self._good_until = time.monotonic() + max(answer["expires_in"] - RENEW_BEFORE_SECONDS, 1)

    def forget(self) -> None:
        """Get a new one next time."""
        with self._lock:
            self._good_until = 0.0


class Client:
    """One service's or one person's way to another service. Safe to share between threads; `close()` when done.

    Either as a machine (portal_url, client_id, client_secret) or with `token`, which gives a token whenever asked.
    Every call may be repeated on its way: what it does must be safe to repeat (a PUT, items with ids of their own, or
    an idempotency key). Raises `Transient` when there is no answer after a few tries, `Answered` for a refusal.
    """

    def __init__(
        self,
        base_url: str,
        audience: str = "",
        portal_url: str = "",
        client_id: str = "",
        client_secret: str = "",
        *,
        token: Callable[[], str] | None = None,
        language: Language = "en",
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._http = httpx.Client(
            timeout=httpx.Timeout(answer_seconds, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=16),
            headers={"Accept-Language": language},
            trust_env=False,
        )
        self._base_url = base_url.rstrip("/")
        self._answer_seconds = answer_seconds
        self._token = token or ClientToken(self._http, portal_url, audience, client_id, client_secret)

    def get(self, path: str, **query: Any) -> Any:
        """The resource, decoded."""
        return self._json("GET", path, params=_given(query))

    def put(self, path: str, body: Any) -> Any:
        """Create or replace; the resource as it is then."""
        return self._json("PUT", path, json=body)

    def post(self, path: str, body: Any = None, *, idempotency_key: str | None = None, **query: Any) -> Any:
        """Have something done; what came of it."""
        given = {} if body is None else {"json": body}
        return self._json("POST", path, params=_given(query), headers=_keyed(idempotency_key), **given)

    def delete(self, path: str) -> Any:
        """Remove."""
        return self._json("DELETE", path)

    def upload(
        self, path: str, file_name: str, content: bytes, *, idempotency_key: str | None = None, **query: Any
    ) -> Any:
        """Send a file as the form field `file`."""
        files = {"file": (file_name, content, "application/octet-stream")}
        return self._json("POST", path, params=_given(query), headers=_keyed(idempotency_key), files=files)

    def download(self, path: str, **query: Any) -> bytes:
        """A file's content. One that is made in the background is waited for as long as an answer is; Transient then:
        asked for again, it is further."""
        answer = self._ask("GET", path, params=_given(query))
        until = time.monotonic() + self._answer_seconds
        while answer.status_code == httpx.codes.ACCEPTED:
            progress = self.get(urlsplit(answer.headers["Location"]).path)
            if progress["file"]:
                return self._ask("GET", progress["file"]).content
            if progress["code"]:
                raise Answered(httpx.codes.CONFLICT, progress)
            if time.monotonic() > until:
                raise Transient("a file is still being made")
            time.sleep(MADE_PAUSE_SECONDS)
        return answer.content

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _json(self, method: str, path: str, **request: Any) -> Any:
        response = self._ask(method, path, **request)
        return response.json() if response.content else None

    def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        response = persist(lambda: self._send(method, path, **request))
        if response.status_code == httpx.codes.UNAUTHORIZED and isinstance(self._token, ClientToken):
            self._token.forget()  # the portal may have new keys or the machine slept
            response = persist(lambda: self._send(method, path, **request))
        if response.is_success:
            return response
        raise Answered(response.status_code, refusal_of(response))

    def _send(self, method: str, path: str, headers: Mapping[str, str] | None = None, **request: Any) -> httpx.Response:
        said = {"Authorization": f"Bearer {self._token()}", **(headers or {})}
        if cause := current_cause():
            said["X-Cause"] = cause
        return self._http.request(method, self._base_url + path, headers=said, **request)


def persist(send: Callable[[], httpx.Response]) -> httpx.Response:
    """The answer to a request, tried a few times with growing pauses; Transient when there is none."""
    started, pause = time.monotonic(), FIRST_PAUSE_SECONDS
    tries = 1
    while isinstance(answer := _try(send), NoAnswer):
        if tries == TRIES or time.monotonic() - started > PATIENCE_SECONDS:
            raise answer
        tries += 1
        pause = max(pause, answer.asked_pause_seconds)
        time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 -- jitter, not a secret
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    return answer


class NoAnswer(Transient):
    """One try had no usable answer; the other side may have said how long to wait."""

    asked_pause_seconds = 0.0


def _try(send: Callable[[], httpx.Response]) -> httpx.Response | NoAnswer:
    try:
        response = send()
    except httpx.TransportError as error:
        return NoAnswer(f"no answer: {type(error).__name__}")
    if response.status_code not in RETRIED:
        return response
    nothing = NoAnswer(f"answered {response.status_code}")
    asked = response.headers.get("Retry-After", "")
    nothing.asked_pause_seconds = min(float(asked), LONGEST_PAUSE_SECONDS) if asked.isdecimal() else 0.0
    return nothing


def refusal_of(response: httpx.Response) -> Mapping[str, Any]:
    """The problem document of a response, or one made of what it says."""
    try:
        document = response.json()
    except ValueError:
        document = None
    if isinstance(document, dict):
        return document
    return {"status": response.status_code, "code": f"http_{response.status_code}", "detail": response.reason_phrase}


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def _keyed(idempotency_key: str | None) -> dict[str, str]:
    return {"Idempotency-Key": idempotency_key} if idempotency_key else {}

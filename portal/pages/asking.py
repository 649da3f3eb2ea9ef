"""Asking the services as the person signed in: one, several at once, or all pages of a list."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import quote

from flask import current_app, g

from chassis.errors import Transient
from chassis.web.client import Answered, Client
from portal.identity import sessions
from portal.pages.speech import language

Value = TypeVar("Value")

ANSWER_SECONDS = 4.0  # a page waits for one answer of a service; a service that hangs must not hang the page
GLANCE_SECONDS = 1.5  # where several services are asked and one that is silent is left out
FILE_SECONDS = 40.0  # a whole sheet goes in or out
NOT_FOUND = 404


def ask(service: str, answer_seconds: float = ANSWER_SECONDS) -> Client:
    """A service, asked as the person signed in; kept for this request."""
    kept: dict[tuple[str, float], Client] = g.setdefault("clients", {})
    if (service, answer_seconds) not in kept:
        address = current_app.extensions["portal.settings"].service_urls[service]
        token = sessions.token_for(service)
        kept[service, answer_seconds] = Client(
            address, token=lambda: token, language=language(), answer_seconds=answer_seconds
        )
    return kept[service, answer_seconds]


def together(services: Iterable[str], read: Callable[[Client], Value]) -> dict[str, Value | None]:
    """The same of several services, asked at once; None of one that does not answer."""
    clients = {name: ask(name, GLANCE_SECONDS) for name in services}

    def answer(client: Client) -> Value | None:
        try:
            return read(client)
        except Transient:
            return None

    with ThreadPoolExecutor(len(clients)) as pool:
        return dict(zip(clients, pool.map(answer, clients.values()), strict=True))


def address(*parts: str) -> str:
    """A path of a service; what stands between two slashes stays there."""
    return "".join(f"/{quote(part, safe=':')}" for part in parts)


def every(
    service: str, path: str, limit: int = 2000, answer_seconds: float = ANSWER_SECONDS, **query: Any
) -> list[dict[str, Any]]:
    """All items of a list, page by page, up to a limit."""
    found: list[dict[str, Any]] = []
    cursor = None
    while len(found) < limit:
        page = ask(service, answer_seconds).get(path, cursor=cursor, limit=min(500, limit), **query)
        if isinstance(page, list):
            return page
        found += page["items"]
        cursor = page["next"]
        if not cursor:
            break
    return found


def every_or_none(service: str, path: str, **query: Any) -> list[dict[str, Any]] | None:
    """All items of a list that a page can do without; None while the service does not answer, asked once a request."""
    silent: set[str] = g.setdefault("silent", set())
    if service in silent:
        return None
    try:
        return every(service, path, answer_seconds=GLANCE_SECONDS, **query)
    except Transient:
        silent.add(service)
        return None


def found_or_none(read: Callable[[], Any]) -> Any:
    """What a service has, or None where it has nothing."""
    try:
        return read()
    except Answered as problem:
        if problem.status != NOT_FOUND:
            raise
        return None


def scheme_names() -> dict[str, str]:
    """The schemes' names by code, as assessment has them; none while it does not answer: then codes are shown."""
    return {one["scheme"]: one["name"] for one in every_or_none("assessment", "/schemes") or []}


def source_names() -> dict[str, str]:
    """What outcomes other than certificates come from, by `<kind>.<code>`; none while the bank does not answer."""
    return {one["scheme"]: one["title"] for one in every_or_none("creditbank", "/outcome-sources") or []}


def request_key() -> str:
    """A fresh name for a request that must count once."""
    return secrets.token_urlsafe(16)


def close_clients() -> None:
    """Let go of the services at the end of a request."""
    for client in g.pop("clients", {}).values():
        client.close()

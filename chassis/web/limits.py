"""How much one caller may ask in a short time. Generous: it stops loops that ran away, not work."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from flask import Flask, current_app, g, request
from flask_limiter import Limiter, RequestLimit
from limits import parse
from limits.storage import MemoryStorage
from werkzeug.exceptions import TooManyRequests

from chassis.web.access import caller_if_any
from chassis.web.health import QUIET_ROUTES

LIMITS = ("20000 per 10 second",)
MEMORY = "memory+one-at-a-time://"


class OrderlyMemory(MemoryStorage):
    """Counts in memory, one request at a time: two that find the library's expiry timer at rest would both start it,
    and the second be told RuntimeError."""

    STORAGE_SCHEME = ["memory+one-at-a-time"]

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: str) -> None:
        self._counting = threading.Lock()
        super().__init__(uri, wrap_exceptions, **options)

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        with self._counting:
            return super().incr(key, expiry, amount)


def who() -> str:
    """The caller by his token, otherwise the address he speaks from."""
    visitor = caller_if_any() if "Authorization" in request.headers else None
    return f"subject:{visitor.subject}" if visitor else f"address:{request.remote_addr}"


def limit(app: Flask, limits: Sequence[str] = LIMITS, storage: str = MEMORY) -> Limiter:
    """Hold an application to the limits, all its routes together; health and metrics are free.

    `storage`: each process counts for itself in memory, or all together under a MongoDB address.
    """
    limiter = Limiter(
        key_func=who,
        app=app,
        application_limits=list(limits),
        application_limits_exempt_when=lambda: request.path in QUIET_ROUTES,
        storage_uri=storage,
        strategy="fixed-window",
        headers_enabled=False,
        on_breach=_note_wait,
        swallow_errors=False,
    )
    app.extensions["onex.limiter"] = limiter
    return limiter


def _note_wait(breached: RequestLimit) -> None:
    g.retry_after_seconds = max(1, round(breached.reset_at - time.time()))


def refuse_guesser(rate: str) -> None:
    """429 for a caller who has guessed wrong too often lately: `rate` is e.g. `30 per minute`."""
    limiter: Limiter = current_app.extensions["onex.limiter"]
    place = (request.endpoint or "", who())
    if not limiter.limiter.test(parse(rate), *place):
        g.retry_after_seconds = max(
            1, round(limiter.limiter.get_window_stats(parse(rate), *place).reset_time - time.time())
        )
        raise TooManyRequests


def note_guess(rate: str) -> None:
    """Count a wrong guess of the caller's; right ones are free."""
    limiter: Limiter = current_app.extensions["onex.limiter"]
    limiter.limiter.hit(parse(rate), request.endpoint or "", who())

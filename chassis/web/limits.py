"""How much one caller may ask in a short time. Generous: it stops loops that ran away, not work."""

from __future__ import annotations

import time
from collections.abc import Sequence

from flask import Flask, g, request
from flask_limiter import Limiter, RequestLimit

from chassis.web.access import caller_if_any
from chassis.web.health import QUIET_ROUTES

LIMITS = ("20000 per 10 second",)
MEMORY = "memory://"


def who() -> str:
    """The caller by his token, otherwise the address he speaks from."""
    visitor = caller_if_any() if "Authorization" in request.headers else None
    return f"subject:{visitor.subject}" if visitor else f"address:{request.remote_addr}"


def limit(app: Flask, limits: Sequence[str] = LIMITS, storage: str = MEMORY) -> Limiter:
    """Hold an application to the limits, all its routes together; health and metrics are free.

    `storage`: each process counts for itself in memory, or all together under a MongoDB address.
    """
    return Limiter(
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


def _note_wait(breached: RequestLimit) -> None:
    g.retry_after_seconds = max(1, round(breached.reset_at - time.time()))

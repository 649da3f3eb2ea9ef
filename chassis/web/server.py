"""gunicorn's worker, whose own errors, about requests no application ever sees, are problem documents too.

gunicorn's master loads this module, so nothing here loads the metrics: they belong to the workers, and their folder is
made when the master has started.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.http.errors import (
    ConfigurationProblem,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.gthread import ThreadWorker

STATUSES: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (LimitRequestLine, HTTPStatus.REQUEST_URI_TOO_LONG),
    (LimitRequestHeaders, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    (UnsupportedTransferCoding, HTTPStatus.NOT_IMPLEMENTED),
    (ConfigurationProblem, HTTPStatus.INTERNAL_SERVER_ERROR),
    (ParseException, HTTPStatus.BAD_REQUEST),
)


class Worker(ThreadWorker):
    """`worker_class = "chassis.web.server.Worker"`: gunicorn's threads, our words."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:  # noqa: ARG002 -- gunicorn's signature
        """Answer a request that could not be read; nothing of it is logged."""
        status = next((status for kind, status in STATUSES if isinstance(exc, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
        from chassis.watch import log  # noqa: PLC0415 -- see above

        log.warning("request not read", status=status.value, error=type(exc).__name__)
        try:
            util.write_nonblock(client, answer_of(status))
        except OSError as error:
            log.info("nobody heard it", error=type(error).__name__)


def answer_of(status: HTTPStatus) -> bytes:
    """A whole HTTP answer that closes the connection."""
    from chassis.web.problems import BROKEN, CONTENT_TYPE, NOT_UNDERSTOOD, Problem  # noqa: PLC0415 -- see above

    ground = BROKEN if status >= HTTPStatus.INTERNAL_SERVER_ERROR else NOT_UNDERSTOOD
    body = json.dumps(Problem(status.value, ground.code, ground.en).document).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Connection: close",
        f"Content-Type: {CONTENT_TYPE}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*head, "", "")).encode() + body

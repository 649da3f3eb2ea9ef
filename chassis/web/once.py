"""Once: a POST whose items carry no id of their own is repeated safely under an Idempotency-Key."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import mongoengine as me
from flask import Response, current_app, make_response, request

from chassis.database import collection_of, transactional
from chassis.errors import Ground
from chassis.seal import open_bytes, seal_bytes
from chassis.web.access import caller

KEEP_DAYS = 7
KEY = re.compile(r"[!-~]{1,200}")
KEPT_HEADERS = ("Location", "Content-Language")

IDEMPOTENCY_MISMATCH = Ground(
    "idempotency_mismatch",
    en="This Idempotency-Key was used for another request. Use a new one for a new request.",
    zh="该 Idempotency-Key 已用于另一请求，新请求请使用新的键。",
    status=409,
)
IDEMPOTENCY_KEY_INVALID = Ground(
    "idempotency_key_invalid",
    en="An Idempotency-Key has 1 to 200 visible ASCII characters.",
    zh="Idempotency-Key 应为 1 至 200 个可见 ASCII 字符。",
)


class OnceAnswers(me.Document):
    """What was answered under a key, kept for a week."""

    meta = {
        "collection": "once_answers",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["at"], "expireAfterSeconds": KEEP_DAYS * 86_400, "name": "expiry"}],
    }
    id = me.StringField(primary_key=True)
    asked = me.StringField()
    status = me.IntField()
    content = me.BinaryField()
    content_type = me.StringField()
    headers = me.DictField()
    at = me.DateTimeField()


def once(view: Callable[..., Any]) -> Callable[..., Any]:
    """Run the view in one transaction with the record of its answer. Stands directly under `@allow`.

    The view may run again after a conflict: nothing outward in it. A refusal is not recorded.
    """

    @functools.wraps(view)
    def answered(*args: Any, **kwargs: Any) -> Any:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return view(*args, **kwargs)
        if not KEY.fullmatch(key):
            raise IDEMPOTENCY_KEY_INVALID()
        return _once(_name(key), _asked(), lambda: current_app.ensure_sync(view)(*args, **kwargs))

    answered.onex_once = True  # type: ignore[attr-defined]
    return answered


@transactional
def _once(name: str, asked: str, run: Callable[[], Any]) -> Response:
    """The stored answer, or the view's own, stored."""
    answers = collection_of(OnceAnswers)
    stored = answers.find_one({"_id": name})
    if stored is not None:
        if stored["asked"] != asked:
            raise IDEMPOTENCY_MISMATCH()
        content = open_bytes(_seal_key(), bytes(stored["content"]), name)
        return Response(content, stored["status"], stored["headers"], content_type=stored["content_type"])
    for file in request.files.values():
        file.stream.seek(0)
    response = make_response(run())
    answers.insert_one(
        {
            "_id": name,
            "asked": asked,
            "status": response.status_code,
            "content": seal_bytes(_seal_key(), response.get_data(), name),  # it may repeat what was uploaded
            "content_type": response.content_type,
            "headers": {header: response.headers[header] for header in KEPT_HEADERS if header in response.headers},
            "at": datetime.now(UTC),
        }
    )
    return response


def _seal_key() -> bytes:
    key: bytes = current_app.extensions["onex.seal_key"]
    return key


def _name(key: str) -> str:
    """The key belongs to its caller and address."""
    return _digest(caller().subject, request.method, request.path, key)


def _asked(parts: tuple[bytes, ...] = ()) -> str:
    """A fingerprint of what was asked; of an upload, of its fields and files, since its boundary changes each time."""
    if not request.mimetype.startswith("multipart/"):
        return _digest(request.query_string, request.get_data(cache=True))
    for name in sorted(request.form):
        parts += (name.encode(), *(value.encode() for value in request.form.getlist(name)))
    for name in sorted(request.files):
        for file in request.files.getlist(name):
            parts += (name.encode(), (file.filename or "").encode(), file.stream.read())
            file.stream.seek(0)
    return _digest(request.query_string, *parts)


def _digest(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()

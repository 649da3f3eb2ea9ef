"""Problems: an error over HTTP is an RFC 9457 document with a stable code and a sentence in the caller's language."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, g, request
from pymongo.errors import ConnectionFailure, ExecutionTimeout
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import RoutingException

from chassis.database import driver_error, is_conflict
from chassis.errors import TOO_BUSY, Busy, Ground, Language, Refusal, Transient
from chassis.standing import RECOVERY_NEEDED, SetBack
from chassis.watch import log
from chassis.web.words import in_chinese

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
RETRY_LATER = {"Retry-After": str(RETRY_AFTER_SECONDS)}

NO_SUCH_ADDRESS = Ground(
    "no_such_address",
    en="There is nothing at this address. /docs lists what there is.",
    zh="此地址没有内容，可用的地址见 /docs。",
    status=404,
)
METHOD_NOT_ALLOWED = Ground(
    "method_not_allowed",
    en="This address does not take {method}; it takes {allowed}.",
    zh="此地址不接受 {method}，可用：{allowed}。",
    status=405,
)
BODY_TOO_LARGE = Ground(
    "body_too_large",
    en="The request is larger than {limit} bytes. Send it in parts.",
    zh="请求超过 {limit} 字节，请分批发送。",
    status=413,
)
MEDIA_TYPE = Ground(
    "media_type_not_supported",
    en="The body must be {expected}. Set Content-Type accordingly.",
    zh="请求体应为 {expected}，请相应设置 Content-Type。",
    status=415,
)
MALFORMED_BODY = Ground(
    "malformed_body",
    en="The body is not valid JSON in UTF-8.",
    zh="请求体不是有效的 UTF-8 JSON。",
    status=400,
)
BODY_MISSING = Ground("body_missing", en="The request has no body. Send one.", zh="请求没有内容，请补充请求体。")
FIELDS_INVALID = Ground(
    "fields_invalid",
    en="The request does not have the right shape: {first}",
    zh="请求格式不正确：{first}",
)
TOO_MANY_ITEMS = Ground(
    "too_many_items",
    en="A list holds at most {limit} items; this one has {count}. Send it in parts.",
    zh="一次最多 {limit} 项，此处有 {count} 项，请分批发送。",
)
TOO_MANY_REQUESTS = Ground(
    "too_many_requests",
    en="Too many requests in a short time. Wait for {seconds} s and go on.",
    zh="短时间内请求过多，请等待 {seconds} 秒后继续。",
    status=429,
)
NOT_AVAILABLE = Ground(
    "not_available",
    en="Something this service needs does not answer at the moment. Nothing was lost; try again shortly.",
    zh="本服务依赖的组件暂时没有响应，数据未丢失，请稍后再试。",
    status=503,
)
NOT_READY = Ground("not_ready", en="Not ready: {reasons}", zh="尚未就绪：{reasons}", status=503)
BROKEN = Ground(
    "internal_error",
    en="This is our mistake. It is logged; nothing of this request was kept.",
    zh="系统内部错误，已记录日志，本次请求未产生任何更改。",
    status=500,
)
NOT_UNDERSTOOD = Ground("not_understood", en="The request can't be understood.", zh="无法理解该请求。", status=400)
BY_STATUS = {404: NO_SUCH_ADDRESS, 400: NOT_UNDERSTOOD, 500: BROKEN, 503: NOT_AVAILABLE}


@dataclass(frozen=True)
class Problem:
    """What went wrong with one request, ready to be answered."""

    status: int
    code: str
    detail: str
    errors: tuple[Mapping[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "type": f"urn:onex:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        return document | ({"errors": list(self.errors)} if self.errors else {})


def language() -> Language:
    """The language the caller reads: Chinese if the request says so first, English otherwise."""
    return "zh" if request.headers.get("Accept-Language", "").strip().lower().startswith("zh") else "en"


def problem_of(refusal: Refusal, **headers: str) -> Problem:
    """A refusal of the whole request."""
    return Problem(refusal.ground.status, refusal.code, refusal.sentence(language()), headers=headers)


def answer(problem: Problem) -> Response:
    """The problem as a response."""
    response = Response(json.dumps(problem.document, ensure_ascii=False), problem.status, content_type=CONTENT_TYPE)
    response.headers.update(problem.headers)
    response.headers["Content-Language"] = language()
    response.vary.add("Accept-Language")
    return response


def register(app: Flask) -> None:
    """Have every error of an application answered here."""
    app.register_error_handler(Refusal, on_refusal)
    app.register_error_handler(HTTPException, on_http_error)
    app.register_error_handler(Transient, on_transient)
    app.register_error_handler(Exception, on_error)


def on_refusal(refusal: Refusal) -> Response:
    """A rule said no to the whole request."""
    challenge = {"WWW-Authenticate": refusal.facts["challenge"]} if "challenge" in refusal.facts else {}
    return answer(problem_of(refusal, **challenge))


def on_transient(error: Transient) -> Response:
    """The same again may work in a moment."""
    grounds = {Busy: TOO_BUSY, SetBack: RECOVERY_NEEDED}
    ground = grounds.get(type(error), NOT_AVAILABLE)
    log.warning("not available", ground=ground.code, error=type(error).__name__)
    return answer(problem_of(ground(), **RETRY_LATER))


def on_error(error: Exception) -> Response:
    """The database away or held by others is a matter of waiting; all else is a defect, logged without its values."""
    found = driver_error(error)
    if isinstance(found, ConnectionFailure | ExecutionTimeout) or is_conflict(error):
        return on_transient(Transient(type(found).__name__))
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    log.error("request broke", error=type(error).__name__, route=route(), frames=frames[-12:])
    return answer(problem_of(BROKEN()))


def on_http_error(error: HTTPException) -> Response | HTTPException:
    """What Flask and its extensions say, in our words; a redirect stays one."""
    if isinstance(error, RoutingException) or error.code is None or error.code < 400:
        return error
    return answer(_problem_of_http(error, error.code))


def _problem_of_http(error: HTTPException, status: int) -> Problem:
    if isinstance(error, MethodNotAllowed):
        return _method_problem()
    if status == 413:
        return problem_of(BODY_TOO_LARGE(limit=request.max_content_length))
    if status == 415:
        return problem_of(MEDIA_TYPE(expected="application/json"))
    if status == 422:
        return _fields_problem(getattr(error, "data", {}).get("messages", {}))
    if status == 429:
        seconds = str(g.get("retry_after_seconds", RETRY_AFTER_SECONDS))
        return problem_of(TOO_MANY_REQUESTS(seconds=seconds), **{"Retry-After": seconds})
    if ground := BY_STATUS.get(status):
        return problem_of(ground())
    return Problem(status, f"http_{status}", HTTPStatus(status).phrase)


def _method_problem() -> Problem:
    adapter = current_app.create_url_adapter(request)
    allowed = ", ".join(sorted(adapter.allowed_methods())) if adapter else ""
    return problem_of(METHOD_NOT_ALLOWED(method=request.method, allowed=allowed), Allow=allowed)


def _fields_problem(messages: Any) -> Problem:
    errors = tuple(
        {"field": name, "detail": in_chinese(text) if language() == "zh" else text} for name, text in _flat(messages)
    )
    refusal = FIELDS_INVALID(first="; ".join(f"{error['field']}: {error['detail']}" for error in errors[:1]) or "?")
    return Problem(422, refusal.code, refusal.sentence(language()), errors[:100])


def _flat(messages: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Each message with the field it is about: `json.0.theory`."""
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from _flat(inner, path if name == "_schema" else (*path, str(name)))
    elif isinstance(messages, list):
        for inner in messages:
            yield from _flat(inner, path)
    else:
        yield ".".join(path[1:]) or path[0] if path else "body", str(messages)


def route() -> str:
    """The rule that matched the request, never the address itself."""
    return request.url_rule.rule if request.url_rule else "(none)"

"""The OpenAPI document: what the schemas say, and on every operation its security, limits and problems."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import flask_smorest
from flask import Flask
from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import fields, validate
from werkzeug.routing import BaseConverter, IntegerConverter, Rule

from chassis.errors import Defect
from chassis.web import problems
from chassis.web.access import Access
from chassis.web.blueprint import MAX_ITEMS, UPLOAD, Blueprint
from chassis.web.problems import CONTENT_TYPE
from chassis.web.schemas import Problem

VERSION = "3.1.0"
METHODS = ("get", "put", "post", "delete", "patch")
BASIC_STATUSES = (422, 429, 500, 503)
RETRY = {"Retry-After": {"required": True, "description": "seconds", "schema": {"type": "string"}}}
CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
HEADERS: dict[int, dict[str, Any]] = {401: CHALLENGE, 403: CHALLENGE, 429: RETRY, 503: RETRY}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same body gets the stored answer; with another body, 409.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}
ABOUT = """{title}. Errors are RFC 9457 problem documents; decide on `code`. `detail` is for people, in Chinese when
Accept-Language starts with zh, in English otherwise. Lists go on from `next` to `cursor`. Instants lie in
the years 2 to 9998. Tokens come from the portal's /oauth/token with audience={name}."""


class BoundedInteger(IntegerConverter):
    """A number in an address has at most 15 digits: larger ones fit no database."""

    regex = r"\d{1,15}"


class Code(BaseConverter):
    """`<code:plan>`: an identifier people chose; anything else is no address here."""

    regex = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


def code_schema(_converter: Code) -> dict[str, str]:
    """How the document states it."""
    return {"type": "string", "pattern": f"^{Code.regex}$"}


def key_pattern(_converter: Any, field: fields.Field[Any], **_: Any) -> dict[str, Any]:
    """What a mapping asks of its keys, which apispec leaves out."""
    key = getattr(field, "key_field", None)
    patterns = [rule.regex.pattern for rule in key.validators if isinstance(rule, validate.Regexp)] if key else []
    return {"propertyNames": {"pattern": patterns[0]}} if patterns else {}


class Api(flask_smorest.Api):
    """flask-smorest's Api, with this house's problems in place of its errors."""

    ERROR_SCHEMA = Problem
    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        problems.register(self._app)


def assemble(app: Flask, name: str, title: str, blueprints: Iterable[SmorestBlueprint]) -> Api:
    """Register the blueprints and complete the document they make."""
    app.url_map.converters |= {"int": BoundedInteger, "code": Code}
    api = Api(
        app,
        spec_kwargs={
            "title": title,
            "version": "1",
            "openapi_version": VERSION,
            "info": {"description": ABOUT.format(title=title, name=name)},
        },
    )
    api.register_converter(Code, code_schema)
    api.ma_plugin.converter.add_attribute_function(key_pattern)
    for blueprint in blueprints:
        if not isinstance(blueprint, Blueprint):
            raise Defect(f"blueprint {blueprint.name} is not of chassis.web.blueprint.Blueprint")
        api.register_blueprint(blueprint)
    _add_components(api)
    return api


def _add_components(api: Api) -> None:
    api.spec.components.security_scheme("token", {"type": "http", "scheme": "bearer", "bearerFormat": "at+jwt"})
    if "Problem" not in api.spec.components.schemas:
        api.spec.components.schema("Problem", schema=Problem)
    for status in (400, 401, 403, 404, 409, 413, 415, *BASIC_STATUSES):
        api.spec.components.response(f"Problem{status}", _problem_response(status))


def _problem_response(status: int) -> dict[str, Any]:
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    response: dict[str, Any] = {"description": HTTPStatus(status).phrase, "content": content}
    return response | ({"headers": HEADERS[status]} if status in HEADERS else {})


def document(app: Flask, api: Api) -> dict[str, Any]:
    """The whole document, completed from what the routes say about themselves."""
    written: dict[str, Any] = api.spec.to_dict()
    paths = written.setdefault("paths", {})
    written["components"]["responses"].pop("UNPROCESSABLE_ENTITY", None)  # flask-smorest's own; ours replaces it
    for rule in app.url_map.iter_rules():
        item = paths.get(api.flask_plugin.flaskpath2openapi(rule.rule), {})
        for method in (name for name in METHODS if name in item and name.upper() in (rule.methods or ())):
            _complete(item[method], method, rule, app.view_functions[rule.endpoint])
    return written


def _complete(operation: dict[str, Any], method: str, rule: Rule, view: Any) -> None:
    view = getattr(getattr(view, "view_class", None), method, view)
    access: Access = view.onex_access
    operation["operationId"] = rule.endpoint.replace(".", "_")
    if access.roles:
        operation["security"] = [{"token": []}]
        operation["x-roles"] = [str(role) for role in access.roles]
        operation["x-own-only"] = access.owning
        operation["x-by-person"] = access.by_person
        operation["x-whole-college"] = access.whole_college
    else:
        operation["security"] = []
    if getattr(view, "onex_once", False):
        operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
    if body := operation.get("requestBody"):
        _bound_lists(body)
    responses: dict[str, Any] = operation["responses"]
    for status in map(str, _statuses(operation, method, bool(rule.arguments))):
        if "content" not in responses.get(status, {}):  # what the route says itself stands
            responses[status] = {"$ref": f"#/components/responses/Problem{status}"}
    operation["responses"] = dict(sorted(responses.items()))


def _bound_lists(body: dict[str, Any]) -> None:
    for content in body.get("content", {}).values():
        schema = content.get("schema", {})
        if schema.get("type") == "array":
            schema["maxItems"] = MAX_ITEMS


def _statuses(operation: dict[str, Any], method: str, has_path: bool) -> list[int]:
    """Every problem an operation may answer."""
    statuses = list(BASIC_STATUSES)
    if operation.get("security"):
        statuses += [401, 403]
    if has_path or method != "get":
        statuses.append(404)
    if method != "get":
        statuses.append(409)
    if "requestBody" in operation:
        statuses += [400, 413, 415]
    return statuses


def is_upload(view: Any) -> bool:
    """Whether a view takes files, and with them a larger body."""
    arguments = getattr(view, "_apidoc", {}).get("arguments", {}).get("parameters", [])
    return any(one.get("in") == "files" or one.get("content_type") == UPLOAD for one in arguments)

"""The documentation page: made here of the OpenAPI document, in Chinese or English, with nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Response, request
from jinja2 import Environment, PackageLoader

from chassis.errors import Language
from chassis.web.problems import language

POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
PAGES = Environment(loader=PackageLoader("chassis.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "arguments": "Arguments",
        "body": "Body",
        "answers": "Answers",
        "schemas": "Schemas",
        "roles": "Roles",
        "own-only": "callers limited to their own: only their own",
        "whole-college": "not for callers limited to their own",
        "by-person": "people who have signed in, no machines",
        "public": "no token needed",
        "required": "required",
        "problems": "Problems",
        "field": "field",
        "type": "type",
        "meaning": "meaning",
        "document": "OpenAPI document",
        "other": "中文",
        "contents": "Contents",
    },
    "zh": {
        "arguments": "参数",
        "body": "请求体",
        "answers": "响应",
        "schemas": "数据结构",
        "roles": "角色",
        "own-only": "受限调用者仅限本人（本单位）",
        "whole-college": "受限调用者不可用",
        "by-person": "须由本人登录，不接受系统账号",
        "public": "无需令牌",
        "required": "必填",
        "problems": "错误",
        "field": "字段",
        "type": "类型",
        "meaning": "含义",
        "document": "OpenAPI 文档",
        "other": "English",
        "contents": "目录",
    },
}
LIMITS = ("own-only", "whole-college", "by-person")


@dataclass(frozen=True)
class Shown:
    """One operation as the page shows it."""

    method: str
    path: str
    anchor: str
    summary: str
    description: str
    roles: list[str]
    limits: list[str]
    arguments: list[tuple[str, str, str, bool, str]]
    body: list[tuple[str, str]]
    answers: list[tuple[str, str, str]]
    problems: list[str]


def docs_page(document: dict[str, Any]) -> Response:
    """The page of a document in the caller's language, or in the one asked for with ?language=."""
    asked = request.args.get("language", "")
    shown: Language = "zh" if (asked or language()) == "zh" else "en"
    groups: dict[str, list[Shown]] = {}
    for tag, operation in _operations(document):
        groups.setdefault(tag, []).append(operation)
    page = PAGES.get_template("docs.html").render(
        document=document,
        language=shown,
        other="en" if shown == "zh" else "zh",
        words=WORDS[shown],
        groups=groups,
        schemas=_schemas(document),
    )
    response = Response(page, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = POLICY
    return response


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, Shown]]:
    for path, item in document.get("paths", {}).items():
        shared = item.get("parameters", [])
        for method in (name for name in item if name != "parameters"):
            yield item[method]["tags"][0], _shown(path, method, item[method], shared)


def _shown(path: str, method: str, operation: dict[str, Any], shared: list[Any]) -> Shown:
    responses: dict[str, Any] = operation.get("responses", {})
    arguments = [*shared, *operation.get("parameters", [])]
    return Shown(
        method=method.upper(),
        path=path,
        anchor=operation["operationId"],
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        roles=operation.get("x-roles", []),
        limits=[name for name in LIMITS if operation.get(f"x-{name}")],
        arguments=[_argument(one) for one in arguments],
        body=_contents(operation.get("requestBody", {})),
        answers=[
            (status, one.get("description", ""), "; ".join(name for _, name in _contents(one)))
            for status, one in responses.items()
            if "$ref" not in one
        ],
        problems=[status for status, one in responses.items() if "$ref" in one],
    )


def _argument(one: dict[str, Any]) -> tuple[str, str, str, bool, str]:
    return one["name"], one["in"], type_name(one["schema"]), one.get("required", False), one.get("description", "")


def _contents(part: dict[str, Any]) -> list[tuple[str, str]]:
    return [(kind, type_name(one.get("schema", {}))) for kind, one in part.get("content", {}).items()]


def _schemas(document: dict[str, Any]) -> list[tuple[str, list[tuple[str, str, bool, str]]]]:
    """Each named schema with its fields: name, type, required, meaning."""
    shown = []
    for name, schema in sorted(document.get("components", {}).get("schemas", {}).items()):
        required = set(schema.get("required", ()))
        members = [
            (key, type_name(one), key in required, one.get("description", ""))
            for key, one in schema.get("properties", {}).items()
        ]
        shown.append((name, members))
    return shown


def type_name(schema: dict[str, Any]) -> str:
    """A schema's type in a few characters: `string (date)`, `[Plan]`, `integer 0..100`, `"a" | "b"`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for key in ("allOf", "anyOf", "oneOf"):
        if key in schema:
            return " | ".join(type_name(one) for one in schema[key])
    if "enum" in schema:
        return " | ".join(json.dumps(one, ensure_ascii=False) for one in schema["enum"])
    if schema.get("type") == "array":
        return f"[{type_name(schema.get('items', {}))}]"
    return _plain_type(schema)


def _plain_type(schema: dict[str, Any]) -> str:
    kind = schema.get("type", "any")
    text = " | ".join(kind) if isinstance(kind, list) else str(kind)
    if "format" in schema:
        text += f" ({schema['format']})"
    if schema.get("minimum", -(10**9)) > -1_000_000 and schema.get("maximum", 10**9) < 1_000_000:
        text += f" {schema['minimum']}..{schema['maximum']}"
    return text

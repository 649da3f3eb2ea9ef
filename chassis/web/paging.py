"""Pages: a list is read on from an opaque cursor, in the order of a key, so it never skips or repeats."""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import marshmallow as ma
import msgspec
from marshmallow import fields, validate

from chassis.errors import Ground
from chassis.web.blueprint import Blueprint
from chassis.web.schemas import Schema

Row = TypeVar("Row")
MAX_PAGE, USUAL_PAGE = 500, 100
Key = list[str | int]
CURSOR_INVALID = Ground(
    "cursor_invalid",
    en="This cursor belongs to another list. Start again without one.",
    zh="该游标不属于本列表，请从第一页重新开始。",
)
_ANY = Blueprint("paging", __name__)


class Cursor(fields.String):
    """Where a page ended: the key of its last row, base64url of JSON."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            key = msgspec.json.decode(content, type=Key)
        except (binascii.Error, ValueError) as error:
            raise ma.ValidationError("Not a cursor of this list.") from error
        if not key or any(isinstance(part, int) and abs(part) >= 2**63 for part in key):
            raise ma.ValidationError("Not a cursor of this list.")
        return key


def cursor_of(key: Sequence[str | int]) -> str:
    """The cursor for what comes after a key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(list(key))).rstrip(b"=").decode()


def place_after(cursor: Key | None) -> str:
    """The word that a list by one word goes on after; empty at its beginning. Refusal for another list's cursor."""
    match cursor:
        case None:
            return ""
        case [str(place)]:
            return place
    raise CURSOR_INVALID()


def number_before(cursor: Key | None) -> int | None:
    """The number that a list, the newest first, goes on before; None at its beginning. Refusal for another's cursor."""
    match cursor:
        case None:
            return None
        case [int(number)]:
            return number
    raise CURSOR_INVALID()


class PageArgs(Schema):
    """The query of a list; a list with filters has a subclass."""

    cursor = Cursor(load_default=None, metadata={"description": "`next` of the page before", "format": "onex-cursor"})
    limit = fields.Integer(load_default=USUAL_PAGE, validate=validate.Range(1, MAX_PAGE))


@functools.cache
def page_schema(item: type[Schema]) -> type[Schema]:
    """The answer: `items`, and `next` or null."""
    name = item.__name__.removesuffix("Schema") + "PageSchema"
    members = {
        "items": fields.List(fields.Nested(item), required=True),
        "next": fields.String(required=True, allow_none=True, metadata={"description": "cursor of the next page"}),
    }
    return type(name, (Schema,), members)


def paged(item: type[Schema], filters: type[PageArgs] = PageArgs) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a view a paged list: it gets the query as its first argument and returns `page(...)`."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        answered = _ANY.response(200, page_schema(item))(view)
        read: Callable[..., Any] = _ANY.arguments(filters, location="query")(answered)
        return read

    return decorate


def page(rows: Sequence[Row], limit: int, key: Callable[[Row], Sequence[str | int]]) -> dict[str, Any]:
    """One page of rows that were read with `limit + 1`, so that it is known whether there is more."""
    shown = rows[:limit]
    return {"items": shown, "next": cursor_of(key(shown[-1])) if len(rows) > limit and shown else None}


def after(cursor: Key | None, *names: str) -> dict[str, Any]:
    """The filter for rows behind a cursor in ascending order of these fields; Refusal if it has another shape."""
    return _beyond(cursor, names, "$gt")


def before(cursor: Key | None, *names: str) -> dict[str, Any]:
    """The same in descending order."""
    return _beyond(cursor, names, "$lt")


def _beyond(cursor: Key | None, names: Sequence[str], comparison: str) -> dict[str, Any]:
    if cursor is None:
        return {}
    if len(cursor) != len(names):
        raise CURSOR_INVALID()
    steps = []
    for depth, name in enumerate(names):
        steps.append(dict(zip(names[:depth], cursor[:depth], strict=True)) | {name: {comparison: cursor[depth]}})
    return {"$or": steps} if len(steps) > 1 else steps[0]

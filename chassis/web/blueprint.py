"""A blueprint whose arguments are read strictly: right media type, right JSON, no unknown field, no endless list."""

from __future__ import annotations

from typing import Any

import flask_smorest
import marshmallow as ma
import msgspec
from flask import Request
from flask_smorest.utils import resolve_schema_instance
from webargs.flaskparser import FlaskParser, is_json_request
from werkzeug.exceptions import RequestEntityTooLarge

from chassis.web.problems import BODY_MISSING, MALFORMED_BODY, MEDIA_TYPE, TOO_MANY_ITEMS
from chassis.web.schemas import LARGEST, relaxed

MAX_ITEMS = 500
UPLOAD = "multipart/form-data"


def number_of(text: str) -> int | float:
    """A JSON number with a point: 5.0 is the integer 5."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) <= LARGEST else value


JSON: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=number_of)


class StrictParser(FlaskParser):
    """Reads arguments; what can't be read is refused with the right problem."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {
        "json": ma.RAISE,
        "query": ma.RAISE,
        "form": ma.RAISE,
        "files": ma.RAISE,
        "view_args": ma.RAISE,
        "path": ma.RAISE,
        "headers": ma.EXCLUDE,
        "cookies": ma.EXCLUDE,
    }

    def load_json(self, req: Request, schema: ma.Schema) -> Any:
        """The body, decoded; lists are bounded before anyone looks at an item."""
        body = self._raw_load_json(req)
        if schema.many and isinstance(body, list) and len(body) > MAX_ITEMS:
            raise TOO_MANY_ITEMS(limit=MAX_ITEMS, count=len(body))
        return body

    def _raw_load_json(self, req: Request) -> Any:
        content = req.get_data(cache=True)
        if req.content_length is None and len(content) >= (req.max_content_length or len(content) + 1):
            raise RequestEntityTooLarge  # sent in chunks, it was cut off at the limit
        if not is_json_request(req):
            raise MEDIA_TYPE(expected="application/json") if content or req.mimetype else BODY_MISSING()
        try:
            return JSON.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise MALFORMED_BODY() from error

    def load_form(self, req: Request, schema: ma.Schema) -> Any:
        _check_upload(req)
        return super().load_form(req, schema)

    def load_files(self, req: Request, schema: ma.Schema) -> Any:
        _check_upload(req)
        if req.form:
            raise ma.ValidationError({name: ["Unknown field."] for name in req.form})
        return super().load_files(req, schema)


def _check_upload(req: Request) -> None:
    if req.mimetype not in {UPLOAD, "application/x-www-form-urlencoded"}:
        raise MEDIA_TYPE(expected=UPLOAD) if req.mimetype or req.content_length else BODY_MISSING()


class Blueprint(flask_smorest.Blueprint):
    """The blueprint every room's api stands on: `Blueprint("results", __name__, url_prefix="/results")`."""

    ARGUMENTS_PARSER = StrictParser()

    def arguments(self, schema: Any, *, location: str = "json", **kwargs: Any) -> Any:
        """Read an argument by a schema; in a query or form, numbers arrive as text."""
        instance = resolve_schema_instance(schema)
        if location not in {"json", "files"}:
            instance = relaxed(instance)
        return super().arguments(instance, location=location, **kwargs)

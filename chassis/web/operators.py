"""An operator's word on each of some things, and what came of it: the same answer wherever one is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marshmallow import fields, validate

from chassis.errors import Refusal
from chassis.web.problems import language
from chassis.web.schemas import Schema


class WordSchema(Schema):
    """What came of a word on one thing; `accepted`: it is acted on now, or within a second or two."""

    id = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(["accepted", "refused"]))
    code = fields.String(required=True, allow_none=True)
    detail = fields.String(required=True, allow_none=True)


def word_on(name: str, deed: Callable[[str], None]) -> dict[str, Any]:
    """Do it to the one so named, and say what came of it."""
    try:
        deed(name)
    except Refusal as refusal:
        return {"id": name, "status": "refused", "code": refusal.code, "detail": refusal.sentence(language())}
    return {"id": name, "status": "accepted", "code": None, "detail": None}

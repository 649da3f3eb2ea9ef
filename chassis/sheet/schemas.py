"""Sheets and imports as they are spoken of over HTTP."""

from __future__ import annotations

from typing import Any

from flask_smorest.fields import Upload as UploadedFile
from marshmallow import fields, validate

from chassis.sheet.imports import Sheets
from chassis.web.paging import PageArgs
from chassis.web.schemas import Schema

LANGUAGES = ("zh", "en")
STATUSES = ("new", "changed", "unchanged", "refused")
STATES = ("reading", "previewed", "unreadable", "committing", "committed", "failed", "abandoned")


class ColumnSchema(Schema):
    name = fields.String(required=True)
    aliases = fields.List(fields.String(), required=True)
    required = fields.Boolean(required=True)
    note_zh = fields.String(required=True)
    note_en = fields.String(required=True)
    examples = fields.List(fields.String(), required=True)


class SheetKindSchema(Schema):
    """A kind of sheet that may be uploaded here; `options` are further query parameters of the upload."""

    kind = fields.String(required=True)
    title_zh = fields.String(required=True)
    title_en = fields.String(required=True)
    columns = fields.List(fields.Nested(ColumnSchema), required=True)
    options = fields.List(fields.Nested(ColumnSchema), required=True)
    template = fields.String(required=True, metadata={"description": "address of the template"})


class SheetKindsSchema(Schema):
    items = fields.List(fields.Nested(SheetKindSchema), required=True)


class CountsSchema(Schema):
    new = fields.Integer(required=True)
    changed = fields.Integer(required=True)
    unchanged = fields.Integer(required=True)
    refused = fields.Integer(required=True)


class SaidSchema(Schema):
    code = fields.String(required=True)
    detail = fields.String(required=True)


class ImportSchema(Schema):
    """An upload and how far it is. `counts` as previewed, `done` as committed; `processed` of `total` rows.

    Some days after it ended, or was left uncommitted (then it is `abandoned`), it is emptied: its file with its name,
    its options, its rows and its problem are deleted.
    """

    number = fields.Integer(required=True)
    kind = fields.String(required=True)
    language = fields.String(required=True, validate=validate.OneOf(LANGUAGES))
    file_name = fields.String(required=True)
    options = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    problem = fields.Nested(SaidSchema, required=True, allow_none=True)
    counts = fields.Nested(CountsSchema, required=True)
    done = fields.Nested(CountsSchema, required=True)
    total = fields.Integer(required=True)
    processed = fields.Integer(required=True)
    uploaded_by = fields.String(required=True)
    uploaded_at = fields.AwareDateTime(required=True)
    committed_at = fields.AwareDateTime(required=True, allow_none=True)
    emptied_at = fields.AwareDateTime(required=True, allow_none=True)


class ImportRowSchema(Schema):
    """A row of an import with its verdict; personal cells are masked."""

    row = fields.Integer(required=True, metadata={"description": "the number the spreadsheet shows"})
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    code = fields.String(required=True, allow_none=True)
    detail = fields.String(required=True, allow_none=True)
    notes = fields.List(fields.Nested(SaidSchema), required=True)
    cells = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    cause = fields.String(required=True, metadata={"description": "what /lives/<cause> follows"})


class FileSchema(Schema):
    file = UploadedFile(required=True, metadata={"description": "XLSX or CSV, at most 32 MB and 100,000 rows"})


class ImportsArgs(PageArgs):
    kind = fields.String()
    state = fields.String(validate=validate.OneOf(STATES))


class RowsArgs(PageArgs):
    status = fields.String(validate=validate.OneOf(STATUSES))


def upload_args(sheets: Sheets) -> type[Schema]:
    """The query of an upload: the kind, the language of the workbook that goes back, and the kinds' options."""
    members: dict[str, Any] = {
        column.name: fields.String(validate=validate.Length(1, 100), metadata={"description": column.note_en})
        for kind in sheets.kinds
        for column in kind.options
    }
    members["kind"] = fields.String(required=True, validate=validate.OneOf([kind.name for kind in sheets.kinds]))
    members["language"] = fields.String(load_default="zh", validate=validate.OneOf(LANGUAGES))
    made: type[Schema] = type("UploadArgs", (Schema,), members)
    return made

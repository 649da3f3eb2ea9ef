"""The routes of sheets, the same in each service: kinds and templates, upload, preview, commit, workbook back."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import islice
from typing import Any

from flask import Response, send_file
from werkzeug.datastructures import FileStorage

from chassis.database import Row as Stored
from chassis.database import collection_of, rows_of
from chassis.errors import NOT_FOUND, Ground, Language
from chassis.sheet.imports import (
    Received,
    Sheets,
    ask_to_commit,
    check_kept,
    current_letters,
    discard,
    file_of,
    found,
    is_emptied,
    judgements_of,
    piece_place,
    pieces_of,
    receive,
)
from chassis.sheet.kind import Column, SheetKind
from chassis.sheet.models import ImportPieces, Imports
from chassis.sheet.preview import PIECE_ROWS
from chassis.sheet.read import table_of
from chassis.sheet.sayings import Said
from chassis.sheet.schemas import (
    FileSchema,
    ImportRowSchema,
    ImportsArgs,
    ImportSchema,
    RowsArgs,
    SheetKindsSchema,
    upload_args,
)
from chassis.sheet.sealed import LETTERS, Judgement, KeptPiece, KeptRow, Safe
from chassis.sheet.write import XLSX, template, workbook_back
from chassis.web.access import INSUFFICIENT, Access, allow, caller
from chassis.web.blueprint import Blueprint
from chassis.web.once import once
from chassis.web.paging import CURSOR_INVALID, Key, page, paged
from chassis.web.problems import language

OPTION_NOT_TAKEN = Ground(
    "option_not_taken",
    en="A sheet of kind {kind} takes no {option}. Leave it out.",
    zh="{kind} 表格不接受参数 {option}，请去掉。",
)
WORKBOOK_OF_ANOTHER = Ground(
    "workbook_of_another",
    en="The workbook of import {number} shows personal data whole, to who uploaded it only. Its rows can be looked at.",
    zh="导入 {number} 的表格含未脱敏的个人信息，仅上传者本人可下载；可在页面查看脱敏明细。",
    status=403,
)
BINARY: dict[str, Any] = {"type": "string", "format": "binary"}


def sheets_blueprint(sheets: Sheets) -> Blueprint:
    """All routes of a service's sheets; who may use them is what its kinds say."""
    blp = Blueprint("imports", __name__, description="Sheets: upload, preview, commit, and the workbook back.")
    roles = everybody(sheets)
    for routes in (_kind_routes, _upload_routes, _import_routes, _row_routes):
        routes(blp, sheets, roles)
    return blp


def everybody(sheets: Sheets) -> tuple[StrEnum, ...]:
    """The roles of all kinds, each once."""
    return tuple(dict.fromkeys(role for kind in sheets.kinds for role in kind.roles))


def _kind_routes(blp: Blueprint, sheets: Sheets, roles: tuple[StrEnum, ...]) -> None:
    @blp.route("/sheets")
    @allow(*roles)
    @blp.response(200, SheetKindsSchema)
    def list_sheets() -> Any:
        """The kinds of sheet that the caller may upload."""
        return {"items": [shown_kind(kind) for kind in sheets.kinds if not access_to(kind).objection(caller())]}

    @blp.route("/sheets/<string:kind>/template.xlsx")
    @allow(*roles)
    @blp.response(200, BINARY, content_type=XLSX)
    def get_template(kind: str) -> Response:
        """An empty sheet to fill in, with notes and examples."""
        return as_file(template(kind_named(sheets, kind)), f"{kind}.xlsx")


def _upload_routes(blp: Blueprint, sheets: Sheets, roles: tuple[StrEnum, ...]) -> None:
    @blp.route("/imports", methods=["POST"])
    @allow(*roles)
    @once
    @blp.arguments(upload_args(sheets), location="query")
    @blp.arguments(FileSchema, location="files")
    @blp.response(202, ImportSchema)
    def upload_sheet(args: dict[str, Any], files: dict[str, Any]) -> Any:
        """Take a sheet in; it is read and examined in the background: follow Location."""
        kind, spoken = kind_named(sheets, args.pop("kind")), args.pop("language")
        number = receive(sheets, received(kind, spoken, args, files["file"]))
        return shown_import(sheets, found(number)), 202, {"Location": f"/imports/{number}"}

    @blp.route("/imports")
    @allow(*roles)
    @paged(ImportSchema, ImportsArgs)
    def list_imports(args: dict[str, Any]) -> Any:
        """The caller's imports, newest first; staff of the whole college see all of their kinds."""
        rows = rows_of(Imports, visible(sheets, args), sort=[("_id", -1)], limit=args["limit"] + 1)
        return page([shown_import(sheets, row) for row in rows], args["limit"], lambda one: [one["number"]])


def _import_routes(blp: Blueprint, sheets: Sheets, roles: tuple[StrEnum, ...]) -> None:
    @blp.route("/imports/<int:number>")
    @allow(*roles, owning=owner)
    @blp.response(200, ImportSchema)
    def get_import(number: int) -> Any:
        """How far an import is, and what came of it."""
        return shown_import(sheets, mine(sheets, number))

    @blp.route("/imports/<int:number>", methods=["DELETE"])
    @allow(*roles, owning=owner)
    @blp.response(204)
    def delete_import(number: int) -> None:
        """Throw an import away that is not committed."""
        mine(sheets, number)
        discard(number)

    @blp.route("/imports/<int:number>/commit", methods=["POST"])
    @allow(*roles, owning=owner)
    @blp.response(202, ImportSchema)
    def commit_import(number: int) -> Any:
        """Have the accepted rows take effect, in the background; asked again, it changes nothing."""
        mine(sheets, number)
        return shown_import(sheets, ask_to_commit(number, caller().subject)), 202, {"Location": f"/imports/{number}"}


def _row_routes(blp: Blueprint, sheets: Sheets, roles: tuple[StrEnum, ...]) -> None:
    @blp.route("/imports/<int:number>/rows")
    @allow(*roles, owning=owner)
    @paged(ImportRowSchema, RowsArgs)
    def list_rows(args: dict[str, Any], number: int) -> Any:
        """The rows with their verdicts, as committed if they are, else as previewed."""
        row = mine(sheets, number)
        listed = some_rows(sheets, row, args.get("status"), position_of(args["cursor"]), args["limit"] + 1)
        shown = page(listed, args["limit"], lambda one: [one[0]])
        return shown | {"items": [one for _, one in shown["items"]]}

    @blp.route("/imports/<int:number>/workbook.xlsx")
    @allow(*roles, owning=owner)
    @blp.response(200, BINARY, content_type=XLSX)
    @blp.alt_response(409, "Problem409")
    def get_workbook(number: int) -> Response:
        """The uploaded rows back, each with its status and what to do, for who uploaded them: it masks nothing."""
        row = mine(sheets, number)
        if row["uploaded_by"] != caller().subject:
            raise WORKBOOK_OF_ANOTHER(number=number, challenge=INSUFFICIENT)
        return as_file(workbook_of(sheets, row), f"import-{number}.xlsx")


def kind_named(sheets: Sheets, name: str) -> SheetKind[Any]:
    """A kind by its name, for a caller who may use it."""
    kind = next((kind for kind in sheets.kinds if kind.name == name), None)
    if kind is None:
        raise NOT_FOUND(what="sheet", id=name[:60])
    access_to(kind).check(caller())
    return kind


def received(kind: SheetKind[Any], spoken: str, given: Mapping[str, str], file: FileStorage) -> Received:
    """A file as the caller sent it, with the options that its kind takes."""
    return Received(
        kind=kind.name,
        language=spoken,
        file_name=file.filename or "",
        content=file.stream.read(),
        options=options_of(kind, given),
        uploaded_by=caller().subject,
        owns={one: sorted(ids) for one, ids in caller().owns.items()},
    )


def mine(sheets: Sheets, number: int) -> Stored:
    """An import of a kind the caller may use."""
    row = found(number)
    access_to(sheets.kind(row["kind"])).check(caller())
    return row


def access_to(kind: SheetKind[Any]) -> Access:
    """What a kind of sheet asks of its sender."""
    return Access(kind.roles, whole_college=kind.whole_college)


def owner(number: int, **_others: Any) -> Mapping[str, str | None]:
    """Whose import it is: of each kind of owner one id, the caller's own if he is among them."""
    owns: Mapping[str, list[str]] = found(number)["owns"]
    asking = caller().owns
    return {
        kind: next((one for one in ids if one in asking.get(kind, ())), ids[0]) for kind, ids in owns.items() if ids
    }


def visible(sheets: Sheets, args: Mapping[str, Any]) -> dict[str, Any]:
    """The filter for imports that the caller may see, and asks for."""
    kinds = [kind.name for kind in sheets.kinds if not access_to(kind).objection(caller())]
    where: dict[str, Any] = {"kind": {"$in": [kind for kind in kinds if args.get("kind", kind) == kind]}}
    if caller().owns:
        where["owners"] = {"$in": [f"{kind}:{one}" for kind, ids in caller().owns.items() for one in ids]}
    if "state" in args:
        where["state"] = args["state"]
    if args["cursor"] is not None:
        where["_id"] = {"$lt": position_of(args["cursor"])}
    return where


def position_of(cursor: Key | None) -> int:
    """The number a page ended at; -1 before the first."""
    if cursor is None:
        return -1
    if len(cursor) != 1 or not isinstance(cursor[0], int):
        raise CURSOR_INVALID()
    return cursor[0]


def options_of(kind: SheetKind[Any], given: Mapping[str, str]) -> dict[str, str]:
    """The upload's options as the kind reads them."""
    options = {column.name: column for column in kind.options}
    for name in given:
        if name not in options:
            raise OPTION_NOT_TAKEN(kind=kind.name, option=name)
    return {name: options[name].read(value) for name, value in given.items()}


def shown_kind(kind: SheetKind[Any]) -> dict[str, Any]:
    """A kind as it is told."""
    return {
        "kind": kind.name,
        "title_zh": kind.title_zh,
        "title_en": kind.title_en,
        "columns": [_shown_column(column) for column in kind.columns],
        "options": [_shown_column(column) for column in kind.options],
        "template": f"/sheets/{kind.name}/template.xlsx",
    }


def _shown_column(column: Column) -> dict[str, Any]:
    names = ("name", "aliases", "required", "note_zh", "note_en", "examples")
    return {name: getattr(column, name) for name in names}


def shown_import(sheets: Sheets, row: Stored) -> dict[str, Any]:
    """An import as it is told, in the caller's language."""
    about, problem = sheets.about(row), sheets.problem(row)
    same = ("kind", "language", "state", "counts", "done", "total", "processed")
    who_when = ("uploaded_by", "uploaded_at", "committed_at")
    return {name: row[name] for name in same + who_when} | {
        "number": row["_id"],
        "emptied_at": row.get("emptied_at"),
        "file_name": about.file_name,
        "options": about.options,
        "problem": shown_said(problem, language()) if problem else None,
    }


def shown_said(said: Said, spoken: Language) -> dict[str, str]:
    """A code and its sentence."""
    return {"code": said.code, "detail": said.sentence(spoken)}


Listed = tuple[int, dict[str, Any]]


def some_rows(sheets: Sheets, row: Stored, status: str | None, after: int, limit: int) -> list[Listed]:
    """Rows behind a position, by status; only pieces that hold such rows are opened. An emptied import has none."""
    if is_emptied(row) or not row["pieces"]:
        return []
    kind = sheets.kind(row["kind"]).fitted_to(sheets.upload(row))
    found_rows = (
        (position, shown_row(sheets, kind, row["_id"], piece, kept, judgement))
        for position, piece, kept, judgement in _judged_rows(sheets.safe(row), status, after)
        if position > after and status in {None, judgement.status}
    )
    return list(islice(found_rows, limit))


def _judged_rows(safe: Safe, status: str | None, after: int) -> Iterator[tuple[int, KeptPiece, KeptRow, Judgement]]:
    letter = next((letter for name, letter in LETTERS.items() if name == status), "")
    for stored, start in _pieces_with(safe.number, letter, after):
        piece = safe.open(piece_place(stored["index"]), stored["sealed"], KeptPiece)
        judged = zip(piece.rows, judgements_of(safe, stored, piece), strict=True)
        for position, (kept, judgement) in enumerate(judged, start):
            yield position, piece, kept, judgement


def _pieces_with(number: int, letter: str, after: int) -> Iterator[tuple[Stored, int]]:
    """Pieces that hold a row of a status behind a position, each with the position of its first row."""
    where = {"number": number, "index": {"$gte": max(after + 1, 0) // PIECE_ROWS}}
    for stored in collection_of(ImportPieces).find(where).sort("index", 1).batch_size(4):
        if letter in current_letters(stored):
            yield stored, stored["index"] * PIECE_ROWS


def shown_row(
    sheets: Sheets, kind: SheetKind[Any], number: int, piece: KeptPiece, kept: KeptRow, judgement: Judgement
) -> dict[str, Any]:
    """A row as it is told: personal cells masked, what was said in the caller's language."""
    masks = {column.name: column.mask for column in kind.columns if column.personal}
    cells = dict(zip(piece.columns, kept.cells, strict=True))
    why = judgement.said
    return {
        "row": kept.number,
        "status": judgement.status,
        "code": why.code if why else None,
        "detail": why.sentence(language()) if why else None,
        "notes": [shown_said(note, language()) for note in judgement.notes],
        "cells": {name: masks[name](cell) if name in masks else cell for name, cell in cells.items()},
        "cause": sheets.cause(number, kept.number),
    }


def workbook_of(sheets: Sheets, row: Stored) -> Any:
    """The workbook back of an import that has a preview."""
    check_kept(row)
    safe = sheets.safe(row)
    table = table_of(file_of(safe, row), sheets.kind(row["kind"]).fitted_to(sheets.upload(row)).columns)
    return workbook_back(table, _judged(safe), row["language"])


def _judged(safe: Safe) -> Iterator[tuple[int, Judgement]]:
    for stored, piece in pieces_of(safe):
        for kept, judgement in zip(piece.rows, judgements_of(safe, stored, piece), strict=True):
            yield kept.number, judgement


def as_file(content: Any, name: str) -> Response:
    """A workbook to be saved."""
    stream = io.BytesIO(content) if isinstance(content, bytes) else content
    return send_file(stream, mimetype=XLSX, as_attachment=True, download_name=name, max_age=0)

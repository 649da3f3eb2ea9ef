"""Tables as files: a short one at once, a long one in the background, with its progress to follow."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Any

from flask import Response, jsonify, make_response
from marshmallow import fields, validate

from chassis.database import Row, comes_from_outside
from chassis.errors import Ground, Language, Refusal
from chassis.sheet import saved
from chassis.sheet.export import Table, check_length, table_file, writing
from chassis.sheet.routes import as_file
from chassis.sheet.saved import FAILED, READY, WAITING, Values
from chassis.sheet.sayings import said
from chassis.sheet.write import XLSX
from chassis.web.access import allow, caller
from chassis.web.blueprint import Blueprint
from chassis.web.problems import language
from chassis.web.schemas import Schema

TABLE_FAULT = Ground(
    "table_fault",
    en="Something broke on our side while this table was made. Ask for it again; if it stays, tell the operator.",
    zh="生成表格时系统内部出错，请重新申请；如持续出现，请告知管理员。",
    status=500,
)
AT_ONCE_LINES = 20_000  # some two seconds' work; HTTP gives up after three
STEP_SECONDS = 1.0  # the worker has other jobs too
EVERY_SECONDS, PURGE_EVERY_SECONDS = 0.5, 600.0
BINARY: dict[str, Any] = {"type": "string", "format": "binary"}


@dataclass(frozen=True)
class TableKind:
    """A table that is saved as a file: by what it is known, whose it is, and how it is read for some values."""

    name: str
    roles: tuple[StrEnum, ...]
    read: Callable[[Values, Language], Table]


class SavedTableSchema(Schema):
    """How far a table is: `done` of `lines`. `file`: where it can be fetched, once it is ready; for a day."""

    number = fields.Integer(required=True)
    state = fields.String(required=True, validate=validate.OneOf([WAITING, READY, FAILED]))
    lines = fields.Integer(required=True)
    done = fields.Integer(required=True)
    file = fields.String(required=True, allow_none=True)
    asked_at = fields.AwareDateTime(required=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)
    code = fields.String(required=True, allow_none=True)
    detail = fields.String(required=True, allow_none=True)


def answered(kind: TableKind, values: Values, file_name: str) -> Response:
    """The table as a file; a long one is made in the background: 202, follow Location."""
    table = kind.read(values, language())
    check_length(table.count)
    if table.count <= AT_ONCE_LINES:
        return as_file(table_file(table.headings, table.count, table.lines, table.leaves), file_name)
    row = saved.ask(kind.name, values, language(), file_name, table.count, caller().subject)
    answer = make_response(jsonify(SavedTableSchema().dump(shown(row))), 202)
    answer.headers["Location"] = f"/saved-tables/{row['_id']}"
    return answer


def shown(row: Row) -> dict[str, Any]:
    """A table as it is told."""
    problem = row["problem"] or {}
    told = {name: row[name] for name in ("state", "lines", "done", "asked_at", "ended_at")}
    return told | {
        "number": row["_id"],
        "file": f"/saved-tables/{row['_id']}/file.xlsx" if row["state"] == READY else None,
        "code": problem.get("code"),
        "detail": problem.get(language()),
    }


def tables_blueprint(kinds: Sequence[TableKind]) -> Blueprint:
    """The routes of tables that are made in the background; each is for who asked for it."""
    blp = Blueprint("saved-tables", __name__, description="Long tables, made in the background for who asked.")
    roles = tuple(dict.fromkeys(role for kind in kinds for role in kind.roles))

    @blp.route("/saved-tables/<int:number>")
    @allow(*roles)
    @blp.response(200, SavedTableSchema)
    def get_saved_table(number: int) -> dict[str, Any]:
        """How far a table is that the caller asked for."""
        return shown(saved.found(number, caller().subject))

    @blp.route("/saved-tables/<int:number>/file.xlsx")
    @allow(*roles)
    @blp.response(200, BINARY, content_type=XLSX)
    def get_saved_file(number: int) -> Response:
        """The table, once it is ready."""
        row = saved.found(number, caller().subject)
        answer = Response(saved.file_of(row), content_type=XLSX)
        answer.headers["Content-Disposition"] = f'attachment; filename="{row["file_name"]}"'
        return answer

    return blp


class Scribe:
    """The job that makes tables, the oldest first, some lines at a time; what a worker left half made begins anew."""

    def __init__(self, kinds: Sequence[TableKind]) -> None:
        self._kinds = {kind.name: kind for kind in kinds}
        self._number = 0
        self._file: IO[bytes] | None = None
        self._steps: Generator[int, None, None] | None = None

    def __call__(self) -> bool:
        """One bounded step; True when there is more to do at once."""
        row = saved.first_waiting()
        if row is None:
            self.leave()
            return False
        try:
            self._advance(row)
        except Exception as error:
            self.leave()
            if comes_from_outside(error):
                raise
            saved.fail(row, said(error if isinstance(error, Refusal) else TABLE_FAULT()))
            if not isinstance(error, Refusal):
                raise
        return True

    def _advance(self, row: Row) -> None:
        steps, content = self._opened(row)
        until = time.monotonic() + STEP_SECONDS
        for done in steps:
            if time.monotonic() > until:
                saved.note_done(row, done)
                return
        saved.keep_file(row, content)
        self.leave()

    def _opened(self, row: Row) -> tuple[Generator[int, None, None], IO[bytes]]:
        """The table that is under way, or the next one begun."""
        if self._steps is not None and self._file is not None and self._number == row["_id"]:
            return self._steps, self._file
        self.leave()
        table = self._kinds[row["kind"]].read(row["values"], row["language"])
        self._number = row["_id"]
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 -- stays open from one step to the next
        self._steps = _counted(table, self._file)
        return self._steps, self._file

    def leave(self) -> None:
        """Leave what is half made: it begins anew."""
        if self._steps is not None:
            self._steps.close()  # before its file
        if self._file is not None:
            self._file.close()
        self._number, self._file, self._steps = 0, None, None


def _counted(table: Table, content: IO[bytes]) -> Generator[int, None, None]:
    """The steps of writing a table, each with how many lines were taken so far."""
    taken = 0

    def lines() -> Iterator[Any]:
        nonlocal taken
        for line in table.lines:
            taken += 1
            yield line

    for _ in writing(Table(table.headings, table.count, lines(), table.leaves), content):
        yield taken


def table_jobs(kinds: Sequence[TableKind]) -> list[tuple[str, Callable[[], bool], float]]:
    """Name, verb and interval in seconds of the jobs that a service's worker runs for its tables."""
    return [
        ("tables.save", Scribe(kinds), EVERY_SECONDS),
        ("tables.purge", saved.purge_some, PURGE_EVERY_SECONDS),
    ]

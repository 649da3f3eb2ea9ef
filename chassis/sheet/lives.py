"""Where a result's life begins: the row of a sheet that was submitted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chassis.database import collection_of
from chassis.sheet.imports import Sheets, is_emptied, judgements_of, piece_place
from chassis.sheet.models import ImportPieces, Imports
from chassis.sheet.sealed import KeptPiece
from chassis.web.health import Step

CAUSE = re.compile(r"import:(\w+):(\d{1,12}):(\d{1,9})")


def submitted_rows(sheets: Sheets) -> Callable[[str], list[Step]]:
    """Look up the row behind a cause, for an application's `lives`; without anything personal."""

    def steps(cause: str) -> list[Step]:
        named = CAUSE.fullmatch(cause)
        if named is None or named[1] != sheets.service:
            return []
        number, row_no = int(named[2]), int(named[3])
        row = collection_of(Imports).find_one({"_id": number})
        if row and is_emptied(row):
            return [_step(sheets, row, row_no)] if 1 < row_no <= row["last_row"] else []
        stored = collection_of(ImportPieces).find_one(
            {"number": number, "first": {"$lte": row_no}}, sort=[("first", -1)]
        )
        return list(_submitted(sheets, row, stored, row_no)) if row and stored else []

    return steps


def _submitted(sheets: Sheets, row: Mapping[str, Any], stored: Mapping[str, Any], row_no: int) -> Iterator[Step]:
    """The one step, if the import has such a row."""
    safe = sheets.safe(row)
    piece = safe.open(piece_place(stored["index"]), stored["sealed"], KeptPiece)
    judged = zip(piece.rows, judgements_of(safe, stored, piece), strict=True)
    for kept, judgement in judged:
        if kept.number == row_no:
            yield _step(sheets, row, row_no, status=judgement.status)


def _step(sheets: Sheets, row: Mapping[str, Any], row_no: int, **more: str) -> Step:
    detail = {"kind": row["kind"], "import": row["_id"], "row": row_no, "uploaded_by": row["uploaded_by"]}
    return Step(
        at=row["uploaded_at"],
        service=sheets.service,
        what="row submitted",
        id=f"{row['_id']}:{row_no}",
        cause=sheets.cause(row["_id"], row_no),
        detail=detail | more,
    )

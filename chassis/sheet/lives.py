"""Where a result's life begins: the row of a sheet that was submitted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from chassis.database import collection_of
from chassis.sheet.imports import Sheets, current_letters
from chassis.sheet.models import ImportPieces, Imports
from chassis.sheet.preview import PIECE_ROWS
from chassis.sheet.sealed import STATUSES
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
        piece = collection_of(ImportPieces).find_one(
            {"number": number, "first": {"$lte": row_no}}, {"sealed": 0, "done.sealed": 0}, sort=[("first", -1)]
        )
        if row is None or piece is None or row_no > piece["last"]:
            return []
        return [_submitted(sheets, row, row_no, cause), *_committed(sheets, row, piece, row_no, cause)]

    return steps


def _submitted(sheets: Sheets, row: Mapping[str, Any], row_no: int, cause: str) -> Step:
    detail = {"kind": row["kind"], "import": row["_id"], "row": row_no, "uploaded_by": row["uploaded_by"]}
    return Step(
        at=row["uploaded_at"],
        service=sheets.service,
        what="row submitted",
        id=f"{row['_id']}:{row_no}",
        cause=cause,
        detail=detail,
    )


def _committed(sheets: Sheets, row: Mapping[str, Any], piece: Mapping[str, Any], row_no: int, cause: str) -> list[Step]:
    """The moment the row's import was committed to the end of its piece, when it was."""
    if not piece["done"]:
        return []
    letters = current_letters(piece)
    consecutive = piece["last"] - piece["first"] + 1 == len(letters)
    status = STATUSES[letters[row_no - piece["first"]]] if consecutive and len(letters) <= PIECE_ROWS else None
    return [
        Step(
            at=piece["done"][-1]["at"],
            service=sheets.service,
            what="row committed",
            id=f"{row['_id']}:{row_no}",
            cause=cause,
            detail={"status": status} if status else {},
        )
    ]

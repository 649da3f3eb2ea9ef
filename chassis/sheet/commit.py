"""From a preview to its effects: rows examined again and committed in bounded transactions, their marks with them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chassis.database import Row as Stored
from chassis.database import collection_of, run_transaction
from chassis.errors import Busy
from chassis.sheet.imports import IMPORT_INCOMPLETE, Sheets, done_place, judgements_of, piece_place, pieces_of
from chassis.sheet.kind import Row, SheetKind, Upload
from chassis.sheet.models import ImportPieces, Imports
from chassis.sheet.preview import PIECE_ROWS, Claims, Overtaken, examine, unrepeated
from chassis.sheet.sealed import LETTERS, Judgement, KeptPiece, KeptRow, Safe

LONG_SECONDS = 5.0  # a transaction that took longer is halved


@dataclass
class Committing:
    """An import being committed by this process. What it holds can be had again from the database at any time."""

    sheets: Sheets
    number: int
    kind: SheetKind[Any]
    upload: Upload
    safe: Safe
    total: int
    position: int  # rows committed so far
    rows_at_once: int = PIECE_ROWS
    claims: Claims | None = None
    piece: tuple[Stored, KeptPiece] | None = None

    @property
    def where(self) -> Stored:
        """The filter that finds the import only as this commit left it."""
        return {"_id": self.number, "state": "committing", "processed": self.position}


def open_committing(sheets: Sheets, row: Mapping[str, Any]) -> Committing:
    """Take an import up where its commit stands."""
    kind, upload = sheets.kind(row["kind"]), sheets.upload(row)
    return Committing(sheets, row["_id"], kind, upload, sheets.safe(row), row["total"], row["processed"])


def commit_some(committing: Committing) -> bool:
    """Commit the next rows in one transaction; False when all are done. Busy: fewer are tried next time."""
    began = time.monotonic()
    stored, piece = _piece(committing)
    start = committing.position % PIECE_ROWS
    kept = piece.rows[start : start + committing.rows_at_once]
    rows = _rows(committing, piece, kept)
    try:
        judgements = run_transaction(lambda: _commit(committing, stored["index"], start, kept, rows))
    except Busy:
        committing.rows_at_once = max(committing.rows_at_once // 2, 1)
        raise
    _remember(committing, kept, judgements)
    committing.position += len(kept)
    committing.rows_at_once = fitting(committing.rows_at_once, time.monotonic() - began)
    return committing.position < committing.total


def fitting(rows_at_once: int, seconds: float) -> int:
    """How many rows the next transaction takes, by how long the last one took."""
    return max(rows_at_once // 2, 1) if seconds > LONG_SECONDS else min(rows_at_once * 2, PIECE_ROWS)


def _piece(committing: Committing) -> tuple[Stored, KeptPiece]:
    index = committing.position // PIECE_ROWS
    if committing.piece is None or committing.piece[0]["index"] != index:
        stored = collection_of(ImportPieces).find_one({"_id": f"{committing.number}:{index}"})
        if stored is None:
            raise _missing(committing)
        committing.piece = stored, committing.safe.open(piece_place(index), stored["sealed"], KeptPiece)
    return committing.piece


def _missing(committing: Committing) -> Exception:
    """Why a piece is not there: somebody else has moved the import, or else it is lost."""
    stands = collection_of(Imports).count_documents(committing.where, limit=1)
    return IMPORT_INCOMPLETE(number=committing.number) if stands else Overtaken()


def _rows(committing: Committing, piece: KeptPiece, kept: Sequence[KeptRow]) -> list[Row]:
    """The rows that are judged again; those that were refused ask other services again, outside the transaction."""
    live = [one for one in kept if not one.judgement.settled]
    rows = [piece.row(one, committing.upload) for one in live]
    refused = [row for one, row in zip(live, rows, strict=True) if one.judgement.status == "refused"]
    for row in refused:
        row.resolved = {}
    if refused:
        committing.kind.resolve(refused)
        _load_claims(committing)
    return rows


def _load_claims(committing: Committing) -> None:
    """Which row first claimed each identity; asked only when a refused row may now be accepted."""
    if committing.claims is None:
        committing.claims = {}
        for stored, piece in pieces_of(committing.safe):
            judged = zip(piece.rows, judgements_of(committing.safe, stored, piece), strict=True)
            committing.claims.update((one.identity, row.number) for row, one in judged if one.identity)


def _commit(
    committing: Committing, index: int, start: int, kept: Sequence[KeptRow], rows: list[Row]
) -> list[Judgement]:
    """Inside the transaction: examine again, let the kind act, mark the rows, move the import on.

    Returns the last word on each row; what was settled at preview stays. It may run again and leaves nothing behind.
    """
    examined = examine(committing.kind, rows)
    judged = unrepeated(committing.kind, examined, committing.claims or {})
    last_words = {one.row_no: judgement for one, judgement in zip(examined, judged, strict=True)}
    accepted = [one for one in examined if one.takes_effect and last_words[one.row_no].status != "refused"]
    for one in accepted:
        one.cause = committing.sheets.cause(committing.number, one.row_no)
    if accepted:
        committing.kind.commit(accepted)
    judgements = [last_words.get(one.number, one.judgement) for one in kept]
    _mark(committing, index, start, judgements)
    return judgements


def _remember(committing: Committing, kept: Sequence[KeptRow], judgements: Sequence[Judgement]) -> None:
    """Committed rows claim what their last word says; what a row claimed that was then refused is free again."""
    if committing.claims is None:
        return
    for one, judgement in zip(kept, judgements, strict=True):
        if committing.claims.get(one.judgement.identity) == one.number:
            del committing.claims[one.judgement.identity]
        if judgement.identity:
            committing.claims[judgement.identity] = one.number


def _mark(committing: Committing, index: int, start: int, judgements: Sequence[Judgement]) -> None:
    letters = "".join(LETTERS[one.status] for one in judgements)
    now = datetime.now(UTC)
    part = {
        "start": start,
        "statuses": letters,
        "sealed": committing.safe.seal(done_place(index, start), judgements),
        "at": now,
    }
    counted = Counter(letters)
    position = committing.position + len(judgements)
    ended = {"state": "committed", "committed_at": now, "not_before": now} if position >= committing.total else {}
    change = {
        "$set": {"failures": 0, "problem": None} | ended,
        "$inc": {f"done.{status}": counted[letter] for status, letter in LETTERS.items()}
        | {"processed": len(judgements)},
    }
    if not collection_of(Imports).update_one(committing.where, change).matched_count:
        raise Overtaken
    this_piece = {"_id": f"{committing.number}:{index}"}
    if not collection_of(ImportPieces).update_one(this_piece, {"$push": {"done": part}}).matched_count:
        raise IMPORT_INCOMPLETE(number=committing.number)

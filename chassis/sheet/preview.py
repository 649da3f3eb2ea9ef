"""From an uploaded file to its preview: examined and kept 500 rows at a time, taken up again after a crash."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from chassis.database import Row as Stored
from chassis.database import collection_of, run_transaction
from chassis.errors import Defect, Ground
from chassis.sheet.cells import Cell
from chassis.sheet.imports import Sheets, file_of, piece_place, pieces_of
from chassis.sheet.kind import Examined, Row, SheetKind, Upload
from chassis.sheet.models import ImportPieces, Imports
from chassis.sheet.read import RowReader, Table, check_known, row_reader, table_of
from chassis.sheet.sayings import Said, said
from chassis.sheet.sealed import LETTERS, Judgement, KeptPiece, KeptRow, Safe

REPEATED_IN_FILE = Ground(
    "repeated_in_file",
    en="Row {first} of this file says the same already. Delete one of the two rows.",
    zh="与本文件第 {first} 行重复，请删除其中一行。",
)
PIECE_ROWS = 500

Claims = dict[bytes, int]


class Overtaken(Exception):
    """Somebody else has moved this import; let go of it."""


@dataclass
class Reading:
    """An import being read by this process. What it holds can be had again from the database at any time."""

    number: int
    kind: SheetKind[Any]
    upload: Upload
    safe: Safe
    table: Table
    lines: Iterator[tuple[int, Sequence[Cell]]]
    read: RowReader
    pieces: int
    claims: Claims = field(default_factory=dict)
    pending: list[tuple[int, Sequence[Cell]]] = field(default_factory=list)  # taken from the file, not yet kept

    @property
    def where(self) -> Stored:
        """The filter that finds the import only as this reading left it."""
        return {"_id": self.number, "state": "reading", "pieces": self.pieces}


def open_reading(sheets: Sheets, row: Mapping[str, Any]) -> Reading:
    """Open an import's file where its preview stands; Refusal when the file can't be read."""
    safe, upload = sheets.safe(row), sheets.upload(row)
    kind = sheets.kind(row["kind"]).fitted_to(upload)
    table = table_of(file_of(safe, row), kind.columns)
    if kind.is_strict:
        check_known(table)
    lines = islice(table.data_lines(), row["pieces"] * PIECE_ROWS, None)
    reading = Reading(
        row["_id"], kind, upload, safe, table, lines, row_reader(table, kind.columns, upload), row["pieces"]
    )
    for _, piece in pieces_of(safe) if row["pieces"] else ():
        reading.claims.update(claims_of(piece.rows))
    return reading


def preview_piece(reading: Reading) -> bool:
    """Examine and keep the next rows; False when the file has no more and the preview is complete.

    When keeping them fails, the same rows are the next ones again.
    """
    reading.pending = reading.pending or list(islice(reading.lines, PIECE_ROWS))
    if not reading.pending:
        _move(reading, {"$set": {"state": "previewed", "not_before": datetime.now(UTC)}})
        return False
    read = [reading.read(number, line) for number, line in reading.pending]
    judgements = judge(reading.kind, read, reading.claims)
    ordered = tuple(read[0][0].cells)  # each row's cells stand in the order of the kind's columns
    rows = tuple(
        KeptRow(row.number, tuple(row.cells.values()), row.resolved, judgement)
        for (row, _), judgement in zip(read, judgements, strict=True)
    )
    _keep(reading, KeptPiece(ordered, rows), "".join(LETTERS[one.status] for one in judgements))
    return True


def _keep(reading: Reading, piece: KeptPiece, letters: str) -> None:
    """One transaction: the piece, and how far the import is."""
    document = {
        "_id": f"{reading.number}:{reading.pieces}",
        "number": reading.number,
        "index": reading.pieces,
        "first": piece.rows[0].number,
        "last": piece.rows[-1].number,
        "statuses": letters,
        "sealed": reading.safe.seal(piece_place(reading.pieces), piece),
        "done": [],
    }
    counted = Counter(letters)
    figures = {f"counts.{status}": counted[letter] for status, letter in LETTERS.items()}
    total = max(reading.table.height - reading.table.header_line, reading.pieces * PIECE_ROWS + len(piece.rows))
    change = {
        "$set": {"total": total, "failures": 0, "problem": None},
        "$inc": figures | {"processed": len(piece.rows), "pieces": 1},
    }

    def body() -> None:
        _move(reading, change)
        collection_of(ImportPieces).insert_one(dict(document))

    run_transaction(body)
    reading.pieces += 1
    reading.claims.update(claims_of(piece.rows))
    reading.pending = []


def _move(reading: Reading, change: Mapping[str, Any]) -> None:
    """Move the import on from exactly where this reading stands; a finished one knows its rows' number."""
    update: Any = change
    if "$inc" not in change:
        update = [{"$set": {**change["$set"], "total": "$processed", "problem": None, "failures": 0}}]
    if not collection_of(Imports).update_one(reading.where, update).matched_count:
        raise Overtaken


def judge(
    kind: SheetKind[Any], read: Sequence[tuple[Row, Said | None]], claims: Mapping[bytes, int]
) -> list[Judgement]:
    """The preview's word on each row: what can't be read, what the kind says, what repeats an earlier row."""
    rows = [row for row, wrong in read if wrong is None]
    if rows:
        kind.resolve(rows)
    judged = iter(unrepeated(kind, examine(kind, rows), claims))
    return [Judgement("refused", wrong, settled=True) if wrong else next(judged) for _, wrong in read]


def examine(kind: SheetKind[Any], rows: list[Row]) -> list[Examined]:
    """The kind's verdicts on rows, checked to be one for each."""
    if not rows:
        return []
    examined = kind.examine(rows, kind.known(rows))
    if [one.row_no for one in examined] != [row.number for row in rows]:
        raise Defect(f"{kind.name}: examine answers for each row, in order")
    return examined


def unrepeated(kind: SheetKind[Any], examined: Sequence[Examined], claims: Mapping[bytes, int]) -> list[Judgement]:
    """The verdicts in order, or that an earlier row of the file says the same; refused rows claim nothing.

    `claims`: what rows judged before have claimed. It stays as it is, so that a transaction may judge again.
    """
    refused = {one.row_no for one in examined if one.status == "refused"}
    identities = [identity_of(kind, one) for one in examined]
    first = {one: claims[one] for one in identities if one in claims and claims[one] not in refused}
    return [
        _unrepeated(one, identity, first.setdefault(identity, one.row_no) if identity else one.row_no)
        for one, identity in zip(examined, identities, strict=True)
    ]


def _unrepeated(examined: Examined, identity: bytes, first: int) -> Judgement:
    if first != examined.row_no:
        return Judgement("refused", said(REPEATED_IN_FILE(first=first)), settled=True)
    return judgement_of(examined, identity)


def identity_of(kind: SheetKind[Any], examined: Examined) -> bytes:
    """A fingerprint of what no other row of the file may say too; empty where that is not asked."""
    if examined.status == "refused" or not examined.identity or kind.repeats_allowed:
        return b""
    return hashlib.blake2b(examined.identity.encode(), digest_size=12).digest()


def claims_of(rows: Sequence[KeptRow]) -> Claims:
    """What rows have claimed, as previewed."""
    return {row.judgement.identity: row.number for row in rows if row.judgement.identity}


def judgement_of(examined: Examined, identity: bytes = b"") -> Judgement:
    """A kind's verdict, for keeps."""
    if examined.status == "refused" and examined.refusal is None:
        raise Defect(f"row {examined.row_no} is refused without a ground")
    why = said(examined.refusal) if examined.refusal else None
    return Judgement(examined.status, why, tuple(said(note) for note in examined.notes), identity)

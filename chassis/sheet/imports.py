"""Imports and their verbs: received, asked to be committed, thrown away; and what is asked about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ReturnDocument

from chassis.bus.outbox import is_known_cause
from chassis.database import Row as Stored
from chassis.database import collection_of, transactional
from chassis.errors import NOT_FOUND, Ground
from chassis.seal import new_key, unwrap, wrap
from chassis.sheet.kind import SheetKind, Upload
from chassis.sheet.models import ImportFiles, ImportNumbers, ImportPieces, Imports
from chassis.sheet.read import FILE_EMPTY
from chassis.sheet.sayings import Said, said
from chassis.sheet.sealed import About, Judgements, KeptPiece, Safe

IMPORT_STILL_READ = Ground(
    "import_still_read",
    en="Import {number} is still being read. Wait until its state is previewed.",
    zh="导入 {number} 仍在读取中，请等待预览完成。",
    status=409,
)
IMPORT_UNREADABLE = Ground(
    "import_unreadable",
    en="Import {number} could not be read; its problem says why. Correct the file and upload it again.",
    zh="导入 {number} 无法读取，原因见其 problem。请更正文件后重新上传。",
    status=409,
)
IMPORT_COMMITTED = Ground(
    "import_committed",
    en="Import {number} is being committed or is committed already and can't be thrown away.",
    zh="导入 {number} 正在提交或已提交，不能删除。",
    status=409,
)
IMPORT_FAILED = Ground(
    "import_failed",
    en="Import {number} could not be committed to its end. Upload the file again: nothing takes effect twice.",
    zh="导入 {number} 未能全部写入。请重新上传文件，已生效的行不会重复生效。",
    status=409,
)
IMPORT_INCOMPLETE = Ground(
    "import_incomplete",
    en="A part of import {number} is missing on our side. Tell the operator the number, and upload the file again: "
    "nothing takes effect twice.",
    zh="导入 {number} 的部分数据在系统中缺失。请将编号告知管理员，并重新上传文件；已生效的行不会重复生效。",
    status=409,
)
IMPORT_EMPTIED = Ground(
    "import_emptied",
    en="The file and the rows of import {number} were deleted when their time was over. Upload the file again.",
    zh="导入 {number} 的文件和明细已到期删除。如仍需要，请重新上传文件。",
    status=409,
)

# Why an import in such a state can't be committed.
STOPPED = {
    "reading": IMPORT_STILL_READ,
    "unreadable": IMPORT_UNREADABLE,
    "failed": IMPORT_FAILED,
    "abandoned": IMPORT_EMPTIED,
}
NOTHING = {"new": 0, "changed": 0, "unchanged": 0, "refused": 0}


@dataclass(frozen=True)
class Sheets:
    """The kinds of sheet a service takes, and the key that wraps each import's own."""

    service: str
    kinds: tuple[SheetKind[Any], ...]
    master: bytes = field(repr=False)

    def kind(self, name: str) -> SheetKind[Any]:
        """A kind by its name; KeyError for one that is not taken here."""
        return {kind.name: kind for kind in self.kinds}[name]

    def safe(self, row: Mapping[str, Any]) -> Safe:
        """What opens an import's sealed parts."""
        return Safe(row["_id"], unwrap(self.master, row["key"]))

    def about(self, row: Mapping[str, Any]) -> About:
        """The file's name and the options of an import; none of an emptied one."""
        return self.safe(row).open("about", row["about"], About) if row["about"] else About("", {})

    def upload(self, row: Mapping[str, Any]) -> Upload:
        """Who uploaded it and how, for the kind's rules."""
        by, committed_by = row["uploaded_by"], row.get("committed_by") or ""
        return Upload(row["_id"], row["kind"], by, row["owns"], self.about(row).options, committed_by)

    def problem(self, row: Mapping[str, Any]) -> Said | None:
        """What stopped an import or holds it up."""
        return self.safe(row).open("problem", row["problem"], Said) if row["problem"] else None

    def cause(self, number: int, row_no: int) -> str:
        """The name under which all that a row leads to can be found."""
        return f"import:{self.service}:{number}:{row_no}"


@dataclass(frozen=True)
class Received:
    """An upload as it came in."""

    kind: str
    language: str
    file_name: str
    content: bytes = field(repr=False)
    options: Mapping[str, str]
    uploaded_by: str
    owns: Mapping[str, Sequence[str]]


@transactional
def receive(sheets: Sheets, received: Received) -> int:
    """Keep an upload, sealed, under the next number; it is read by a job."""
    if not received.content:
        raise FILE_EMPTY()
    number, key = _next_number(sheets.service), new_key()
    safe = Safe(number, key)
    parts = list(safe.seal_file(received.content))
    for part in parts:
        collection_of(ImportFiles).insert_one(dict(part))
    collection_of(Imports).insert_one(_first_state(received) | {
        "_id": number,
        "key": wrap(sheets.master, key),
        "about": safe.seal("about", About(received.file_name[:300], dict(received.options))),
        "file_parts": len(parts),
    })  # fmt: skip
    return number


def _next_number(service: str) -> int:
    """A number that names no other import, nor one that the database has forgotten and the topic has not."""
    number = _counted()
    while is_known_cause(f"import:{service}:{number}:"):
        number = _counted()
    return number


def _counted() -> int:
    counter = collection_of(ImportNumbers).find_one_and_update(
        {"_id": "imports"}, {"$inc": {"last": 1}}, upsert=True, return_document=ReturnDocument.AFTER
    )
    return int(counter["last"]) if counter else 0


def _first_state(received: Received) -> Stored:
    now = datetime.now(UTC)
    return {
        "kind": received.kind,
        "language": received.language,
        "state": "reading",
        "problem": None,
        "file_bytes": len(received.content),
        "counts": dict(NOTHING),
        "done": dict(NOTHING),
        "total": 0,
        "processed": 0,
        "pieces": 0,
        "failures": 0,
        "not_before": now,
        "uploaded_by": received.uploaded_by,
        "uploaded_at": now,
        "committed_by": "",
        "committed_at": None,
        "emptied_at": None,
        "owns": {kind: sorted(ids) for kind, ids in received.owns.items()},
        "owners": sorted(f"{kind}:{one}" for kind, ids in received.owns.items() for one in ids),
    }


def found(number: int) -> Stored:
    """An import by its number."""
    row = collection_of(Imports).find_one({"_id": number})
    if row is None:
        raise NOT_FOUND(what="import", id=number)
    return row


@transactional
def ask_to_commit(number: int, by: str = "") -> Stored:
    """Have a previewed import committed by a job; asked again, it changes nothing."""
    row = found(number)
    if row["state"] == "previewed":
        change = {
            "state": "committing",
            "committed_by": by,
            "processed": 0,
            "not_before": datetime.now(UTC),
            "failures": 0,
            "problem": None,
        }
        collection_of(Imports).update_one({"_id": number}, {"$set": change})
        return row | change
    if row["state"] in STOPPED:
        raise STOPPED[row["state"]](number=row["_id"])
    return row


def check_kept(row: Mapping[str, Any]) -> None:
    """Refuse an import that has no preview, or none any more."""
    if is_emptied(row):
        raise IMPORT_EMPTIED(number=row["_id"])
    if row["state"] in {"reading", "unreadable"}:
        raise STOPPED[row["state"]](number=row["_id"])


def is_emptied(row: Mapping[str, Any]) -> bool:
    """Whether the import is only a record any more."""
    return row.get("emptied_at") is not None


@transactional
def discard(number: int) -> None:
    """Throw an import away, as long as nothing of it had an effect; its number is not used again."""
    row = found(number)
    if row["state"] in {"committing", "committed", "failed"}:
        raise IMPORT_COMMITTED(number=number)
    collection_of(Imports).delete_one({"_id": number})
    delete_contents(row)


def delete_contents(row: Mapping[str, Any]) -> None:
    """Delete an import's file and its rows, in the open transaction."""
    collection_of(ImportPieces).delete_many({"number": row["_id"]})
    collection_of(ImportFiles).delete_many({"_id": {"$in": part_ids(row)}})


def part_ids(row: Mapping[str, Any]) -> list[str]:
    """The ids of an import's file parts, in order."""
    return [f"{row['_id']}:{part}" for part in range(row["file_parts"])]


def file_of(safe: Safe, row: Mapping[str, Any]) -> bytes:
    """The uploaded file, opened; refused when a part of it is gone."""
    return b"".join(_part(safe, number, name) for number, name in enumerate(part_ids(row)))


def _part(safe: Safe, number: int, name: str) -> bytes:
    stored = collection_of(ImportFiles).find_one({"_id": name})
    if stored is None:
        raise IMPORT_INCOMPLETE(number=safe.number)
    return safe.open_part(number, stored["sealed"])


def piece_place(index: int) -> str:
    """Where a piece's rows are sealed."""
    return f"rows:{index}"


def done_place(index: int, start: int) -> str:
    """Where the judgements of one commit are sealed."""
    return f"done:{index}:{start}"


def pieces_of(safe: Safe, first_index: int = 0) -> Iterator[tuple[Stored, KeptPiece]]:
    """An import's pieces in order, opened one at a time."""
    cursor = collection_of(ImportPieces).find({"number": safe.number, "index": {"$gte": first_index}})
    for stored in cursor.sort("index", 1).batch_size(4):
        yield stored, safe.open(piece_place(stored["index"]), stored["sealed"], KeptPiece)


def judgements_of(safe: Safe, stored: Mapping[str, Any], piece: KeptPiece) -> Judgements:
    """The last word on each row of a piece: as committed, else as previewed."""
    judged = [row.judgement for row in piece.rows]
    for part in stored["done"]:
        start = part["start"]
        committed = safe.open(done_place(stored["index"], start), part["sealed"], Judgements)
        judged[start : start + len(committed)] = committed
    return tuple(judged)


def current_letters(stored: Mapping[str, Any]) -> str:
    """The status letters of a piece: as committed, else as previewed."""
    letters = str(stored["statuses"])
    for part in stored["done"]:
        letters = letters[: part["start"]] + part["statuses"] + letters[part["start"] + len(part["statuses"]) :]
    return letters


def as_found(row: Mapping[str, Any]) -> Stored:
    """The filter that finds an import only if it still stands where this row says."""
    return {name: row[name] for name in ("_id", "state", "pieces", "processed")}


def hold_up(sheets: Sheets, where: Stored, ground: Ground, longest_seconds: float) -> int:
    """Leave an import alone for a while, ever longer, and say why; how often that has happened to it in a row.

    `where`: the import as its worker left it; one that others have moved since is not held up.
    """
    row = collection_of(Imports).find_one(where)
    if row is None:
        return 0
    failures: int = row["failures"] + 1
    pause = timedelta(seconds=min(0.5 * 2 ** min(failures, 10), longest_seconds))
    change = {
        "failures": failures,
        "not_before": datetime.now(UTC) + pause,
        "problem": sheets.safe(row).seal("problem", said(ground())),
    }
    collection_of(Imports).update_one(where, {"$set": change})
    return failures


@transactional
def give_up(sheets: Sheets, row: Mapping[str, Any], where: Stored, why: Said) -> None:
    """A file can't be read: say why; what was previewed of it so far goes. Nothing if others have moved the import."""
    nothing = {"counts": dict(NOTHING), "processed": 0}
    if _stop(sheets, row, where, "unreadable", why, nothing):
        collection_of(ImportPieces).delete_many({"number": row["_id"]})


def fail(sheets: Sheets, row: Mapping[str, Any], where: Stored, why: Said) -> None:
    """A commit can't go on: say why; what took effect so far stays. Nothing if others have moved the import."""
    _stop(sheets, row, where, "failed", why, {})


def _stop(
    sheets: Sheets, row: Mapping[str, Any], where: Stored, state: str, why: Said, more: Mapping[str, Any]
) -> bool:
    problem = sheets.safe(row).seal("problem", why)
    change = {"state": state, "problem": problem, "not_before": datetime.now(UTC), **more}
    return bool(collection_of(Imports).update_one(where, {"$set": change}).matched_count)

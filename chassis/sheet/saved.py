"""Tables too long to be made while somebody waits: asked for, made by a job, kept for a day, fetched by who asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import IO, Any

import mongoengine as me
from pymongo import DeleteMany, ReplaceOne

from chassis.database import Row, rows_of, transactional, write
from chassis.errors import NOT_FOUND, Ground, Language
from chassis.sheet.sayings import Said
from chassis.strands import name_keys

TABLE_NOT_READY = Ground(
    "table_not_ready",
    en="Table {number} is still being made. Look at its state, and fetch it when that is ready.",
    zh="表格 {number} 正在生成，请查看其状态，待就绪后再下载。",
    status=409,
)
PART_BYTES = 4 * 1024 * 1024
FRESH = timedelta(minutes=10)  # so long the same, asked again, is the same table
KEPT = timedelta(days=1)
PURGED_AT_ONCE = 20
WAITING, READY, FAILED = "waiting", "ready", "failed"
Values = Mapping[str, Any]


class SavedTables(me.Document):
    """By number: what was asked for by whom, and how far it is. `of`: by what the same is known when asked again."""

    meta = {
        "collection": "saved_tables",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["state"], "name": "state"},
            {"fields": ["of"], "name": "of"},
            {"fields": ["asked_at"], "name": "asked_at"},
        ],
    }
    number = me.IntField(primary_key=True)
    of = me.StringField()
    kind = me.StringField()
    values = me.DictField()
    language = me.StringField()
    file_name = me.StringField()
    asked_by = me.StringField()
    asked_at = me.DateTimeField()
    state = me.StringField()
    lines = me.IntField()
    done = me.IntField()
    parts = me.IntField()
    ended_at = me.DateTimeField()
    problem = me.DictField()


class SavedTableParts(me.Document):
    """A part of a table that is ready; `<number>:<part>`."""

    meta = {"collection": "saved_table_parts", "auto_create_index": False, "strict": False}
    id = me.StringField(primary_key=True)
    content = me.BinaryField()


@transactional
def ask(kind: str, values: Values, language: Language, file_name: str, lines: int, by: str) -> Row:
    """Have a table made; asked again while it is made or fresh, it is the same one."""
    name_keys(["saved-tables"])
    of = hashlib.sha256(repr((kind, sorted(values.items()), language, by)).encode()).hexdigest()
    now = datetime.now(UTC)
    fresh = {"$or": [{"state": WAITING}, {"state": READY, "ended_at": {"$gt": now - FRESH}}]}
    for row in rows_of(SavedTables, {"of": of, **fresh}, sort=[("_id", -1)], limit=1):
        return row
    last = rows_of(SavedTables, {}, ["_id"], sort=[("_id", -1)], limit=1)
    row = {
        "_id": last[0]["_id"] + 1 if last else 1, "of": of, "kind": kind, "values": dict(values), "language": language,
        "file_name": file_name, "asked_by": by, "asked_at": now, "state": WAITING, "lines": lines, "done": 0,
        "parts": 0, "ended_at": None, "problem": None,
    }  # fmt: skip
    _keep(row)
    return row


def found(number: int, by: str) -> Row:
    """A table that this person asked for; Refusal when there is none, or it is another's."""
    for row in rows_of(SavedTables, {"_id": number, "asked_by": by}):
        return row
    raise NOT_FOUND(what="table", id=number)


def first_waiting() -> Row | None:
    """The table that waits longest to be made."""
    return next(iter(rows_of(SavedTables, {"state": WAITING}, sort=[("_id", 1)], limit=1)), None)


def note_done(row: Row, done: int) -> None:
    """Say how far it is."""
    _keep({**row, "done": done})


def keep_file(row: Row, content: IO[bytes]) -> None:
    """Keep what was made; after its parts, since a reader goes by the state."""
    content.seek(0)
    parts = 0
    while piece := content.read(PART_BYTES):
        part = {"_id": f"{row['_id']}:{parts:04}", "content": piece}
        write(SavedTableParts, [ReplaceOne({"_id": part["_id"]}, part, upsert=True)])
        parts += 1
    _keep({**row, "state": READY, "done": row["lines"], "parts": parts, "ended_at": datetime.now(UTC)})


def fail(row: Row, why: Said) -> None:
    """Say why it can't be made."""
    problem = {"code": why.code, "zh": why.sentence("zh"), "en": why.sentence("en")}
    _keep({**row, "state": FAILED, "problem": problem, "ended_at": datetime.now(UTC)})


def file_of(row: Row) -> Iterator[bytes]:
    """The file, a part at a time; Refusal when it is not ready."""
    if row["state"] != READY:
        raise TABLE_NOT_READY(number=row["_id"])
    names = [f"{row['_id']}:{part:04}" for part in range(row["parts"])]
    return (rows_of(SavedTableParts, {"_id": name})[0]["content"] for name in names)


def purge_some() -> bool:
    """Remove tables that were asked for more than a day ago, with their files; True when there may be more."""
    old = {"asked_at": {"$lt": datetime.now(UTC) - KEPT}}
    numbers = [row["_id"] for row in rows_of(SavedTables, old, ["_id"], limit=PURGED_AT_ONCE)]
    if not numbers:
        return False
    parts = [DeleteMany({"_id": {"$gt": f"{number}:", "$lt": f"{number};"}}) for number in numbers]
    write(SavedTableParts, parts)
    write(SavedTables, [DeleteMany({"_id": {"$in": numbers}})])
    return True


def _keep(row: Row) -> None:
    write(SavedTables, [ReplaceOne({"_id": row["_id"]}, row, upsert=True)])

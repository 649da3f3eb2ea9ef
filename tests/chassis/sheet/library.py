"""A lending library: what sheets are tried with, since the chassis knows nothing of any service."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

import mongoengine as me
from openpyxl import Workbook
from pymongo import InsertOne, UpdateOne

from chassis.database import collection_of, rows_of, write
from chassis.errors import Ground, Transient
from chassis.seal import new_key
from chassis.sheet import cells
from chassis.sheet.imports import Received, Sheets, ask_to_commit, found, receive
from chassis.sheet.jobs import sheet_jobs
from chassis.sheet.kind import Column, Examined, Row, SheetKind, refused
from chassis.sheet.models import Imports
from chassis.strands import name_keys

CARD_UNKNOWN = Ground("test_card_unknown", en="{name}: no card {card}.", zh="{name}：没有借书证 {card}。")
TOO_MANY_BOOKS = Ground("test_too_many_books", en="{books} books are too many.", zh="{books} 本太多。")
LONG_NAME = Ground("test_long_name", en="A long name.", zh="姓名较长。")
MASTER = new_key()
HEADER = ("姓名", "借书证号", "册数", "日期")


class Desk(StrEnum):
    LIBRARIAN = "librarian"
    BRANCH = "branch"
    VISITOR = "visitor"


class Readers(me.Document):
    meta = {"collection": "readers", "auto_create_index": False, "strict": False}
    id = me.StringField(primary_key=True)


class Effects(me.Document):
    """One for each row that took effect: a second one for the same row is a duplicate key."""

    meta = {"collection": "effects", "auto_create_index": False, "strict": False}
    id = me.StringField(primary_key=True)


COLUMNS = (
    Column("姓名", ("名字", "Name"), required=True, filled=True, personal=True, examples=("黄玉梅",)),
    Column(
        "借书证号",
        ("证号", "Card number"),
        required=True,
        filled=True,
        read=cells.code,
        personal=True,
        examples=("=1+1",),
    ),
    Column("册数", ("册",), read=cells.integer),
    Column("日期", read=cells.day),
)


def known(rows: list[Row]) -> dict[str, dict[str, Any]]:
    return {row["_id"]: row for row in rows_of(Readers, {"_id": {"$in": [row["借书证号"] for row in rows]}})}


def examine(rows: list[Row], readers: Mapping[str, Mapping[str, Any]]) -> list[Examined]:
    return [examine_one(row, readers.get(row["借书证号"])) for row in rows]


def examine_one(row: Row, reader: Mapping[str, Any] | None) -> Examined:
    card, books = row["借书证号"], int(row["册数"] or 0)
    if row.resolved.get("unknown"):
        return refused(row, CARD_UNKNOWN(name=row["姓名"], card=card))
    if books > 100:
        return refused(row, TOO_MANY_BOOKS(books=books))
    status = "new" if reader is None else "unchanged" if reader["books"] == books else "changed"
    notes = (LONG_NAME(),) if len(row["姓名"]) > 8 else ()
    return Examined(row.number, status, None, (card, books), identity=card, notes=notes)


def commit(examined: list[Examined]) -> None:
    assert len(examined) <= 500
    name_keys(f"reader:{one.value[0]}" for one in examined)
    write(
        Readers,
        [
            UpdateOne({"_id": one.value[0]}, {"$set": {"books": one.value[1]}, "$inc": {"writes": 1}}, upsert=True)
            for one in examined
        ],
    )
    write(Effects, [InsertOne({"_id": one.cause, "card": one.value[0]}) for one in examined])


LENDING = SheetKind(
    name="lending",
    title_zh="借阅登记",
    title_en="Lending",
    columns=COLUMNS,
    known=known,
    examine=examine,
    commit=commit,
    roles=(Desk.LIBRARIAN, Desk.BRANCH),
    options=(Column("as_of", read=cells.instant),),
)


class Registry:
    """Another service that knows which cards exist, and is away at times."""

    def __init__(self, cards: Iterable[str] = (), away: int = 0) -> None:
        self.cards, self.away, self.asked = set(cards), away, 0

    def resolve(self, rows: list[Row]) -> None:
        self.asked += 1
        if self.away:
            self.away -= 1
            raise Transient("away")
        for row in rows:
            row.resolved = {"unknown": row["借书证号"] not in self.cards}


def sheets_of(*kinds: SheetKind[Any], master: bytes = MASTER) -> Sheets:
    return Sheets("library", kinds or (LENDING,), master)


def with_registry(registry: Registry) -> Sheets:
    return sheets_of(replace(LENDING, resolve=registry.resolve))


def xlsx(lines: Iterable[Sequence[Any]], header: Sequence[Any] | None = HEADER) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for line in ([header] if header else []) + list(lines):
        sheet.append(list(line))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def csv(
    lines: Iterable[Sequence[Any]], header: Sequence[str] = HEADER, encoding: str = "utf-8", comma: str = ","
) -> bytes:
    return "\r\n".join(comma.join(map(str, line)) for line in [header, *lines]).encode(encoding)


def lending(count: int, start: int = 0, books: int = 3) -> list[Sequence[Any]]:
    return [(f"读者{i}", f"4401061975{i:08d}", books, "2020-11-21") for i in range(start, start + count)]


def upload(sheets: Sheets, content: bytes, **given: Any) -> int:
    about: dict[str, Any] = {"kind": "lending", "language": "zh", "file_name": "黄玉梅的名单.xlsx", "options": {}}
    return receive(sheets, Received(**about | {"uploaded_by": "li", "owns": {}} | given, content=content))


def run_jobs(sheets: Sheets, turns: int = 1000) -> None:
    """Work as a worker does, until nothing is due."""
    verbs = [verb for _, verb, _ in sheet_jobs(sheets)]
    while sum(verb() for verb in verbs):
        turns -= 1
        assert turns, "the jobs never end"


def previewed(sheets: Sheets, content: bytes, **given: Any) -> dict[str, Any]:
    number = upload(sheets, content, **given)
    run_jobs(sheets)
    return found(number)


def committed(sheets: Sheets, content: bytes, **given: Any) -> dict[str, Any]:
    number = previewed(sheets, content, **given)["_id"]
    ask_to_commit(number)
    run_jobs(sheets)
    return found(number)


def due_now(number: int) -> None:
    """Have an import that is left alone for a while tried at once."""
    imports = collection_of(Imports)
    imports.update_one({"_id": number}, [{"$set": {"not_before": "$uploaded_at"}}])


def counts(new: int = 0, changed: int = 0, unchanged: int = 0, refused: int = 0) -> dict[str, int]:
    return {"new": new, "changed": changed, "unchanged": unchanged, "refused": refused}

"""A ledger to tamper with: accounts, a root, an entry younger than it; and the deeds of whoever owns the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bson import Binary

from chassis.database import database
from services.creditbank.ledger import models
from services.creditbank.ledger.domain import chained, opening
from services.creditbank.ledger.export import export_root
from services.creditbank.ledger.judging import folded
from services.creditbank.ledger.roots import Root, Roots
from tests.unit.creditbank.stories import Assessment, finalised, publicised, publish_annex, registered

SEAL_KEY = b"k" * 32
Row = dict[str, Any]


def prepared(folder: Path) -> tuple[Roots, Root]:
    """Mei has four entries, three of them signed; Lan one, signed; Xin none."""
    publish_annex()
    teller = Assessment()
    teller.tell(registered("mei"), registered("lan"), registered("xin"))
    teller.tell(publicised("mei", level=1), finalised("mei", level=1), publicised("mei", "0002", level=3))
    teller.tell(finalised("lan"))
    roots = Roots(folder / "roots", SEAL_KEY)
    root = export_root(roots)
    teller.tell(finalised("mei", "0002", level=3))
    return roots, root


def place(number: int, learner: str = "mei") -> str:
    return f"{learner}:{number:06d}"


def row_of(number: int, learner: str = "mei") -> Row:
    found = database()["entries"].find_one({"_id": place(number, learner)})
    assert found is not None
    return found


def put(row: Row) -> None:
    database()["entries"].replace_one({"_id": row["_id"]}, row, upsert=True)


def alter(number: int, **change: Any) -> None:
    """Change an entry's content, and nothing else."""
    database()["entries"].update_one({"_id": place(number)}, {"$set": change})


def cut(*numbers: int, learner: str = "mei") -> None:
    """Delete entries."""
    for number in numbers:
        database()["entries"].delete_one({"_id": place(number, learner)})


def swap(one: int, other: int) -> None:
    """Two entries in each other's place."""
    first, second = row_of(one), row_of(other)
    put(second | {"_id": first["_id"]})
    put(first | {"_id": second["_id"]})


def append(learner: str = "mei") -> None:
    """One entry more behind the last, as good as any, of points that nobody earned."""
    last = max(database()["entries"].find({"_id": {"$regex": f"^{learner}:"}}), key=lambda row: row["_id"])
    number = int(last["_id"][-6:]) + 1
    posting = {"from": "issued", "to": "available", "points": 1000}
    put(last | {"_id": place(number, learner), "postings": [posting], "cause": "nobody", "previous": b"", "hash": b""})
    rechain(number, learner)


def rechain(since: int, learner: str = "mei") -> None:
    """Compute every hash from an entry on, as one who knows how."""
    head = row_of(since - 1, learner)["hash"] if since > 1 else opening(learner)
    for row in _chain(learner):
        number = int(row["_id"][-6:])
        if number >= since:
            body = {name: value for name, value in row.items() if name not in models.UNHASHED}
            row |= {"previous": Binary(head), "hash": Binary(chained(head, learner, number, body))}
            put(row)
        head = row["hash"]


def _chain(learner: str) -> Iterator[Row]:
    yield from list(database()["entries"].find({"_id": {"$regex": f"^{learner}:"}}).sort("_id", 1))


def show_journal(learner: str = "mei") -> None:
    """Have the account, and the strand, say what the journal says now: nothing in them gives the deed away."""
    account, fault = folded(learner, models.read_chain(learner))
    assert fault is None
    models.restore_accounts([account])
    database()["strands"].update_one({"_id": f"learner:{learner}"}, {"$set": {"next_seq": account.entries + 1}})


def unsay(*numbers: int, learner: str = "mei") -> None:
    """Take announcements out of the outbox: number n is the n-th on the key."""
    database()["outbox"].delete_many({"key": f"learner:{learner}", "seq": {"$in": list(numbers)}})

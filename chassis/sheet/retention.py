"""How long an import's contents are kept: some days after it ended, or after its preview that nobody committed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chassis.database import Row as Stored
from chassis.database import collection_of, transactional
from chassis.sheet.imports import delete_contents
from chassis.sheet.models import ImportPieces, Imports

KEEP_DAYS = 30
RESTING = ("previewed", "committed", "unreadable", "failed")


@transactional
def empty_one(keep_days: int) -> bool:
    """Delete the file, the rows and the words of the import that has rested longest; False when none is due.

    Its record stays: who uploaded which kind, when, and the counts. A preview that nobody committed is abandoned.
    """
    now = datetime.now(UTC)
    due = {"state": {"$in": RESTING}, "not_before": {"$lte": now - timedelta(days=keep_days)}}
    row = collection_of(Imports).find_one(due, sort=[("not_before", 1)])
    if row is None:
        return False
    change = {
        "state": "abandoned" if row["state"] == "previewed" else row["state"],
        "key": None,
        "about": None,
        "problem": None,
        "not_before": None,
        "emptied_at": now,
        "last_row": _last_row(row),
    }
    collection_of(Imports).update_one({"_id": row["_id"]}, {"$set": change})
    delete_contents(row)
    return True


def _last_row(row: Stored) -> int:
    """The number of the last row that was read."""
    piece = collection_of(ImportPieces).find_one({"number": row["_id"]}, {"last": 1}, sort=[("index", -1)])
    return int(piece["last"]) if piece else 0

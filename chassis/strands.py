"""The strand: one small document per key, its lock, its order and its memory.

MongoDB transactions are snapshots: two of them can each decide rightly and be wrong together. So a transaction names
its keys; their strands are loaded when named and all written back when it closes, even when nothing else changed.
Of two transactions that share a key the second then gets a write conflict and runs again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import mongoengine as me
from pymongo import ReplaceOne

from chassis.database import Row, current, rows_of, write

MAX_KEYS = 2_000


class Strands(me.Document):
    """`next_seq`: the number its next announcement gets; `seen`: by source, the number handled last; `parked`: sources
    of whom something waits behind a gap; `dead`: by source, the numbers of dead letters; `now`: the key this one was
    merged into; `forgotten`: something was announced on it that only the topic knew after a set-back."""

    meta = {
        "collection": "strands",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["now"], "sparse": True, "name": "now"}],
    }
    key = me.StringField(primary_key=True)
    version = me.IntField()
    next_seq = me.IntField()
    seen = me.DictField()
    parked = me.ListField(me.StringField())
    dead = me.DictField()
    now = me.StringField()
    forgotten = me.BooleanField()


@dataclass
class Strand:
    key: str
    version: int = 0
    next_seq: int = 1
    seen: dict[str, int] = field(default_factory=dict)
    parked: list[str] = field(default_factory=list)
    dead: dict[str, list[int]] = field(default_factory=dict)
    now: str = ""
    forgotten: bool = False

    def take_seq(self) -> int:
        """The number of the next announcement on this key."""
        seq = self.next_seq
        self.next_seq += 1
        return seq


def name_keys(keys: Iterable[str]) -> None:
    """Load the strands of these keys into the open transaction, once; they are written back when it closes."""
    strands = _named()
    missing = sorted({key for key in keys if key not in strands})
    if not missing:
        return
    if len(strands) + len(missing) > MAX_KEYS:
        raise ValueError(f"a transaction names at most {MAX_KEYS} keys")
    for row in rows_of(Strands, {"_id": {"$in": missing}}):
        strands[row["_id"]] = _strand(row)
    for key in missing:
        strands.setdefault(key, Strand(key))


def strand(key: str) -> Strand:
    """The strand of a key in the open transaction."""
    found = _named().get(key)
    if found is None:
        name_keys((key,))
        found = _named()[key]
    return found


def survivor_of(key: str) -> str:
    """The key whose state the events of this key act on: itself, unless it was merged."""
    while target := strand(key).now:
        key = target
    return key


def merge_key(merged: str, survivor: str) -> None:
    """From now on, what concerns the merged key acts on the survivor."""
    target = survivor_of(survivor)
    if target != merged:
        strand(merged).now = target


def is_parked(key: str) -> bool:
    """Whether an event of this key, or of one merged into it, waits or is dead: verbs that spend refuse then."""
    target = survivor_of(key)
    if strand(target).parked or strand(target).dead:
        return True
    merged = [target]
    while merged:  # one merge deeper each time: of a merged into b, and b into c, both count for c
        rows = rows_of(Strands, {"now": {"$in": merged}}, ["parked", "dead"])
        if any(row.get("parked") or row.get("dead") for row in rows):
            return True
        merged = [row["_id"] for row in rows]
    return False


def parked_among(keys: Collection[str]) -> set[str]:
    """Of these keys, each a survivor's, those of which, or of one merged into which, an event waits or is dead.

    It asks as often for many keys as for one, and needs no transaction: for readers, who decide nothing.
    """
    whose, found, names = {key: key for key in keys}, set(), ["now", "parked", "dead"]
    rows = rows_of(Strands, {"_id": {"$in": sorted(whose)}}, names)
    while rows:
        found |= {whose[row["_id"]] for row in rows if row.get("parked") or row.get("dead")}
        rows = rows_of(Strands, {"now": {"$in": [row["_id"] for row in rows]}}, names)
        whose |= {row["_id"]: whose[row["now"]] for row in rows}
    return found


def write_back(strands: Iterable[Strand]) -> None:
    """Write every named strand, changed or not: this write is what makes two deciders conflict."""
    write(Strands, [ReplaceOne({"_id": one.key}, _row(one), upsert=True) for one in strands])


def _named() -> dict[str, Strand]:
    transaction = current()
    if transaction is None:
        raise RuntimeError("keys are named inside a transaction")
    strands: dict[str, Strand] | None = transaction.memory.get("strands")
    if strands is None:
        strands = transaction.memory["strands"] = {}
        transaction.closing.append(lambda: write_back(strands.values()))
    return strands


def _strand(row: Row) -> Strand:
    return Strand(
        key=row["_id"],
        version=row["version"],
        next_seq=row.get("next_seq", 1),
        seen=row.get("seen", {}),
        parked=row.get("parked", []),
        dead=row.get("dead", {}),
        now=row.get("now", ""),
        forgotten=row.get("forgotten", False),
    )


def _row(one: Strand) -> Row:
    row: Row = {"_id": one.key, "version": one.version + 1}
    if one.next_seq > 1:
        row["next_seq"] = one.next_seq
    if one.seen:
        row["seen"] = one.seen
    if one.parked:
        row["parked"] = one.parked
    if one.dead:
        row["dead"] = one.dead
    if one.now:
        row["now"] = one.now
    if one.forgotten:
        row["forgotten"] = True
    return row

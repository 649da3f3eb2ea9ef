"""Accounts and entries at rest. An account carries its holdings, so that settling writes one document for both."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby, islice, takewhile
from operator import attrgetter
from typing import Any

import mongoengine as me
from pymongo import InsertOne, ReplaceOne, UpdateOne

from chassis.database import Row, collection_of, rows_of, write
from services.creditbank.ledger.domain import POCKETS, Account, CertificateState, Entry, Holding
from services.creditbank.ledger.merkle import Head

NUMBER_DIGITS = 6
UNHASHED = frozenset({"_id", "at", "previous", "hash"})
PAGE_ROWS = 5_000
STATE = ["entries", "head", "provisional_points", "available_points", "holdings", "is_frozen"]
SHOWS = {"$or": [{"entries": {"$gt": 0}}, {"holdings.0": {"$exists": True}}]}


class Accounts(me.Document):
    """`entries`, `head`: how many entries the account has, and the hash of the last. `holdings`: those with something
    in them, pockets by name, zero ones left out. The two balances are their sums. `is_frozen` stands while true."""

    meta = {
        "collection": "accounts",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["merged_into"], "sparse": True, "name": "merged_into"}],
    }
    learner_id = me.StringField(primary_key=True)
    entries = me.IntField()
    head = me.BinaryField()
    provisional_points = me.IntField()
    available_points = me.IntField()
    holdings = me.ListField(me.DictField())
    merged_into = me.StringField()
    is_frozen = me.BooleanField()


class Entries(me.Document):
    """By `<learner>:<number>`, so that an account's chain lies together in its order. Never changed, only added.

    Everything but `at` is hashed; a field added later is so too.
    """

    meta = {"collection": "entries", "auto_create_index": False, "strict": False}
    place = me.StringField(primary_key=True)
    cause = me.StringField()
    what = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    result_id = me.StringField()
    revision = me.IntField()
    rule_version = me.IntField()
    postings = me.ListField(me.DictField())
    holding_level = me.IntField()
    certificate = me.StringField()
    is_frozen = me.BooleanField()
    reason = me.StringField()
    by = me.StringField()
    previous = me.BinaryField()
    hash = me.BinaryField()
    at = me.DateTimeField()


class RootKeys(me.Document):
    """The newest signs roots, all verify. `sealed`: the private key as a JWK, under SEAL_KEY."""

    meta = {"collection": "root_keys", "auto_create_index": False, "strict": False}
    number = me.IntField(primary_key=True)
    kid = me.StringField()
    sealed = me.StringField()
    made_at = me.DateTimeField()


class NumberedSchemes(me.Document):
    """What the ledger knows of a scheme: whether its points may be spent before the certificate's number is known."""

    meta = {"collection": "schemes", "auto_create_index": False, "strict": False}
    code = me.StringField(primary_key=True)
    needs_certificate_number = me.BooleanField()


def account_of(row: Row) -> Account:
    """An account as it stands."""
    learner_id = row["_id"]
    return Account(
        learner_id=learner_id,
        entries=row["entries"],
        head=bytes(row["head"]),
        holdings={one["scheme"]: _holding(learner_id, one) for one in row["holdings"]},
        merged_into=row.get("merged_into", ""),
        is_frozen=row.get("is_frozen", False),
    )


def _holding(learner_id: str, row: Row) -> Holding:
    return Holding(
        learner_id,
        row["scheme"],
        row["level"],
        row.get("certificate", CertificateState.NONE),
        *(row.get(pocket, 0) for pocket in POCKETS),
    )


def state_of(account: Account) -> Row:
    """What of an account follows from its entries, as it is kept."""
    balance = account.balance()
    holdings = sorted(account.holdings.values(), key=lambda one: one.scheme)
    state: Row = {
        "entries": account.entries,
        "head": account.head,
        "provisional_points": balance.provisional,
        "available_points": balance.available,
        "holdings": [_holding_row(one) for one in holdings if not one.says_nothing()],
    }
    return state | {"is_frozen": True} if account.is_frozen else state


def _change_to(account: Account) -> Row:
    state = {"$set": state_of(account)}
    return state if account.is_frozen else state | {"$unset": {"is_frozen": ""}}


def _holding_row(holding: Holding) -> Row:
    row: Row = {"scheme": holding.scheme, "level": holding.level}
    row |= {pocket: points for pocket in POCKETS if (points := getattr(holding, pocket))}
    if holding.certificate:
        row["certificate"] = str(holding.certificate)
    return row


def find_accounts(learner_ids: Collection[str]) -> dict[str, Account]:
    """The accounts of these learners, where there are any."""
    return {row["_id"]: account_of(row) for row in rows_of(Accounts, {"_id": {"$in": list(learner_ids)}})}


def page_of_accounts(after: str, limit: int) -> list[Account]:
    """Accounts in the order of their learners' ids."""
    return [account_of(row) for row in rows_of(Accounts, {"_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)]


def find_opened(learner_ids: Collection[str]) -> set[str]:
    """Which of these learners have an account."""
    return {row["_id"] for row in rows_of(Accounts, {"_id": {"$in": list(learner_ids)}}, ["_id"])}


def add_accounts(accounts: Iterable[Account]) -> None:
    """Add new accounts."""
    write(Accounts, [InsertOne({"_id": one.learner_id} | state_of(one)) for one in accounts])


def change_accounts(accounts: Iterable[Account]) -> None:
    """Write what entries changed of accounts."""
    write(Accounts, [UpdateOne({"_id": one.learner_id}, _change_to(one)) for one in accounts])


def mark_merged(learner_id: str, survivor_id: str) -> None:
    """Note that an account was handed to another."""
    write(Accounts, [UpdateOne({"_id": learner_id}, {"$set": {"merged_into": survivor_id}})])


def restore_accounts(accounts: Iterable[Account]) -> None:
    """Write what the journal says, whether the account was still there or not."""
    write(Accounts, [UpdateOne({"_id": one.learner_id}, _change_to(one), upsert=True) for one in accounts])


def place_of(learner_id: str, number: int) -> str:
    """The name of an account's entry."""
    return f"{learner_id}:{number:0{NUMBER_DIGITS}d}"


def chain_of(learner_id: str) -> dict[str, str]:
    """The range of an account's entries."""
    return {"$gt": f"{learner_id}:", "$lt": f"{learner_id};"}


def add_entries(entries: Iterable[Entry]) -> None:
    """Add entries to the journal."""
    at = datetime.now(UTC)
    write(Entries, [InsertOne(_entry_row(one, at)) for one in entries])


def _entry_row(entry: Entry, at: datetime) -> Row:
    return {
        "_id": place_of(entry.learner_id, entry.number),
        **entry.body,
        "previous": entry.previous,
        "hash": entry.hash,
        "at": at,
    }


def learner_of(row: Row) -> str:
    """Whose entry a row is."""
    return str(row["_id"])[: -NUMBER_DIGITS - 1]


def entry_of(row: Row) -> Entry:
    """An entry as it is kept; its change is told by its postings. One whose place has no number has number 0."""
    digits = str(row["_id"])[-NUMBER_DIGITS:]
    return Entry(
        learner_id=learner_of(row),
        number=int(digits) if digits.isdecimal() else 0,
        body={name: value for name, value in row.items() if name not in UNHASHED},
        previous=_bytes_of(row, "previous"),
        hash=_bytes_of(row, "hash"),
    )


def _bytes_of(row: Row, name: str) -> bytes:
    """A hash; an empty one where somebody put something else, which follows from nothing."""
    found = row.get(name)
    return found if isinstance(found, bytes) else b""


def entry_rows(learner_id: str, before: int | None, limit: int) -> list[Row]:
    """An account's entries, below a number if one is given, the latest first."""
    chain = chain_of(learner_id)
    if before is not None:
        chain["$lt"] = place_of(learner_id, before)
    return rows_of(Entries, {"_id": chain}, sort=[("_id", -1)], limit=limit)


def entry_rows_after(learner_id: str, number: int, what: str, limit: int) -> list[Row]:
    """An account's entries beyond a number that say this, the earliest first."""
    beyond = chain_of(learner_id) | {"$gt": place_of(learner_id, number)}
    return rows_of(Entries, {"_id": beyond, "what": what}, sort=[("_id", 1)], limit=limit)


def entries_because(learner_ids: Iterable[str], cause: str) -> list[Row]:
    """The entries that these learners have for a cause."""
    ranges = [{"_id": chain_of(one)} for one in learner_ids]
    return rows_of(Entries, {"$or": ranges, "cause": cause}, sort=[("_id", 1)], limit=200) if ranges else []


def entries_with(learner_id: str, causes: Collection[str]) -> list[Row]:
    """The entries of an account with these causes, each of which is of one entry there; oldest first."""
    where = {"_id": chain_of(learner_id), "cause": {"$in": sorted(causes)}}
    return rows_of(Entries, where, sort=[("_id", 1)], limit=len(causes))


def stream_chains() -> Iterator[tuple[str, list[Entry]]]:
    """The whole journal, account by account, each in its order, a page in memory at a time."""
    rows = collection_of(Entries).find({}, batch_size=PAGE_ROWS).sort("_id", 1)
    for learner_id, chain in groupby(map(_taken, rows), key=attrgetter("learner_id")):
        yield learner_id, list(chain)


def _taken(row: Row) -> Entry:
    """An entry as `entry_of` gives it, made of the row itself, which nobody else reads: half the time."""
    place = row.pop("_id")
    previous, own = row.pop("previous", b""), row.pop("hash", b"")
    row.pop("at", None)
    if not (
        type(place) is str and type(previous) is bytes and type(own) is bytes and place[-NUMBER_DIGITS:].isdecimal()
    ):
        return entry_of(row | {"_id": place, "previous": previous, "hash": own})
    return Entry(place[: -NUMBER_DIGITS - 1], int(place[-NUMBER_DIGITS:]), row, previous, own)


def read_chain(learner_id: str) -> list[Entry]:
    """An account's whole chain."""
    return [entry_of(row) for row in rows_of(Entries, {"_id": chain_of(learner_id)}, sort=[("_id", 1)])]


def read_chain_until(learner_id: str, at: datetime) -> Iterator[Entry]:
    """An account's entries up to an instant, in their order, a page in memory at a time."""
    rows = collection_of(Entries).find({"_id": chain_of(learner_id)}, batch_size=PAGE_ROWS).sort("_id", 1)
    return map(entry_of, takewhile(lambda row: row["at"] <= at, rows))


def find_states(learner_ids: Sequence[str]) -> dict[str, Row]:
    """What of accounts should follow from their entries, as it stands."""
    return {row.pop("_id"): row for row in rows_of(Accounts, {"_id": {"$in": list(learner_ids)}}, STATE)}


def stream_heads() -> Iterator[Head]:
    """The heads of all accounts that anything happened to, by learner, a page in memory at a time."""
    names = {"_id": 1, "entries": 1, "head": 1}
    for row in collection_of(Accounts).find({"entries": {"$gt": 0}}, names, batch_size=PAGE_ROWS).sort("_id", 1):
        yield Head(row["_id"], row["entries"], bytes(row["head"]))


def hashes_at(places: Iterable[tuple[str, int]]) -> dict[str, bytes]:
    """By learner, the hash of the entry with this number, where there is one."""
    names = [place_of(*one) for one in places]
    return {learner_of(row): bytes(row["hash"]) for row in rows_of(Entries, {"_id": {"$in": names}}, ["hash"])}


def root_key_rows() -> list[Row]:
    """The keys that sign roots, oldest first."""
    return rows_of(RootKeys, {}, sort=[("_id", 1)])


def add_root_key(number: int, kid: str, sealed: str, made_at: datetime) -> Row:
    """Keep a key that signs roots."""
    row: Row = {"_id": number, "kid": kid, "sealed": sealed, "made_at": made_at}
    write(RootKeys, [InsertOne(row)])
    return row


def count_entries() -> int:
    """About how many entries there are, at once."""
    return collection_of(Entries).estimated_document_count()


def count_showing() -> int:
    """How many accounts show anything."""
    return collection_of(Accounts).count_documents(SHOWS)


def without_entries(learner_ids: Collection[str]) -> list[str]:
    """Those of these learners whose account has no first entry."""
    firsts = rows_of(Entries, {"_id": {"$in": [place_of(one, 1) for one in learner_ids]}}, ["_id"])
    return sorted(set(learner_ids) - {learner_of(row) for row in firsts})


def stream_unfounded() -> Iterator[str]:
    """Accounts that show something without a first entry."""
    found = collection_of(Accounts).find(SHOWS, ["_id"], batch_size=PAGE_ROWS)
    while page := [row["_id"] for row in islice(found, PAGE_ROWS)]:
        yield from without_entries(page)


def audited_accounts(learner: Mapping[str, Any], limit: int) -> list[Row]:
    """What of accounts is audited, by learner."""
    names = ["entries", "holdings", "merged_into"]
    return rows_of(Accounts, {"_id": dict(learner)}, names, sort=[("_id", 1)], limit=limit)


def audited_entries(learner: Mapping[str, Any], limit: int) -> list[Row]:
    """What of entries is audited, by learner and number. Learners' ids are of one length, so places sort as they do."""
    if "$in" in learner:
        ranges = [{"_id": chain_of(one)} for one in learner["$in"]]
        return rows_of(Entries, {"$or": ranges}, AUDITED, sort=[("_id", 1)], limit=limit)
    beyond = f"{learner['$gt']};" if learner["$gt"] else ""
    return rows_of(Entries, {"_id": {"$gt": beyond}}, AUDITED, sort=[("_id", 1)], limit=limit)


AUDITED = ["cause", "what", "scheme", "result_id", "revision", "postings"]


def merged_into(learner_ids: Collection[str]) -> list[Row]:
    """The accounts that were handed to these learners."""
    return rows_of(Accounts, {"merged_into": {"$in": list(learner_ids)}}, ["merged_into"], sort=[("_id", 1)])


def keep_schemes(needs: Mapping[str, bool]) -> None:
    """Write what the ledger knows of schemes."""
    rows = [{"_id": code, "needs_certificate_number": needed} for code, needed in needs.items()]
    write(NumberedSchemes, [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows])


def schemes_that_need_numbers() -> set[str]:
    """The schemes whose points wait for the certificate's number."""
    return {row["_id"] for row in rows_of(NumberedSchemes, {"needs_certificate_number": True}, ["_id"])}


def sum_holdings() -> list[Row]:
    """Points and number of holdings by scheme and level, of those that hold anything."""
    points = {name: {"$sum": {"$ifNull": [f"$holdings.{name}", 0]}} for name in POCKETS}
    group = {"_id": {"scheme": "$holdings.scheme", "level": "$holdings.level"}, "holdings": {"$sum": 1}, **points}
    has_any = {"$or": [{f"holdings.{pocket}": {"$exists": True}} for pocket in POCKETS]}
    pipeline: list[Row] = [
        {"$match": {"holdings.0": {"$exists": True}}},
        {"$unwind": "$holdings"},
        {"$match": has_any},
        {"$group": group},
        {"$sort": {"_id": 1}},
    ]
    return list(collection_of(Accounts).aggregate(pipeline))


def sum_accounts() -> Row:
    """How many accounts, entries and holdings there are, and the points available, in one pass."""
    having = {
        pocket: {"$size": {"$filter": {"input": "$holdings", "cond": {"$gt": [f"$$this.{pocket}", 0]}}}}
        for pocket in ("provisional", "available")
    }
    group: dict[str, Any] = {
        "_id": None,
        "accounts": {"$sum": {"$cond": [{"$gt": ["$merged_into", None]}, 0, 1]}},
        "entries": {"$sum": "$entries"},
        "available_points": {"$sum": "$available_points"},
        **{pocket: {"$sum": count} for pocket, count in having.items()},
    }
    rows = list(collection_of(Accounts).aggregate([{"$group": group}]))
    return rows[0] if rows else dict.fromkeys(group, 0)


def sum_journal() -> int:
    """What the bank has issued and not taken back, from the postings of all entries."""
    sign = {"$subtract": [{"$cond": [{"$eq": [side, "issued"]}, 1, 0]} for side in ("$postings.from", "$postings.to")]}
    pipeline: list[Row] = [
        {"$unwind": "$postings"},
        {"$group": {"_id": None, "issued": {"$sum": {"$multiply": [sign, "$postings.points"]}}}},
    ]
    rows = list(collection_of(Entries).aggregate(pipeline))
    return int(rows[0]["issued"]) if rows else 0

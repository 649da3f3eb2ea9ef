"""Credentials, the keys they are signed with, and what schemes are called, at rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import mongoengine as me
from pymongo import InsertOne, ReplaceOne, UpdateMany, UpdateOne

from chassis.database import Row, rows_of, write
from services.creditbank.papers.domain import Credential, Place


class Credentials(me.Document):
    """By `<list>:<index>`, the credential's bit in the status lists. `sealed`: the signed token under SEAL_KEY, since a
    masked name stands in it. A revoked one stays."""

    meta = {
        "collection": "credentials",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["code"], "unique": True, "name": "code"},
            {"fields": ["learner_id"], "name": "learner_id"},
            {"fields": ["list_number", "index"], "name": "list_index"},
        ],
    }
    place = me.StringField(primary_key=True)
    list_number = me.IntField()
    index = me.IntField()
    code = me.StringField()
    learner_id = me.StringField()
    result_id = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    issued_at = me.DateTimeField()
    revoked_at = me.DateTimeField()
    revoked_because = me.StringField()
    sealed = me.StringField()


class CredentialKeys(me.Document):
    """The newest signs, all are published. `sealed`: the private key as a JWK, under SEAL_KEY."""

    meta = {"collection": "credential_keys", "auto_create_index": False, "strict": False}
    number = me.IntField(primary_key=True)
    kid = me.StringField()
    sealed = me.StringField()
    made_at = me.DateTimeField()


class PaperSchemes(me.Document):
    """What schemes are called, and whose they are, on papers."""

    meta = {"collection": "paper_schemes", "auto_create_index": False, "strict": False}
    code = me.StringField(primary_key=True)
    name = me.StringField()
    teo = me.StringField()


def credential_of(row: Row) -> Credential:
    """A credential as it stands."""
    return Credential(
        place=Place(row["list_number"], row["index"]),
        code=row["code"],
        learner_id=row["learner_id"],
        result_id=row["result_id"],
        scheme=row["scheme"],
        level=row["level"],
        issued_at=row["issued_at"],
        revoked_at=row.get("revoked_at"),
        revoked_because=row.get("revoked_because", ""),
    )


def add_credential(one: Credential, sealed: str) -> None:
    """Keep a credential with its token."""
    names = ("code", "learner_id", "result_id", "scheme", "level", "issued_at")
    row = {name: getattr(one, name) for name in names} | {"level": int(one.level)}
    place = {"_id": str(one.place), "list_number": one.place.list_number, "index": one.place.index}
    write(Credentials, [InsertOne({**place, **row, "sealed": sealed})])


def find_valid(learner_ids: Collection[str]) -> list[Credential]:
    """The credentials of these learners that are not revoked."""
    where = {"learner_id": {"$in": list(learner_ids)}, "revoked_at": None}
    return [credential_of(row) for row in rows_of(Credentials, where, sort=[("_id", 1)])]


def rows_after(learner_id: str, after: str, limit: int) -> list[Row]:
    """A learner's credentials with their tokens, by place, after one of them."""
    return rows_of(Credentials, {"learner_id": learner_id, "_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)


def row_of(place: str) -> Row | None:
    """One credential with its token."""
    return next(iter(rows_of(Credentials, {"_id": place})), None)


def row_by_code(code: str) -> Row | None:
    """The credential that is verified by a code."""
    return next(iter(rows_of(Credentials, {"code": code})), None)


def revoke(place: Place, because: str, at: datetime) -> None:
    """Mark a credential revoked."""
    write(Credentials, [UpdateOne({"_id": str(place)}, {"$set": {"revoked_at": at, "revoked_because": because}})])


def move(merged_id: str, survivor_id: str) -> None:
    """Hand a merged learner's credentials to the survivor."""
    write(Credentials, [UpdateMany({"learner_id": merged_id}, {"$set": {"learner_id": survivor_id}})])


def latest_list() -> int:
    """The number of the status list in which places are given out."""
    rows = rows_of(Credentials, {}, ["list_number"], sort=[("list_number", -1)], limit=1)
    return int(rows[0]["list_number"]) if rows else 1


def taken(places: Iterable[Place]) -> set[str]:
    """Those of these places that somebody has."""
    return {row["_id"] for row in rows_of(Credentials, {"_id": {"$in": [str(one) for one in places]}}, ["_id"])}


def revoked_indexes(list_number: int) -> list[int]:
    """The bits that are set in a status list."""
    where = {"list_number": list_number, "revoked_at": {"$ne": None}}
    return [row["index"] for row in rows_of(Credentials, where, ["index"])]


def key_rows() -> list[Row]:
    """The signing keys, oldest first."""
    return rows_of(CredentialKeys, {}, sort=[("_id", 1)])


def add_key(number: int, kid: str, sealed: str, made_at: datetime) -> Row:
    """Keep a signing key."""
    row: dict[str, Any] = {"_id": number, "kid": kid, "sealed": sealed, "made_at": made_at}
    write(CredentialKeys, [InsertOne(row)])
    return row


def keep_schemes(named: Mapping[str, tuple[str, str]]) -> None:
    """Write names and TEOs of schemes."""
    rows = [{"_id": code, "name": name, "teo": teo} for code, (name, teo) in named.items()]
    write(PaperSchemes, [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows])


def scheme_names(codes: Collection[str]) -> dict[str, str]:
    """What schemes are called; one that nobody has told of by its code."""
    rows = rows_of(PaperSchemes, {"_id": {"$in": sorted(codes)}}, ["name"])
    return {code: code for code in codes} | {row["_id"]: row["name"] for row in rows}


def scheme_of(code: str) -> tuple[str, str]:
    """A scheme's name and TEO; its code while nobody has told more."""
    row = next(iter(rows_of(PaperSchemes, {"_id": code})), None)
    return (row["name"], row["teo"]) if row else (code, "")

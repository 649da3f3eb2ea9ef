"""Databases as files and back: the state of all of them at one instant, as compressed BSON, in bounded memory."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

from bson import decode_file_iter
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.write_concern import WriteConcern

from chassis.standing import NAME, Standing, Standings
from onex.stack.trouble import Trouble

STAMP = "stack"  # in each database, one row: the id of the stack it belongs to
LEFT_OUT = ("leases",)  # who held what at that instant is nobody's afterwards
READ_DOCUMENTS = 1_000
WRITE_DOCUMENTS, WRITE_BYTES = 1_000, 8_000_000
COMPRESSION = 3  # of 9; more costs time and saves little
SNAPSHOT_GONE = (239, 246)  # SnapshotTooOld, SnapshotUnavailable
PATIENCE_MS = 10_000
Client = MongoClient[dict[str, Any]]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Part:
    """One collection's file."""

    file: str
    database: str
    collection: str
    documents: int
    sha256: str


@contextmanager
def speaking_to(mongo: str) -> Iterator[Client]:
    """A client; what the database refuses or cannot do is `Trouble`."""
    try:
        client: Client = MongoClient(mongo, serverSelectionTimeoutMS=PATIENCE_MS, connectTimeoutMS=PATIENCE_MS)
        with client:
            yield client
    except OperationFailure as error:
        if error.code not in SNAPSHOT_GONE:
            raise Trouble(f"MongoDB refuses it: {type(error).__name__} {error.code}.") from error
        raise Trouble(
            "MongoDB no longer has the state in which the backup began. Say it again; databases that take longer to "
            "read than it keeps (five minutes) need a larger minSnapshotHistoryWindowInSeconds."
        ) from error
    except PyMongoError as error:
        raise Trouble(f"MongoDB does not answer as it should: {type(error).__name__}.") from error


def stamps_of(mongo: str, databases: Sequence[str]) -> dict[str, str]:
    """By database, the id of the stack it says it belongs to; those that say nothing are left out."""
    with speaking_to(mongo) as client:
        rows = {name: client[name][STAMP].find_one({"_id": STAMP}) for name in databases}
    return {name: str(row["id"]) for name, row in rows.items() if row}


def stamp(mongo: str, databases: Sequence[str], stack_id: str) -> None:
    """Write into each database whose it is."""
    with speaking_to(mongo) as client:
        for name in databases:
            _durable(client, name)[STAMP].replace_one({"_id": STAMP}, {"id": stack_id}, upsert=True)


def announced(mongo: str, databases: Sequence[str]) -> int:
    """How many announcements these databases hold: an unused stack has none."""
    with speaking_to(mongo) as client:
        return sum(client[name]["outbox"].count_documents({}, limit=1) for name in databases)


def take(mongo: str, databases: Sequence[str], folder: Path, tell: Tell) -> tuple[list[Part], str]:
    """Write every collection of these databases (stamped ones) as all were at one instant; the files, the instant."""
    with speaking_to(mongo) as client, client.start_session(snapshot=True) as session:
        wanted = {name: _collections_of(client, name) for name in databases}
        instant = _begin(client, session, databases[0])
        parts = []
        for name, collections in wanted.items():
            taken = [_write(client[name], one, session, folder) for one in collections]
            tell(f"{name}: {sum(part.documents for part in taken):,} documents")
            parts += taken
    return parts, instant


def _collections_of(client: Client, name: str) -> list[str]:
    found = client[name].list_collection_names(filter={"type": "collection"})
    return sorted(one for one in found if one not in LEFT_OUT and not one.startswith("system."))


def _begin(client: Client, session: ClientSession, name: str) -> str:
    """The first read of a collection that exists fixes the session's instant for all that follow, in every database."""
    found = client[name].command("find", STAMP, limit=1, session=session)
    return str(found["cursor"]["atClusterTime"].as_datetime().isoformat())


class _Hashed:
    """A file that knows the checksum of what was written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.sum = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.sum.update(content)
        return self.file.write(content)

    def flush(self) -> None:
        self.file.flush()


def _write(database: Database[dict[str, Any]], collection: str, session: ClientSession, folder: Path) -> Part:
    file, documents = f"{database.name}.{collection}.bson.gz", 0
    found: Iterator[Any] = database[collection].find_raw_batches({}, batch_size=READ_DOCUMENTS, session=session)
    with _packed(folder / file) as (packed, hashed):
        for batch in found:
            packed.write(batch)
            documents += _count(batch)
    return Part(file, database.name, collection, documents, hashed.sum.hexdigest())


@contextmanager
def _packed(file: Path) -> Iterator[tuple[gzip.GzipFile, _Hashed]]:
    """A new compressed file for its owner's eyes, on the disk when the block ends."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        hashed = _Hashed(out)
        with gzip.GzipFile(fileobj=hashed, mode="wb", compresslevel=COMPRESSION, mtime=0) as packed:
            yield packed, hashed
        out.flush()
        os.fsync(out.fileno())


def _count(batch: bytes) -> int:
    """How many documents a batch of BSON holds: each begins with its own length."""
    count = at = 0
    while at < len(batch):
        at += struct.unpack_from("<i", batch, at)[0]
        count += 1
    return count


def sum_of(file: Path) -> str:
    """A file's checksum."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def put(mongo: str, parts: Sequence[Part], databases: Mapping[str, str], folder: Path, tell: Tell) -> None:
    """Make the databases hold what the files hold and nothing else; `databases`: by the name then, the name here.

    Indexes are made by the services when they start.
    """
    with speaking_to(mongo) as client:
        for here in databases.values():
            client.drop_database(here)
        for part in parts:
            _read(client[databases[part.database]], part, folder)
    for name, here in databases.items():
        tell(f"{here}: {sum(part.documents for part in parts if part.database == name):,} documents")


def ask_for_recovery(mongo: str, databases: Sequence[str], by: str) -> None:
    """Have each service recover before anything else: whoever puts a backup back has said the operator's word."""
    row = {"state": Standing.ASKED.value, "since": datetime.now(UTC), "witnesses": [by], "asked_by": by}
    with speaking_to(mongo) as client:
        for name in databases:
            standings = _durable(client, name)[str(Standings._meta["collection"])]
            standings.update_one({"_id": NAME}, {"$set": row}, upsert=True)


def _durable(client: Client, name: str) -> Database[dict[str, Any]]:
    return client.get_database(name, write_concern=WriteConcern("majority", j=True))


def _read(database: Database[dict[str, Any]], part: Part, folder: Path) -> None:
    """Write a file's documents into its collection; `Trouble` when they are not as many as were counted."""
    collection = database[part.collection]
    count = 0
    for batch in _batches(folder / part.file):
        collection.insert_many(batch, ordered=False)
        count += len(batch)
    if count != part.documents:
        raise Trouble(f"{part.file} holds {count} documents, and {part.documents} were written.")


def _batches(file: Path) -> Iterator[list[RawBSONDocument]]:
    """A file's documents, so many at a time that they stay small in memory."""
    batch: list[RawBSONDocument] = []
    size = 0
    for document in _documents(file):
        batch.append(document)
        size += len(document.raw)
        if len(batch) >= WRITE_DOCUMENTS or size >= WRITE_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _documents(file: Path) -> Iterator[RawBSONDocument]:
    options: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    with gzip.open(file, "rb") as content:
        yield from decode_file_iter(cast("IO[bytes]", content), options)

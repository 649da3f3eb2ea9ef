"""The database: one connection, bulk access for models, and transactions that may run again."""

from __future__ import annotations

import functools
import itertools
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

import mongoengine
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import ConnectionFailure, ExecutionTimeout, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from chassis.errors import Busy, Transient

P = ParamSpec("P")
R = TypeVar("R")
Row = dict[str, Any]

PATIENCE_SECONDS = 3.0  # how long a verb fights for its keys before it says Busy
COMMIT_SECONDS = 10.0  # how long an unknown commit is asked again
MAX_TIME_COMMIT_MS = 5_000
MAJORITY = WriteConcern(w="majority", j=True)
CLIENT_OPTIONS: dict[str, Any] = {
    "uuidRepresentation": "standard",
    "tz_aware": True,
    "readConcernLevel": "majority",  # never act on what a failover could take back
    "serverSelectionTimeoutMS": 3_000,  # HTTP gives up after three seconds
    "connectTimeoutMS": 3_000,
    "socketTimeoutMS": 20_000,  # above the server's own limit for a transaction
    "maxPoolSize": 32,
    "retryWrites": True,
    "retryReads": True,
}
LABEL_TRANSIENT = "TransientTransactionError"
LABEL_UNKNOWN = "UnknownTransactionCommitResult"


@dataclass
class Transaction:
    """What is open in this context: a session, and what its closing has to write."""

    session: ClientSession
    closing: list[Callable[[], None]] = field(default_factory=list)
    memory: dict[str, Any] = field(default_factory=dict)


_open: ContextVar[Transaction | None] = ContextVar("transaction", default=None)
_after_commit: list[Callable[[], None]] = []


def connect(mongo_url: str, name: str) -> None:
    """Connect this process; call it after a fork, since the driver starts threads.

    The client itself names no write concern: pymongo sends it along in a bound transaction too, where the server
    refuses it. Transactions commit with `MAJORITY`, and so does `write` outside of one; what else writes outside has
    the server's default, which is majority as well.
    """
    mongoengine.disconnect()
    mongoengine.connect(name, host=mongo_url, **CLIENT_OPTIONS)


def database() -> Database[Row]:
    """The database this process is connected to."""
    found: Database[Row] = mongoengine.get_db()
    return found


def client() -> MongoClient[Row]:
    """The connection of this process."""
    found: MongoClient[Row] = mongoengine.get_connection()
    return found


def collection_of(document: type[mongoengine.Document]) -> Collection[Row]:
    """The collection behind a model, for models' own bulk work."""
    found: Collection[Row] = document._get_collection()
    return found


def ensure_indexes(*documents: type[mongoengine.Document]) -> None:
    """Make what each document's meta declares; safe to repeat."""
    for document in documents:
        document.ensure_indexes()


def all_documents(root: type[mongoengine.Document] = mongoengine.Document) -> list[type[mongoengine.Document]]:
    """Every document model that this process has imported."""
    found = []
    for document in root.__subclasses__():
        if not document._meta.get("abstract"):
            found.append(document)
        found += all_documents(document)
    return found


def rows_of(
    document: type[mongoengine.Document],
    where: Mapping[str, Any],
    projection: Mapping[str, Any] | Sequence[str] | None = None,
    sort: Sequence[tuple[str, int]] | None = None,
    limit: int = 0,
) -> list[Row]:
    """Read rows as they are stored, in this context's transaction if one is open."""
    cursor = collection_of(document).find(where, projection, limit=limit)
    return list(cursor.sort(list(sort)) if sort else cursor)


def write(document: type[mongoengine.Document], operations: Sequence[Any], ordered: bool = False) -> None:
    """One bulk write; nothing when there is nothing to write."""
    if not operations:
        return
    collection = collection_of(document)
    if current() is None:
        collection = collection.with_options(write_concern=MAJORITY)
    collection.bulk_write(list(operations), ordered=ordered)


def current() -> Transaction | None:
    """The transaction open in this context."""
    return _open.get()


def on_commit(deed: Callable[[], None]) -> None:
    """Have something cheap done after each commit of this process, such as waking the relay."""
    _after_commit.append(deed)


def driver_error(error: BaseException) -> PyMongoError | None:
    """The driver's error behind an exception; mongoengine hides it, and its labels with it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, PyMongoError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def is_conflict(error: BaseException) -> bool:
    """Whether the same transaction on a fresh snapshot may succeed."""
    found = driver_error(error)
    return found is not None and found.has_error_label(LABEL_TRANSIENT)


def comes_from_outside(error: BaseException) -> bool:
    """Whether something was away, the database or another; anything else the database says is our own mistake."""
    return isinstance(error, Transient) or isinstance(driver_error(error), (ConnectionFailure, ExecutionTimeout))


def transactional(verb: Callable[P, R]) -> Callable[P, R]:
    """Run a verb in the transaction open in this context, or in one of its own.

    Inside, every mongoengine and pymongo call of this thread joins. The body may run again after a conflict, so it
    builds its documents inside and does nothing outward. `Busy` when others hold its keys for longer than 3 s.
    """

    @functools.wraps(verb)
    def joined(*args: P.args, **kwargs: P.kwargs) -> R:
        if _open.get() is not None:
            return verb(*args, **kwargs)
        return run_transaction(lambda: verb(*args, **kwargs))

    return joined


def run_transaction(body: Callable[[], R], patience_seconds: float = PATIENCE_SECONDS) -> R:
    """Open a transaction, run the body, close it; again on a conflict, until patience ends with `Busy`."""
    if _open.get() is not None:
        raise RuntimeError("a transaction never opens a second one")
    deadline = time.monotonic() + patience_seconds
    for attempt in itertools.count(1):
        try:
            return _once(body)
        except (PyMongoError, mongoengine.errors.OperationError) as error:
            _pause_or_give_up(error, attempt, deadline)
    raise AssertionError("counting never ends")


def _pause_or_give_up(error: Exception, attempt: int, deadline: float) -> None:
    if not is_conflict(error):
        raise error
    pause = random.uniform(0, min(0.002 * 2**attempt, 0.1))  # noqa: S311 -- jitter, not a secret
    if time.monotonic() + pause > deadline:
        raise Busy("others hold the same keys") from error
    time.sleep(pause)


def try_transaction(body: Callable[[], R]) -> R:
    """One attempt, for callers that change what they attempt after a conflict (the consumer halves its batch)."""
    return _once(body)


def _once(body: Callable[[], R]) -> R:
    with client().start_session() as session:
        session.start_transaction(
            read_concern=ReadConcern("snapshot"),
            write_concern=MAJORITY,
            read_preference=ReadPreference.PRIMARY,
            max_commit_time_ms=MAX_TIME_COMMIT_MS,
        )
        result = _in_session(session, body)
        _commit(session)
    for deed in _after_commit:
        deed()
    return result


def _in_session(session: ClientSession, body: Callable[[], R]) -> R:
    """The body and what its closing writes; any exception aborts."""
    transaction = Transaction(session)
    token = _open.set(transaction)
    try:
        with session.bind(end_session=False):
            result = body()
            _close(transaction)
    except BaseException:
        _abort(session)
        raise
    finally:
        _open.reset(token)
    return result


def _close(transaction: Transaction) -> None:
    for deed in transaction.closing:
        deed()


def _abort(session: ClientSession) -> None:
    if session.in_transaction:
        session.abort_transaction()  # the driver itself drops errors of an abort: the server forgets it anyway


def _commit(session: ClientSession) -> None:
    """Commit; an unknown outcome is asked again, which is safe, until ten seconds are over."""
    deadline = time.monotonic() + COMMIT_SECONDS
    while (error := _try_commit(session)) is not None:
        if not error.has_error_label(LABEL_UNKNOWN) or time.monotonic() > deadline:
            raise error


def _try_commit(session: ClientSession) -> PyMongoError | None:
    try:
        session.commit_transaction()
    except PyMongoError as error:
        return error
    return None

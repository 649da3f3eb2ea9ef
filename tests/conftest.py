"""What all tests of a process share: one real mongod, one empty database for a test that asks, one stack."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import mongoengine
import pytest
from pymongo import MongoClient

from chassis import standing
from chassis.database import all_documents, connect, database, ensure_indexes
from tests.support.engines import empty, running_kafka, running_mongod
from tests.support.sharing import SHARED, precedence, together_of
from tests.support.stack import Stack, running_stack

SHARED_STACK = pytest.StashKey[ExitStack]()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """How the tests are given to the processes that share them."""
    from tests.support.scheduler import ByFile  # noqa: PLC0415 -- xdist is asked for where tests are shared alone

    config.option.loadscopereorder = False  # in the order below
    return ByFile(config, log)


def file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that no process is left alone with it in the end."""
    stacks = {file_of(item) for item in items if "stack" in getattr(item, "fixturenames", ())}
    if strays := sorted(file for file in stacks if together_of(file) == file):
        raise pytest.UsageError(f"{strays} start a stack, which tests/support/sharing.py does not know")
    long = {file_of(item) for item in items if item.get_closest_marker("thousand")}
    items.sort(key=lambda item: precedence(file_of(item), long))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """The shared stack ends with the last of its tests, and does not idle beside all the others."""
    yield
    if nextitem is None or together_of(file_of(nextitem)) != SHARED:
        item.session.stash.get(SHARED_STACK, ExitStack()).close()


@pytest.fixture(scope="session")
def mongo_url() -> Iterator[str]:
    """The address of a real mongod: a given one (`TEST_MONGO`), else one started for this run."""
    if given := os.environ.get("TEST_MONGO"):
        yield given
        return
    with running_mongod() as url:
        yield url


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The address of a real broker: a given one (`TEST_KAFKA`), else one started for this run."""
    if given := os.environ.get("TEST_KAFKA"):
        yield given
        return
    with running_kafka() as address:
        yield address


@pytest.fixture(scope="session")
def kept_database(mongo_url: str) -> Iterator[tuple[str, set[str]]]:
    """The database that tests share one after the other, with the models whose indexes it has (making them is slow)."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name, set()
    with MongoClient[dict[str, object]](mongo_url) as client:
        client.drop_database(name)


@pytest.fixture
def mongo(mongo_url: str, kept_database: tuple[str, set[str]]) -> Iterator[str]:
    """An empty database, connected, with the indexes of every model imported so far; its name."""
    name, indexed = kept_database
    connect(mongo_url, name)
    documents = [one for one in all_documents() if f"{one.__module__}.{one.__name__}" not in indexed]
    ensure_indexes(*documents)
    indexed |= {f"{one.__module__}.{one.__name__}" for one in documents}
    standing.look_again()
    yield name
    connect(mongo_url, name)  # the test may have gone elsewhere
    empty(database())
    mongoengine.disconnect_all()


@pytest.fixture
def raw_mongo(mongo_url: str) -> Iterator[MongoClient[dict[str, object]]]:
    """A client of the test's own, beside the service's connection."""
    with MongoClient(mongo_url, tz_aware=True) as client:
        yield client


@pytest.fixture
def tries() -> int:
    """How often a race is tried: a thousand times, fewer where TRIES says so (make check)."""
    return int(os.environ.get("TRIES", "1000"))


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole stack that the tests of a run share; it starts with nothing in it."""
    with ExitStack() as lifetime:
        request.session.stash[SHARED_STACK] = lifetime
        yield lifetime.enter_context(running_stack(tmp_path_factory.mktemp("stack")))


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Of the processes that share the tests, no other breaks a stack meanwhile."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    with (tmp_path_factory.getbasetemp().parent / f"alone-{run}").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def main_job(stack: Stack) -> str:
    """The main job has run on the shared stack, as expected; what it said."""
    run = stack.onex("demo")
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout

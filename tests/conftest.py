"""What all tests of a process share: one real mongod, one empty database for a test that asks, one stack."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any

import mongoengine
import pytest
from pymongo import MongoClient

from chassis import standing
from chassis.database import all_documents, connect, database, ensure_indexes
from tests.support.engines import empty, running_kafka, running_mongod
from tests.support.sharing import precedence
from tests.support.stack import Stack, running_stack


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
    long = {file_of(item) for item in items if item.get_closest_marker("thousand")}
    items.sort(key=lambda item: precedence(file_of(item), long))


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
def kept_database() -> tuple[str, set[str]]:
    """The database that tests share one after the other, with the models whose indexes it has (making them is slow)."""
    return f"test_{uuid.uuid4().hex[:12]}", set()


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
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole stack that the tests of a run share; it starts with nothing in it."""
    with running_stack(tmp_path_factory.mktemp("stack")) as started:
        yield started


@pytest.fixture(scope="session")
def main_job(stack: Stack) -> str:
    """The main job has run on the shared stack, as expected; what it said."""
    run = stack.onex("demo")
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout

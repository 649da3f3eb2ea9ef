"""The real engines for tests, each in a folder that goes with it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onex.stack.engines import start_kafka, start_mongod
from onex.stack.ports import free_port


@contextmanager
def running_mongod() -> Iterator[str]:
    """A mongod as a replica set of one; its address."""
    with tempfile.TemporaryDirectory(prefix="onex-mongod-", ignore_cleanup_errors=True) as folder:
        engine = start_mongod(Path(folder), free_port())
        try:
            yield engine.mongo_url
        finally:
            engine.kill()


@contextmanager
def running_kafka() -> Iterator[str]:
    """A broker; its address."""
    with tempfile.TemporaryDirectory(prefix="onex-kafka-", ignore_cleanup_errors=True) as folder:
        engine = start_kafka(Path(folder), free_port(), free_port())
        try:
            yield engine.kafka
        finally:
            engine.kill()

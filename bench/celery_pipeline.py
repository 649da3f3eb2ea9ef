"""What a team would build instead: Celery with Redis and MongoDB, record → deposit → notify, one task each.

It promises less than OneX: a task may run twice or be lost with Redis, and two of one learner run in any order. Written
as tutorials do, with the defaults of the libraries: `python -m bench.celery_pipeline --results 1000`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import cache
from typing import Any

from celery import Celery
from pymongo import MongoClient
from pymongo.database import Database

POINTS = 200
app = Celery("pipeline", broker=os.environ.get("REDIS", "redis://127.0.0.1:6379/0"))
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)


@cache
def database() -> Database[dict[str, Any]]:
    """The database of this process, connected after the fork."""
    return MongoClient(os.environ["MONGO"], w="majority", journal=True)[os.environ["DATABASE"]]


@app.task(name="record")
def record(number: int) -> None:
    """Keep a result and have it credited."""
    database()["results"].insert_one({"_id": number, "learner": f"L{number:08d}", "theory": 80, "practical": 70})
    deposit.delay(number)


@app.task(name="deposit")
def deposit(number: int) -> None:
    """Credit a result and have it told."""
    learner = f"L{number:08d}"
    database()["entries"].insert_one({"_id": number, "learner": learner, "points": POINTS})
    database()["accounts"].update_one({"_id": learner}, {"$inc": {"points": POINTS}}, upsert=True)
    notify.delay(number)


@app.task(name="notify")
def notify(number: int) -> None:
    """Queue a notice."""
    database()["notices"].insert_one({"_id": number, "learner": f"L{number:08d}", "state": "queued"})


def main() -> None:
    """Submit results, as fast as it goes or each at its scheduled time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--results", type=int, required=True)
    parser.add_argument("--rate", type=float, default=0)
    given = parser.parse_args()
    app.connection_for_write().ensure_connection(max_retries=3)
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.time()
    for number in range(given.results):
        if given.rate:
            time.sleep(max(began + number / given.rate - time.time(), 0))
        record.delay(given.first + number)
    print(f"recorded {began} {time.time()}", flush=True)


if __name__ == "__main__":
    main()

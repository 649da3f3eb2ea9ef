"""Record the published language: `python -m tests.contract.record`.

Writes beside this file what is not recorded yet; commit it with the change of `contracts/`.

- A new announcement: add an example of it to `examples.py`, and record: its schema and its first sample are written.
- A new field (with a default): record, and its schema has grown. To see the field in a sample, append a second example.
- A sample once written is a record of what has been announced. It is never written again.
- A change that breaks a reader is refused here and by the tests: announce something new under a new name instead.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from chassis.bus.event import Announcement, encode_body, event_id, headers_of
from chassis.clock import UTC
from tests.contract.examples import EXAMPLES
from tests.contract.growth import breaches, breaches_of_travel
from tests.contract.language import (
    HERE,
    TRAVELS,
    announcements,
    recorded_schema,
    recorded_travels,
    schema_file,
    schema_of,
    travel_of,
)

RECORDED_AT = datetime(2021, 3, 1, 8, 0, 0, 250_000, tzinfo=UTC)
CAUSE = "import:assessment:3:17"
SEQ = 7


def record(kinds: Mapping[str, type[Any]], examples: Iterable[Announcement], folder: Path) -> list[str]:
    """Write what is new; what may not be recorded, a sentence each."""
    refused = []
    travels = recorded_travels(folder)
    for name, kind in kinds.items():
        current = schema_of(kind)
        found = breaches(recorded_schema(folder, name), current) if schema_file(folder, name).exists() else []
        if name in travels:
            found += breaches_of_travel(travels[name], travel_of(kind))
        refused += [f"{name}.{one}" for one in found]
        if not found:
            _write(schema_file(folder, name), current)
            travels[name] = travel_of(kind)
    _write(folder / TRAVELS, dict(sorted(travels.items())))
    for file, example in samples(folder, examples):
        if not file.exists():
            _write(file, sample_of(example))
    return refused


def samples(folder: Path, examples: Iterable[Announcement]) -> Iterator[tuple[Path, Announcement]]:
    """Each example with the file of its sample; the nth example of a type is its nth sample."""
    counted: dict[str, int] = {}
    for example in examples:
        name = type(example).__name__
        counted[name] = counted.get(name, 0) + 1
        suffix = "" if counted[name] == 1 else f".{counted[name]}"
        yield folder / "samples" / example.source / f"{name}{suffix}.json", example


def sample_of(body: Announcement) -> dict[str, Any]:
    """A record as Kafka would carry it, on the first of its keys."""
    name, key = type(body).__name__, body.keys()[0]
    row = {
        "_id": event_id(CAUSE, name, key, 0),
        "key": key,
        "seq": SEQ,
        "type": name,
        "source": body.source,
        "cause": CAUSE,
        "time": RECORDED_AT,
    }
    headers = {header: value.decode() for header, value in headers_of(row)}
    return {"headers": headers, "body": json.loads(encode_body(body))}


def _write(file: Path, content: dict[str, Any]) -> None:
    written = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    if file.exists() and file.read_text() == written:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(written)
    print(f"recorded {file}")


if __name__ == "__main__":
    if sentences := record(announcements(), EXAMPLES, HERE):
        sys.exit("\n".join(["These changes would break a reader and are not recorded:", *sentences]))

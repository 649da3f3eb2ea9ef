"""The operator's verbs that need the credit bank's database: verify and rebuild.

`python -m services.creditbank.console verify|rebuild` prints one JSON document; it exits 0 when every account is right.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from chassis.database import connect
from services.creditbank.ledger.audit import Audit, rebuild, verify
from services.creditbank.settings import settings

VERBS: Mapping[str, Callable[[], Audit]] = {"verify": verify, "rebuild": rebuild}
USAGE = "usage: python -m services.creditbank.console verify|rebuild"


def main(arguments: Sequence[str]) -> int:
    """Run one verb on the database of the environment's settings."""
    if len(arguments) != 1 or arguments[0] not in VERBS:
        print(USAGE, file=sys.stderr)
        return 2
    place = settings()
    connect(place.mongo, place.database)
    began = time.monotonic()
    audit = VERBS[arguments[0]]()
    print(json.dumps(asdict(audit) | {"seconds": round(time.monotonic() - began, 2)}, ensure_ascii=False, indent=1))
    return 1 if audit.faulty else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

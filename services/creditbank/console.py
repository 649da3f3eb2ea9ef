"""The operator's verbs that need the credit bank's database or its keys, for `onex ledger` and by hand.

`python -m services.creditbank.console verify|rebuild|root|prove` prints one JSON document, progress on standard error.
It exits 0 when all is right, 1 when something is wrong, 2 when it was asked wrongly.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chassis.database import connect
from chassis.errors import Refusal
from services.creditbank.ledger.audit import Audit, rebuild, verify
from services.creditbank.ledger.export import Contradicted, Export
from services.creditbank.ledger.proofs import prove
from services.creditbank.ledger.queries import journal_size
from services.creditbank.ledger.roots import RootBroken, Roots
from services.creditbank.settings import settings

TELL_EVERY_SECONDS = 2.0
Asked = argparse.Namespace
Answer = tuple[dict[str, Any], bool]


class Progress:
    """Says on standard error, now and then, how far a verb is."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._next = what, total, time.monotonic() + TELL_EVERY_SECONDS

    def __call__(self, done: int) -> None:
        if time.monotonic() >= self._next:
            print(f"{done:,} of about {self._total:,} {self._what}", file=sys.stderr, flush=True)
            self._next = time.monotonic() + TELL_EVERY_SECONDS


def main(arguments: Sequence[str]) -> int:
    """Run one verb on the database of the environment's settings."""
    asked = _parsed(arguments)
    place = settings()
    connect(place.mongo, place.database)
    began = time.monotonic()
    try:
        answer, is_right = VERBS[asked.verb](asked, place.roots())
    except (Refusal, RootBroken, Contradicted) as fault:
        answer, is_right = {"error": fault.sentence("en") if isinstance(fault, Refusal) else str(fault)}, False
        answer |= {"faults": fault.faults} if isinstance(fault, Contradicted) else {}
    seconds = {} if asked.verb == "prove" else {"seconds": round(time.monotonic() - began, 2)}
    print(json.dumps(answer | seconds, ensure_ascii=False, indent=1))
    return 0 if is_right else 1


def _parsed(arguments: Sequence[str]) -> Asked:
    parser = argparse.ArgumentParser("python -m services.creditbank.console", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("verify", help="hold the journal against its hashes, the last root, announcements and accounts")
    verbs.add_parser("rebuild", help="write accounts that differ from their journal as it says them")
    root = verbs.add_parser("root", help="export a signed root over all accounts' heads")
    root.add_argument("--anew", default="", metavar="REASON", help="although the journal contradicts the last root")
    proof = verbs.add_parser("prove", help="an account's head and its path to the latest root")
    proof.add_argument("learner")
    return parser.parse_args(arguments)


def _audited(audit_with: Callable[..., Audit]) -> Callable[[Asked, Roots], Answer]:
    def answer(_asked: Asked, roots: Roots) -> Answer:
        audit = audit_with(roots, Progress("entries", journal_size()))
        return audit.shown(), not audit.faulty

    return answer


def _root(asked: Asked, roots: Roots) -> Answer:
    export = Export(roots, asked.anew)
    tell = Progress("accounts", journal_size())
    for done in export.steps():
        tell(done)
    root = export.made
    assert root is not None  # noqa: S101 -- steps end with it, or raise
    said = {"root": root.hash, "accounts": root.size, "entries": root.entries}
    return {"name": root.name, "folder": str(roots.folder), **said}, True


def _proof(asked: Asked, roots: Roots) -> Answer:
    return prove(asked.learner, roots), True


VERBS: Mapping[str, Callable[[Asked, Roots], Answer]] = {
    "verify": _audited(verify),
    "rebuild": _audited(rebuild),
    "root": _root,
    "prove": _proof,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Proving that an account's head stands under a signed root: a few hashes that anybody can check without the bank."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chassis.errors import NOT_FOUND, Ground
from services.creditbank.ledger.merkle import Head, walked
from services.creditbank.ledger.roots import Root, RootBroken, Roots

NO_ROOT = Ground(
    "no_root",
    en="No root has been exported yet. The bank exports one each day; onex ledger root does it now.",
    zh="尚未导出任何账本根。系统每日导出一次，也可用 onex ledger root 立即导出。",
    status=404,
)


def prove(learner_id: str, roots: Roots) -> dict[str, Any]:
    """The head of a learner's account and its path to the latest root, with the root as it was signed.

    Reads the root's heads twice and keeps none. Refusal when there is no root, or the account is not under it.
    """
    root = roots.latest()
    if root is None:
        raise NO_ROOT()
    place, head = _found(learner_id, roots.heads(root))
    try:
        _, path = walked((one.line() for one in roots.heads(root)), root.size, place)
    except ValueError as error:
        raise RootBroken(f"{root.name}.heads.gz: {error}") from None
    return _shown(root, head, place, path)


def _found(learner_id: str, heads: Iterator[Head]) -> tuple[int, Head]:
    """Where a learner's head stands; the heads are read to their end, which tells whether they are the signed ones."""
    found = [(place, head) for place, head in enumerate(heads) if head.learner_id == learner_id]
    if not found:
        raise NOT_FOUND(what="account under the root", id=learner_id)
    return found[0]


def _shown(root: Root, head: Head, place: int, path: list[bytes]) -> dict[str, Any]:
    return {
        "learner_id": head.learner_id,
        "entries": head.entries,
        "head": head.hash.hex(),
        "place": place,
        "path": [one.hex() for one in path],
        "root": root.token,
    }
